"""The matched filter between its two transforms; see `frontend.MatchedFilter`."""

from __future__ import annotations

from typing import Any

import numpy as np

from liveclf.model.blind.constants import FLOOR_OVER_LEAST, SAMPLES, SMOOTHING_BINS
from liveclf.model.blind.kernel import kernel
from liveclf.records import FloatArray


def as_complex(x: FloatArray) -> Any:
    """Join windows (n, 2, samples) float32, of any layout, to (n, samples) complex64."""
    z = np.empty((x.shape[0], x.shape[2]), np.complex64)
    z.real, z.imag = x[:, 0], x[:, 1]
    return z


@kernel
def let_through(spectra: Any) -> None:
    """Multiply spectra (n, samples) complex64 by the filter that each makes of itself."""
    n = len(spectra)
    half = SMOOTHING_BINS // 2
    power = np.empty(SAMPLES + SMOOTHING_BINS - 1, np.float32)  # once around, and a little more
    density = np.empty(SAMPLES, np.float32)
    for k in range(n):
        row = spectra[k]
        for i in range(SAMPLES):
            power[half + i] = row[i].real * row[i].real + row[i].imag * row[i].imag
        power[:half] = power[SAMPLES : SAMPLES + half]
        power[SAMPLES + half :] = power[half : SMOOTHING_BINS - 1]
        _smooth(power, SMOOTHING_BINS, density)
        least, most = np.min(density), np.max(density)
        # The largest of what the filter lets through is the largest density's.
        top = max(most - np.float32(FLOOR_OVER_LEAST) * least, np.float32(0.01) * least)
        scale = np.float32(1) / (top + np.float32(1e-9))
        for i in range(SAMPLES):
            signal = max(
                density[i] - np.float32(FLOOR_OVER_LEAST) * least, np.float32(0.01) * least
            )
            row[i] *= np.sqrt(signal * scale)


@kernel
def _smooth(x: Any, bins: int, out: Any) -> None:
    """Write the mean of each `bins` neighbours in a row (float64 sums: they run along it)."""
    total = 0.0
    for i in range(bins - 1):
        total += x[i]
    for i in range(len(out)):
        total += x[i + bins - 1]
        out[i] = total / bins
        total -= x[i]


@kernel
def of_unit_power(z: Any) -> Any:
    """Scale (n, samples) complex64 to windows (n, 2, samples) float32 of unit mean power."""
    n = len(z)
    y = np.empty((n, 2, SAMPLES), np.float32)
    for k in range(n):
        power = np.float32(0)
        for i in range(SAMPLES):
            y[k, 0, i], y[k, 1, i] = z[k, i].real, z[k, i].imag
            power += z[k, i].real * z[k, i].real + z[k, i].imag * z[k, i].imag
        y[k] *= np.float32(1) / np.sqrt(power / np.float32(SAMPLES) + np.float32(1e-9))
    return y
