"""Train a network on generated signals: settings -> feed -> fit -> bundle.

A run is a folder: `config.toml` (resolved, loadable), `checkpoint.keras` (weights,
optimiser, step: replaced whole after every epoch), `history.csv`, `bundle/`.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from liveclf.config import TrainSettings, to_toml
from liveclf.errors import TrainingError, UsageError
from liveclf.learn import CHECKPOINT, CONFIG, HISTORY
from liveclf.learn.feed import Feed
from liveclf.learn.interrupt import Interrupt
from liveclf.learn.progress import TrainingProgress
from liveclf.learn.start import start_from
from liveclf.model.bundle import load_bundle
from liveclf.model.vgg16 import build_vgg16, find_preset
from liveclf.signals.classes import CLASSES
from liveclf.signals.generator import Labelled


def train(
    settings: TrainSettings,
    run: Path,
    check: Labelled,
    *,
    resume: bool = False,
    tell: Callable[[str], None] = print,
) -> keras.Model:
    """Train, or go on with a run.

    Args:
        settings: The resolved settings; those it began with, if it is resumed.
        run: Folder of the run.
        check: Windows to validate on after every epoch.
        resume: Go on from the run's last checkpoint.
        tell: Takes what the user should know, a sentence.

    Returns:
        The trained network.

    Raises:
        UsageError: See `check_run`.
        BundleError: The bundle to begin with does not load.
        TrainingError: The checkpoint cannot be read.
    """
    check_run(settings, run, resume=resume)
    model, first_step = _resume(run) if resume else _begin(settings, run, tell)
    fit = settings.fit
    if first_step >= fit.steps:
        return model
    epoch_steps = min(fit.epoch_steps, fit.steps)
    progress = TrainingProgress(fit.steps, fit.batch, first_step)
    interrupt = Interrupt()
    with Feed(settings.data, fit.seed, fit.batch, first_step) as feed, progress, interrupt:
        model.fit(
            iter(feed),
            steps_per_epoch=epoch_steps,
            epochs=fit.steps // epoch_steps,
            initial_epoch=first_step // epoch_steps,
            validation_data=(check.x.astype(np.float32), check.y.astype(np.int32)),
            validation_batch_size=fit.batch,
            shuffle=False,  # the feed has drawn them at random
            verbose=0,
            callbacks=[
                keras.callbacks.CSVLogger(str(run / HISTORY), append=first_step > 0),
                AtomicCheckpoint(run / CHECKPOINT),
                progress,
                interrupt,
            ],
        )
    return model


def check_run(settings: TrainSettings, run: Path, *, resume: bool) -> None:
    """Refuse at once what could not begin, go on or end as asked.

    Raises:
        UsageError: The run exists and is not to be resumed, or has no checkpoint; there is
            no such preset; the last epoch would go on beyond the steps.
        BundleError: The bundle to begin with does not load.
    """
    fit, network = settings.fit, settings.network
    if fit.steps % min(fit.epoch_steps, fit.steps):
        raise UsageError(
            f"--steps {fit.steps} is no multiple of --epoch-steps {fit.epoch_steps}; "
            "a run ends with a whole epoch."
        )
    if resume:
        if not (run / CHECKPOINT).exists():
            raise UsageError(f"--resume: {run} has no checkpoint yet; delete it and begin again.")
        return
    if (run / CONFIG).exists():
        raise UsageError(f"--run {run} holds a run already; add --resume or choose another folder.")
    find_preset(network.preset)
    if network.start:
        load_bundle(network.start)


def compile_model(model: keras.Model, settings: TrainSettings) -> None:
    """Give a model the optimiser, schedule and loss of the settings."""
    fit = settings.fit
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=fit.learning_rate / 100,
        decay_steps=max(1, fit.steps - fit.warmup_steps),
        alpha=0.01,
        warmup_target=fit.learning_rate,
        warmup_steps=fit.warmup_steps,
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(
            schedule,
            weight_decay=fit.weight_decay,
            clipnorm=fit.clip_norm,
        ),
        loss=SmoothedCrossentropy(fit.label_smoothing),
        metrics=["accuracy"],
    )


@keras.saving.register_keras_serializable(package="liveclf")
class SmoothedCrossentropy(keras.losses.Loss):  # type: ignore[misc]  # keras is untyped
    """Cross-entropy of logits against integer labels, smoothed over all classes.

    Source: Szegedy et al., "Rethinking the Inception Architecture", section 7.
    """

    def __init__(self, smoothing: float, name: str = "smoothed_crossentropy", **kwargs: Any):
        """Take the share of the label that is spread, 0 to below 1."""
        super().__init__(name=name, **kwargs)
        self.smoothing = smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each window."""
        log_p = keras.ops.log_softmax(y_pred)
        labels = keras.ops.reshape(keras.ops.cast(y_true, "int32"), (-1,))
        truth = keras.ops.one_hot(labels, y_pred.shape[-1], dtype=log_p.dtype)
        of_label = keras.ops.sum(truth * log_p, axis=-1)
        return -((1 - self.smoothing) * of_label + self.smoothing * keras.ops.mean(log_p, axis=-1))

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds it."""
        return {**super().get_config(), "smoothing": self.smoothing}


class AtomicCheckpoint(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """Save after every epoch; a crash or full disk while saving keeps the last good one."""

    def __init__(self, path: Path) -> None:
        """Take the file that always holds the last complete checkpoint."""
        super().__init__()
        self._path = path

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write beside it, then replace."""
        beside = self._path.with_suffix(".new.keras")
        try:
            self.model.save(beside)
            os.replace(beside, self._path)
        except OSError as error:
            raise TrainingError(
                f"Checkpoint {self._path} cannot be written: {error.strerror or error}; "
                "the run can go on from the last one with --resume."
            ) from error


def _begin(
    settings: TrainSettings, run: Path, tell: Callable[[str], None]
) -> tuple[keras.Model, int]:
    """Return a new model, and the steps it has behind it."""
    keras.utils.set_random_seed(settings.fit.seed)
    model = build_vgg16(len(CLASSES), settings.network.preset, settings.network.width)
    if settings.network.start:
        new = start_from(load_bundle(settings.network.start), model, CLASSES)
        if new:
            some = ", ".join(new[:3]) + (", ..." if len(new) > 3 else "")
            tell(
                f"--from {settings.network.start}: {len(new)} layers begin anew, in whole or in "
                f"part, since its network had no such features: {some}"
            )
    compile_model(model, settings)
    try:  # only now: wrong settings leave no run behind
        run.mkdir(parents=True, exist_ok=True)
        (run / CONFIG).write_text(to_toml(settings), encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"--run {run} cannot be written: {error.strerror}.") from error
    return model, 0


def _resume(run: Path) -> tuple[keras.Model, int]:
    """Return the model of the last checkpoint, and the steps it has behind it."""
    checkpoint = run / CHECKPOINT
    try:
        model = keras.models.load_model(checkpoint)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise TrainingError(
            f"Checkpoint {checkpoint} is damaged; begin the run again in another folder."
        ) from error
    if getattr(model, "optimizer", None) is None:
        raise TrainingError(
            f"Checkpoint {checkpoint} holds a network only, not the state of its training."
        )
    return model, int(model.optimizer.iterations)
