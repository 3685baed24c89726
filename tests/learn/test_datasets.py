"""Data sets of the RadioML 2018.01A layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from liveclf.errors import TrainingError
from liveclf.learn.datasets import read_hdf5

Write = Callable[..., Path]
N = 12


def ramps(n: int = N) -> np.ndarray:
    """Return windows (n, 1024, 2) in which I counts up and Q down, so that a mix-up shows."""
    i = np.arange(1, 1025)
    return np.stack([np.stack([k + i, -(k + i)], axis=1) for k in range(n)]).astype(np.float32)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def writer(classes: Any = '["A", "B", "C"]', **sets: Any) -> Path:
        path = tmp_path / "set.hdf5"
        one_hot = np.eye(3)[np.arange(N) % 3]
        with h5py.File(path, "w") as file:
            for name, values in ({"X": ramps(), "Y": one_hot} | sets).items():
                if values is not None:
                    file[name] = values
            if classes is not None:
                file.attrs["classes"] = classes
        return path

    return writer


@pytest.mark.parametrize("layout", ["(N, 1024, 2)", "(N, 2, 1024)"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_both_layouts_come_out_as_a_row_of_i_and_a_row_of_q(
    write: Write, layout: str, dtype: type
) -> None:
    """Transposed, never reshaped: a reshape would lay I and Q alternately into both rows."""
    x = ramps().astype(dtype)
    truth = read_hdf5(write(X=x if layout == "(N, 1024, 2)" else x.transpose(0, 2, 1)))
    assert truth.x.shape == (N, 2, 1024)
    assert truth.x.dtype == np.float32
    assert np.all(np.diff(truth.x[:, 0], axis=1) >= 0)
    assert np.all(np.diff(truth.x[:, 1], axis=1) <= 0)
    assert np.array_equal(truth.x[:, 0], -truth.x[:, 1])


def test_windows_are_normalised_as_the_live_path_does_it(write: Write) -> None:
    truth = read_hdf5(write(X=1000 * ramps()))
    assert np.mean(np.sum(truth.x**2, axis=1), axis=1) == pytest.approx(np.ones(N), abs=1e-5)


def test_labels_snr_and_names_are_read(write: Write) -> None:
    truth = read_hdf5(write(Z=np.arange(-6, 6)[:, None]))
    assert truth.name == "set.hdf5"
    assert truth.y.tolist() == [0, 1, 2] * 4
    assert truth.snr_db.tolist() == list(range(-6, 6))
    assert truth.classes == ("A", "B", "C")


def test_without_snr_it_is_unknown(write: Write) -> None:
    assert np.all(np.isnan(read_hdf5(write()).snr_db))


def test_24_classes_without_names_are_those_of_radioml_in_their_true_order(write: Write) -> None:
    truth = read_hdf5(write(classes=None, Y=np.eye(24)[:N]))
    assert truth.classes[:4] == ("OOK", "4ASK", "8ASK", "BPSK")
    assert truth.classes[16:] == (
        *("256QAM", "AM-SSB-WC", "AM-SSB-SC", "AM-DSB-WC", "AM-DSB-SC", "FM", "GMSK", "OQPSK"),
    )


def test_24_classes_with_names_are_what_they_say(write: Write) -> None:
    names = [f"class {k}" for k in range(24)]
    truth = read_hdf5(write(classes=json.dumps(names), Y=np.eye(24)[:N]))
    assert truth.classes == tuple(names)


def test_names_may_be_stored_as_bytes(write: Write) -> None:
    assert read_hdf5(write(classes=np.bytes_(b'["A", "B", "C"]'))).classes == ("A", "B", "C")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"X": None}, "has no X, only Y"),
        ({"Y": None}, "has no Y, only X"),
        ({"X": None, "Y": None, "Z": np.zeros(3)}, "has no X and no Y, only Z"),
        ({"X": np.zeros((N, 512, 2))}, r"X of shape \(12, 512, 2\) is neither"),
        ({"X": np.zeros((N, 1024))}, r"X of shape \(12, 1024\) is neither"),
        ({"X": np.zeros((N, 1024, 3))}, r"X of shape \(12, 1024, 3\) is neither"),
        ({"Y": np.zeros(N)}, r"Y of shape \(12,\) is not one-hot"),
        ({"Y": np.eye(3)}, r"Y of shape \(3, 3\) is not one-hot"),
        ({"Z": np.zeros(5)}, "Z has 5 values for 12 windows"),
        ({"X": 5.0}, "set.hdf5"),
        ({"classes": None}, "3 classes.*names 0"),
        ({"classes": '["A", "B"]'}, "3 classes.*names 2"),
        ({"classes": "A, B, C"}, "3 classes.*names 0"),
        ({"classes": "3"}, "3 classes.*names 0"),
        ({"classes": np.array([1, 2, 3])}, "3 classes.*names 0"),
    ],
)
def test_another_layout_is_refused_with_what_is_wrong(
    write: Write, change: dict[str, Any], words: str
) -> None:
    path = write(**change)
    with pytest.raises(TrainingError, match=words) as caught:
        read_hdf5(path)
    assert "set.hdf5" in str(caught.value)


def test_a_group_in_place_of_a_data_set_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "set.hdf5", "w") as file:
        file.create_group("X")
        file["Y"] = np.eye(3)
    with pytest.raises(TrainingError, match=r"set\.hdf5"):
        read_hdf5(tmp_path / "set.hdf5")


def test_a_file_cut_short_is_refused(write: Write) -> None:
    path = write()
    data = path.read_bytes()
    for length in (0, 100, len(data) // 2, len(data) - 100):
        path.write_bytes(data[:length])
        with pytest.raises(TrainingError, match="is not readable HDF5"):
            read_hdf5(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"none\.hdf5 is not there"):
        read_hdf5(tmp_path / "none.hdf5")
    with pytest.raises(TrainingError, match="is not there"):
        read_hdf5(tmp_path)
