"""What is minimised, and how: AdamW with warm-up and cosine, and a smoothed cross-entropy."""

from __future__ import annotations

import hashlib
from typing import Any

import keras
import msgspec
import numpy as np

from liveclf.config import TrainSettings

NAMED = "settings_"
_LOWEST = 0.01  # of the peak learning rate, at the beginning and at the end

# What may change while a run goes on: what it is measured with, how it is watched, and what
# is written down elsewhere (the split, the network itself).
_FREE = {
    *("start", "recipe"),
    *("patience", "mixed", "tensorboard", "error_share", "on_stuck"),
    *("file", "class_file", "checksum", "test_share", "validation_share"),
    *("workers", "heldout_windows"),
}
# Settings that came later count where they are used: a run that was begun before them goes on.
_LATER = {"students"}


def compile_model(model: keras.Model, settings: TrainSettings) -> None:
    """Give a model the optimiser, schedule and loss of the settings."""
    model.compile(
        optimizer=make_optimiser(settings),
        loss=SmoothedCrossentropy(settings.fit.label_smoothing),
        metrics=["accuracy"],
    )


def make_optimiser(settings: TrainSettings) -> keras.optimizers.Optimizer:
    """Return the optimiser of the settings.

    It keeps the average of the weights itself, so that a checkpoint holds that too, and is
    named after the settings, so that a checkpoint tells which it was trained with.
    """
    fit = settings.fit
    schedule = WarmupCosine(fit.learning_rate, fit.warmup_steps, fit.steps)
    return keras.optimizers.AdamW(
        schedule,
        weight_decay=fit.weight_decay,
        clipnorm=fit.clip_norm,
        use_ema=fit.average > 0,
        ema_momentum=fit.average,
        name=name_of(settings),
    )


@keras.saving.register_keras_serializable(package="liveclf")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]  # keras is untyped
    """A line from a hundredth of the peak up to it, then half a cosine down to a hundredth.

    As Keras's own, without a branch: an optimiser asks once for each weight, and on a GPU each
    branch waits for the host.
    """

    def __init__(self, peak: float, warmup_steps: int, steps: int) -> None:
        """Take the highest rate, where it is reached, and where the last step is."""
        self.peak, self.warmup_steps, self.steps = peak, warmup_steps, steps

    def __call__(self, step: Any) -> Any:
        """Return the rate of a step."""
        step = keras.ops.cast(step, "float32")
        up = keras.ops.minimum(step / self.warmup_steps, 1.0) if self.warmup_steps else 1.0
        behind = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        down = 0.5 + 0.5 * keras.ops.cos(np.pi * keras.ops.clip(behind, 0.0, 1.0))
        return self.peak * (_LOWEST + (1 - _LOWEST) * keras.ops.minimum(up, down))

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds it."""
        return {"peak": self.peak, "warmup_steps": self.warmup_steps, "steps": self.steps}


def name_of(settings: TrainSettings) -> str:
    """Return a name that settings share if they train alike."""
    sections = msgspec.to_builtins(settings)
    deciding = {
        s: {k: v for k, v in of.items() if k not in _FREE and (v or k not in _LATER)}
        for s, of in sections.items()
    }
    return NAMED + hashlib.sha256(msgspec.json.encode(deciding, order="sorted")).hexdigest()[:16]


def may_skip_steps(model: keras.Model) -> bool:
    """Say whether the optimiser leaves out steps: those whose gradient is not finite.

    That of half precision on TensorFlow does so, and does not count them.
    """
    return isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)


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
