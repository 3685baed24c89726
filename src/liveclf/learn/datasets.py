"""Labelled windows from HDF5 files of the RadioML 2018.01A layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from liveclf.dsp.normalise import unit_power
from liveclf.errors import MissingExtraError, TrainingError
from liveclf.learn.evaluate import TruthSet
from liveclf.model.bundle import WINDOW_SAMPLES
from liveclf.records import FloatArray
from liveclf.signals.classes import RADIOML_2018_CLASSES


def read_hdf5(path: Path) -> TruthSet:
    """Read a whole data set.

    `X` is (N, 1024, 2) or (N, 2, 1024), `Y` one-hot, `Z` SNR in dB if there is one, the
    attribute `classes` a JSON list of names; without it 24 classes are RadioML's.

    Raises:
        MissingExtraError: h5py is not installed.
        TrainingError: The file cannot be read or has another layout.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError(
            "Reading HDF5 needs h5py", 'pip install "liveclf[train]"'
        ) from error
    if not path.is_file():
        raise TrainingError(f"Data set {path} is not there.")
    try:
        with h5py.File(path) as file:
            if missing := [key for key in ("X", "Y") if key not in file]:
                raise TrainingError(
                    f"Data set {path} has no {' and no '.join(missing)}, only {', '.join(file)}."
                )
            x, one_hot = np.asarray(file["X"]), np.asarray(file["Y"])
            snr_db = np.ravel(file["Z"]) if "Z" in file else np.full(len(x), np.nan)
            names = file.attrs.get("classes")
    except (OSError, TypeError, ValueError) as error:
        raise TrainingError(f"Data set {path} is not readable HDF5: {error}.") from error
    if one_hot.ndim != 2 or len(one_hot) != len(x):
        raise TrainingError(f"Data set {path}: Y of shape {one_hot.shape} is not one-hot for X.")
    if len(snr_db) != len(x):
        raise TrainingError(f"Data set {path}: Z has {len(snr_db)} values for {len(x)} windows.")
    classes = _class_names(path, names, one_hot.shape[1])
    rows, _ = unit_power(_rows_of_iq(path, x))
    return TruthSet(path.name, rows, np.argmax(one_hot, axis=1), snr_db.astype(np.float32), classes)


def _rows_of_iq(path: Path, x: Any) -> FloatArray:
    """Bring windows to (N, 2, 1024); transposed, never reshaped: that would mix I and Q."""
    if x.shape[1:] == (WINDOW_SAMPLES, 2):
        x = x.transpose(0, 2, 1)
    elif x.shape[1:] != (2, WINDOW_SAMPLES):
        wanted = f"neither (N, {WINDOW_SAMPLES}, 2) nor (N, 2, {WINDOW_SAMPLES})"
        raise TrainingError(f"Data set {path}: X of shape {x.shape} is {wanted}.")
    return np.ascontiguousarray(x, np.float32)


def _class_names(path: Path, names: Any, n_classes: int) -> tuple[str, ...]:
    if names is None and n_classes == len(RADIOML_2018_CLASSES):
        return RADIOML_2018_CLASSES
    try:
        listed = tuple(json.loads(names)) if isinstance(names, str | bytes) else ()
    except (ValueError, TypeError):
        listed = ()
    if len(listed) != n_classes:
        raise TrainingError(
            f"Data set {path}: Y has {n_classes} classes, its attribute 'classes', a JSON list, "
            f"names {len(listed)}."
        )
    return listed
