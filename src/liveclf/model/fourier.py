"""The Fourier transform of a window as two small matrix products.

They export to any runtime, on any backend; a transform of complex numbers does not.

Source: Cooley and Tukey, "An Algorithm for the Machine Calculation of Complex Fourier
Series", for N = side * side.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

Parts = tuple[Any, Any]


class Fourier:
    """Transforms of rows of complex numbers.

    Spectra are grids (n, channels, side, side) of two parts, real and imaginary, with
    frequency c + side * d at [c, d]: as they fall out, and as `backward` takes them. Only what
    looks at neighbouring frequencies has to pay for their order, with `in_order`.
    """

    def __init__(self, samples: int) -> None:
        """Make the constants.

        Args:
            samples: A square number.
        """
        self._side = int(np.sqrt(samples))
        k = np.arange(self._side)
        turns = np.outer(k, k)
        # A complex matrix as a real one of twice the size: one product instead of four.
        re, im = _parts(np.exp(-2j * np.pi * turns / self._side))
        self._from_left = np.block([[re, -im], [im, re]])
        self._from_right = np.block([[re, im], [-im, re]])
        self._twiddle = _parts(np.exp(-2j * np.pi * turns / samples))
        self._tones = _Tones(self._side)

    def forward(self, x: Any) -> Parts:
        """Return the discrete transform.

        Args:
            x: Shape (n, channels, parts, samples); one part of real numbers, or two.
        """
        side, parts = self._side, x.shape[2]
        # Sample side * a + b -> frequency c + side * d, first along a, then along b.
        x = ops.reshape(x, (-1, x.shape[1], parts * side, side))
        x = ops.matmul(self._from_left[:, : parts * side], x)  # (n, channels, 2 c, b)
        both = _product(x[:, :, :side], x[:, :, side:], self._twiddle)
        x = ops.matmul(ops.concatenate(both, axis=-1), self._from_right)  # (n, channels, c, 2 d)
        return x[..., :side], x[..., side:]

    def backward(self, re: Any, im: Any) -> Any:
        """Return the inverse transform times the number of samples, (n, channels, 2, samples)."""
        side, (c, s) = self._side, self._twiddle
        # The same in the other order, all constants conjugate: transposed, as they are unitary.
        both = ops.concatenate([re, im], axis=-1)
        x = ops.matmul(both, self._from_right.T)  # (n, channels, c, 2 b)
        both = _product(x[..., :side], x[..., side:], (c, -s))
        x = ops.matmul(self._from_left.T, ops.concatenate(both, axis=2))  # (n, channels, 2 a, b)
        return ops.reshape(x, (-1, x.shape[1], 2, side * side))

    def in_order(self, grid: Any) -> Any:
        """Return one part of a spectrum with frequency 0 first, (n, channels, samples)."""
        return ops.reshape(ops.swapaxes(grid, 2, 3), (-1, grid.shape[1], self._side**2))

    def as_grid(self, spectra: Any) -> Any:
        """Return the opposite of `in_order`."""
        side = self._side
        return ops.swapaxes(ops.reshape(spectra, (-1, spectra.shape[1], side, side)), 2, 3)

    def line(self, spectrum: Parts, bins: Any) -> Parts:
        """Return what a line and the two bins on either side of it are over time.

        Args:
            spectrum: Grids of one channel.
            bins: Where the lines are, (n,) int32.

        Returns:
            Their inverse transform times the number of samples, parts of (n, 1, samples).
        """
        re, im = (ops.reshape(part, (-1, self._side**2)) for part in spectrum)
        return self._tones.sum(re, im, bins)


class _Tones:
    """The inverse transform of five neighbouring bins, at a fraction of the price of all."""

    def __init__(self, side: int) -> None:
        self._side, self._samples = side, side * side
        n = np.arange(self._samples)
        self._offsets = np.arange(-2, 3)
        # Around the line, (re, im) of five bins -> (re, im) of all samples.
        re, im = _parts(np.exp(2j * np.pi * np.outer(self._offsets, n) / self._samples))
        self._around = np.block([[re, im], [-im, re]])
        # The line itself: exp(2 pi i k (side a + b) / N) is a factor of a times one of b.
        k, few = n[:, None], np.arange(side)
        re, im = _parts(np.exp(2j * np.pi * np.outer(few, few) / side))
        self._of_a = np.stack([np.concatenate([re, im], 1), np.concatenate([-im, re], 1)], -1)
        self._of_b = np.stack(_parts(np.exp(2j * np.pi * k * few / self._samples)), 1)

    def sum(self, re: Any, im: Any, bins: Any) -> Parts:
        near = (bins[:, None] + self._offsets.astype(np.int32)) % self._samples  # (n, 5)
        near = (near % self._side) * self._side + near // self._side  # in the grid
        both = [ops.take_along_axis(part, near, axis=1) for part in (re, im)]
        drift = ops.matmul(ops.concatenate(both, axis=-1), self._around)  # (n, 2 samples)
        drift = ops.reshape(drift, (-1, 2, self._samples))
        of_a = ops.take(self._of_a, bins % self._side, axis=0)
        of_b = ops.take(self._of_b, bins, axis=0)
        carrier = ops.reshape(ops.matmul(of_a, of_b), (-1, 2, self._samples))
        return _product(carrier[:, :1], carrier[:, 1:], (drift[:, :1], drift[:, 1:]))


def smooth(spectra: Any, bins: int) -> Any:
    """Average spectra (n, channels, samples) over neighbouring bins; the band is a circle.

    Args:
        spectra: The last axis is averaged along.
        bins: A power of two: the sums double, which no runtime's pooling does.
    """
    half = bins // 2
    x = ops.concatenate([spectra[..., -half:], spectra, spectra[..., : half - 1]], axis=-1)
    width = 1
    while width < bins:
        x = x[..., :-width] + x[..., width:]
        width *= 2
    return x * np.float32(1 / bins)


def _parts(x: Any) -> Parts:
    return np.ascontiguousarray(x.real, np.float32), np.ascontiguousarray(x.imag, np.float32)


def _product(re: Any, im: Any, by: Parts) -> Parts:
    """Multiply complex numbers given in parts."""
    return re * by[0] - im * by[1], re * by[1] + im * by[0]
