"""A line of a spectrum and the two bins on either side of it; see `fourier.Fourier.line`."""

from __future__ import annotations

from typing import Any

import numpy as np

from liveclf.model.blind.constants import SAMPLES
from liveclf.model.blind.kernel import kernel


@kernel
def five_bins(spectra: Any, bins: Any) -> Any:
    """Return spectra (n, samples) complex64 of lines alone.

    Args:
        spectra: Shape (n, samples), or (n, samples / 2 + 1) of a real signal.
        bins: Where the lines are, (n,) float32; what is no number is somewhere.
    """
    n = spectra.shape[0]
    out = np.zeros((n, SAMPLES), np.complex64)
    for k in range(n):
        line = int(bins[k]) if bins[k] >= 0 and bins[k] < SAMPLES else 0
        for offset in range(-2, 3):
            i = (line + offset) % SAMPLES
            out[k, i] = spectra[k, i] if i < spectra.shape[1] else np.conj(spectra[k, SAMPLES - i])
    return out


@kernel
def phase(z: Any) -> Any:
    """Return the phasor of a complex number; 0 of 0."""
    size = z.real * z.real + z.imag * z.imag
    return z * (np.float32(1) / np.sqrt(size + np.float32(1e-12)))
