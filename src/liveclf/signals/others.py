"""OFDM, the bare carrier, and noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from liveclf.signals.constellations import psk, qam
from liveclf.signals.linear import WORK, ComplexArray, phasor


def ofdm(rng: np.random.Generator, n: int, length: int = WORK) -> ComplexArray:
    """Orthogonal carriers with cyclic prefix, one constellation per window.

    32 to 512 bins of which 40 to 90 % carry data, the one in the middle empty for half
    of them; prefix 1/32 to 1/4.

    Returns:
        Shape (n, length) complex64, mean power about 1.
    """
    out = np.empty((n, length), np.complex64)
    for row in range(n):
        n_bins = int(2 ** rng.integers(5, 10))
        prefix = n_bins // int(2 ** rng.integers(2, 6))
        n_symbols = length // (n_bins + prefix) + 2
        half = int(n_bins * rng.uniform(0.4, 0.9) / 2)
        bins = np.arange(-half, half + 1)
        bins = bins[bins != 0] if rng.random() < 0.5 else bins
        points = (psk(2, rng), psk(4, rng), qam(16, rng), qam(64, rng))[rng.integers(4)]
        grid = np.zeros((n_symbols, n_bins), np.complex128)
        grid[:, bins] = points[rng.integers(len(points), size=(n_symbols, len(bins)))]
        symbols = np.fft.ifft(grid, axis=1) * n_bins / np.sqrt(len(bins))
        stream = np.hstack([symbols[:, n_bins - prefix :], symbols]).ravel()
        start = rng.integers(len(stream) - length + 1)
        out[row] = stream[start : start + length]
    return out


def carrier(rng: np.random.Generator, n: int, length: int = WORK) -> ComplexArray:
    """Unmodulated carrier anywhere in the middle 60 % of the band.

    Returns:
        Shape (n, length) complex64, unit power.
    """
    frequency = rng.uniform(-0.3, 0.3, (n, 1))
    return phasor(frequency * np.arange(length))


def receiver_noise(rng: np.random.Generator, n: int, length: int = WORK) -> ComplexArray:
    """Noise without a signal: white, or gently coloured, with a weak spike or spurs.

    The tones are together at least 20 dB below the noise: above that the class is CW.

    Returns:
        Shape (n, length) complex64, mean power about 1.
    """
    noise = white(rng, (n, length))
    f = np.fft.fftfreq(length)[None, :]
    depth = np.where(rng.random((n, 1)) < 0.5, 0, rng.uniform(0, 0.8, (n, 1)))
    ripple = 2 * np.pi * f * rng.integers(1, 4, (n, 1))
    tilt = 1 + depth * np.cos(ripple + rng.uniform(0, 6.3, (n, 1)))
    coloured = np.fft.ifft(np.fft.fft(noise, axis=1) * tilt, axis=1)
    coloured /= np.sqrt(np.mean(np.abs(coloured) ** 2, axis=1, keepdims=True))
    for _ in range(2):
        level_db = rng.uniform(-48, -23.5, (n, 1))
        where = np.where(rng.random((n, 1)) < 0.5, 0.0, rng.uniform(-0.5, 0.5, (n, 1)))
        present = rng.random((n, 1)) < 0.4
        tone = phasor(where * np.arange(length) + rng.random((n, 1)))
        coloured += present * 10 ** (level_db / 20) * tone
    return coloured.astype(np.complex64)


def white(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.complex64]:
    """Draw complex white Gaussian noise of unit power."""
    parts = rng.standard_normal((*shape, 2), dtype=np.float32)
    return (parts * np.float32(np.sqrt(0.5))).view(np.complex64)[..., 0]
