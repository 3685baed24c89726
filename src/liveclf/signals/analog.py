"""Amplitude modulation: both sidebands or one, with carrier or without."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from liveclf.signals.audio import audio
from liveclf.signals.linear import WORK, ComplexArray


def am(
    name: str,
    rng: np.random.Generator,
    n: int,
    length: int = WORK,
    band: tuple[float, float] = (0.01, 0.25),
) -> ComplexArray:
    """Modulate the amplitude by audio.

    DSB-WC is 1 + m a(t), m 0.3 to 1 and for one in ten over-modulated up to 2;
    DSB-SC is a(t); SSB is a(t) +- j H{a}(t), upper or lower, WC with a carrier.

    Args:
        name: AM-DSB-WC, AM-DSB-SC, AM-SSB-WC or AM-SSB-SC.
        rng: Source of all randomness.
        n: Signals.
        length: Samples of each, even.
        band: Smallest and largest bandwidth of the audio, cycles per sample.

    Returns:
        Shape (n, length) complex64, any power.
    """
    message, _ = audio(rng, n, length, *band)
    depth = np.where(rng.random(n) < 0.1, rng.uniform(1, 2, n), rng.uniform(0.3, 1, n))[:, None]
    if name == "AM-DSB-SC":
        return message.astype(np.complex64)
    if name == "AM-DSB-WC":
        return (1 + depth * message).astype(np.complex64)
    sideband = _analytic(message)
    lower = rng.random(n) < 0.5
    sideband[lower] = sideband[lower].conj()
    if name == "AM-SSB-WC":
        sideband = 1 + depth * sideband
    return sideband.astype(np.complex64)


def _analytic(message: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Remove the negative frequencies (rows are periodic, so this is exact)."""
    spectrum = np.fft.fft(message, axis=1)
    half = message.shape[1] // 2
    spectrum[:, half + 1 :] = 0
    spectrum[:, 1:half] *= 2
    return np.fft.ifft(spectrum, axis=1)
