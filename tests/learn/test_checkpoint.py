"""Checkpoints: the last good one survives, and a bad one is said to be bad."""

from __future__ import annotations

import errno
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from liveclf.config import FitSettings, TrainSettings
from liveclf.errors import TrainingError
from liveclf.learn import CHECKPOINT
from liveclf.learn.fit.checkpoint import AtomicCheckpoint, keep_copy, load_checkpoint
from liveclf.learn.fit.optimiser import compile_model
from liveclf.model.vgg16 import build_vgg16


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """Return a network with the state of its training."""
    model = build_vgg16(3, "vgg16-classic", 0.03125)
    compile_model(model, TrainSettings(fit=FitSettings(average=0.9)))
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.fixture
def good(model: keras.Model, tmp_path: Path) -> Path:
    model.save(tmp_path / CHECKPOINT)
    return tmp_path / CHECKPOINT


def saving(model: object, path: Path) -> AtomicCheckpoint:
    callback = AtomicCheckpoint(path)
    callback.set_model(model)
    return callback


class FillingUp:
    """A model on a disk that fills up while it is saved."""

    def save(self, path: Path) -> None:
        path.write_bytes(b"half a check")
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_keeps_the_last_checkpoint_and_leaves_no_half_one(good: Path) -> None:
    before = good.read_bytes()
    with pytest.raises(TrainingError, match="No space left on device; the run can go on"):
        saving(FillingUp(), good).on_epoch_end(0)
    assert good.read_bytes() == before
    assert [p.name for p in good.parent.iterdir()] == [CHECKPOINT]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 7 MB, where that is allowed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=7m", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_is_really_full_keeps_the_last_checkpoint(
    model: keras.Model, tiny_disk: Path
) -> None:
    path = tiny_disk / CHECKPOINT
    saving(model, path).on_epoch_end(0)
    before = path.read_bytes()
    rest = shutil.disk_usage(tiny_disk).free
    assert rest > len(before) / 2
    (tiny_disk / "other").write_bytes(bytes(rest - len(before) // 2))
    with pytest.raises(TrainingError, match="the run can go on from the last") as caught:
        saving(model, path).on_epoch_end(1)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before
    with pytest.raises(TrainingError, match="No space left"):
        keep_copy(path, tiny_disk / "best.keras")
    assert {p.name for p in tiny_disk.iterdir()} == {CHECKPOINT, "other"}
    assert len(load_checkpoint(path).weights) == len(model.weights)


def test_a_checkpoint_is_read_back_with_the_state_of_the_optimiser(
    model: keras.Model, good: Path
) -> None:
    read = load_checkpoint(good)
    assert len(read.optimizer.variables) == len(model.optimizer.variables)
    for mine, wanted in zip(read.weights, model.weights, strict=True):
        assert np.array_equal(np.asarray(mine), np.asarray(wanted))


def flipped(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 0x10]) + data[position + 1 :]


@pytest.mark.parametrize("damage", ["empty", "other", "cut", "end lost", "config", "weights"])
def test_a_damaged_checkpoint_is_a_training_error(good: Path, damage: str) -> None:
    data = good.read_bytes()
    with zipfile.ZipFile(good) as archive:
        at = {i.filename: i.header_offset + 100 + i.file_size // 2 for i in archive.infolist()}
    good.write_bytes(
        {
            "empty": b"",
            "other": b"no checkpoint" * 100,
            "cut": data[: len(data) // 2],
            "end lost": data[:-10],
            "config": flipped(data, at["config.json"]),
            "weights": flipped(data, at["model.weights.h5"]),
        }[damage]
    )
    with pytest.raises(TrainingError, match="is damaged") as caught:
        load_checkpoint(good)
    assert str(good) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_network_without_the_state_of_its_training_cannot_be_resumed(tmp_path: Path) -> None:
    """Such as the model.keras of a bundle."""
    build_vgg16(3, "vgg16-classic", 0.03125).save(tmp_path / CHECKPOINT)
    with pytest.raises(TrainingError, match="holds a network only"):
        load_checkpoint(tmp_path / CHECKPOINT)
