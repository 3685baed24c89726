"""Show what the stuck guard says of small trainings: healthy ones, and spoilt ones.

    python tools/guard_trials.py [--steps 500] [--only TEXT]

Prints a line for each: what was done, the losses, and the guard's cause and step, a dash
where it was silent. It is wanted silent in all that are marked healthy, slow starters
among them, and not in the others. Ends with exit code 1 if that is not so.

Networks of 8 channels on 128 samples of the package's own signals, batches of 32.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up notes on stderr

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from liveclf.learn.guard import StuckGuard
from liveclf.signals.classes import CLASSES
from liveclf.signals.generator import make_chunk

SAMPLES = 128
BATCH = 32
ASK = ("OOK", "4ASK", "8ASK")

Spoiler = Callable[[Any, Any], tuple[Any, Any]]


@dataclass(frozen=True)
class Trial:
    """One training.

    Attributes:
        name: What is done.
        classes: That are told apart.
        snr_db: Lowest and highest.
        chunks: Of 1024 windows, to train on.
        network: Arguments of `build`.
        optimizer: Makes the optimiser.
        smoothing: Of the labels.
        spoil: Changes windows and labels.
        probe: Whether the guard gets them.
    """

    name: str
    classes: tuple[str, ...] = ASK
    snr_db: tuple[float, float] = (0.0, 30.0)
    chunks: int = 8
    network: dict[str, Any] = field(default_factory=dict)
    optimizer: Callable[[], Any] = lambda: keras.optimizers.Adam(1e-3)
    smoothing: float = 0.0
    spoil: Spoiler = lambda x, y: (x, y)
    probe: bool = True


class Rising(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]  # untyped
    """Warm-up to 1e-3."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def __call__(self, step: Any) -> Any:
        """Return the rate of a step."""
        return 1e-3 * keras.ops.minimum(1.0, (keras.ops.cast(step, "float32") + 1) / self._steps)


def adam(rate: Any) -> Callable[[], Any]:
    """Return what makes an Adam."""
    return lambda: keras.optimizers.Adam(rate)


def sgd(rate: float, momentum: float = 0.0) -> Callable[[], Any]:
    """Return what makes an SGD."""
    return lambda: keras.optimizers.SGD(rate, momentum=momentum)


def imbalanced(x: Any, y: Any) -> tuple[Any, Any]:
    """Keep one window in eight of the classes but the first."""
    keep = (y == 0) | (np.arange(len(y)) % 8 == 0)
    return x[keep], y[keep]


def one_sided(x: Any, y: Any) -> tuple[Any, Any]:
    """Keep one window in a hundred of the classes but the first."""
    keep = (y == 0) | (np.arange(len(y)) % 100 == 0)
    return x[keep], y[keep]


def shuffled(x: Any, y: Any) -> tuple[Any, Any]:
    """Give every window the label of another."""
    return x, np.random.default_rng(9).permutation(y)


PLAIN = {"batch_norm": False, "initializer": "glorot_uniform"}
HEALTHY = (
    Trial("plain"),
    Trial("softmax", network={"activation": "softmax"}),
    Trial("no probe", probe=False),
    Trial("Adam 1e-4", optimizer=adam(1e-4)),
    Trial("Adam 1e-5", optimizer=adam(1e-5)),
    Trial("Adam 1e-5, softmax", network={"activation": "softmax"}, optimizer=adam(1e-5)),
    Trial("SGD 1e-3", optimizer=sgd(1e-3)),
    Trial("warm-up of 2000 steps", optimizer=adam(Rising(2000))),
    Trial("warm-up of 5000 steps", optimizer=adam(Rising(5000)), snr_db=(-12.0, -2.0)),
    Trial("Glorot, 6 layers", network={**PLAIN, "depth": 6}),
    Trial("Glorot, 6 layers, Adam 1e-4", network={**PLAIN, "depth": 6}, optimizer=adam(1e-4)),
    Trial("Glorot, 4 layers, SGD", network=PLAIN, optimizer=sgd(1e-2, 0.9)),
    Trial("-10 to 0 dB", snr_db=(-10.0, 0.0)),
    Trial("-10 to 0 dB, Adam 1e-4", snr_db=(-10.0, 0.0), optimizer=adam(1e-4)),
    Trial("-16 to -8 dB", snr_db=(-16.0, -8.0)),
    Trial("all classes", classes=CLASSES),
    Trial("all classes, Adam 3e-5", classes=CLASSES, optimizer=adam(3e-5)),
    Trial("all classes, -15 to 0 dB", classes=CLASSES, snr_db=(-15.0, 0.0)),
    Trial("80 % of one class", spoil=imbalanced),
    Trial("80 % of one class, no probe", spoil=imbalanced, probe=False),
    Trial("80 % of one class, Adam 1e-4", spoil=imbalanced, optimizer=adam(1e-4)),
    Trial("labels smoothed", smoothing=0.2),
    Trial("weight penalty", network={"regularizer": keras.regularizers.L2(1e-3)}),
    Trial("1024 windows, again and again", chunks=1),
)
SPOILT = (
    Trial("Glorot, 9 layers, SGD 1e-3", network={**PLAIN, "depth": 9}, optimizer=sgd(1e-3)),
    Trial("the same, no probe", network={**PLAIN, "depth": 9}, optimizer=sgd(1e-3), probe=False),
    Trial("x of RMS 0.001", network=PLAIN, spoil=lambda x, y: (1e-3 * x, y)),
    Trial("x constant", spoil=lambda x, y: (np.ones_like(x), y)),
    Trial("x with NaN", spoil=lambda x, y: (np.where(x > 3, np.nan, x), y)),
    Trial("x with NaN, no probe", spoil=lambda x, y: (np.where(x > 3, np.nan, x), y), probe=False),
    Trial("labels shuffled", spoil=shuffled),
    Trial("labels shuffled, all classes", classes=CLASSES, spoil=shuffled),
    Trial("one class", spoil=lambda x, y: (x, 0 * y)),
    Trial("98 % of one class", spoil=one_sided),
    Trial("x reshaped", spoil=lambda x, y: (np.moveaxis(x, 1, 2).reshape(x.shape), y)),
    Trial("learning rate 0", optimizer=adam(0.0)),
    Trial("learning rate 1e-8", optimizer=adam(1e-8)),
    Trial("nothing trainable", network={"trainable": False}),
    Trial("learning rate 0.3", network={**PLAIN, "activation": "softmax"}, optimizer=adam(0.3)),
    Trial("learning rate 10", network=PLAIN, optimizer=adam(10.0)),
)


