"""Train a network: settings and windows -> feed -> fit -> the network for a bundle.

A run is a folder: `config.toml` (resolved, loadable), `split.npz` (of a file, which rows
are which), `checkpoint.keras` (weights, optimiser, step: replaced whole after every
epoch), `best.keras` (where training ends early), `history.csv`, `curves.png`, `bundle/`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np

from liveclf.config import TrainSettings, to_toml
from liveclf.errors import MissingExtraError, TrainingError, UsageError
from liveclf.learn import BEST, CHECKPOINT, CONFIG, HISTORY, TENSORBOARD
from liveclf.learn.data.ahead import Ahead
from liveclf.learn.data.feed import Feed
from liveclf.learn.data.material import Material
from liveclf.learn.data.supply import Supply
from liveclf.learn.fit.average import finish
from liveclf.learn.fit.checkpoint import AtomicCheckpoint, check_fits, load_checkpoint, writing
from liveclf.learn.fit.curves import Curves
from liveclf.learn.fit.devices import computing_in, policy_name, replicas, spread
from liveclf.learn.fit.head import fit_head
from liveclf.learn.fit.history import Log, Plateau, is_over, read_history, write_history
from liveclf.learn.fit.interrupt import Interrupt
from liveclf.learn.fit.optimiser import compile_model, may_skip_steps
from liveclf.learn.fit.progress import TrainingProgress
from liveclf.learn.fit.start import start_from
from liveclf.learn.fit.teaching import with_students
from liveclf.learn.guard import StuckGuard
from liveclf.learn.together.cluster import Cluster, agreeing
from liveclf.learn.together.share import Share
from liveclf.model.bundle import load_bundle
from liveclf.model.compiled import prepare_backend
from liveclf.model.vgg16 import build_vgg16, find_preset

Tell = Callable[[str], None]


def train(
    settings: TrainSettings,
    run: Path,
    material: Material,
    tell: Tell,
    *,
    resume: bool = False,
    cluster: Cluster | None = None,
) -> keras.Model:
    """Train, or go on with a run.

    Args:
        settings: The resolved settings; those it began with, if it is resumed.
        run: Folder of the run.
        material: What to train on.
        tell: Takes what the user should know, a sentence.
        resume: Go on from the run's last checkpoint.
        cluster: The machines that train it together; None if this one does alone.

    Returns:
        The trained network; on a machine that does not write the run, as the last step left it.
        Students are in it, see `teaching.networks_in`.

    Raises:
        UsageError: See `check_run` and `check_fits`.
        BundleError: The bundle to begin with does not load.
        TrainingError: The network does not learn, the checkpoint cannot be read or written.
    """
    model = take_steps(settings, run, material, tell, resume=resume, cluster=cluster)
    if settings.fit.freeze or (cluster and not cluster.writes):
        return model
    finish(model, material.chunks, material.check, settings.fit.average, tell)
    return model


def take_steps(
    settings: TrainSettings,
    run: Path,
    material: Material,
    tell: Tell,
    *,
    resume: bool = False,
    cluster: Cluster | None = None,
    watching: Sequence[keras.callbacks.Callback] = (),
) -> keras.Model:
    """Do all of `train` but what follows the last step; `watching` are called after each."""
    check_run(settings, run, resume=resume)
    prepare_backend()
    fit = settings.fit
    with cluster.spread(fit.batch, tell) if cluster else spread(fit.batch, tell):
        if resume:
            model, step = _resume(settings, run, material)
        else:
            model, step = _begin(settings, run, material, tell), 0
        if step < fit.steps and fit.freeze:
            _fit_head(model, settings, run, material, tell)
        elif step < fit.steps and not is_over(run / HISTORY, fit.patience):
            _fit(model, settings, run, material, step, tell, cluster, watching)
    if cluster and not cluster.writes:
        return model
    # What the run comes to is on the disk, so it is the same when a finished run is resumed.
    return load_checkpoint(run / (BEST if fit.patience else CHECKPOINT))


def check_run(settings: TrainSettings, run: Path, *, resume: bool) -> None:
    """Refuse at once what could not begin, go on or end as asked.

    Raises:
        UsageError: The run exists and is not to be resumed, or has no checkpoint; there is
            no such preset; the last epoch would go on beyond the steps.
        BundleError: The bundle to begin with does not load.
        MissingExtraError: TensorBoard is asked for and not installed, or TensorFlow is not.
    """
    fit, network = settings.fit, settings.network
    if fit.steps % min(fit.epoch_steps, fit.steps):
        raise UsageError(
            f"--steps {fit.steps} is no multiple of --epoch-steps {fit.epoch_steps}; "
            "a run ends with a whole epoch."
        )
    if fit.freeze and network.students:
        raise UsageError(
            f"--freeze and --student {network.students[0]:g} conflict: students learn beside the "
            "whole network."
        )
    if fit.tensorboard and not (find_spec("tensorflow") and find_spec("tensorboard")):
        raise MissingExtraError(
            "--tensorboard needs TensorFlow and TensorBoard", "pip install tensorflow tensorboard"
        )
    find_preset(network.preset)
    if resume:
        if not (run / CHECKPOINT).exists():
            raise UsageError(f"--resume: {run} has no checkpoint yet; delete it and begin again.")
        return
    if (run / CONFIG).exists():
        raise UsageError(f"--run {run} holds a run already; add --resume or choose another folder.")
    if network.start:
        load_bundle(network.start)


def _begin(settings: TrainSettings, run: Path, material: Material, tell: Tell) -> keras.Model:
    """Return a new model, in a run that has begun."""
    network, classes = settings.network, material.check.classes
    keras.utils.set_random_seed(settings.fit.seed)
    with computing_in(policy_name(settings.fit.mixed)):
        model = build_vgg16(len(classes), network.preset, network.width)
    if network.start:
        new = start_from(load_bundle(network.start), model, classes)
        if new:
            some = ", ".join(new[:3]) + (", ..." if len(new) > 3 else "")
            tell(
                f"--from {network.start}: {len(new)} layers begin anew, in whole or in part, "
                f"since its network had no such features: {some}"
            )
    with computing_in(policy_name(settings.fit.mixed)):
        model = with_students(model, network.students)
    compile_model(model, settings)
    try:  # only now: wrong settings leave no run behind
        run.mkdir(parents=True, exist_ok=True)
        material.keep(run)
        (run / CONFIG).write_text(to_toml(settings), encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"--run {run} cannot be written: {error.strerror}.") from error
    return model


def _resume(settings: TrainSettings, run: Path, material: Material) -> tuple[keras.Model, int]:
    """Return the model of the last checkpoint, and the steps it has behind it."""
    # Machines must not differ even in the weights that the checkpoint then replaces.
    keras.utils.set_random_seed(settings.fit.seed)
    model = load_checkpoint(run / CHECKPOINT)
    check_fits(model, settings, len(material.check.classes), run)
    epoch_steps = min(settings.fit.epoch_steps, settings.fit.steps)
    behind = int(model.optimizer.iterations)
    if behind % epoch_steps and not may_skip_steps(model):
        raise UsageError(
            f"--resume: {run} was stopped at step {behind}, in the middle of an epoch, since it "
            "did not learn; change what was said to be wrong, and begin another run."
        )
    done = math.ceil(behind / epoch_steps)
    rows = read_history(run / HISTORY)
    if len(rows) > done:  # the power failed between the row and the checkpoint
        write_history(run / HISTORY, rows[:done])
    return model, done * epoch_steps


def _fit(
    model: keras.Model,
    settings: TrainSettings,
    run: Path,
    material: Material,
    step: int,
    tell: Tell,
    cluster: Cluster | None,
    also: Sequence[keras.callbacks.Callback],
) -> None:
    """Train from a step to the end."""
    fit, share = settings.fit, cluster.share if cluster else Share()
    epoch_steps = min(fit.epoch_steps, fit.steps)
    # The last batch has to divide too.
    x, y = (share.of(rows, replicas()) for rows in (material.check.x, material.check.y))
    batch, chunks = share.batch(fit.batch), share.chunks(material.chunks)
    progress, interrupt = TrainingProgress(fit.steps, fit.batch, step), Interrupt()
    feed = Feed(chunks, settings.data, fit.seed, batch, step, share.rank)
    ahead = Ahead(feed)
    supply, guard = Supply(ahead), _guard(settings, material, tell if share.rank == 0 else _silent)
    watching: list[keras.callbacks.Callback] = [guard] if guard else []
    if share.rank == 0:
        watching += [*_callbacks(settings, run, tell), progress]
    if cluster:
        watching.append(agreeing())
    with feed, progress, interrupt, ahead, supply:
        model.fit(
            iter(supply),
            steps_per_epoch=epoch_steps,
            epochs=fit.steps // epoch_steps,
            initial_epoch=step // epoch_steps,
            validation_data=(x, y.astype(np.int32)),
            validation_batch_size=batch,
            shuffle=False,  # the feed has drawn them at random
            verbose=0,
            callbacks=[supply, *also, *watching, interrupt],
        )
    if guard and guard.diagnosis is not None and fit.on_stuck == "stop":
        raise TrainingError(
            f"The training was stopped at step {guard.diagnosis.step}, since the network does not "
            f"learn: {guard.diagnosis.cause}; what it came to is in {run}, and --on-stuck warn "
            "goes on all the same."
        )


def _fit_head(
    model: keras.Model, settings: TrainSettings, run: Path, material: Material, tell: Tell
) -> None:
    """Train the dense layers; it takes minutes, so the one checkpoint is that of the end."""
    progress = TrainingProgress(settings.fit.steps, settings.fit.batch, 0)
    with progress:
        watching = [Log(run / HISTORY), Curves(run, tell), progress]
        fit_head(model, settings, material, tell, watching)
    with writing(run / CHECKPOINT, "Checkpoint") as beside:
        model.save(beside)


def _silent(_sentence: str) -> None:
    """Leave it to machine 0, which sees the same losses and says the same."""


def _guard(settings: TrainSettings, material: Material, tell: Tell) -> StuckGuard | None:
    """Return what watches whether the network learns, with windows to judge the data by."""
    if settings.fit.on_stuck == "off":
        return None
    made = material.chunks(0)
    probe = made.x.astype(np.float32), made.y.astype(np.int32)
    return StuckGuard(probe, on_stuck=settings.fit.on_stuck, say=tell)


def _callbacks(settings: TrainSettings, run: Path, tell: Tell) -> list[keras.callbacks.Callback]:
    """Return what is written after an epoch, in that order."""
    fit = settings.fit
    written = [Log(run / HISTORY), AtomicCheckpoint(run / CHECKPOINT)]
    if fit.patience:
        written.append(Plateau(run, fit.patience))
    written.append(Curves(run, tell))
    if fit.tensorboard:
        written.append(keras.callbacks.TensorBoard(str(run / TENSORBOARD), write_graph=False))
    return written
