"""What a run trains on and is checked with."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from liveclf.config import DataSettings, FitSettings, TrainSettings
from liveclf.errors import TrainingError, UsageError
from liveclf.learn import SPLIT
from liveclf.learn.data import material as material_module
from liveclf.learn.data.feed import GeneratedChunks
from liveclf.learn.data.material import gather
from liveclf.signals.classes import CLASSES
from liveclf.signals.generator import CHUNK, make_chunk

N = 900


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write windows in each of which the first sample tells the row, sorted by class."""
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, (N, 1024, 2)).astype(np.float32)
    x[:, 0, 0], x[:, 0, 1] = np.arange(N), 0
    path = tmp_path / "mine.hdf5"
    with h5py.File(path, "w") as hdf5:
        hdf5["X"], hdf5["Y"] = x, np.eye(3)[np.arange(N) // (N // 3)]
        hdf5.attrs["classes"] = json.dumps(["A", "B", "C"])
    return path


def settings_of(file: Path | None, **data: object) -> TrainSettings:
    name = str(file) if file else ""
    return TrainSettings(
        data=DataSettings(file=name, heldout_windows=512, **data), fit=FitSettings(seed=3)
    )


def rows_in(x: np.ndarray) -> np.ndarray:
    """Return from which rows of the file windows come; the ratio to another sample tells."""
    rng = np.random.default_rng(1)
    wanted = rng.normal(0, 1, (N, 1024, 2))[:, 1:3].reshape(N, 4)
    got = np.stack([x[:, 0, 1:3], x[:, 1, 1:3]], axis=2).reshape(len(x), 4).astype(float)
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    got /= np.linalg.norm(got, axis=1, keepdims=True)
    return np.argmax(got @ wanted.T, axis=1)


def test_of_a_file_the_windows_held_out_are_those_of_the_split(file: Path, tmp_path: Path) -> None:
    material = gather(settings_of(file), tmp_path / "run", pytest.fail)
    check, split = material.check, material.split
    assert check.classes == ("A", "B", "C")
    assert check.name == "mine.hdf5, held out"
    assert check.x.shape == (len(split.validation), 2, 1024)
    rows = rows_in(check.x)
    assert sorted(rows.tolist()) == split.validation.tolist()
    assert np.array_equal(check.y, rows // (N // 3))
    # In no order, since the bundle takes some of them for one thing and some for another.
    assert len(np.unique(check.y[:20])) == 3
    trained = rows_in(material.chunks(0).x)
    assert set(trained.tolist()) <= set(split.train.tolist())
    assert len(split.test) == pytest.approx(0.15 * N, abs=1)
    assert material.fingerprint == material.data.fingerprint()
    assert pickle.loads(pickle.dumps(material.chunks))(0).x.shape == (CHUNK, 2, 1024)


def test_no_more_windows_are_held_out_in_memory_than_asked_for(file: Path, tmp_path: Path) -> None:
    settings = settings_of(file, test_share=0.05, validation_share=0.9)
    check = gather(settings, tmp_path / "run", pytest.fail).check
    assert len(check.x) == len(check.y) == 512
    assert len(np.unique(rows_in(check.x))) == 512


def test_a_resumed_run_goes_on_with_the_split_that_it_wrote_down(
    file: Path, tmp_path: Path
) -> None:
    first = gather(settings_of(file), tmp_path, pytest.fail)
    first.keep(tmp_path)
    assert (tmp_path / SPLIT).exists()
    other = settings_of(file, test_share=0.5)
    again = gather(other, tmp_path, pytest.fail, resume=True)
    assert np.array_equal(again.split.train, first.split.train)
    assert np.array_equal(again.check.x, first.check.x)


def test_a_file_that_has_changed_since_is_refused(file: Path, tmp_path: Path) -> None:
    gather(settings_of(file), tmp_path, pytest.fail).keep(tmp_path)
    with h5py.File(file, "r+") as hdf5:
        hdf5["Y"][0] = [0, 1, 0]
    with pytest.raises(UsageError, match="give the data set it was made for"):
        gather(settings_of(file), tmp_path, pytest.fail, resume=True)


def test_without_its_split_a_run_cannot_go_on(file: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"split\.npz is not there"):
        gather(settings_of(file), tmp_path, pytest.fail, resume=True)


def test_names_of_classes_may_come_from_a_file(file: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("one\ntwo\nthree\n")
    settings = settings_of(file, class_file=str(tmp_path / "names.txt"))
    assert gather(settings, tmp_path, print).check.classes == ("one", "two", "three")


def test_without_a_file_windows_are_generated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_chunk(3, 1_000_000_000, (0.0, 10.0))
    monkeypatch.setattr(material_module, "heldout", lambda *_: made)
    settings = settings_of(None, snr_min_db=0.0, snr_max_db=10.0)
    material = gather(settings, tmp_path, pytest.fail)
    assert material.check.classes == CLASSES
    assert material.check.x.dtype == np.float32
    assert material.chunks == GeneratedChunks(3, (0.0, 10.0))
    assert len(material.fingerprint) == 64
    material.keep(tmp_path)  # there is no split to keep
    assert not (tmp_path / SPLIT).exists()
    monkeypatch.setattr(material_module, "heldout", lambda *_: make_chunk(4, 0, (0.0, 10.0)))
    assert gather(settings, tmp_path, pytest.fail).fingerprint != material.fingerprint
