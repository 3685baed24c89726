"""Messages for the analogue modulations: something between speech, music and tones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from liveclf.signals.linear import WORK


def audio(
    rng: np.random.Generator, n: int, length: int, low: float = 0.01, high: float = 0.25
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Make real messages of drawn bandwidth.

    Half are noise with a falling spectrum, a third harmonics of a gliding pitch, the
    rest two or three tones (one sideband of a single tone would be a bare carrier). All
    but the tones swell and fade like syllables.

    Args:
        rng: Source of all randomness.
        n: Messages.
        length: Samples of each.
        low: Smallest bandwidth, cycles per sample. Slower than this, 1024 samples
            show a constant.
        high: Largest bandwidth.

    Returns:
        Messages, shape (n, length) float64, peak 1; bandwidths, shape (n,).
    """
    bandwidth = np.exp(rng.uniform(np.log(low), np.log(high), n))
    kind = rng.random(n)
    messages = _noise(rng, bandwidth, length)
    voiced = (kind > 0.5) & (kind < 0.8)
    messages[voiced] = _harmonics(rng, bandwidth[voiced], length)
    tones = kind >= 0.8
    messages[~tones] *= _syllables(rng, int(np.sum(~tones)), length)
    messages[tones] = _tones(rng, bandwidth[tones], length)
    return messages / np.abs(messages).max(axis=1, keepdims=True), bandwidth


def _noise(
    rng: np.random.Generator, bandwidth: NDArray[np.float64], length: int
) -> NDArray[np.float64]:
    n = len(bandwidth)
    f = np.fft.rfftfreq(length)[None, :] / bandwidth[:, None]
    shape = (f < 1) * (f > 0.03) * (f + 0.05) ** -rng.uniform(0, 1, (n, 1))
    drawn = rng.standard_normal((n, f.shape[1])) + 1j * rng.standard_normal((n, f.shape[1]))
    return np.fft.irfft(drawn * shape, length, axis=1)


def _harmonics(
    rng: np.random.Generator, bandwidth: NDArray[np.float64], length: int
) -> NDArray[np.float64]:
    n, n_harmonics = len(bandwidth), 12
    pitch = bandwidth[:, None] / rng.uniform(4, n_harmonics, (n, 1))
    glide = 1 + rng.uniform(-0.2, 0.2, (n, 1)) * np.linspace(-0.5, 0.5, length)[None, :]
    phase = 2 * np.pi * np.cumsum(pitch * glide, axis=1)
    order = np.arange(1, n_harmonics + 1)
    weight = rng.random((n, n_harmonics)) * (order * pitch < bandwidth[:, None])
    shift = rng.uniform(0, 2 * np.pi, (n, n_harmonics))
    out = np.zeros((n, length))
    for h in range(n_harmonics):
        out += weight[:, h, None] * np.cos((h + 1) * phase + shift[:, h, None])
    return out + 1e-3 * np.cos(phase)  # never silent


def _tones(
    rng: np.random.Generator, bandwidth: NDArray[np.float64], length: int
) -> NDArray[np.float64]:
    n = len(bandwidth)
    frequency = bandwidth[:, None] * np.hstack([np.ones((n, 1)), rng.uniform(0.2, 1, (n, 2))])
    third = rng.random((n, 1)) * (rng.random((n, 1)) < 0.5)
    weight = np.hstack([np.ones((n, 1)), rng.uniform(0.3, 1, (n, 1)), third])
    phase = rng.uniform(0, 2 * np.pi, (n, 3))
    t = np.arange(length)[None, None, :]
    waves = np.cos(2 * np.pi * frequency[:, :, None] * t + phase[:, :, None])
    message: NDArray[np.float64] = np.einsum("nk,nkt->nt", weight, waves)
    return message


def _syllables(rng: np.random.Generator, n: int, length: int) -> NDArray[np.float64]:
    rate = rng.uniform(0, 3 / WORK, (n, 1))
    phase = rng.uniform(0, 2 * np.pi, (n, 1))
    depth = rng.uniform(0, 0.8, (n, 1))
    return 1 + depth * np.cos(2 * np.pi * rate * np.arange(length)[None, :] + phase)
