"""What happens between the modulator and the network: channel, receiver, noise.

Rows are windows and independent of each other. A step that only some windows meet
draws which.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.signals.fading import fading_paths
from liveclf.signals.linear import WORK, ComplexArray, phasor
from liveclf.signals.others import white

WINDOW = 1024
_CUT = (WORK - WINDOW) // 2  # edges where a non-periodic signal wraps around


def propagate(x: ComplexArray, rng: np.random.Generator, *, paths: bool = True) -> ComplexArray:
    """Multipath, fading, receiver filter, carrier offset, phase noise; cut to the window.

    Two windows of five have one path that does not change, two thirds a flat receiver.

    Args:
        x: Shape (n, WORK) complex64.
        rng: Source of all randomness.
        paths: There may be several, and they may fade; False for what the receiver
            itself makes.

    Returns:
        Shape (n, WINDOW) complex64, unit mean power per row.
    """
    spectrum = np.fft.fft(x, axis=1)
    kind = rng.random(len(x))
    selective, fading = (kind < 0.35) & paths, (kind > 0.75) & paths
    spectrum[selective] *= multipath(rng, int(selective.sum()))
    filtered = rng.random(len(x)) < 0.33
    spectrum[filtered] *= receiver_filter(rng, int(filtered.sum()))
    y = np.fft.ifft(spectrum, axis=1)
    y[fading] = fading_paths(spectrum[fading], rng)
    y = y[:, _CUT : _CUT + WINDOW] * phasor(carrier_phase(rng, 0.5 - half_width(spectrum)))
    power = np.mean(np.abs(y) ** 2, axis=1, keepdims=True)
    scaled: ComplexArray = (y / np.sqrt(np.maximum(power, 1e-12))).astype(np.complex64)
    return scaled


def multipath(rng: np.random.Generator, n: int) -> ComplexArray:
    """Frequency response of a first path and up to four later ones, static in a window.

    Later paths lie within four samples, fall off and fade (Rayleigh).

    Returns:
        Shape (n, WORK) complex64.
    """
    f = np.fft.fftfreq(WORK)[None, :]
    spread = rng.uniform(0.5, 4, (n, 1))
    response = np.ones((n, WORK), np.complex64)
    for _ in range(4):
        delay = spread * rng.random((n, 1))
        weight = np.exp(-delay / spread * rng.uniform(0, 3, (n, 1)))
        present = rng.random((n, 1)) < 0.5
        gain = present * weight * white(rng, (n, 1)) * rng.uniform(0.2, 0.9, (n, 1))
        response += gain.astype(np.complex64) * phasor(-f * delay)
    return response


def receiver_filter(rng: np.random.Generator, n: int) -> NDArray[np.float32]:
    """Edge roll-off of a decimator.

    Returns:
        Shape (n, WORK) float32.
    """
    f = np.abs(np.fft.fftfreq(WORK))[None, :]
    corner = rng.uniform(0.38, 0.5, (n, 1))
    order = rng.integers(6, 24, (n, 1))
    response: NDArray[np.float64] = 1 / np.sqrt(1 + (f / corner) ** (2 * order))
    return response.astype(np.float32)


def half_width(spectrum: NDArray[Any]) -> NDArray[np.float64]:
    """Return how far from 0 the frequencies of 99 % of the power lie.

    Args:
        spectrum: Shape (n, length), in the order of `np.fft.fftfreq`.

    Returns:
        Shape (n,), cycles per sample, up to 0.5.
    """
    f = np.abs(np.fft.fftfreq(spectrum.shape[1]))
    order = np.argsort(f, kind="stable")
    power = np.abs(spectrum[:, order]) ** 2
    share = np.cumsum(power, axis=1)
    beyond: NDArray[np.float64] = f[order][np.argmax(share >= 0.99 * share[:, -1:], axis=1)]
    return beyond


def carrier_phase(rng: np.random.Generator, room: NDArray[np.float64]) -> NDArray[np.float64]:
    """Phase over a window: random start, offset, drift, and phase noise.

    Half the offsets are within 0.1 % of the rate (a receiver that locked), the others
    as far as there is room, 10 % at least and 25 % at most.

    Args:
        rng: Source of all randomness.
        room: How far each signal can be moved before it leaves the band, shape (n,),
            cycles per sample.

    Returns:
        Shape (n, WINDOW) float64, cycles.
    """
    n = len(room)
    t = np.arange(WINDOW)[None, :]
    locked = rng.random((n, 1)) < 0.5
    wide = np.clip(room, 0.1, 0.25)[:, None] * rng.uniform(-1, 1, (n, 1))
    offset = np.where(locked, rng.normal(0, 1e-3, (n, 1)), wide)
    drift = rng.normal(0, 2e-7, (n, 1))
    cycles = rng.random((n, 1)) + (offset + drift * t) * t
    noisy = rng.random(n) < 0.3
    n_noisy = int(noisy.sum())
    steps = rng.standard_normal((n_noisy, WINDOW)) * rng.uniform(0, 8e-4, (n_noisy, 1))
    cycles[noisy] += np.cumsum(steps, axis=1)
    return cycles


def add_noise(
    x: ComplexArray, snr_db: NDArray[np.float64], rng: np.random.Generator
) -> ComplexArray:
    """Add white noise.

    Args:
        x: Shape (n, WINDOW) complex64, unit mean power.
        snr_db: Shape (n,): signal power over noise power across the sampled band.
        rng: Source of all randomness.

    Returns:
        Shape (n, WINDOW) complex64, mean power 1 + 10^(-snr_db / 10).
    """
    return x + white(rng, x.shape) * (10 ** (-snr_db / 20)).astype(np.float32)[:, None]


def digitise(
    x: ComplexArray, snr_db: NDArray[np.float64], rng: np.random.Generator
) -> ComplexArray:
    """Receiver front end: IQ imbalance, DC, and for half the windows an 8-bit converter.

    Args:
        x: Shape (n, WINDOW) complex64, any scale.
        snr_db: Shape (n,), -inf for noise alone.
        rng: Source of all randomness.

    Returns:
        Shape (n, WINDOW) complex64, any scale.
    """
    n = len(x)
    x = x / np.sqrt(np.mean(np.abs(x) ** 2, axis=1, keepdims=True))
    some = rng.random((n, 1)) < 0.3
    gain = 10 ** (some * rng.normal(0, 0.5, (n, 1)) / 20)
    skew = some * np.deg2rad(rng.normal(0, 1.5, (n, 1)))
    dc = (rng.random((n, 1)) < 0.3) * 10 ** (rng.uniform(-45, -20, (n, 1)) / 20)
    spike = dc * np.exp(2j * np.pi * rng.random((n, 1)))
    i = x.real * gain
    q = x.imag * np.cos(skew) + x.real * np.sin(skew)
    y = i + 1j * q + spike
    # From 8 dB below full scale, where it clips now and then, down to where the noise
    # is 0.7 steps: no receiver is run with less, and the steps would count as noise.
    weakest_db = 20 * np.log10(0.7 / 127.5 * np.sqrt(1 + 10 ** (snr_db[:, None] / 10)))
    level = 127.5 * 10 ** (rng.uniform(np.minimum(weakest_db, -8), -8) / 20)
    steps = np.clip(np.floor(y.real * level), -128, 127) + 0.5
    steps = steps + 1j * (np.clip(np.floor(y.imag * level), -128, 127) + 0.5)
    out: ComplexArray = np.where(rng.random((n, 1)) < 0.5, steps / level, y).astype(np.complex64)
    return out
