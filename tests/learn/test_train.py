"""Training: what a run leaves behind, and that an interrupted one loses nothing."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up notes on stderr

import keras
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from tones import CLASSES, Failing, Silent, Tones, little_network, tones

from liveclf.config import DataSettings, FitSettings, NetworkSettings, TrainSettings, load
from liveclf.errors import MissingExtraError, TrainingError, UsageError
from liveclf.learn import BEST, CHECKPOINT, CONFIG, CURVES, HISTORY, TENSORBOARD
from liveclf.learn.data.material import Material
from liveclf.learn.data.truth import TruthSet
from liveclf.learn.fit import average as average_module
from liveclf.learn.fit import checkpoint as checkpoint_module
from liveclf.learn.fit import train as train_module
from liveclf.learn.fit.checkpoint import AtomicCheckpoint, load_checkpoint
from liveclf.learn.fit.history import read_history
from liveclf.learn.fit.optimiser import SmoothedCrossentropy
from liveclf.learn.fit.train import check_run, train
from liveclf.signals.generator import CHUNK

# Two epochs of two steps; the second epoch sees a chunk that the first did not.
SETTINGS = TrainSettings(
    network=NetworkSettings(preset="vgg16-classic", width=0.03125),
    fit=FitSettings(steps=4, epoch_steps=2, batch=32, warmup_steps=1, seed=3, average=0.5),
    data=DataSettings(pool_windows=1024, reuse=1.0),
)

Weights = list[NDArray[np.float32]]


def changed(section: str, **values: object) -> TrainSettings:
    new = msgspec.structs.replace(getattr(SETTINGS, section), **values)
    return msgspec.structs.replace(SETTINGS, **{section: new})


def state_of(model: keras.Model) -> Weights:
    """Return everything that decides how training goes on: the average of the weights too."""
    return [np.asarray(v) for v in (*model.weights, *model.optimizer.variables)]


def furthest(a: Weights, b: Weights) -> float:
    return max(float(np.abs(x - y).max()) for x, y in zip(a, b, strict=True))


@dataclass(frozen=True)
class Run:
    """A run that has ended: its folder, the weights it came to, and what the user was told."""

    folder: Path
    weights: Weights
    told: list[str]


class Copying(AtomicCheckpoint):
    """Keeps the run folder as it is after the first epoch, as if the power had failed then."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        if epoch == 0:
            shutil.copytree(self._path.parent, self._path.parent.parent / "interrupted")


@pytest.fixture(scope="module", autouse=True)
def _little_network() -> Iterator[None]:
    """Train something small: what is tested here is the same for any network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(average_module, "_BATCHES", 8)
        for module in (train_module, checkpoint_module):
            patch.setattr(module, "build_vgg16", little_network)
        yield


@pytest.fixture(scope="module")
def material() -> Material:
    return tones()


@pytest.fixture(scope="module")
def whole(material: Material, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Train without interruption."""
    folder = tmp_path_factory.mktemp("runs") / "deep" / "whole"
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_module, "AtomicCheckpoint", Copying)
        return Run(folder, train(SETTINGS, folder, material, told.append).get_weights(), told)


@pytest.fixture(scope="module")
def interrupted(whole: Run) -> Path:
    """Return a run that was broken off after one of two epochs."""
    folder = whole.folder.parent / "interrupted"
    assert int(load_checkpoint(folder / CHECKPOINT).optimizer.iterations) == 2
    return folder


def test_a_run_leaves_its_settings_a_checkpoint_a_history_and_a_picture(whole: Run) -> None:
    assert {p.name for p in whole.folder.iterdir()} == {CONFIG, CHECKPOINT, HISTORY, CURVES}
    assert load(TrainSettings, whole.folder / CONFIG, {}) == SETTINGS
    with (whole.folder / HISTORY).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    for row in rows:
        assert set(row) == {"epoch", "accuracy", "loss", "val_accuracy", "val_loss", "waiting"}
        assert 0 < float(row["loss"]) < 10
        assert 0 <= float(row["val_accuracy"]) <= 1
        assert 0 <= float(row["waiting"]) < 1


def test_the_last_checkpoint_holds_the_last_weights_and_their_average(whole: Run) -> None:
    """What the run comes to is one of them, and the user is told which."""
    model = load_checkpoint(whole.folder / CHECKPOINT)
    assert int(model.optimizer.iterations) == 4
    assert isinstance(model.loss, SmoothedCrossentropy)
    (line,) = whole.told
    average = line.endswith("; the average it is")
    assert average or line.endswith("; the last weights it is")
    if average:
        model.optimizer.finalize_variable_values(model.trainable_weights)
    got = dict(zip((w.path for w in model.weights), whole.weights, strict=True))
    for weight in model.trainable_weights:
        assert np.array_equal(np.asarray(weight), got[weight.path])


