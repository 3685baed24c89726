"""What else a window holds: the time before and after a burst, and another transmitter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from liveclf.signals.linear import ComplexArray, linear, phasor

# A part of a carrier is what on-off keying looks like, and noise neither begins nor ends.
NEVER_BURST = ("CW", "noise")
BURST_SHARE = 0.15
NEIGHBOUR_SHARE = 0.08


def burst(x: ComplexArray, rng: np.random.Generator) -> ComplexArray:
    """Let some rows begin, end, or both inside the window.

    Args:
        x: Shape (n, window) complex64, unit mean power.
        rng: Source of all randomness.

    Returns:
        The same, each row of unit mean power over the whole window again.
    """
    rows = np.flatnonzero(rng.random(len(x)) < BURST_SHARE)
    if not len(rows):
        return x
    gated = x[rows] * _gate(rng, len(rows), x.shape[1])
    power = np.mean(np.abs(gated) ** 2, axis=1, keepdims=True)
    sounding = power[:, 0] > 0.02  # else the burst fell where the modulation is silent
    x[rows[sounding]] = (gated[sounding] / np.sqrt(power[sounding])).astype(np.complex64)
    return x


def _gate(rng: np.random.Generator, n: int, window: int) -> NDArray[np.float64]:
    """Return envelopes 0 to 1, ramps of 1 to 16 samples.

    A third begins inside the window and goes on, a third ends inside, a third does both
    and is 15 to 80 % of it long.
    """
    kind = rng.integers(3, size=(n, 1))
    inside = rng.uniform(0.15, 0.8, (n, 1)) * window
    start = np.where(kind == 2, rng.random((n, 1)) * (window - inside), -np.inf)
    start = np.where(kind == 0, rng.uniform(0.1, 0.8, (n, 1)) * window, start)
    end = np.where(kind == 2, start + inside, np.inf)
    end = np.where(kind == 1, rng.uniform(0.2, 0.9, (n, 1)) * window, end)
    ramp = rng.uniform(1, 16, (n, 1))
    t = np.arange(window)[None, :]
    gate: NDArray[np.float64] = np.clip((t - start) / ramp, 0, 1) * np.clip((end - t) / ramp, 0, 1)
    return gate


def neighbours(
    x: ComplexArray, able: NDArray[np.bool_], rng: np.random.Generator
) -> ComplexArray:
    """Add a weaker transmitter near the edge of the band to some rows.

    It is a narrow QPSK, 12 to 35 dB below the signal, 0.25 to 0.45 of the rate away.

    Args:
        x: Shape (n, window) complex64, unit mean power.
        able: Which rows may have one, shape (n,): beside noise it would be the signal.
        rng: Source of all randomness.
    """
    rows = np.flatnonzero(able & (rng.random(len(x)) < NEIGHBOUR_SHARE))
    other = linear("QPSK", rng, len(rows), x.shape[1], sps=(8.0, 32.0))
    other /= np.sqrt(np.mean(np.abs(other) ** 2, axis=1, keepdims=True))
    level = 10 ** (rng.uniform(-35, -12, (len(rows), 1)) / 20)
    side = np.where(rng.random((len(rows), 1)) < 0.5, 1, -1)
    away = side * rng.uniform(0.25, 0.45, (len(rows), 1)) * np.arange(x.shape[1])
    x[rows] += (level * other * phasor(away)).astype(np.complex64)
    return x
