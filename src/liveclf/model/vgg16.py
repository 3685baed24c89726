"""VGG16 for windows of two rows, I and Q.

    (2, 1024) -> 64 64 P 128 128 P 256 256 256 P 512 512 512 P 512 512 512 P -> head -> logits

The joint presets see beside the window what a matched filter makes of it (see `frontend`),
and their head statistics of the symbols (see `symbols`).

Thirteen convolutions along time, 3 samples long (the first of the joint presets 7), each
without bias, then batch normalisation, then ReLU; P is a maximum over two. Everything is
laid out as (rows, time, channels), although time is all that kernels reach along: one
row of two channels, or two rows of one. Kept in two dimensions the exported graph is
convolutions alone, which quantise well; one-dimensional layers export with a reshape
around each, and int8 then runs slower than fp32.

Source: Simonyan and Zisserman, "Very Deep Convolutional Networks", table 1, column D,
in one dimension as in O'Shea et al., "Over the Air Deep Learning Based Radio Signal
Classification", table III.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from liveclf.errors import UsageError
from liveclf.model import WINDOW_SAMPLES
from liveclf.model.frontend import MatchedFilter
from liveclf.model.symbols import Constellation

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


@dataclass(frozen=True)
class Preset:
    """What tells one variant from another.

    Attributes:
        joint_stem: The first kernel spans I and Q. If not, the rows stay apart up to
            the dense layers, as in the network that was posted.
        stem_kernel: Length of the first kernel, samples.
        dense: Units of the dense layers before the logits.
        pooled: Mean and standard deviation over time, instead of Flatten.
        width: Channels over those of `BLOCKS`.
        stem_stride: Samples from one place of the first kernel to the next.
    """

    joint_stem: bool
    stem_kernel: int
    dense: tuple[int, ...]
    pooled: bool
    width: float
    stem_stride: int = 1


PRESETS: dict[str, Preset] = {
    "vgg16-classic": Preset(False, 3, (4096, 4096), pooled=False, width=1.0),
    "vgg16": Preset(True, 7, (256,), pooled=True, width=1.0),
    "vgg16-slim": Preset(True, 7, (256,), pooled=True, width=0.25),
}


@keras.saving.register_keras_serializable(package="liveclf")
class MeanStd(layers.Layer):  # type: ignore[misc]  # keras is untyped
    """Mean and standard deviation over time, side by side.

    Input (n, rows, time, channels), output (n, 2 * channels). Source: Snyder et al.,
    "X-Vectors", section 2.1 (statistics pooling).
    """

    def call(self, x: Any) -> Any:
        """Pool."""
        mean = ops.mean(x, axis=(1, 2))
        variance = ops.mean(ops.square(x), axis=(1, 2)) - ops.square(mean)
        return ops.concatenate([mean, ops.sqrt(ops.maximum(variance, 0.0) + 1e-5)], axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape after pooling."""
        return (input_shape[0], 2 * (input_shape[3] or 0))


