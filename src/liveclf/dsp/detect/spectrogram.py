"""Samples in, power per cell of time and frequency out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal

from liveclf.records import FloatArray

_FLOATS_AT_ONCE = 1 << 17  # stays in a core's second-level cache


class Spectrogram:
    """Hann-windowed periodograms, each half over the one before.

    White noise of power P per sample has mean P in every cell, and a tone of power P has
    2/3 n_bins P in its bin (P. D. Welch, IEEE Trans. Audio Electroacoust. 15(2), 1967).
    """

    def __init__(self, n_bins: int, hop_samples: int) -> None:
        """Set the resolution."""
        window = signal.get_window("hann", n_bins)
        self._window = (window / np.sqrt(np.sum(window**2))).astype(np.float32)
        self._n, self._hop = n_bins, hop_samples
        self._tail = np.empty(0, np.complex64)

    def push(self, iq: NDArray[np.complex64]) -> FloatArray:
        """Take samples; return the rows that end in them.

        Args:
            iq: Shape (n,), any length.

        Returns:
            Shape (rows, n_bins) float32; row k begins at sample k * hop of the stream, and the
            bins go from -1/2 to just below 1/2 cycles per sample.
        """
        iq = np.concatenate([self._tail, iq]) if len(self._tail) else iq
        n_rows = max(0, (len(iq) - self._n) // self._hop + 1)
        rows = np.empty((n_rows, self._n), np.float32)
        step = max(1, _FLOATS_AT_ONCE // self._n)
        for first in range(0, n_rows, step):
            n = min(step, n_rows - first)
            views = np.lib.stride_tricks.as_strided(
                iq[first * self._hop :],
                (n, self._n),
                (self._hop * iq.itemsize, iq.itemsize),
                writeable=False,
            )
            spectra = fft.fft(views * self._window, axis=1, overwrite_x=True)
            power = spectra.real**2
            power += spectra.imag**2
            half = self._n // 2
            rows[first : first + n, half:] = power[:, :half]
            rows[first : first + n, :half] = power[:, half:]
        self._tail = iq[n_rows * self._hop :].copy()
        return rows
