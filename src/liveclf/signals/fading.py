"""Channels that change while a window is received."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.signals.linear import ComplexArray, phasor

_WAVES = 8  # per path, enough for a Rayleigh envelope


def fade(
    rng: np.random.Generator, n: int, length: int, doppler: tuple[float, float] = (1e-5, 1e-2)
) -> ComplexArray:
    """Draw Rician gains over time, K 0 to 15 dB, or Rayleigh for a quarter of the rows.

    A sum of waves from random directions. Source: Jakes, "Microwave Mobile
    Communications", 1.7; Clarke's model.

    Args:
        rng: Source of all randomness.
        n: Rows.
        length: Samples of each.
        doppler: Smallest and largest shift of a wave, cycles per sample; drawn
            log-uniform.

    Returns:
        Shape (n, length) complex64, mean power 1 over all draws.
    """
    shift = np.exp(rng.uniform(np.log(doppler[0]), np.log(doppler[1]), (n, 1)))
    k = np.where(rng.random((n, 1)) < 0.25, 0.0, 10 ** (rng.uniform(0, 15, (n, 1)) / 10))
    t = np.arange(length)[None, :]
    scattered = np.zeros((n, length), np.complex64)
    for _ in range(_WAVES):
        speed = shift * np.cos(2 * np.pi * rng.random((n, 1)))
        scattered += phasor(speed * t + rng.random((n, 1)))
    direct = phasor(shift * np.cos(2 * np.pi * rng.random((n, 1))) * t + rng.random((n, 1)))
    gain: ComplexArray = (
        np.sqrt(k / (k + 1)) * direct + np.sqrt(1 / (_WAVES * (k + 1))) * scattered
    ).astype(np.complex64)
    return gain


def fading_paths(x: NDArray[Any], rng: np.random.Generator) -> ComplexArray:
    """Send rows through one to three paths that fade apart from each other.

    Args:
        x: Spectra, shape (n, length) complex.
        rng: Source of all randomness.

    Returns:
        Signals over time, shape (n, length) complex64.
    """
    n, length = x.shape
    f = np.fft.fftfreq(length)[None, :]
    y = np.fft.ifft(x, axis=1) * fade(rng, n, length)
    several = rng.random((n, 1)) < 0.5
    delay = np.zeros((n, 1))
    for _ in range(2):
        delay = delay + rng.uniform(0.2, 1.5, (n, 1))
        gain = several * rng.uniform(0.1, 0.85, (n, 1))
        y += gain * np.fft.ifft(x * phasor(-f * delay), axis=1) * fade(rng, n, length)
    out: ComplexArray = y.astype(np.complex64)
    return out
