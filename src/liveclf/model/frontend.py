"""What comes before the convolutions: a matched filter.

It has no weights, and looks at all samples of a window at once, which kernels of three
samples do not.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from liveclf.model.fourier import Fourier, smooth

SMOOTHING_BINS = 64
# The least of some sixteen independent means of 64 bins lies 1.8 sigma, sigma = 1/8, below
# the mean that is looked for; half as much again keeps most of the noise under the floor.
_FLOOR_OVER_LEAST = 1.35


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
        self._fourier = Fourier(1, input_shape[2] or 0)

    def call(self, x: Any) -> Any:
        """Return what the filter lets through."""
        re, im = self._fourier.forward(x[:, :1], x[:, 1:])  # (n, 1, samples)
        density = smooth(re * re + im * im, SMOOTHING_BINS)
        least = ops.min(density, axis=-1, keepdims=True)
        signal = ops.maximum(density - _FLOOR_OVER_LEAST * least, 0.01 * least)
        gain = ops.sqrt(signal / (ops.max(signal, axis=-1, keepdims=True) + 1e-9))
        y = ops.concatenate(self._fourier.backward(re * gain, im * gain), axis=1)
        power = ops.mean(ops.square(y), axis=(1, 2), keepdims=True) * 2.0
        return y / ops.sqrt(power + 1e-9)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the windows."""
        return input_shape


SPECTRA = ("x", "y^2", "y^4", "y^8", "y^16", "|y|^2")
_DYNAMIC_RANGE = 1e-3  # of the mean power of a spectrum; the logarithm ends there


@keras.saving.register_keras_serializable(package="liveclf")
class PowerSpectra(layers.Layer):  # type: ignore[misc]  # keras is untyped
    """Logarithms of power spectra, each relative to its mean, frequency 0 in the middle.

    x is the window as received, y behind the matched filter. A carrier is a line in x,
    BPSK in y^2, QPSK and square QAM in y^4, 8PSK in y^8, 16PSK in y^16, the symbol rate
    in |y|^2. (Source: Reichert, "Automatic classification of communication signals using
    higher order statistics", for lines in the powers of a signal; Gardner,
    "Cyclostationarity in Communications and Signal Processing", chapter 1.)

    Input (n, 4, samples): I and Q of x, I and Q of y, unit mean power each. Output
    (n, 1, samples, 6), decades, in the order of `SPECTRA`.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the constants."""
        samples = input_shape[2] or 0
        self._fourier = Fourier(len(SPECTRA), samples)
        t = np.arange(samples)
        # Hann against leakage; the alternating sign brings frequency 0 to the middle.
        taper = np.sin(np.pi * (t + 0.5) / samples) ** 2 * (-1.0) ** t
        self._taper = taper.astype(np.float32)

    def call(self, both: Any) -> Any:
        """Return the spectra."""
        i, q = both[:, 2], both[:, 3]  # (n, samples)
        second = _square(i, q)
        fourth = _square(*second)
        envelope = i * i + q * q
        # Higher powers of what a limiter leaves: of the whole only the peaks would be left.
        limit = 1 / (envelope * envelope + 1e-3)
        eighth = _square(fourth[0] * limit, fourth[1] * limit)
        sixteenth = _square(*eighth)
        # Without the mean, which would hide the symbol rate beside it.
        flat = envelope - ops.mean(envelope, axis=-1, keepdims=True)
        parts = [(both[:, 0], both[:, 1]), second, fourth, eighth, sixteenth]
        re = ops.stack([*(re for re, _ in parts), flat], axis=1)  # (n, 6, samples)
        im = ops.stack([*(im for _, im in parts), ops.zeros_like(flat)], axis=1)
        re, im = self._fourier.forward(re * self._taper, im * self._taper)
        power = re * re + im * im
        relative = power / (ops.mean(power, axis=-1, keepdims=True) + 1e-6)
        decades = ops.log(relative + _DYNAMIC_RANGE) * np.float32(1 / np.log(10))
        return ops.expand_dims(ops.transpose(decades, (0, 2, 1)), 1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the spectra."""
        return (input_shape[0], 1, input_shape[2], len(SPECTRA))


def _square(re: Any, im: Any) -> tuple[Any, Any]:
    """Square complex numbers given in parts."""
    return re * re - im * im, 2 * re * im
