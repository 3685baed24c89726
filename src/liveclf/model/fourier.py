"""The Fourier transform of a window as two small matrix products.

They export to any runtime, on any backend; a transform of complex numbers does not.

Source: Cooley and Tukey, "An Algorithm for the Machine Calculation of Complex Fourier
Series", for N = side * side.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops


class Fourier:
    """Transforms of rows of complex numbers whose parts are apart, (n, channels, samples)."""

    def __init__(self, channels: int, samples: int) -> None:
        """Make the constants.

        Args:
            channels: Rows per window.
            samples: A square number.
        """
        self._side = int(np.sqrt(samples))
        self._channels = channels
        k = np.arange(self._side)
        turns = np.outer(k, k)
        re, im = _parts(np.exp(-2j * np.pi * turns / self._side))
        # A complex matrix as a real one of twice the size: one product instead of four.
        self._from_left = np.block([[re, -im], [im, re]])
        self._from_right = np.block([[re, im], [-im, re]])
        self._twiddle = _parts(np.exp(-2j * np.pi * turns / samples))

    def forward(self, re: Any, im: Any) -> tuple[Any, Any]:
        """Return the discrete transform, frequency 0 first, as `numpy.fft.fft` does."""
        side = self._side
        # Sample side * a + b -> frequency c + side * d.
        grid = (-1, self._channels, side, side)
        re, im = ops.reshape(re, grid), ops.reshape(im, grid)  # (n, channels, a, b)
        both = ops.concatenate([ops.swapaxes(re, 2, 3), ops.swapaxes(im, 2, 3)], axis=3)
        both = ops.matmul(both, self._from_right)  # (n, channels, b, 2 c)
        re, im = _product(both[..., :side], both[..., side:], self._twiddle)
        both = ops.matmul(self._from_left, ops.concatenate([re, im], axis=2))
        rows = (-1, self._channels, side * side)  # of (n, channels, 2 d, c)
        return ops.reshape(both[:, :, :side], rows), ops.reshape(both[:, :, side:], rows)

    def backward(self, re: Any, im: Any) -> tuple[Any, Any]:
        """Return the inverse transform times the number of samples."""
        re, im = self.forward(re, -im)
        return re, -im


def smooth(spectra: Any, bins: int) -> Any:
    """Average spectra (n, channels, samples) over neighbouring bins; the band is a circle."""
    return around(spectra, bins, ops.average_pool)


def around(spectra: Any, bins: int, pool: Any) -> Any:
    """Pool spectra (n, channels, samples) over neighbouring bins; the band is a circle."""
    half = bins // 2
    ring = ops.concatenate(
        [spectra[..., -half:], spectra, spectra[..., : bins - 1 - half]], axis=-1
    )  # (n, channels, samples + bins - 1)
    return pool(ops.expand_dims(ring, -1), (1, bins), 1, "valid", "channels_last")[..., 0]


Parts = tuple[Any, Any]


def _parts(x: Any) -> Parts:
    return np.ascontiguousarray(x.real, np.float32), np.ascontiguousarray(x.imag, np.float32)


def _product(re: Any, im: Any, by: Parts) -> Parts:
    """Multiply complex numbers given in parts."""
    return re * by[0] - im * by[1], re * by[1] + im * by[0]
