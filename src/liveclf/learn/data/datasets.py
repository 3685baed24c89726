"""Labelled windows from HDF5 files: RadioML 2018.01A's layout and its relatives.

    X  windows: (N, 1024, 2), (N, 2, 1024), either with axes of length 1 besides, or
       complex (N, 1024); floats or integers
    Y  one-hot (N, K), or the index of the class, (N,) or (N, 1)
    Z  SNR in dB, (N, 1) or (N,), if known

Labels and SNR are kept in memory, the windows stay in the file: 20 GB are trained on
in a few hundred megabytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.errors import TrainingError
from liveclf.learn.data.class_names import ATTRIBUTE, name_classes
from liveclf.learn.data.hdf5 import member, opened
from liveclf.learn.data.labels import read_groups, read_labels, read_snr
from liveclf.learn.data.layout import Layout, StoredWindows, recognise
from liveclf.learn.data.truth import TruthSet
from liveclf.records import FloatArray
from liveclf.signals.generator import CHUNK, Labelled

Rows = NDArray[np.integer[Any]]

BLOCK = 64  # neighbouring rows that a pass of training reads together
_FINGERPRINT_ROWS = 64


@dataclass(frozen=True, eq=False)
class Dataset:
    """A file of labelled windows. The windows are read only when they are asked for.

    Attributes:
        path: The HDF5 file.
        classes: Names that `y` indexes.
        y: Shape (n,) int32.
        snr_db: Shape (n,) float32, NaN if unknown.
        groups: Further columns, each (n,), that tell windows apart: `channel` and so on.
        windows: Where the windows lie.
        notes: Sentences about the file that a user should see.
    """

    path: Path
    classes: tuple[str, ...]
    y: NDArray[np.int32]
    snr_db: FloatArray
    groups: dict[str, NDArray[Any]]
    windows: StoredWindows
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """How reports call it."""
        return self.path.name

    @property
    def layout(self) -> Layout:
        """How its windows are stored."""
        return self.windows.layout

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.y)

    def read(self, rows: Rows) -> FloatArray:
        """Read some windows: see `StoredWindows.read`."""
        return self.windows.read(rows)

    def batches(self, rows: Rows, n: int) -> Iterator[tuple[FloatArray, Rows]]:
        """Read windows a batch at a time, for any number of them in bounded memory.

        Args:
            rows: Which, ascending.
            n: Of a batch; the last may be smaller.

        Yields:
            Windows, shape (up to n, 2, 1024) float32, unit mean power; and their rows.
        """
        for start in range(0, len(rows), n):
            part = rows[start : start + n]
            yield self.read(part), part

    def fingerprint(self) -> str:
        """Return a SHA-256 that another file, or this one changed, would not have.

        It covers size, layout, class names, labels, SNR, and a sample of the windows.
        """
        digest = hashlib.sha256()
        told = [self.path.stat().st_size, len(self), self.layout.stored, self.classes]
        digest.update(json.dumps(told).encode())
        digest.update(self.y.astype("<i4").tobytes())
        digest.update(self.snr_db.astype("<f4").tobytes())
        sample = np.unique(np.linspace(0, len(self) - 1, _FINGERPRINT_ROWS).astype(np.int64))
        for _, block in self.windows.stored(sample):
            digest.update(block.tobytes())
        return digest.hexdigest()


def open_dataset(path: Path, class_file: Path | None = None) -> Dataset:
    """Open a data set and read everything but its windows.

    Args:
        path: HDF5, as the head of this module describes it.
        class_file: Names of the classes; comes before the attribute `classes`. Without
            either, 24 classes are RadioML's in their true order, others are numbered.

    Raises:
        MissingExtraError: h5py is not installed.
        UsageError: The class file cannot be read.
        TrainingError: The file cannot be read, has another layout, or labels and names
            do not fit.
    """
    with opened(path) as file:
        x = member(file, "X")
        if missing := [key for key in ("X", "Y") if member(file, key) is None]:
            raise TrainingError(
                f"Data set {path} has no {' and no '.join(missing)}, only "
                f"{', '.join(file) or 'nothing'}; windows belong in X and their labels in Y."
            )
        n = x.shape[0] if x.shape else 0
        if not n:
            raise TrainingError(f"Data set {path}: X of shape {x.shape} holds no windows.")
        layout = recognise(path, x.shape, x.dtype)
        y, n_columns = read_labels(path, file, n)
        snr_db, groups = read_snr(path, file, n), read_groups(file, n)
        attribute = file.attrs.get(ATTRIBUTE)
    classes, notes = name_classes(path, attribute, class_file, y, n_columns)
    return Dataset(path, classes, y, snr_db, groups, StoredWindows(path, n, layout), notes)


def read_hdf5(path: Path, rows: Rows | None = None, class_file: Path | None = None) -> TruthSet:
    """Read a data set, or some rows of it, into memory.

    Args:
        path: See `open_dataset`.
        rows: Which windows, ascending; all if None.
        class_file: See `open_dataset`.

    Raises:
        LiveclfError: See `open_dataset` and `StoredWindows.read`.
    """
    data = open_dataset(path, class_file)
    rows = np.arange(len(data)) if rows is None else rows
    groups = {key: column[rows] for key, column in data.groups.items()}
    return TruthSet(
        data.name, data.read(rows), data.y[rows], data.snr_db[rows], data.classes, groups
    )


class FileChunks:
    """The windows of a file in an endless sequence of chunks, the same for one seed.

    Every pass takes each row once, in blocks of neighbours, which are read together, and
    the blocks in a new order: RadioML is sorted by class and SNR. A pass goes on across
    the border of a chunk. Small enough to be sent to a worker, which opens the file itself.
    """

    def __init__(self, data: Dataset, rows: Rows, seed: int) -> None:
        """Choose what to draw from.

        Args:
            data: The file.
            rows: Those to train on, ascending.
            seed: Of the order.

        Raises:
            TrainingError: There are no rows, or they are all of one class.
        """
        check_trainable(data, rows)
        self._windows, self._seed, self._rows = data.windows, seed, rows
        self._y, self._snr_db = data.y[rows], data.snr_db[rows]

    def __call__(self, index: int) -> Labelled:
        """Return chunk number `index`: `CHUNK` windows.

        Raises:
            TrainingError: A window is unusable, or the file can no longer be read.
        """
        which = self.rows_of(index)
        x = self._windows.read(self._rows[which])
        return Labelled(x.astype(np.float16), self._y[which], self._snr_db[which])

    def rows_of(self, index: int) -> NDArray[np.int64]:
        """Return which of the rows a chunk holds, in its order, shape (CHUNK,)."""
        n = len(self._rows)
        start, stop = index * CHUNK, (index + 1) * CHUNK
        passes = range(start // n, (stop - 1) // n + 1)
        return np.concatenate([self._of_pass(p, start - p * n, stop - p * n) for p in passes])

    def _of_pass(self, number: int, start: int, stop: int) -> NDArray[np.int64]:
        """Return what lies between two places of a pass, which may be before and after it."""
        n = len(self._rows)
        start, stop = max(start, 0), min(stop, n)
        blocks = np.random.default_rng([self._seed, number]).permutation(-(-n // BLOCK))
        ends = np.cumsum(np.minimum(BLOCK, n - BLOCK * blocks))
        first, last = np.searchsorted(ends, [start, stop - 1], side="right")
        places = [np.arange(BLOCK * b, min(n, BLOCK * (b + 1))) for b in blocks[first : last + 1]]
        before = int(ends[first - 1]) if first else 0
        return np.concatenate(places)[start - before : stop - before]


def check_trainable(data: Dataset, rows: Rows) -> None:
    """Refuse rows from which nothing can be learnt.

    Raises:
        TrainingError: There are none, or they are all of one class.
    """
    if not len(rows):
        raise TrainingError(f"Data set {data.path} has no windows left to train on.")
    y = data.y[rows]
    if (y == y[0]).all():
        raise TrainingError(
            f"Data set {data.path}: the windows to train on are all of one class, "
            f"{data.classes[y[0]]}; add windows of another, there is nothing to tell apart."
        )
