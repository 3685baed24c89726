"""The statistics of the symbols in plain NumPy, from their description."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
N = 1024


def constellation_by_hand(windows: Array) -> Array:
    """Return the statistics (n, 153) of windows (n, 2, 1024) behind the matched filter."""
    return np.array([_of_one(i + 1j * q) for i, q in windows.astype(np.float64)])


def _of_one(y: Array) -> Array:
    envelope = np.abs(y) ** 2
    spectrum = np.fft.fft(envelope - envelope.mean())
    expected = 854 * np.sqrt(max(1 - abs(np.sum(y[1:] * y[:-1].conj())) / N, 1e-3))
    likely = _likely(np.abs(spectrum) ** 2, expected)
    rate = int(np.argmax(likely))
    weight = np.cos(np.angle(_tone(spectrum, rate)) / 2) ** 16
    weight /= weight.sum()
    clarity = [np.log(likely[rate] + 1e-3), np.log(rate), np.log(rate / expected)]
    z = y / np.sqrt(np.sum(weight * envelope))
    return np.concatenate(
        [clarity, _seen(z, weight), _seen(equalised_by_hand(z, weight, 25 / rate), weight)]
    )


def _likely(power: Array, expected: float) -> Array:
    means = power.reshape(128, 8).mean(axis=1)
    smooth = np.array([np.mean([means[(b + d) % 128] for d in range(-4, 4)]) for b in range(128)])
    out = np.zeros(N)
    for k in range(40, 512):
        b = k // 8
        beside = min(smooth[(b - 4) % 128], smooth[(b + 4) % 128])
        prior = np.exp(-0.5 * (np.log(k / expected) / 0.22) ** 2)
        out[k] = power[k] / (beside + 1e-4 * smooth.max() + 1e-6) * prior
    return out


def _tone(spectrum: Array, k: int) -> Array:
    """Return what five bins around a line are over time."""
    kept = np.zeros_like(spectrum)
    near = np.arange(k - 2, k + 3) % N
    kept[near] = spectrum[near]
    return np.fft.ifft(kept)


def equalised_by_hand(z: Array, weight: Array, ridge: float) -> Array:
    """Filter with nine taps that the fourth moments of the symbols ask for."""
    taps = np.array([np.roll(z, -s) for s in range(-4, 5)])
    middle = np.eye(9)[4]
    matrix = (taps.conj() * weight) @ taps.T + ridge * np.eye(9)
    for _ in range(3):
        wanted = (taps.conj() * weight) @ ((2 - np.abs(z) ** 2) * z)
        z = np.linalg.solve(matrix, wanted + ridge * middle) @ taps
        z = z / np.sqrt(np.sum(weight * np.abs(z) ** 2))
    return np.asarray(z)


def _seen(z: Array, weight: Array) -> Array:
    radius = np.abs(z)
    phasor = z / radius
    heights, spectra = [], []
    for order in (4, 8, 16):
        spectrum = np.fft.fft(weight * radius**2 * phasor**order)
        spectra.append(spectrum)
        power = np.abs(spectrum) ** 2
        heights.append(np.sqrt(max(power[np.arange(k - 2, k + 2) % N].sum() for k in range(N))))
    tone = _tone(spectra[0], int(np.argmax(np.abs(spectra[0]))))
    phase = np.angle(phasor**4 * tone.conj())
    place = radius * 23 / 2.2
    rings = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(24)))
    harmonics = [weight * np.cos(m * phase) for m in range(3)]
    return np.concatenate([heights, *(column @ rings for column in harmonics)])
