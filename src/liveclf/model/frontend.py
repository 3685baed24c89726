"""What comes before the convolutions: a matched filter.

It has no weights, and looks at all samples of a window at once, which kernels of three
samples do not.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from liveclf.model.blind.constants import FLOOR_OVER_LEAST, SMOOTHING_BINS
from liveclf.model.fourier import Fourier, smooth


@keras.saving.register_keras_serializable(package="liveclf")
class MatchedFilter(layers.Layer):  # type: ignore[misc]  # keras is untyped
    """Filters each window by the square root of its own power spectrum, less the noise.

    That of a linear modulation is its pulse, so this is the matched filter, found
    blindly; noise outside the signal's band is taken away (Source: Proakis, "Digital
    Communications", 5-1-2 and 4-4-12).

    Input and output windows (n, 2, samples), unit mean power, samples a square number.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the constants of the transform."""
        self._fourier = Fourier(input_shape[2] or 0)

    def call(self, x: Any) -> Any:
        """Return what the filter lets through."""
        re, im = self._fourier.forward(x[:, None])
        density = smooth(self._fourier.in_order(re * re + im * im), SMOOTHING_BINS)
        least = ops.min(density, axis=-1, keepdims=True)
        signal = ops.maximum(density - FLOOR_OVER_LEAST * least, 0.01 * least)
        gain = ops.sqrt(signal / (ops.max(signal, axis=-1, keepdims=True) + 1e-9))
        gain = self._fourier.as_grid(gain)
        y = self._fourier.backward(re * gain, im * gain)[:, 0]
        power = ops.mean(ops.square(y), axis=(1, 2), keepdims=True) * 2.0
        return y / ops.sqrt(power + 1e-9)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the windows."""
        return input_shape