def test_an_interrupted_run_ends_with_the_state_of_one_that_was_not(
    whole: Run, interrupted: Path, material: Material, tmp_path: Path
) -> None:
    """On one machine they are equal to the bit.

    The tolerance is for sums that threads may finish in another order. The history has a row
    too many: the power may fail between that and the checkpoint.
    """
    folder = Path(shutil.copytree(interrupted, tmp_path / "run"))
    shutil.copy(whole.folder / HISTORY, folder / HISTORY)
    before = state_of(load_checkpoint(folder / CHECKPOINT))
    resumed = train(SETTINGS, folder, material, print, resume=True)
    wanted = state_of(load_checkpoint(whole.folder / CHECKPOINT))
    assert furthest(before, wanted) > 1e-3  # there was a way to go
    assert furthest(state_of(load_checkpoint(folder / CHECKPOINT)), wanted) < 1e-6
    assert furthest(resumed.get_weights(), whole.weights) < 1e-6
    mine, other = (read_history(run / HISTORY) for run in (folder, whole.folder))
    assert [row.keys() for row in mine] == [row.keys() for row in other]
    for a, b in zip(mine, other, strict=True):
        assert a | {"waiting": 0} == pytest.approx(b | {"waiting": 0}, abs=1e-5)


def test_a_finished_run_is_not_trained_again_and_comes_to_the_same(
    whole: Run, material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_module, "Feed", None)  # no windows are made
    told: list[str] = []
    model = train(SETTINGS, whole.folder, material, told.append, resume=True)
    assert furthest(model.get_weights(), whole.weights) < 1e-6
    assert told == whole.told


def test_a_run_that_is_there_is_not_overwritten(whole: Run, material: Material) -> None:
    before = (whole.folder / CHECKPOINT).read_bytes()
    with pytest.raises(UsageError, match="holds a run already; add --resume") as caught:
        train(SETTINGS, whole.folder, material, print)
    assert str(whole.folder) in str(caught.value)
    assert (whole.folder / CHECKPOINT).read_bytes() == before


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(("steps", "epoch_steps"), [(750, 500), (1001, 500), (3, 2)])
def test_steps_that_are_no_whole_epochs_are_refused(
    steps: int, epoch_steps: int, tmp_path: Path, material: Material
) -> None:
    """Rounded up, the last of them would be trained after the schedule has ended."""
    settings = changed("fit", steps=steps, epoch_steps=epoch_steps)
    words = f"--steps {steps} is no multiple of --epoch-steps {epoch_steps};"
    with pytest.raises(UsageError, match=words):
        train(settings, tmp_path / "run", material, print)
    assert not (tmp_path / "run").exists()


def test_the_settings_that_ship_make_whole_epochs(tmp_path: Path) -> None:
    files = sorted((Path(__file__).parents[2] / "configs").glob("train*.toml"))
    assert files
    for file in (None, *files):
        check_run(load(TrainSettings, file, {}), tmp_path / "run", resume=False)


def test_a_run_folder_that_cannot_be_made_is_a_training_error(
    tmp_path: Path, material: Material
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TrainingError, match="cannot be written"):
        train(SETTINGS, tmp_path / "file" / "run", material, print)


def test_without_a_checkpoint_there_is_nothing_to_resume(
    tmp_path: Path, material: Material
) -> None:
    with pytest.raises(UsageError, match="has no checkpoint yet") as caught:
        train(SETTINGS, tmp_path, material, print, resume=True)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("section", "values", "words"),
    [
        ("network", {"width": 0.0625}, "describes another network than the checkpoint"),
        ("network", {"width": None}, "describes another network than the checkpoint"),
        ("fit", {"steps": 8}, "steps, batch, seed or another setting that"),
        ("fit", {"batch": 16}, "steps, batch, seed or another setting that"),
        ("fit", {"average": 0.0}, "steps, batch, seed or another setting that"),
        ("data", {"reuse": 2.0}, "steps, batch, seed or another setting that"),
    ],
)
def test_a_configuration_edited_since_the_run_began_is_refused(
    section: str, values: dict[str, object], words: str, whole: Run, material: Material
) -> None:
    """It would go on with the old one, whatever the file says."""
    with pytest.raises(UsageError, match=words) as caught:
        train(changed(section, **values), whole.folder, material, print, resume=True)
    assert str(whole.folder / CONFIG) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_data_set_than_the_run_began_with_is_refused(
    whole: Run, material: Material
) -> None:
    check = material.check
    two = TruthSet("two", check.x, check.y % 2, check.snr_db, CLASSES[:2])
    with pytest.raises(UsageError, match="describes another network"):
        train(SETTINGS, whole.folder, Material(Tones(), two, ""), print, resume=True)


