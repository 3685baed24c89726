"""Training: what a run leaves behind, and that an interrupted one loses nothing."""

from __future__ import annotations

import csv
import os
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up notes on stderr

import keras
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from liveclf.config import DataSettings, FitSettings, NetworkSettings, TrainSettings, load
from liveclf.errors import TrainingError, UsageError
from liveclf.learn import CHECKPOINT, CONFIG, HISTORY
from liveclf.learn import train as train_module
from liveclf.learn.progress import TrainingProgress
from liveclf.learn.train import (
    AtomicCheckpoint,
    SmoothedCrossentropy,
    check_run,
    compile_model,
    train,
)
from liveclf.model.vgg16 import build_vgg16
from liveclf.signals.classes import CLASSES
from liveclf.signals.generator import Labelled, make_chunk

# Two epochs of two steps; the second epoch sees a chunk that the first did not.
SETTINGS = TrainSettings(
    network=NetworkSettings(preset="vgg16-slim", width=0.125),
    fit=FitSettings(steps=4, epoch_steps=2, batch=32, warmup_steps=1, seed=3),
    data=DataSettings(pool_windows=1024),
)

Weights = list[NDArray[np.float32]]


def weights_of(model: keras.Model) -> Weights:
    return [np.asarray(weight) for weight in model.weights]


def furthest(a: Weights, b: Weights) -> float:
    return max(float(np.abs(x - y).max()) for x, y in zip(a, b, strict=True))


@pytest.fixture(scope="module")
def check() -> Labelled:
    made = make_chunk(3, 1_000_000_000, (-6.0, 30.0))
    return Labelled(made.x[:32], made.y[:32], made.snr_db[:32])


@dataclass(frozen=True)
class Run:
    """A run that has ended: its folder, and the weights it came to."""

    folder: Path
    weights: Weights


class Copying(AtomicCheckpoint):
    """Keeps the run folder as it is after the first epoch, as if the power had failed then."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        if epoch == 0:
            shutil.copytree(self._path.parent, self._path.parent.parent / "interrupted")


@pytest.fixture(scope="module")
def whole(check: Labelled, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Train without interruption."""
    folder = tmp_path_factory.mktemp("runs") / "deep" / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_module, "AtomicCheckpoint", Copying)
        return Run(folder, weights_of(train(SETTINGS, folder, check)))


@pytest.fixture(scope="module")
def interrupted(whole: Run) -> Run:
    """Return a run that was broken off after one of two epochs."""
    folder = whole.folder.parent / "interrupted"
    model = keras.models.load_model(folder / CHECKPOINT)
    assert int(model.optimizer.iterations) == 2
    return Run(folder, weights_of(model))


def test_a_run_leaves_its_settings_a_checkpoint_and_a_history(whole: Run) -> None:
    assert {path.name for path in whole.folder.iterdir()} == {CONFIG, CHECKPOINT, HISTORY}
    assert load(TrainSettings, whole.folder / CONFIG, {}) == SETTINGS
    with (whole.folder / HISTORY).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    for row in rows:
        assert set(row) == {"epoch", "accuracy", "loss", "val_accuracy", "val_loss"}
        assert 0 < float(row["loss"]) < 10
        assert 0 <= float(row["val_accuracy"]) <= 1


def test_the_last_checkpoint_holds_the_result(whole: Run) -> None:
    model = keras.models.load_model(whole.folder / CHECKPOINT)
    assert furthest(weights_of(model), whole.weights) == 0
    assert int(model.optimizer.iterations) == 4
    assert isinstance(model.loss, SmoothedCrossentropy)


