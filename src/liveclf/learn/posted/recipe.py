"""The network and the training that were posted, which stayed at loss 1.0986, to compare.

As posted: `X (n, 1024, 2)` reshaped to (n, 2, 1024, 1), which interleaves I and Q; no
normalisation; 15 % for the test and 15 % of the rest for validation; a Sequential VGG16
with Glorot's initialisation, no batch normalisation and no dropout, softmax; categorical
cross-entropy, Adam at 1e-3, batches of 512, up to 100 epochs; a checkpoint and an early
stop that monitor `val_acc`.

What differs: the split and the weights have a seed; `width` scales the channels; the
callbacks are told mode="max", as Keras 3 refuses a monitor that it does not know without;
a checkpoint goes into the run's folder; and a `StuckGuard` watches. The metric is called
`val_accuracy`, so that neither callback acts. The early stop does so by itself; Keras 3
would save a checkpoint after every epoch where the posted one saved none, so it is kept
from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from liveclf.errors import TrainingError
from liveclf.learn.guard import StuckGuard
from liveclf.model.bundle import WINDOW_SAMPLES
from liveclf.model.vgg16 import BLOCKS
from liveclf.records import FloatArray

CHECKPOINT = "model0c.h5"
BATCH = 512
EPOCHS = 100
_DENSE = 4096
_HELD_OUT = 0.15
_PATIENCE = 20


@dataclass(frozen=True)
class AsPosted:
    """What came of it.

    Attributes:
        model: As trained.
        history: Per metric, a value an epoch.
        guard: With the losses of the first steps, and the diagnosis if there is one.
        test: Rows that were held out for the test, ascending.
    """

    model: keras.Model
    history: dict[str, list[float]]
    guard: StuckGuard
    test: NDArray[np.int64]


def train_as_posted(
    x: FloatArray,
    y_one_hot: NDArray[Any],
    *,
    seed: int,
    width: float = 1.0,
    epochs: int = EPOCHS,
    steps_limit: int | None = None,
    batch: int = BATCH,
    out: Path,
    on_stuck: str = "stop",
    say: Callable[[str], None] | None = None,
) -> AsPosted:
    """Train as posted.

    Args:
        x: Windows as RadioML stores them, shape (n, 1024, 2).
        y_one_hot: Shape (n, n_classes).
        seed: Of split, weights and order.
        width: Channels over those of VGG16.
        epochs: At most.
        steps_limit: Optimiser steps at most, None for those of the epochs.
        batch: Windows per step.
        out: Existing folder for the checkpoint that is never written.
        on_stuck: What the guard does: "stop" or "warn".
        say: Takes what the guard says, None for standard error.

    Raises:
        TrainingError: The arrays have other shapes.
    """
    if x.shape[1:] != (WINDOW_SAMPLES, 2) or y_one_hot.shape[:-1] != x.shape[:1]:
        wanted = f"(n, {WINDOW_SAMPLES}, 2) and labels (n, classes)"
        raise TrainingError(
            f"As posted needs windows {wanted}, not {x.shape} and {y_one_hot.shape}."
        )
    keras.utils.set_random_seed(seed)
    reshaped = x.reshape(len(x), 2, WINDOW_SAMPLES, 1)  # the mistake: transpose was meant
    train, validation, test = split_as_posted(len(x), seed)
    fitted = reshaped[train], y_one_hot[train]
    model = build_as_posted(y_one_hot.shape[1], width)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=1e-3),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
    )
    posted = posted_callbacks(out)
    guard = StuckGuard(fitted, on_stuck=on_stuck, callbacks=posted, say=say)
    history = model.fit(
        *fitted,
        batch_size=batch,
        epochs=epochs,
        validation_data=(reshaped[validation], y_one_hot[validation]),
        callbacks=[*posted, guard, StepLimit(steps_limit)],
        verbose=0,
    )
    return AsPosted(model, history.history, guard, test)


def build_as_posted(n_classes: int, width: float = 1.0) -> keras.Sequential:
    """Build the posted network: every choice that is not written here is Keras's default.

    Args:
        n_classes: Outputs.
        width: Channels and dense units over those posted.

    Returns:
        Model from (n, 2, 1024, 1) to probabilities (n, n_classes).
    """
    model = keras.Sequential([keras.Input((2, WINDOW_SAMPLES, 1))], name="as_posted")
    for block in BLOCKS:
        for filters in block:
            filters = scaled(filters, width)
            model.add(layers.Conv2D(filters, (1, 3), padding="same", activation="relu"))
        model.add(layers.MaxPooling2D((1, 2), strides=(1, 2)))
    model.add(layers.Flatten())
    model.add(layers.Dense(scaled(_DENSE, width), activation="relu"))
    model.add(layers.Dense(scaled(_DENSE, width), activation="relu"))
    model.add(layers.Dense(n_classes, activation="softmax"))
    return model


def scaled(full: int, width: float) -> int:
    """Scale a number of channels, to at least 8."""
    return max(8, round(full * width))


def split_as_posted(n: int, seed: int) -> tuple[NDArray[np.int64], ...]:
    """Return the rows for training (shuffled), validation and test, as posted but seeded."""
    rows = np.random.default_rng(seed).permutation(n)
    n_test = round(_HELD_OUT * n)
    n_validation = round(_HELD_OUT * (n - n_test))
    held_out = n_test + n_validation
    return rows[held_out:], np.sort(rows[n_test:held_out]), np.sort(rows[:n_test])


def posted_callbacks(out: Path) -> list[Any]:
    """Return the two posted callbacks, which never act."""
    return [
        PostedCheckpoint(str(out / CHECKPOINT), monitor="val_acc", save_best_only=True, mode="max"),
        keras.callbacks.EarlyStopping(monitor="val_acc", patience=_PATIENCE, mode="max"),
    ]


class PostedCheckpoint(keras.callbacks.ModelCheckpoint):  # type: ignore[misc]  # untyped
    """Saves nothing where the metric it monitors is not there, as Keras 2 did."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save if it would have then."""
        if self.monitor in (logs or {}):
            super().on_epoch_end(epoch, logs)


class StepLimit(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """Ends a training after so many steps."""

    def __init__(self, steps: int | None) -> None:
        """Take the steps, None for no limit."""
        super().__init__()
        self._left = steps

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Count."""
        if self._left is not None:
            self._left -= 1
            self.model.stop_training = self.model.stop_training or self._left <= 0