@pytest.mark.parametrize("missing", ["tensorflow", "tensorboard"])
def test_tensorboard_that_is_not_installed_is_refused_before_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setattr(train_module, "find_spec", lambda name: None if name == missing else name)
    with pytest.raises(MissingExtraError, match="--tensorboard needs TensorFlow and TensorBoard"):
        check_run(changed("fit", tensorboard=True), tmp_path / "run", resume=False)


# ---------------------------------------------------------------- how it ends


@pytest.mark.usefixtures("eagerly")
def test_a_run_shorter_than_an_epoch_makes_its_steps_and_no_more(
    tmp_path: Path, material: Material
) -> None:
    settings = changed("fit", steps=1, epoch_steps=500, tensorboard=True, average=0.0)
    train(settings, tmp_path / "run", material, print)
    assert int(load_checkpoint(tmp_path / "run" / CHECKPOINT).optimizer.iterations) == 1
    logs = [p.name for p in (tmp_path / "run" / TENSORBOARD).rglob("*") if p.is_file()]
    assert any("tfevents" in name for name in logs)


@pytest.mark.usefixtures("eagerly")
def test_training_that_gets_no_better_ends_early_with_the_best(
    tmp_path: Path, material: Material
) -> None:
    """At such a rate the network is lost after the first epoch at the latest."""
    settings = changed("fit", steps=20, learning_rate=30.0, clip_norm=1e9, patience=2, average=0.0)
    model = train(settings, tmp_path / "run", material, print)
    rows = read_history(tmp_path / "run" / HISTORY)
    losses = [row["val_loss"] for row in rows]
    best = int(np.nanargmin(losses))
    assert len(rows) == best + 3 < 10  # two epochs of patience, of ten in all
    kept = load_checkpoint(tmp_path / "run" / BEST)
    assert int(kept.optimizer.iterations) == 2 * (best + 1)
    assert furthest(model.get_weights(), kept.get_weights()) == 0
    last = load_checkpoint(tmp_path / "run" / CHECKPOINT)
    assert int(last.optimizer.iterations) == 2 * len(rows)
    # And it stays ended.
    again = train(settings, tmp_path / "run", material, print, resume=True)
    assert read_history(tmp_path / "run" / HISTORY) == rows
    assert furthest(again.get_weights(), model.get_weights()) == 0


@pytest.mark.usefixtures("eagerly")
def test_a_training_that_cannot_succeed_is_stopped_and_what_there_is_stays(
    tmp_path: Path, material: Material
) -> None:
    silent, told = Material(Silent(), material.check, ""), []
    with pytest.raises(TrainingError, match="does not learn: constant input") as caught:
        train(SETTINGS, tmp_path / "run", silent, told.append)
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "run") in str(caught.value)
    assert any("constant input" in text for text in told)
    assert int(load_checkpoint(tmp_path / "run" / CHECKPOINT).optimizer.iterations) == 1
    with pytest.raises(UsageError, match="was stopped at step 1, in the middle of an epoch"):
        train(SETTINGS, tmp_path / "run", silent, print, resume=True)


@pytest.mark.parametrize(("behind", "step"), [(2, 2), (3, 4), (4, 4)])
def test_steps_that_half_precision_left_out_do_not_set_a_resumed_run_back(
    behind: int,
    step: int,
    tmp_path: Path,
    material: Material,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of two epochs of two steps one step was left out: the run is at its end all the same."""
    model = SimpleNamespace(optimizer=SimpleNamespace(iterations=behind))
    monkeypatch.setattr(train_module, "load_checkpoint", lambda _: model)
    monkeypatch.setattr(train_module, "check_fits", lambda *_: None)
    monkeypatch.setattr(train_module, "may_skip_steps", lambda _: True)
    assert train_module._resume(SETTINGS, tmp_path, material) == (model, step)


@pytest.mark.usefixtures("eagerly")
def test_asked_only_to_warn_it_goes_on(tmp_path: Path, material: Material) -> None:
    settings, told = changed("fit", on_stuck="warn", average=0.0, steps=2), []
    train(settings, tmp_path / "run", Material(Silent(), material.check, ""), told.append)
    assert any("constant input" in text for text in told)
    assert int(load_checkpoint(tmp_path / "run" / CHECKPOINT).optimizer.iterations) == 2


def test_an_error_while_windows_are_read_reaches_the_user_as_it_is(
    tmp_path: Path, material: Material
) -> None:
    """Not as the backend's report of an exception in its input pipeline."""
    settings = changed("fit", batch=CHUNK)
    failing = Material(Failing(), material.check, "")
    with pytest.raises(TrainingError, match=r"^Data set mine\.hdf5 can no longer be read\.$"):
        train(settings, tmp_path / "run", failing, print)
