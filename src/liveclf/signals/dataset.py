"""Data sets of generated windows, in the layout of RadioML 2018.01A.

    settings -> parts -> chunks, made in other processes -> rows of an HDF5 file

Memory holds a few chunks, whatever the size of the set. Every chunk has a number, and its
seed with it, and they are written in order: the file is the same for any number of
processes.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from liveclf import __version__
from liveclf.config import SynthDataSettings, SynthSettings, WorkSettings, to_toml
from liveclf.errors import MissingExtraError, TrainingError, UsageError
from liveclf.signals.channel import WINDOW
from liveclf.signals.classes import CLASSES
from liveclf.signals.generator import CHUNK, Labelled, make_chunk
from liveclf.signals.workers import cores, in_order

# Chunk numbers from here on are for data sets: neither training nor its validation, which
# begins at 10^9 (learn.feed), gets that far.
FIRST_CHUNK = 2_000_000_000

# Of each array of the file, what one row is.
Rows = dict[str, np.dtype[Any]]


@dataclass(frozen=True)
class Part:
    """A chunk, and how much of it is taken.

    Attributes:
        index: Number of the chunk.
        snr_db: Lowest and highest SNR in it.
        n: Windows taken, the first ones; a chunk is in no order.
    """

    index: int
    snr_db: tuple[float, float]
    n: int


def write_dataset(path: Path, settings: SynthSettings, advance: Callable[[int], None]) -> None:
    """Make a data set and write it as HDF5.

    `X` (N, 1024, 2), I and Q, unit mean power; `Y` (N, classes) int64, one-hot; `Z` (N, 1)
    float32, SNR in dB across the sampled band. Attributes: `classes`, a JSON list; `seed`;
    `liveclf`, the version; `settings`, the TOML that makes the same again.

    Args:
        path: Where it lies once it is complete; what was there is replaced.
        settings: What to make, and in how many processes.
        advance: Told after each part how many windows it had.

    Raises:
        UsageError: A class is not known, or there are more levels of SNR than windows.
        MissingExtraError: h5py is not installed.
        TrainingError: It cannot be written, or a process that makes it was killed.
    """
    rows = _rows(settings.data)
    beside = path.with_name(f"{path.name}.part")
    size = settings.data.windows * sum(row.itemsize for row in rows.values())
    with _created(path, beside, size):
        offsets = _lay_out(path, beside, rows, settings)
        with beside.open("r+b") as file, closing(make_parts(settings)) as parts:
            done = 0
            for part in parts:
                with _reported(path):
                    _write(file, part, rows, offsets, done)
                done += len(part.y)
                advance(len(part.y))
        with _reported(path):
            os.replace(beside, path)


def make_parts(settings: SynthSettings) -> Generator[Labelled]:
    """Make the windows of a data set, in order.

    Raises:
        UsageError: A class is not known, or there are more levels of SNR than windows.
        TrainingError: A process that makes them was killed.
    """
    data = settings.data
    make = partial(_make, seed=data.seed, classes=classes_of(data))
    return in_order(make, plan(data), settings.work.workers or cores())


def plan(data: SynthDataSettings) -> Iterator[Part]:
    """Divide a data set into parts: as many windows of each level of SNR, in turn.

    Raises:
        UsageError: There are more levels of SNR than windows.
    """
    lowest, highest, step = data.snr_min_db, data.snr_max_db, data.snr_step_db
    # A little more, as 0.3 / 0.1 is less than 3.
    n_levels = int((highest - lowest) / step + 1e-9) + 1 if step else 1
    if n_levels > data.windows:
        raise UsageError(
            f"--snr-step {step:g} makes {n_levels:,} levels of SNR, more than the "
            f"{data.windows:,} --windows; raise either."
        )
    share, more = divmod(data.windows, n_levels)
    left = [share + (k < more) for k in range(n_levels)]
    index = FIRST_CHUNK
    while any(left):
        for k in range(n_levels):
            if n := min(left[k], CHUNK):
                level = lowest + k * step
                yield Part(index, (level, level) if step else (lowest, highest), n)
                left[k] -= n
                index += 1


def classes_of(data: SynthDataSettings) -> tuple[str, ...]:
    """Return the names of the classes that are made, in the order of the labels.

    Raises:
        UsageError: One is not known, or is named twice.
    """
    if not data.classes:
        return CLASSES
    names = tuple(name.strip() for name in data.classes.split(","))
    if unknown := [name for name in names if name not in CLASSES]:
        raise UsageError(
            f"--classes-only: {unknown[0]!r} is not known; choose from {', '.join(CLASSES)}."
        )
    if len(set(names)) < len(names):
        raise UsageError(f"--classes-only {data.classes}: name each class once.")
    return names


def _make(part: Part, seed: int, classes: tuple[str, ...]) -> Labelled:
    made = make_chunk(seed, part.index, part.snr_db, classes=classes)
    return Labelled(made.x[: part.n], made.y[: part.n], made.snr_db[: part.n])


def _rows(data: SynthDataSettings) -> Rows:
    return {
        "X": np.dtype((data.dtype, (WINDOW, 2))),
        "Y": np.dtype((np.int64, (len(classes_of(data)),))),
        "Z": np.dtype((np.float32, (1,))),
    }


def _lay_out(path: Path, beside: Path, rows: Rows, settings: SynthSettings) -> dict[str, int]:
    """Write everything but the rows, and say where those of each array begin in the file.

    The rows are written without HDF5: a write that fails on a full disk leaves it with
    objects that it cannot close, and the process ends in a segmentation fault.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError(
            "Writing HDF5 needs h5py", 'pip install "liveclf[train]"'
        ) from error
    offsets = {}
    with _reported(path), h5py.File(beside, "w") as file:
        for name, row in rows.items():
            array = file.create_dataset(name, (settings.data.windows, *row.shape), row.base)
            array[0] = 0  # gives the array its place
            offsets[name] = int(array.id.get_offset())
        same = msgspec.structs.replace(settings, work=WorkSettings())  # no matter how many workers
        file.attrs["classes"] = json.dumps(classes_of(settings.data))
        file.attrs["seed"] = settings.data.seed
        file.attrs["liveclf"] = __version__
        file.attrs["settings"] = to_toml(same)
    return offsets


def _write(file: BinaryIO, part: Labelled, rows: Rows, offsets: dict[str, int], at: int) -> None:
    """Write the rows of a part, the first of them row `at` of the set."""
    values: dict[str, NDArray[Any]] = {
        "X": part.x.transpose(0, 2, 1),
        "Y": np.eye(rows["Y"].shape[0])[part.y],
        "Z": part.snr_db[:, None],
    }
    for name, row in rows.items():
        file.seek(offsets[name] + at * row.itemsize)
        file.write(values[name].astype(row.base).tobytes())
    file.flush()


@contextmanager
def _created(path: Path, beside: Path, size: int) -> Iterator[None]:
    """Make the file that becomes `path`; whatever happens, it is not left under its own name."""
    with _reported(path):
        free = shutil.disk_usage(path.parent).free
    if free < size:
        raise TrainingError(
            f"Data set {path} needs {size / 1e9:,.3g} GB, and {free / 1e9:,.3g} GB are free; "
            "make fewer --windows, or --dtype float16."
        )
    if beside.exists():
        raise TrainingError(
            f"{beside} is there: either another run writes it, or one was killed; "
            "if none writes it, delete it."
        )
    with _reported(path):
        file = beside.open("xb")
    try:
        with _reported(path), file:
            file.truncate(size)
        yield
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise TrainingError(f"Data set {path} cannot be written: {reason}.") from error
