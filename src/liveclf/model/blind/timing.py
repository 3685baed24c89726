"""When the symbols are; see `symbols.Constellation._timing`."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import fft

from liveclf.model.blind.constants import (
    NEIGHBOURHOOD,
    RATE_OVER_WIDTH,
    RATE_SPREAD,
    RATES,
    SAMPLES,
    STRIDE,
)
from liveclf.model.blind.kernel import kernel
from liveclf.model.blind.line import five_bins, phase
from liveclf.records import FloatArray

_LOG_BINS = np.log(np.maximum(np.arange(RATES[1] + 1), 1)).astype(np.float32)


def timing(y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Say how near each sample is to the middle of a symbol, and how clear that is.

    Args:
        y: Windows behind the matched filter (n, 2, samples).

    Returns:
        Weights (n, samples), sum 1; symbols a window (n,); statistics (n, 3).
    """
    width = _width(y)
    half = fft.rfft(_envelope(y), axis=-1)
    best, rate = _symbol_rate(half, width)
    tone = fft.ifft(five_bins(half, rate), axis=-1, norm="forward", overwrite_x=True)
    clarity = np.stack([np.log(best + np.float32(1e-3)), np.log(rate), np.log(rate / width)], -1)
    return _weight(tone), rate, clarity


@kernel
def _envelope(y: Any) -> Any:
    """Return the squared envelope less its mean, (n, samples)."""
    n = len(y)
    out = np.empty((n, SAMPLES), np.float32)
    for k in range(n):
        total = np.float32(0)
        for i in range(SAMPLES):
            out[k, i] = y[k, 0, i] * y[k, 0, i] + y[k, 1, i] * y[k, 1, i]
            total += out[k, i]
        out[k] -= total / np.float32(SAMPLES)
    return out


@kernel
def _width(y: Any) -> Any:
    """Return the symbol rate that goes with the width of the spectrum, (n,) bins."""
    n = len(y)
    out = np.empty(n, np.float32)
    for k in range(n):
        re = im = np.float32(0)
        for i in range(SAMPLES - 1):
            re += y[k, 0, i + 1] * y[k, 0, i] + y[k, 1, i + 1] * y[k, 1, i]
            im += y[k, 1, i + 1] * y[k, 0, i] - y[k, 0, i + 1] * y[k, 1, i]
        likeness = np.sqrt(re * re + im * im) / np.float32(SAMPLES)
        narrow = max(np.float32(1) - likeness, np.float32(1e-3))
        out[k] = np.float32(RATE_OVER_WIDTH) * np.sqrt(narrow)
    return out


@kernel
def _symbol_rate(half: Any, width: Any) -> Any:
    """Find the line of the symbol rate.

    Args:
        half: Spectrum of the envelope, (n, samples / 2 + 1).
        width: What is expected, (n,) bins.

    Returns:
        How far it stands out (n,), and where it is, (n,) bins; both float32.
    """
    n = half.shape[0]
    best, rate = np.zeros(n, np.float32), np.zeros(n, np.float32)
    power = np.empty(SAMPLES, np.float32)
    likely = np.zeros(SAMPLES, np.float32)
    for k in range(n):
        for i in range(half.shape[1]):
            power[i] = half[k, i].real * half[k, i].real + half[k, i].imag * half[k, i].imag
        power[half.shape[1] :] = power[1 : SAMPLES - half.shape[1] + 1][::-1]
        ground = _ground(power)
        expected = np.log(width[k])
        for i in range(RATES[0], RATES[1] + 1):
            off = (_LOG_BINS[i] - expected) / np.float32(RATE_SPREAD)
            likely[i] = power[i] / ground[i // STRIDE] * np.exp(np.float32(-0.5) * off * off)
        best[k] = np.max(likely)
        places = alike = 0
        for i in range(SAMPLES):
            if likely[i] >= best[k]:
                places, alike = places + i, alike + 1
        rate[k] = places / alike if alike else np.nan
    return best, rate


@kernel
def _ground(power: Any) -> Any:
    """Return what a line stands on, for each `STRIDE` bins: the lower of both sides."""
    groups = len(power) // STRIDE
    means = np.empty(groups, np.float32)
    for g in range(groups):
        means[g] = np.mean(power[g * STRIDE : (g + 1) * STRIDE])
    count = NEIGHBOURHOOD // STRIDE
    half = count // 2
    smooth = np.empty(groups, np.float32)
    for g in range(groups):
        total = np.float32(0)
        for i in range(count):
            total += means[(g - half + i) % groups]
        smooth[g] = total / np.float32(count)
    least = np.float32(1e-4) * np.max(smooth) + np.float32(1e-6)
    for g in range(groups):
        means[g] = min(smooth[(g - half) % groups], smooth[(g + half) % groups]) + least
    return means


@kernel
def _weight(tone: Any) -> Any:
    """Return how near each sample is to the middle of a symbol, (n, samples), sum 1."""
    n = len(tone)
    out = np.empty((n, SAMPLES), np.float32)
    for k in range(n):
        total = np.float32(0)
        for i in range(SAMPLES):
            near = np.float32(0.5) + np.float32(0.5) * phase(tone[k, i]).real
            # Its eighth power would be a denormal number, on which CPUs are slow.
            if near < np.float32(1e-3):
                near = np.float32(0)
            near *= near
            near *= near
            out[k, i] = near * near
            total += out[k, i]
        out[k] *= np.float32(1) / total
    return out
