"""The band that a signal occupies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

_REST = 0.01  # of the power, left out
_SIGMAS, _FLOOR = 2.0, 1e-5  # less over the noise, or of the strongest bin, is not counted
_SEGMENT = 128


def edges(
    power: NDArray[np.floating[Any]], noise: NDArray[np.floating[Any]] | float, averages: float
) -> tuple[float, float]:
    """Return the edges of the band that holds 99 % of the power, in bins, with fractions.

    Source: ITU-R SM.328, the occupied bandwidth: half of the rest lies on either side.

    Args:
        power: Of each bin, over the noise, shape (n_bins,).
        noise: Of each bin.
        averages: How many independent periodograms it is the mean of.
    """
    # What is left of noise adds up over bins without signal.
    least = np.maximum(_SIGMAS * noise / np.sqrt(averages), _FLOOR * power.max())
    clear = np.where(power > least, power, 0)
    if not clear.any():
        clear = np.where(power == power.max(), 1, 0)
    total = np.cumsum(clear, dtype=np.float64)
    share = np.concatenate([[0.0], total / total[-1]])
    low, high = np.interp([_REST / 2, 1 - _REST / 2], share, np.arange(len(share)))
    return float(low), float(high)


def occupied_band(iq: NDArray[np.complex64], noise: float) -> tuple[float, float]:
    """Measure the band of a signal that is near 0 Hz.

    Args:
        iq: Samples, shape (n,), n at least 128.
        noise: Its density, in squared units of the samples per cycle per sample.

    Returns:
        Lower and upper edge, cycles per sample.
    """
    _, density = signal.welch(iq, nperseg=_SEGMENT, return_onesided=False, detrend=False)
    averages = 1.2 * len(iq) / _SEGMENT  # of Hann windows that overlap by half
    low, high = edges(np.fft.fftshift(density) - noise, noise, averages)
    return (low - 0.5) / _SEGMENT - 0.5, (high - 0.5) / _SEGMENT - 0.5