def test_an_interrupted_run_ends_with_the_weights_of_one_that_was_not(
    whole: Run, interrupted: Run, check: Labelled
) -> None:
    """On one machine they are equal to the bit.

    The tolerance is for sums that threads may finish in another order.
    """
    resumed = train(SETTINGS, interrupted.folder, check, resume=True)
    assert furthest(interrupted.weights, whole.weights) > 1e-3  # there was a way to go
    assert furthest(weights_of(resumed), whole.weights) < 1e-6
    mine, other = ((run.folder / HISTORY).read_text() for run in (interrupted, whole))
    assert mine.split("\n")[0] == other.split("\n")[0]
    values = [np.loadtxt(text.splitlines(), delimiter=",", skiprows=1) for text in (mine, other)]
    assert values[0] == pytest.approx(values[1], abs=1e-5)


def test_a_finished_run_is_not_trained_again(
    whole: Run, check: Labelled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_module, "Feed", None)  # no windows are made
    model = train(SETTINGS, whole.folder, check, resume=True)
    assert furthest(weights_of(model), whole.weights) == 0


def test_a_run_that_is_there_is_not_overwritten(whole: Run, check: Labelled) -> None:
    before = (whole.folder / CHECKPOINT).read_bytes()
    with pytest.raises(UsageError, match="holds a run already; add --resume") as caught:
        train(SETTINGS, whole.folder, check)
    assert str(whole.folder) in str(caught.value)
    assert (whole.folder / CHECKPOINT).read_bytes() == before


@pytest.mark.parametrize(("steps", "epoch_steps"), [(750, 500), (1001, 500), (3, 2)])
def test_steps_that_are_no_whole_epochs_are_refused(
    steps: int, epoch_steps: int, tmp_path: Path, check: Labelled
) -> None:
    """Rounded up, the last of them would be trained after the schedule has ended."""
    settings = TrainSettings(fit=FitSettings(steps=steps, epoch_steps=epoch_steps))
    words = f"--steps {steps} is no multiple of --epoch-steps {epoch_steps};"
    with pytest.raises(UsageError, match=words):
        train(settings, tmp_path / "run", check)
    assert not (tmp_path / "run").exists()


def test_a_run_shorter_than_an_epoch_makes_its_steps_and_no_more(
    tmp_path: Path, check: Labelled
) -> None:
    fit = FitSettings(steps=1, epoch_steps=500, batch=32, warmup_steps=1, seed=3)
    model = train(msgspec.structs.replace(SETTINGS, fit=fit), tmp_path / "run", check)
    assert int(model.optimizer.iterations) == 1
    assert int(keras.models.load_model(tmp_path / "run" / CHECKPOINT).optimizer.iterations) == 1


def test_the_settings_that_ship_make_whole_epochs(tmp_path: Path) -> None:
    files = sorted((Path(__file__).parents[2] / "configs").glob("train*.toml"))
    assert files
    for file in (None, *files):
        check_run(load(TrainSettings, file, {}), tmp_path / "run", resume=False)


def test_a_run_folder_that_cannot_be_made_is_a_training_error(
    tmp_path: Path, check: Labelled
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TrainingError, match="cannot be written"):
        train(SETTINGS, tmp_path / "file" / "run", check)


def test_without_a_checkpoint_there_is_nothing_to_resume(tmp_path: Path, check: Labelled) -> None:
    with pytest.raises(UsageError, match="has no checkpoint yet") as caught:
        train(SETTINGS, tmp_path, check, resume=True)
    assert str(tmp_path) in str(caught.value)


def flipped(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 0x10]) + data[position + 1 :]