def main() -> int:
    """Run all and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--only", default="", help="run those whose name holds this text")
    arguments = parser.parse_args()
    table = Table("", "training", "loss to 50", "to 200", "to 300", "to 500", "the guard")
    wrong = 0
    for kind, trials in (("healthy", HEALTHY), ("spoilt", SPOILT)):
        for trial in trials:
            if arguments.only not in trial.name:
                continue
            guard, said = run(trial, arguments.steps)
            wrong += bool(said) != (kind == "spoilt")
            losses = [mean(guard.losses, end) for end in (50, 200, 300, 500)]
            table.add_row(kind, trial.name, *losses, verdict(guard))
            keras.backend.clear_session()
    Console(width=140).print(table)
    print(f"{wrong} not as wanted")
    return 1 if wrong else 0


def run(trial: Trial, steps: int) -> tuple[StuckGuard, list[str]]:
    """Train, and return the guard and what it said."""
    keras.utils.set_random_seed(1)
    chunks = [make_chunk(1, k, trial.snr_db, trial.classes) for k in range(trial.chunks)]
    x = np.concatenate([chunk.x for chunk in chunks])[..., :SAMPLES].astype(np.float32)
    y = np.concatenate([chunk.y for chunk in chunks]).astype(np.int32)
    x, y = trial.spoil(x, y)
    one_hot = np.eye(len(trial.classes), dtype=np.float32)[y]
    model = build(len(trial.classes), **trial.network)
    is_softmax = model.layers[-1].activation is keras.activations.softmax
    loss = keras.losses.CategoricalCrossentropy(not is_softmax, trial.smoothing)
    model.compile(trial.optimizer(), loss, metrics=["accuracy"], jit_compile=False)
    said: list[str] = []
    guard = StuckGuard((x, one_hot) if trial.probe else None, say=said.append)
    per_epoch = len(x) // BATCH
    model.fit(
        x[: per_epoch * BATCH], one_hot[: per_epoch * BATCH], batch_size=BATCH,
        epochs=-(-steps // per_epoch), callbacks=[guard], verbose=0,
    )  # fmt: skip
    return guard, said


def build(
    n_classes: int,
    depth: int = 4,
    batch_norm: bool = True,
    initializer: str = "he_normal",
    activation: str | None = None,
    regularizer: Any = None,
    trainable: bool = True,
) -> keras.Model:
    """Build a small network of the same kind."""
    made: list[Any] = [keras.Input((2, SAMPLES)), layers.Permute((2, 1))]
    kernel = {"kernel_initializer": initializer, "kernel_regularizer": regularizer}
    for k in range(depth):
        made.append(layers.Conv1D(8, 3, padding="same", **kernel))
        made += [layers.BatchNormalization(momentum=0.9)] * batch_norm
        made.append(layers.ReLU())
        if k % 2 and k < 6:
            made.append(layers.MaxPooling1D(4))
    made += [layers.Flatten(), layers.Dense(32, "relu", kernel_initializer=initializer)]
    made.append(layers.Dense(n_classes, activation, kernel_initializer=initializer))
    model = keras.Sequential(made)
    model.trainable = trainable
    return model


def mean(losses: list[float], end: int) -> str:
    """Write the mean of the fifty losses before a step."""
    part: NDArray[np.float64] = np.array(losses[end - 50 : end])
    return f"{part.mean():.4f}" if len(losses) >= end else ""


def verdict(guard: StuckGuard) -> str:
    """Write what the guard found."""
    if guard.diagnosis:
        causes = ", ".join(finding.cause for finding in guard.diagnosis.findings)
        return f"step {guard.diagnosis.step}: {causes}"
    return ", ".join(f"told: {note.cause}" for note in guard.notes) or "-"


if __name__ == "__main__":
    sys.exit(main())
