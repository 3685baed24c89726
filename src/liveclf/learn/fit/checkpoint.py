"""Checkpoints: written whole or not at all, and read back only into the run they belong to."""

from __future__ import annotations

import contextlib
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import keras

from liveclf.config import TrainSettings
from liveclf.errors import TrainingError, UsageError
from liveclf.learn import CONFIG
from liveclf.learn.fit.optimiser import NAMED, name_of
from liveclf.learn.fit.teaching import with_students
from liveclf.model.vgg16 import build_vgg16


@contextlib.contextmanager
def writing(path: Path, what: str) -> Iterator[Path]:
    """Give a file to write beside another that it then replaces, whole.

    Raises:
        TrainingError: It could not be written; the other is as it was.
    """
    beside = path.with_suffix(f".new{path.suffix}")
    try:
        yield beside
        os.replace(beside, path)
    except OSError as error:
        with contextlib.suppress(OSError):  # a full disk needs the room
            beside.unlink(missing_ok=True)
        raise TrainingError(
            f"{what} {path} cannot be written: {error.strerror or error}; "
            "the run can go on from the last checkpoint with --resume."
        ) from error


class AtomicCheckpoint(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """Save after every epoch; a crash or full disk while saving keeps the last good one."""

    def __init__(self, path: Path) -> None:
        """Take the file that always holds the last complete checkpoint."""
        super().__init__()
        self._path = path

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write beside it, then replace."""
        with writing(self._path, "Checkpoint") as beside, undistributed():
            self.model.save(beside)


@contextlib.contextmanager
def undistributed() -> Iterator[None]:
    """Let Keras forget for a moment that a training is spread over devices.

    To save, it makes variables of its own, which other machines would be waited for to make.
    """
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


def keep_copy(checkpoint: Path, copy: Path) -> None:
    """Keep a checkpoint apart from those that follow it.

    Raises:
        TrainingError: It cannot be written.
    """
    with writing(copy, "Checkpoint") as beside:
        shutil.copyfile(checkpoint, beside)


def load_checkpoint(path: Path) -> keras.Model:
    """Read a network with the state of its training.

    Raises:
        TrainingError: The checkpoint is damaged or is none.
    """
    try:
        model = keras.models.load_model(path)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise TrainingError(
            f"Checkpoint {path} is damaged; begin the run again in another folder."
        ) from error
    if getattr(model, "optimizer", None) is None:
        raise TrainingError(
            f"Checkpoint {path} holds a network only, not the state of its training."
        )
    return model


def check_fits(model: keras.Model, settings: TrainSettings, n_classes: int, run: Path) -> None:
    """Make sure that a run goes on with the settings that it began with.

    Raises:
        UsageError: Its configuration, or its data set, has become another since.
    """
    network = settings.network
    fresh = with_students(build_vgg16(n_classes, network.preset, network.width), network.students)
    if [w.shape for w in fresh.weights] != [w.shape for w in model.weights]:
        raise UsageError(
            f"{run / CONFIG} describes another network than the checkpoint beside it holds; put "
            "back preset, width and data as they were, or begin another run."
        )
    # Half precision on TensorFlow wraps the optimiser in one that scales the loss.
    name = getattr(model.optimizer, "inner_optimizer", model.optimizer).name
    # Checkpoints of version 0.1 do not tell.
    if name.startswith(NAMED) and name != name_of(settings):
        raise UsageError(
            f"{run / CONFIG} is not what the run began with: steps, batch, seed or another setting "
            "that the result depends on was edited, or this is another version of liveclf; put it "
            "back, or begin another run."
        )
