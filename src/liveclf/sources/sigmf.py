"""SigMF recordings: N.sigmf-meta beside N.sigmf-data, or both in a tar N.sigmf.

Compliance is judged by the official package's schema; samples are read by our
own reader, so that a recording of any size takes no more memory than a block.
"""

from __future__ import annotations

import hashlib
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liveclf.config import SourceSettings
from liveclf.dsp.formats import sample_format
from liveclf.errors import SourceError
from liveclf.records import Capture, Dataset, SampleFormat
from liveclf.sources import raw, sigmf_captures, sigmf_meta
from liveclf.sources.names import Hints, from_name
from liveclf.sources.recording import Recording
from liveclf.sources.samples import FileSamples, open_binary, reason, size_of

_META, _DATA = ".sigmf-meta", ".sigmf-data"
_HASHED_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class _Stored:
    """Where the bytes of a data set lie: a file, or a member of an archive."""

    path: Path
    offset: int
    size: int
    files: tuple[Path, ...]  # with that of the metadata
    metadata: Path | None = None  # where they are a file


def open_recording(path: Path, settings: SourceSettings) -> Recording:
    """Open a SigMF recording, given either file of the pair or the archive.

    Args:
        path: The file.
        settings: Flags that go before the metadata.

    Raises:
        SourceError: A part is missing, damaged, not compliant or no IQ.
        UsageError: A flag is wrong.
    """
    size_of(path)
    ending = path.suffix.lower()
    if ending in (".gz", ".xz", ".zip"):
        raise SourceError(f"Recording {path} is a compressed archive; unpack it first.")
    if ending == _DATA and settings.format and not path.with_suffix(_META).exists():
        return raw.open_recording(path, settings)
    meta, stored = _from_archive(path) if ending == ".sigmf" else _from_pair(path)
    if settings.checksum:
        _verify(stored, meta, path)
    return _recording(meta, stored, path, settings)


def _recording(
    meta: dict[str, Any], stored: _Stored, path: Path, settings: SourceSettings
) -> Recording:
    flags = Hints.from_flags(settings)
    fmt = sample_format(flags.format) if flags.format else sigmf_meta.format_of(meta, path)
    layout = sigmf_meta.lay_out(meta, stored.size, fmt, path)
    captures = sigmf_captures.captures_of(meta, layout, flags, from_name(path.name))
    pieces = tuple((first, stored.offset + at) for first, at in layout.pieces)
    return Recording(
        name=path.name,
        samples=FileSamples(stored.path, fmt, layout.n_samples, pieces),
        format=fmt,
        captures=captures,
        annotations=sigmf_captures.annotations_of(meta, layout, captures, path),
        notes=sigmf_captures.notes_on(meta, layout),
        files=stored.files,
        # With another format their metadata count other samples.
        dataset=None if flags.format else _dataset(stored, fmt, layout, captures),
    )


def _dataset(
    stored: _Stored, fmt: SampleFormat, layout: sigmf_meta.Layout, captures: tuple[Capture, ...]
) -> Dataset | None:
    if stored.metadata is None:
        return None
    return Dataset(
        stored.path, fmt, layout.n_samples, captures,
        metadata=stored.metadata, first_index=layout.offset,
    )  # fmt: skip


def _from_pair(path: Path) -> tuple[dict[str, Any], _Stored]:
    meta_path = path.with_suffix(_META)
    if not meta_path.exists():
        raise SourceError(
            f"Recording {path} has no {meta_path.name} beside it, which describes it;"
            " put it there, or give --format to replay it as raw samples."
        )
    size_of(meta_path)
    with open_binary(meta_path) as file:
        meta = sigmf_meta.parse(file.read(), meta_path)
    data_path = meta_path.with_name(sigmf_meta.dataset_name(meta, meta_path, _DATA))
    if not data_path.exists():
        why = "was shared without its samples" if _is_metadata_only(meta) else "is not complete"
        raise SourceError(f"Recording {path} {why}: {data_path.name} is not beside it.")
    return meta, _Stored(data_path, 0, size_of(data_path), (meta_path, data_path), meta_path)


def _is_metadata_only(meta: dict[str, Any]) -> bool:
    return bool(meta["global"].get("core:metadata_only"))


def _from_archive(path: Path) -> tuple[dict[str, Any], _Stored]:
    try:
        with tarfile.open(path, "r:") as archive:
            # Path, as some archives write ./name.
            members = {Path(member.name): member for member in archive if member.isfile()}
            names = [name for name in members if name.suffix == _META]
            if len(names) != 1:
                found = "no" if not names else "more than one"
                raise SourceError(
                    f"Archive {path} holds {found} {_META} file; unpack it and give the one to use."
                )
            file = archive.extractfile(members[names[0]])
            meta = sigmf_meta.parse(file.read() if file else b"", names[0])
    except tarfile.TarError as error:
        raise SourceError(
            f"Archive {path} cannot be read as an uncompressed tar ({reason(error)}): it is cut"
            " short, or compressed and to be unpacked first."
        ) from None
    data_name = sigmf_meta.dataset_name(meta, names[0], _DATA)
    member = members.get(names[0].with_name(data_name))
    if member is None or member.issparse():
        raise SourceError(
            f"Archive {path} does not hold {data_name} whole and in one piece: it is cut short, or"
            " has to be packed anew."
        )
    if member.offset_data + member.size > size_of(path):
        raise SourceError(f"Archive {path} is cut short: {data_name} is longer than what is left.")
    return meta, _Stored(path, member.offset_data, member.size, (path,))


def _verify(stored: _Stored, meta: dict[str, Any], path: Path) -> None:
    """Compare the SHA-512 of the data set with the one in the metadata, if any."""
    expected = meta["global"].get("core:sha512")
    if expected is None:
        return
    digest, left = hashlib.sha512(), stored.size
    with open_binary(stored.path) as file:
        file.seek(stored.offset)
        while left and (chunk := file.read(min(left, _HASHED_BYTES))):
            digest.update(chunk)
            left -= len(chunk)
    if digest.hexdigest() != expected.lower():
        raise SourceError(
            f"Recording {path} does not have the SHA-512 that its metadata gives: the samples are"
            " damaged or were changed; --no-checksum reads it all the same."
        )
