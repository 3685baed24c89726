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
        self._dft = _parts(np.exp(-2j * np.pi * turns / self._side))
        self._twiddle = _parts(np.exp(-2j * np.pi * turns / samples))

    def forward(self, re: Any, im: Any) -> tuple[Any, Any]:
        """Return the discrete transform, frequency 0 first, as `numpy.fft.fft` does."""
        side = self._side
        # Sample side * a + b -> frequency c + side * d.
        grid = (-1, self._channels, side, side)
        re, im = ops.reshape(re, grid), ops.reshape(im, grid)  # (n, channels, a, b)
        re, im = ops.swapaxes(re, 2, 3), ops.swapaxes(im, 2, 3)  # (n, channels, b, a)
        re, im = _product(re, im, self._dft, ops.matmul)  # (n, channels, b, c)
        re, im = _product(re, im, self._twiddle, ops.multiply)
        re, im = ops.swapaxes(re, 2, 3), ops.swapaxes(im, 2, 3)  # (n, channels, c, b)
        re, im = _product(re, im, self._dft, ops.matmul)  # (n, channels, c, d)
        re, im = ops.swapaxes(re, 2, 3), ops.swapaxes(im, 2, 3)  # (n, channels, d, c)
        rows = (-1, self._channels, side * side)
        return ops.reshape(re, rows), ops.reshape(im, rows)

    def backward(self, re: Any, im: Any) -> tuple[Any, Any]:
        """Return the inverse transform times the number of samples."""
        re, im = self.forward(re, -im)
        return re, -im


Parts = tuple[Any, Any]


def _parts(x: Any) -> Parts:
    return np.ascontiguousarray(x.real, np.float32), np.ascontiguousarray(x.imag, np.float32)


def _product(re: Any, im: Any, by: Parts, times: Any) -> Parts:
    """Multiply complex numbers given in parts."""
    return times(re, by[0]) - times(im, by[1]), times(re, by[1]) + times(im, by[0])
