"""Who sends what, when and where in the band.

A plan is in seconds and hertz, so that one plan can be received at several sample rates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from liveclf.signals.scene.senders import NARROWEST_HZ, SENDABLE, Sending, band_of, send
from liveclf.signals.scene.truth import SHORT_S

_TRIES = 60  # places that are looked at before an emission is left out
_EDGE_SHARE = 0.04  # of the band, at either end, where the receiver's filter falls
_LONGEST_S = 2.0
_SHORTEST_S = 1e-3
_PAUSE_S = 0.03  # at least, between two emissions in one place of the band
_LEAST_GUARD_HZ, _MOST_GUARD_HZ = 5e3, 100e3
_REMOTE = ("OOK", "2FSK")  # what is sent in trains of packets


@dataclass(frozen=True)
class SceneSettings:
    """What kind of scene.

    Attributes:
        seed: Scenes of one seed are the same.
        duration_s: How long.
        band_hz: Width of the band in which emissions lie, around 0 Hz.
        emissions: Fewest and most that are placed (a train is one); fewer where there is no
            more room.
        classes: Which.
        snr_db: Lowest and highest in-band SNR, see `Truth.snr_db`.
        burst_s: Shortest and longest burst, drawn log-uniformly; none is longer than the scene.
        short_share: Share of bursts of 1 to 5 ms instead.
        steady_share: Share that is on before the scene begins and after it ends.
        train_share: Share of remote controls (OOK, 2FSK) that send a packet several times.
        keep_dc_clear: Leave 12 kHz around 0 Hz empty.
    """

    seed: int
    duration_s: float = 0.5
    band_hz: float = 2.4e6
    emissions: tuple[int, int] = (1, 12)
    classes: Sequence[str] = SENDABLE
    snr_db: tuple[float, float] = (3.0, 30.0)
    burst_s: tuple[float, float] = (SHORT_S, _LONGEST_S)
    short_share: float = 0.0
    steady_share: float = 0.1
    train_share: float = 0.25
    keep_dc_clear: bool = False


@dataclass(frozen=True)
class Planned:
    """A transmitter: what it sends, once or several times, and where.

    Attributes:
        name: Class.
        sending: One burst.
        starts_s: When each begins, its silent ends included.
        carrier_hz: Where the 0 Hz of `sending` goes, from the middle of the band.
        edges_hz: Occupied band, from the middle of the band.
        snr_db: Asked for.
    """

    name: str
    sending: Sending
    starts_s: tuple[float, ...]
    carrier_hz: float
    edges_hz: tuple[float, float]
    snr_db: float

    @property
    def burst_s(self) -> float:
        """Length of one burst, its silent ends included."""
        return len(self.sending.iq) / self.sending.rate_hz

    @property
    def stop_s(self) -> float:
        """When the last one ends."""
        return self.starts_s[-1] + self.burst_s


def plan(settings: SceneSettings) -> list[Planned]:
    """Draw transmitters that never meet in time and frequency.

    Between two that are on at once lies a guard band as wide as the wider of them, 5 kHz at
    least and 100 kHz at most; between two in one place of the band 30 ms.
    """
    rng = np.random.default_rng(settings.seed)
    fewest, most = settings.emissions
    placed: list[Planned] = []
    for _ in range(int(rng.integers(fewest, most + 1))):
        if one := _placed(settings, rng, placed):
            placed.append(one)
    return placed


def _placed(
    settings: SceneSettings, rng: np.random.Generator, others: list[Planned]
) -> Planned | None:
    name = str(rng.choice(list(settings.classes)))
    is_steady = rng.random() < settings.steady_share
    duration_s = settings.duration_s if is_steady else _duration_s(settings, rng)
    is_train = name in _REMOTE and not is_steady and rng.random() < settings.train_share
    if is_train:
        duration_s = min(duration_s, settings.duration_s / 4)
    sending = send(name, rng, duration_s, 0.4 * settings.band_hz)
    length_s = len(sending.iq) / sending.rate_hz
    lower, upper = band_of(name, sending)
    offsets_s = _packets(rng, length_s, settings.duration_s) if is_train else (0.0,)
    room_s = settings.duration_s - offsets_s[-1] - length_s
    snr_db = float(rng.uniform(*settings.snr_db))
    reach_hz = (0.5 - _EDGE_SHARE) * settings.band_hz - (upper - lower) / 2
    if reach_hz <= 0 or (room_s < 0 and not is_steady):
        return None
    for _ in range(_TRIES):
        middle_hz = float(rng.uniform(-reach_hz, reach_hz))
        start_s = room_s / 2 if is_steady else float(rng.uniform(0, room_s))
        shift_hz = middle_hz - (lower + upper) / 2
        one = Planned(
            name,
            sending,
            tuple(start_s + offset_s for offset_s in offsets_s),
            shift_hz,
            (lower + shift_hz, upper + shift_hz),
            snr_db,
        )
        touches_dc = settings.keep_dc_clear and one.edges_hz[0] < 6e3 and one.edges_hz[1] > -6e3
        if not touches_dc and not any(_meet(one, other) for other in others):
            return one
    return None


def _duration_s(settings: SceneSettings, rng: np.random.Generator) -> float:
    if rng.random() < settings.short_share:
        low, high = _SHORTEST_S, SHORT_S
    else:
        low, high = settings.burst_s
    high = max(low, min(high, 0.9 * settings.duration_s))
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def _packets(rng: np.random.Generator, length_s: float, duration_s: float) -> tuple[float, ...]:
    """Return when the packets of a train begin, at most eight, 15 to 60 ms apart."""
    gap_s = float(rng.uniform(0.015, 0.06))
    fit = int((duration_s + gap_s) / (length_s + gap_s))
    n = int(rng.integers(2, max(3, min(fit, 8) + 1)))
    return tuple(k * (length_s + gap_s) for k in range(n))


def _meet(a: Planned, b: Planned) -> bool:
    widest_hz = max(one.edges_hz[1] - one.edges_hz[0] for one in (a, b))
    guard_hz = min(max(widest_hz, _LEAST_GUARD_HZ), _MOST_GUARD_HZ)
    in_time = a.starts_s[0] < b.stop_s + _PAUSE_S and b.starts_s[0] < a.stop_s + _PAUSE_S
    in_band = a.edges_hz[0] < b.edges_hz[1] + guard_hz and b.edges_hz[0] < a.edges_hz[1] + guard_hz
    return in_time and in_band


def free_hz(planned: Sequence[Planned], band_hz: float, rng: np.random.Generator) -> float | None:
    """Return a frequency that nobody uses during the scene, None if there is none."""
    taken = sorted(one.edges_hz for one in planned)
    reach_hz = (0.5 - _EDGE_SHARE) * band_hz
    bounds = [(-math.inf, -reach_hz), *taken, (reach_hz, math.inf)]
    gaps = []
    highest = -reach_hz
    for (_, _), (lower, upper) in pairwise(bounds):
        if lower - highest > 10 * NARROWEST_HZ:
            gaps.append((highest, lower))
        highest = max(highest, upper)
    if not gaps:
        return None
    low, high = gaps[int(rng.integers(len(gaps)))]
    margin = 5 * NARROWEST_HZ
    return float(rng.uniform(low + margin, high - margin))