@keras.saving.register_keras_serializable(package="liveclf")
class PairMax(layers.MaxPooling2D):  # type: ignore[misc]  # keras is untyped
    """Maximum over two neighbours in time, each once.

    On JAX as the larger of two, since XLA scatters the gradient of its pooling, one atomic
    addition at a time.
    """

    def call(self, x: Any) -> Any:
        """Pool (n, rows, time, channels)."""
        if keras.backend.backend() != "jax":
            return super().call(x)
        _, rows, time, channels = x.shape
        pairs = ops.reshape(x, (-1, rows, time // 2, 2, channels))
        return ops.maximum(pairs[:, :, :, 0], pairs[:, :, :, 1])


def find_preset(name: str) -> Preset:
    """Look up a preset.

    Raises:
        UsageError: There is no such preset.
    """
    if name not in PRESETS:
        raise UsageError(f"Preset {name!r} is not known; choose one of {', '.join(PRESETS)}.")
    return PRESETS[name]


def build_vgg16(
    n_classes: int, preset: str | Preset = "vgg16", width: float | None = None
) -> keras.Model:
    """Build an untrained network.

    Args:
        n_classes: Logits.
        preset: A key of `PRESETS`, or one of your own.
        width: Channels over those of VGG16; None for the preset's own.

    Returns:
        Model from windows (n, 2, 1024) float32, unit mean power, row 0 = I, to logits
        (n, n_classes) float32.

    Raises:
        UsageError: There is no such preset.
    """
    kind = find_preset(preset) if isinstance(preset, str) else preset
    scale = kind.width if width is None else width
    inputs = keras.Input((2, WINDOW_SAMPLES), name="iq")
    if kind.joint_stem:
        # float32 like the statistics below: half precision overflows in powers of a burst.
        matched = MatchedFilter(dtype="float32", name="matched")(inputs)
        both = layers.Concatenate(axis=1, dtype="float32", name="both")([inputs, matched])
        x = layers.Permute((2, 1), name="time_first")(both)
        x = layers.Reshape((1, WINDOW_SAMPLES, 4), name="channels")(x)  # (n, 1, 1024, 4)
    else:
        x = layers.Reshape((2, WINDOW_SAMPLES, 1), name="one_channel")(inputs)  # (n, 2, 1024, 1)
    x = _convolutions(x, scale, kind.stem_kernel, kind.stem_stride)
    x = (
        MeanStd(dtype="float32", name="mean_std")(x)
        if kind.pooled
        else layers.Flatten(name="flatten")(x)
    )
    if kind.joint_stem:
        # Normalised, since they are of every scale, unlike what batch normalisation leaves.
        symbols = Constellation(dtype="float32", name="constellation")(matched)
        symbols = layers.BatchNormalization(momentum=0.9, name="symbols")(symbols)
        x = layers.Concatenate(name="features")([x, symbols])
    for d, units in enumerate(kind.dense, 1):
        units = units if kind.pooled else _channels(units, scale)
        dense = {"activation": "relu", "kernel_initializer": "he_normal", "name": f"dense{d}"}
        x = layers.Dense(units, **dense)(x)
    # float32 whatever the policy: a half-precision logit costs calibration. Small weights:
    # the loss begins near ln K, whatever the scale of the features.
    small = keras.initializers.VarianceScaling(0.1)
    logits = layers.Dense(n_classes, kernel_initializer=small, dtype="float32", name="logits")(x)
    name = preset if isinstance(preset, str) else "vgg16"
    return keras.Model(inputs, logits, name=name.replace("-", "_"))


def split(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Return what comes before the dense layers and these, as models that share all weights."""
    names = {layer.name for layer in model.layers}
    last = [name for name in ("mean_std", "constellation", "flatten") if name in names]
    seen = [model.get_layer(name).output for name in last]
    return keras.Model(model.input, seen), keras.Model(seen, model.output)


def _convolutions(x: Any, scale: float, first_kernel: int, first_stride: int) -> Any:
    """Append the thirteen convolutions and five poolings.

    Args:
        x: Shape (n, rows, samples, channels).
        scale: Channels over those of `BLOCKS`.
        first_kernel: Length of the first kernel, samples.
        first_stride: From one of its places to the next, samples.
    """
    kernel, stride = first_kernel, first_stride
    for b, block in enumerate(BLOCKS, 1):
        for c, filters in enumerate(block, 1):
            x = layers.Conv2D(
                _channels(filters, scale),
                (1, kernel),
                strides=(1, stride),
                padding="same",
                use_bias=False,
                kernel_initializer="he_normal",
                name=f"conv{b}_{c}",
            )(x)
            x = layers.BatchNormalization(momentum=0.9, name=f"norm{b}_{c}")(x)
            x = layers.Activation("relu", name=f"relu{b}_{c}")(x)
            kernel, stride = 3, 1
        x = PairMax((1, 2), name=f"pool{b}")(x)
    return x


def _channels(full: int, width: float) -> int:
    """Scale, and round to a multiple of 8: vector units waste the rest."""
    return max(8, int(full * width / 8 + 0.5) * 8)