@pytest.mark.parametrize("damage", ["empty", "other", "cut", "end lost", "config", "weights"])
def test_a_damaged_checkpoint_is_a_training_error(
    whole: Run, tmp_path: Path, check: Labelled, damage: str
) -> None:
    good = (whole.folder / CHECKPOINT).read_bytes()
    with zipfile.ZipFile(whole.folder / CHECKPOINT) as archive:
        at = {i.filename: i.header_offset + 100 + i.file_size // 2 for i in archive.infolist()}
    (tmp_path / CHECKPOINT).write_bytes(
        {
            "empty": b"",
            "other": b"no checkpoint" * 100,
            "cut": good[: len(good) // 2],
            "end lost": good[:-10],
            "config": flipped(good, at["config.json"]),
            "weights": flipped(good, at["model.weights.h5"]),
        }[damage]
    )
    with pytest.raises(TrainingError, match="is damaged") as caught:
        train(SETTINGS, tmp_path, check, resume=True)
    assert str(tmp_path / CHECKPOINT) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_network_without_the_state_of_its_training_cannot_be_resumed(
    tmp_path: Path, check: Labelled
) -> None:
    """Such as the model.keras of a bundle."""
    build_vgg16(3, "vgg16-slim", 0.125).save(tmp_path / CHECKPOINT)
    with pytest.raises(TrainingError, match="holds a network only"):
        train(SETTINGS, tmp_path, check, resume=True)


# ---------------------------------------------------------------- the parts


class Unsaveable:
    """A model on a disk that fills up while it is saved."""

    def save(self, path: Path) -> None:
        path.write_bytes(b"half a check")
        raise OSError(28, "No space left on device")


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"the last one")
    callback = AtomicCheckpoint(tmp_path / CHECKPOINT)
    callback.set_model(Unsaveable())
    with pytest.raises(TrainingError, match="No space left on device; the run can go on"):
        callback.on_epoch_end(0)
    assert (tmp_path / CHECKPOINT).read_bytes() == b"the last one"


@pytest.mark.parametrize("smoothing", [0.0, 0.02, 0.3])
def test_the_loss_is_cross_entropy_with_part_of_the_label_spread(smoothing: float) -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 3, (40, 7))
    y = rng.integers(7, size=40)
    target = (1 - smoothing) * np.eye(7)[y] + smoothing / 7
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    found = SmoothedCrossentropy(smoothing)(y, logits.astype(np.float32))
    assert float(found) == pytest.approx(-np.mean(np.sum(target * log_p, axis=1)), rel=1e-5)


def test_the_loss_survives_being_saved() -> None:
    copy = SmoothedCrossentropy.from_config(SmoothedCrossentropy(0.25).get_config())
    assert copy.smoothing == 0.25


def test_the_learning_rate_warms_up_to_its_peak_and_falls_to_a_hundredth() -> None:
    settings = TrainSettings(fit=FitSettings(steps=1000, warmup_steps=100, learning_rate=0.01))
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    compile_model(model, settings)
    schedule = model.optimizer._learning_rate
    rates = np.array([float(schedule(step)) for step in range(0, 1001, 20)])
    assert rates.argmax() == 5
    assert rates[5] == pytest.approx(0.01)
    assert rates[0] == pytest.approx(1e-4, rel=0.01)
    assert rates[-1] == pytest.approx(1e-4, rel=0.01)
    assert np.all(np.diff(rates[:6]) > 0)
    assert np.all(np.diff(rates[5:]) < 0)
    assert rates[5 + 45 // 2] == pytest.approx(0.005, rel=0.1)  # half way down a cosine


def test_the_optimiser_is_the_one_of_the_settings() -> None:
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Dense(len(CLASSES))(inputs))
    compile_model(model, TrainSettings(fit=FitSettings(weight_decay=0.05, clip_norm=0.7)))
    assert isinstance(model.optimizer, keras.optimizers.AdamW)
    assert model.optimizer.weight_decay == 0.05
    assert model.optimizer.clipnorm == 0.7


def test_the_progress_bar_gives_the_terminal_back_when_training_breaks_off() -> None:
    """A bar that is left running hides the cursor and draws over what comes next."""
    progress = TrainingProgress(steps=4, batch=32, first_step=2)

    def broken_off() -> None:
        with progress:
            progress.on_train_begin()
            progress.on_train_batch_end(0, {"loss": 1.0, "accuracy": 0.5})
            assert progress._bar.live.is_started
            assert progress._bar.tasks[0].completed == 3
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert not progress._bar.live.is_started
