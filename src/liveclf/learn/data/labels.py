"""The columns beside the windows: labels, SNR, and what else tells windows apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.errors import TrainingError
from liveclf.learn.data.hdf5 import member
from liveclf.records import FloatArray

GROUPS = ("channel", "sps", "variant")

_SLICE_ROWS = 65536
_NUMBERS = "biuf"


def read_labels(path: Path, file: Any, n: int) -> tuple[NDArray[np.int32], int | None]:
    """Read `Y` in slices.

    Args:
        path: Of the file, for messages.
        file: The open file; `Y` is one-hot (N, K), or the index of the class, (N,) or (N, 1).
        n: Windows in it.

    Returns:
        Index of the class, shape (n,); and K if it is one-hot.

    Raises:
        TrainingError: Another shape or type, or a row that is no label.
    """
    labels = member(file, "Y")
    if labels.shape not in ((n,), (n, *labels.shape[1:2])) or labels.dtype.kind not in _NUMBERS:
        raise TrainingError(
            f"Data set {path}: Y of shape {labels.shape} {labels.dtype} does not label {n} "
            "windows; store it one-hot (N, classes), or as the index of the class, (N,)."
        )
    # A column of ones is the one-hot of a single class.
    is_one_hot = len(labels.shape) == 2 and (labels.shape[1] != 1 or bool(np.all(labels[:] == 1)))
    decode = _from_one_hot if is_one_hot else _from_indices
    y = np.empty(n, np.int32)
    for start in range(0, n, _SLICE_ROWS):
        part = np.asarray(labels[start : start + _SLICE_ROWS])
        y[start : start + len(part)] = decode(path, part, start)
    return y, labels.shape[1] if is_one_hot else None


def _from_one_hot(path: Path, part: NDArray[Any], start: int) -> NDArray[Any]:
    is_label = (np.count_nonzero(part, axis=1) == 1) & (np.max(part, axis=1) == 1)
    if not is_label.all():
        k = int(np.argmin(is_label))
        raise TrainingError(
            f"Data set {path}: row {start + k} of Y is not one-hot, it adds up to "
            f"{float(np.sum(part[k])):g} over {np.count_nonzero(part[k])} classes; "
            "a window has one class."
        )
    return np.asarray(np.argmax(part, axis=1))


def _from_indices(path: Path, part: NDArray[Any], start: int) -> NDArray[Any]:
    part = part.ravel()
    is_label = (part >= 0) & (part <= np.iinfo(np.int32).max) & (part == np.floor(part))
    if not is_label.all():
        k = int(np.argmin(is_label))
        raise TrainingError(
            f"Data set {path}: {part[k]:g} at row {start + k} of Y is no label; "
            "classes are numbered 0, 1, 2, ..."
        )
    return part


def read_snr(path: Path, file: Any, n: int) -> FloatArray:
    """Read `Z`, the SNR in dB, shape (n,); NaN if the file does not tell it.

    Raises:
        TrainingError: It has another shape or holds no numbers.
    """
    snr_db = member(file, "Z")
    if snr_db is None:
        return np.full(n, np.nan, np.float32)
    if snr_db.shape not in ((n,), (n, 1)) or snr_db.dtype.kind not in _NUMBERS:
        raise TrainingError(
            f"Data set {path}: Z of shape {snr_db.shape} {snr_db.dtype} is not the SNR in dB "
            f"of {n} windows; store it as (N, 1), or leave it out."
        )
    return np.asarray(snr_db[...], np.float32).ravel()


def read_groups(file: Any, n: int) -> dict[str, NDArray[Any]]:
    """Read the columns of `GROUPS` that hold a number or a text for each window."""
    import h5py

    groups: dict[str, NDArray[Any]] = {}
    for key in GROUPS:
        column = member(file, key)
        if column is None or column.shape not in ((n,), (n, 1)):
            continue
        if h5py.check_string_dtype(column.dtype):
            groups[key] = np.asarray(column.asstr(errors="replace")[...]).astype(str).ravel()
        elif column.dtype.kind in _NUMBERS:
            groups[key] = np.asarray(column[...]).ravel()
    return groups
