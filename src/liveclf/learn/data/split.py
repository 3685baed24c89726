"""Which windows are trained on, which are validated on, and which are kept for the test.

Drawn without replacement, so that no window is in two parts, with the same shares of
every class and SNR, and written down beside the run.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.errors import TrainingError, UsageError
from liveclf.learn.data.datasets import Dataset
from liveclf.records import FloatArray

_PARTS = ("train", "validation", "test")
Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """The rows of a data set, each in one of three parts.

    Attributes:
        train: Rows, ascending, int64.
        validation: The same.
        test: The same.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def make_split(
    y: NDArray[Any], snr_db: FloatArray, seed: int, test_share: float, validation_share: float
) -> Split:
    """Draw a split, stratified by class and SNR.

    The shares are met in all, and as nearly as whole windows can in every class, and in
    every class at every SNR; among equals the seed decides. But a class keeps a window to
    train on, and so does a class at an SNR that has at least two.

    Args:
        y: Class of each window, shape (n,).
        snr_db: Shape (n,), compared in whole dB; NaN is an SNR of its own.
        seed: Of the draw.
        test_share: Of all windows, 0 to below 1.
        validation_share: Of those that the test leaves.

    Raises:
        TrainingError: There are too few windows to hold back those shares.
    """
    rng = np.random.default_rng(seed)
    # NaN, which is unlike itself, and infinity become numbers that no SNR has.
    level = np.nan_to_num(np.round(snr_db), nan=1e9, posinf=2e9, neginf=-2e9)
    order = np.lexsort((rng.random(len(y)), level, y))  # at random within a class and SNR
    y, level = y[order], level[order]
    begins = np.concatenate([[True], (np.diff(y) != 0) | (np.diff(level) != 0)])
    start, stratum = np.flatnonzero(begins), np.cumsum(begins) - 1
    sizes = np.bincount(stratum)
    of_class = np.unique(y[start], return_inverse=True)[1]
    test = _held_back(sizes, sizes, of_class, test_share, rng)
    validation = _held_back(sizes - test, sizes, of_class, validation_share, rng)
    for share, counts in ((test_share, test), (validation_share, validation)):
        if share > 0 and not counts.sum():
            raise TrainingError(
                f"{len(y)} windows are too few to hold back {share:.0%} of; take a larger data set."
            )
    place = np.arange(len(y)) - start[stratum]
    parts = np.zeros(len(y), np.uint8)
    parts[order[place < (test + validation)[stratum]]] = 1
    parts[order[place < test[stratum]]] = 2
    return _from_parts(parts)


def _held_back(
    left: Counts, sizes: Counts, of_class: Counts, share: float, rng: np.random.Generator
) -> Counts:
    """Return how many of what is left of each stratum are held back.

    Args:
        left: Windows per class and SNR that are not yet held back.
        sizes: All windows of each.
        of_class: Which class each belongs to.
        share: Of `left`.
        rng: Settles whose turn it is among equals.
    """
    most = np.where(sizes > 1, np.maximum(left - 1, 0), left)
    per_class = np.bincount(of_class, weights=left).astype(np.int64)
    most_of_class = np.bincount(of_class, weights=most).astype(np.int64)
    most_of_class = np.minimum(most_of_class, np.maximum(per_class - 1, 0))
    wanted = _apportion(per_class, most_of_class, round(share * int(left.sum())), rng)
    counts: Counts = np.zeros(len(left), np.int64)
    for k, n in enumerate(wanted):
        strata = np.flatnonzero(of_class == k)
        counts[strata] = _apportion(left[strata], most[strata], int(n), rng)
    return counts


def _apportion(sizes: Counts, most: Counts, total: int, rng: np.random.Generator) -> Counts:
    """Share `total` out in proportion to `sizes`, none above `most`, by largest remainder."""
    total = min(total, int(most.sum()))
    quota = sizes * (total / max(1, int(sizes.sum())))
    counts: Counts = np.minimum(np.floor(quota).astype(np.int64), most)
    while short := total - int(counts.sum()):
        behind = np.where(counts < most, quota - counts, -np.inf)
        next_ones = np.lexsort((rng.random(len(sizes)), -behind))[:short]
        counts[next_ones] += counts[next_ones] < most[next_ones]
    return counts


def write_split(path: Path, split: Split, data: Dataset) -> None:
    """Write a split: the part of every row, and of which data set; replaced whole.

    Args:
        path: The .npz file.
        split: Of `data`.
        data: Whose name, size and fingerprint are written too.

    Raises:
        TrainingError: It cannot be written.
    """
    parts = np.zeros(len(data), np.uint8)
    for k, name in enumerate(_PARTS):
        parts[getattr(split, name)] = k
    beside = path.with_suffix(".new.npz")
    try:
        np.savez_compressed(
            beside,
            part=parts,
            part_names=np.array(_PARTS),
            data=np.array(data.name),
            fingerprint=np.array(data.fingerprint()),
        )
        os.replace(beside, path)
    except OSError as error:
        raise TrainingError(f"Split {path} cannot be written: {error.strerror}.") from error


def read_split(path: Path, data: Dataset) -> Split:
    """Read a split of a data set.

    Raises:
        UsageError: It is a split of another data set.
        TrainingError: It is not there or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            parts, names = file["part"], tuple(file["part_names"].tolist())
            of, fingerprint = str(file["data"]), str(file["fingerprint"])
    except FileNotFoundError:
        raise TrainingError(f"Split {path} is not there.") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise TrainingError(f"Split {path} is damaged: {error}; begin the run anew.") from error
    is_part = parts.dtype == np.uint8 and parts.ndim == 1 and bool((parts < len(names)).all())
    if not is_part or names != _PARTS:
        raise TrainingError(f"Split {path} is damaged; begin the run anew.")
    if len(parts) != len(data) or fingerprint != data.fingerprint():
        raise UsageError(
            f"Split {path} is of {of} with {len(parts)} windows, not of {data.path} with "
            f"{len(data)} as it is now; give the data set it was made for."
        )
    return _from_parts(parts)


def _from_parts(parts: NDArray[np.uint8]) -> Split:
    return Split(*(np.flatnonzero(parts == k).astype(np.int64) for k in range(len(_PARTS))))
