"""The exact constellations, unit mean power.

APSK radii vary with the code rate of the standard, so `apsk` draws one of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.complex128]


def ask(order: int, rng: np.random.Generator) -> Points:
    """Unipolar amplitude levels, as in RadioML 2018.01A: half a line from the origin.

    Whether the lowest level is zero is not published, so both are drawn; on-off
    keying always has it.
    """
    lowest = 0 if order == 2 or rng.random() < 0.7 else 1
    return _unit_power((np.arange(order) + lowest).astype(np.complex128))


def psk(order: int, rng: np.random.Generator) -> Points:
    """Phases exp(j 2 pi k / M)."""
    points: Points = np.exp(2j * np.pi * np.arange(order) / order)
    return points


def diagonal_psk(order: int, rng: np.random.Generator) -> Points:
    """Phases half a step off the axes: where I and Q are staggered, each has to be keyed alone."""
    points: Points = psk(order, rng) * np.exp(1j * np.pi / order)
    return points


def pam(order: int, rng: np.random.Generator) -> Points:
    """Bipolar amplitude levels, what other collections call ASK: no carrier remains."""
    return _unit_power((2.0 * np.arange(order) - (order - 1)).astype(np.complex128))


def qam(order: int, rng: np.random.Generator) -> Points:
    """Square grid of odd integers; 32 and 128 are crosses.

    A cross is the next larger square less a square block at each corner:
    6 x 6 less 1 x 1 for 32, 12 x 12 less 2 x 2 for 128.
    """
    side, corner = {16: (4, 0), 32: (6, 1), 64: (8, 0), 128: (12, 2), 256: (16, 0)}[order]
    level = np.arange(side) * 2.0 - (side - 1)
    grid = level[:, None] + 1j * level[None, :]
    inner = np.abs(level) <= side - 1 - 2 * corner
    return _unit_power(grid[inner[:, None] | inner[None, :]])


# (points per ring), (radii over the first ring's), (phase of each ring in units of
# pi over its number of points).
# Source: ETSI EN 302 307-1 (DVB-S2) 5.4.3 and 5.4.4; EN 302 307-2 (DVB-S2X) 5.4.5, 5.4.6.
_Ring = tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...]]
_RINGS: dict[int, list[_Ring]] = {
    16: [((4, 12), (1, g), (1, 1)) for g in (3.15, 2.85, 2.75, 2.70, 2.60, 2.57)],
    32: [
        ((4, 12, 16), (1, a, b), (1, 1, 0))
        for a, b in ((2.84, 5.27), (2.72, 4.87), (2.64, 4.64), (2.54, 4.33), (2.53, 4.30))
    ],
    64: [
        ((16, 16, 16, 16), (1, 1.88, 2.72, 3.95), (1, 1, 1, 1)),
        ((8, 16, 20, 20), (1, 2.2, 3.6, 5.2), (1, 1, 1, 1)),
        ((8, 16, 20, 20), (1, 2.2, 3.5, 5.0), (1, 1, 1, 1)),
    ],
}


# The rings of 128APSK are uneven: phases of the first quadrant in units of pi, which the
# other quadrants mirror, and the radius of each ring but for the outermost, which varies.
_QUADRANT_128: tuple[tuple[float, tuple[float, ...]], ...] = (
    (1.0, (83 / 1260, 103 / 560, 177 / 560, 243 / 560)),
    (1.715, (121 / 2520, 113 / 560, 167 / 560, 1139 / 2520)),
    (2.118, (23 / 280, 169 / 1008, 239 / 720, 117 / 280)),
    (2.681, (61 / 720, 139 / 840, 281 / 840, 349 / 840)),
    (2.75, (19 / 720, 563 / 2520, 199 / 720, 341 / 720)),
)
_OUTERMOST_128 = (
    *(37 / 1680, 11 / 168, 11 / 105, 61 / 420, 929 / 5040, 383 / 1680),
    *(49 / 180, 53 / 168, 1789 / 5040, 1993 / 5040, 73 / 168, 43 / 90),
)
_OUTER_RADII_128 = (3.819, 3.733)


def apsk(order: int, rng: np.random.Generator) -> Points:
    """Rings of DVB-S2 (16, 32) and DVB-S2X (64, 128), one code rate drawn."""
    if order == 128:
        return _apsk128(_OUTER_RADII_128[rng.integers(len(_OUTER_RADII_128))])
    counts, radii, phases = _RINGS[order][rng.integers(len(_RINGS[order]))]
    rings = [
        radius * np.exp(1j * np.pi * (2 * np.arange(n) + phase) / n)
        for n, radius, phase in zip(counts, radii, phases, strict=True)
    ]
    return _unit_power(np.concatenate(rings))


def _apsk128(outer_radius: float) -> Points:
    rings = (*_QUADRANT_128, (outer_radius, _OUTERMOST_128))
    quadrant = np.concatenate([r * np.exp(1j * np.pi * np.array(phi)) for r, phi in rings])
    return _unit_power(np.concatenate([quadrant, -quadrant, quadrant.conj(), -quadrant.conj()]))


CONSTELLATIONS: dict[str, tuple[Callable[[int, np.random.Generator], Points], int]] = {
    "OOK": (ask, 2),
    "4ASK": (ask, 4),
    "8ASK": (ask, 8),
    "BPSK": (psk, 2),
    "QPSK": (psk, 4),
    "8PSK": (psk, 8),
    "16PSK": (psk, 16),
    "32PSK": (psk, 32),
    "16APSK": (apsk, 16),
    "32APSK": (apsk, 32),
    "64APSK": (apsk, 64),
    "128APSK": (apsk, 128),
    "16QAM": (qam, 16),
    "32QAM": (qam, 32),
    "64QAM": (qam, 64),
    "128QAM": (qam, 128),
    "256QAM": (qam, 256),
    "OQPSK": (diagonal_psk, 4),
    "4PAM": (pam, 4),
    "8PAM": (pam, 8),
}


def _unit_power(points: Points) -> Points:
    scaled: Points = points / np.sqrt(np.mean(np.abs(points) ** 2))
    return scaled
