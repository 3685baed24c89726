"""Which recordings there are below the paths that were given, each of them once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from liveclf.errors import UsageError

_META, _DATA = ".sigmf-meta", ".sigmf-data"


@dataclass(frozen=True, slots=True)
class Found:
    """A recording, and by what it is known again.

    Attributes:
        path: Absolute, links as the user knows them.
        bytes: Of all its files together.
        modified_ns: When each of its files was last changed, UNIX time.
    """

    path: str
    bytes: int
    modified_ns: tuple[int, ...]


@dataclass
class Listing:
    """What was found.

    Attributes:
        files: The recordings, the largest first: none is left for the end on its own.
        n_other: Files in folders that are no recordings by their name.
        troubles: Folders that cannot be read, each a sentence.
    """

    files: list[Found] = field(default_factory=list)
    n_other: int = 0
    troubles: list[str] = field(default_factory=list)


def list_recordings(
    paths: Iterable[str], names_recording: Callable[[Path], bool], leave_out: Path
) -> Listing:
    """Search folders, and take files as they are given.

    Links are followed; a folder is searched once, however many links lead to it, and a file
    counts once. The two files of a SigMF recording are one, known by its metadata.

    Args:
        paths: Files and folders.
        names_recording: Tells by the name whether a file of a folder is a recording.
        leave_out: Folder that is not searched: that of the results.

    Raises:
        UsageError: A path is not there.
    """
    listing = Listing()
    seen = {_place(leave_out)} if leave_out.exists() else set()
    by_real_path: dict[str, str] = {}
    for path in map(os.path.abspath, paths):
        if os.path.isdir(path):
            named = _in_folder(path, names_recording, seen, listing)
        elif os.path.lexists(path):
            named = iter([path])
        else:
            raise UsageError(f"{path} is not there; give recordings, or folders that hold some.")
        for file in map(_meta_of, named):
            by_real_path.setdefault(os.path.realpath(file), file)
    data_sets = {os.path.realpath(d) for d in map(_foreign_data_set, by_real_path.values()) if d}
    files = (_found(file) for real, file in by_real_path.items() if real not in data_sets)
    listing.files = sorted(files, key=lambda found: (-found.bytes, os.fsencode(found.path)))
    return listing


def _in_folder(
    folder: str,
    names_recording: Callable[[Path], bool],
    seen: set[tuple[int, int]],
    listing: Listing,
) -> Iterator[str]:
    def report(error: OSError) -> None:
        listing.troubles.append(f"Folder {error.filename} cannot be read: {error.strerror}.")

    if _is_new(folder, seen):
        for parent, folders, names in os.walk(folder, followlinks=True, onerror=report):
            # In place, which is how os.walk is told where to go and in which order.
            folders[:] = [f for f in sorted(folders) if _is_new(os.path.join(parent, f), seen)]
            for name in sorted(names):
                if names_recording(Path(name)):
                    yield os.path.join(parent, name)
                else:
                    listing.n_other += 1


def _is_new(folder: str, seen: set[tuple[int, int]]) -> bool:
    try:
        place = _place(Path(folder))
    except OSError:  # gone meanwhile: os.walk reports it
        return True
    is_new = place not in seen
    seen.add(place)
    return is_new


def _place(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _meta_of(path: str) -> str:
    """Return the metadata of a SigMF data file where they are there, else the path."""
    meta = path.removesuffix(_DATA) + _META
    return meta if path.endswith(_DATA) and os.path.exists(meta) else path


def _foreign_data_set(path: str) -> str | None:
    """Return the data set of SigMF metadata where it has a name of its own."""
    if not path.endswith(_META) or os.path.exists(path.removesuffix(_META) + _DATA):
        return None
    try:
        with open(path, "rb") as file:
            meta: dict[str, Any] = json.load(file)
        named = str(meta["global"]["core:dataset"])
        return os.path.join(os.path.dirname(path), os.path.basename(named))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # what is wrong with it is said when it is read


def _found(path: str) -> Found:
    parts = [path]
    if path.endswith(_META):
        parts.append(_foreign_data_set(path) or path.removesuffix(_META) + _DATA)
    sizes, times = [], []
    for part in parts:
        try:
            status = os.stat(part)
        except OSError:
            continue  # why it cannot be read is said when it is
        sizes.append(status.st_size)
        times.append(status.st_mtime_ns)
    return Found(path, sum(sizes), tuple(times))
