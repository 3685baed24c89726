"""What `seed_question.py` compares: windows, and recipes that differ in one thing each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from liveclf.dsp.normalise import unit_power
from liveclf.learn.posted.recipe import scaled
from liveclf.model.vgg16 import BLOCKS, MeanStd
from liveclf.signals.channel import add_noise
from liveclf.signals.generator import MODULATORS, to_rows

CLASSES = ("OOK", "4ASK", "8ASK")
SNR_DB = (0.0, 30.0)


@dataclass(frozen=True)
class Windows:
    """What all recipes are trained or tested on.

    Attributes:
        x: Shape (n, 2, 1024) float32, row 0 is I; signal of unit power and noise.
        y: Index into `CLASSES`, shape (n,).
        snr_db: Shape (n,).
    """

    x: NDArray[np.float32]
    y: NDArray[np.int32]
    snr_db: NDArray[np.float64]


@dataclass(frozen=True)
class Recipe:
    """A network and how it is trained; the defaults are those of the post."""

    name: str = "as posted"
    transposed: bool = False
    initializer: str = "glorot_uniform"
    learning_rate: float = 1e-3
    scheduled: bool = False
    batch_norm: bool = False
    pooled: bool = False
    joint_stem: bool = False
    unit_power: bool = False


POSTED = Recipe()
CHANGED = (
    POSTED,
    replace(POSTED, name="axis: transposed", transposed=True),
    replace(POSTED, name="he_normal", initializer="he_normal"),
    replace(POSTED, name="learning rate 1e-4", learning_rate=1e-4),
    replace(POSTED, name="batch normalisation", batch_norm=True),
    replace(POSTED, name="pooled head", pooled=True),
    replace(POSTED, name="joint stem (and axis)", joint_stem=True, transposed=True),
    replace(POSTED, name="unit power", unit_power=True),
)
OURS = Recipe("ours, by parts", True, "he_normal", 1.5e-3, True, True, unit_power=True)
TAKEN = (
    OURS,
    replace(OURS, name="without batch normalisation", batch_norm=False),
    replace(OURS, name="without warm-up, decay, clipping", scheduled=False),
    replace(OURS, name="without he_normal", initializer="glorot_uniform"),
    replace(OURS, name="without the transposed axis", transposed=False),
)


def make_windows(n: int, seed: int) -> Windows:
    """Make windows, classes equally often."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % len(CLASSES)).astype(np.int32)
    clean = np.empty((n, 1024), np.complex64)
    for k, name in enumerate(CLASSES):
        rows = np.flatnonzero(y == k)
        clean[rows] = MODULATORS[name](rng, len(rows), 1024)
    power = np.mean(np.abs(clean) ** 2, axis=1, keepdims=True)
    phase = np.exp(2j * np.pi * rng.random((n, 1)))
    clean = (clean / np.sqrt(np.maximum(power, 1e-12)) * phase).astype(np.complex64)
    snr_db = rng.uniform(*SNR_DB, n)
    return Windows(to_rows(add_noise(clean, snr_db, rng)), y, snr_db)


def prepared(windows: Windows, recipe: Recipe) -> NDArray[np.float32]:
    """Lay windows out as a recipe has them, shape (n, 2, 1024), for as_posted (.., 1) too."""
    x = unit_power(windows.x)[0] if recipe.unit_power else windows.x
    if not recipe.transposed:
        x = np.ascontiguousarray(x.transpose(0, 2, 1)).reshape(x.shape)  # I and Q interleaved
    return x


def build(recipe: Recipe, width: float) -> keras.Model:
    """Build the posted network with what a recipe changes; logits come out."""
    inputs = keras.Input((2, 1024))
    if recipe.joint_stem:
        x = layers.Reshape((1, 1024, 2))(layers.Permute((2, 1))(inputs))
    else:
        x = layers.Reshape((2, 1024, 1))(inputs)
    made: dict[str, Any] = {"kernel_initializer": recipe.initializer}
    for block in BLOCKS:
        for filters in block:
            x = layers.Conv2D(scaled(filters, width), (1, 3), padding="same", **made)(x)
            x = layers.BatchNormalization(momentum=0.9)(x) if recipe.batch_norm else x
            x = layers.ReLU()(x)
        x = layers.MaxPooling2D((1, 2))(x)
    x = MeanStd()(x) if recipe.pooled else layers.Flatten()(x)
    for _ in range(2):
        x = layers.Dense(scaled(4096, width), activation="relu", **made)(x)
    return keras.Model(inputs, layers.Dense(len(CLASSES))(x))
