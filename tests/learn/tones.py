"""Windows that are made in no time and told apart with ease, for tests of training.

Processes that make windows import this: what takes seconds to import is left to the functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from liveclf.dsp.normalise import unit_power
from liveclf.errors import TrainingError
from liveclf.learn.data.material import Material
from liveclf.learn.data.truth import TruthSet
from liveclf.signals.generator import CHUNK, Labelled

if TYPE_CHECKING:
    import keras

CLASSES = ("slow", "middle", "fast")


@dataclass(frozen=True)
class Tones:
    """Chunks of tones in noise; the class is the frequency, the SNR is 10 dB."""

    seed: int = 1

    def __call__(self, index: int) -> Labelled:
        rng = np.random.default_rng([self.seed, index])
        y = rng.integers(len(CLASSES), size=CHUNK)
        hz = np.array([0.02, 0.1, 0.3])[y, None]
        phase = 2 * np.pi * (hz * np.arange(1024) + rng.random((CHUNK, 1)))
        x = np.stack([np.cos(phase), np.sin(phase)], axis=1)
        x += rng.normal(0, np.sqrt(0.05), x.shape)
        x, _ = unit_power(x.astype(np.float32))
        return Labelled(x.astype(np.float16), y, np.full(CHUNK, 10.0, np.float32))


@dataclass(frozen=True)
class Silent(Tones):
    """Chunks from which nothing can be learnt."""

    def __call__(self, index: int) -> Labelled:
        made = super().__call__(index)
        return Labelled(np.ones_like(made.x), made.y, made.snr_db)


@dataclass(frozen=True)
class Failing(Tones):
    """Chunks of a file that is cut off while it is being trained on."""

    def __call__(self, index: int) -> Labelled:
        if index > 0:
            raise TrainingError("Data set mine.hdf5 can no longer be read.")
        return super().__call__(index)


def tones(n_check: int = 48) -> Material:
    """Return tones to train on, and some held out."""
    made = Tones()(1_000_000)
    x, y = made.x[:n_check].astype(np.float32), made.y[:n_check]
    truth = TruthSet("tones", x, y, made.snr_db[:n_check], CLASSES)
    return Material(Tones(), truth, fingerprint="0f" * 32)


def little_network(n_classes: int, preset: str, width: float | None = None) -> keras.Model:
    """Build in no time what trains like a VGG16, whose shape too depends on preset and width."""
    import keras

    x = inputs = keras.Input((2, 1024), name="iq")
    x = keras.layers.Permute((2, 1))(x)
    x = keras.layers.Conv1D(round(256 * (width or 1)), 16, strides=8, use_bias=False, name="conv")(
        x
    )
    x = keras.layers.BatchNormalization(momentum=0.9, name="norm")(x)
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.Activation("relu")(x))
    logits = keras.layers.Dense(n_classes, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name=preset.replace("-", "_"))
