"""Things measured in turn, so that a machine whose speed drifts does not decide.

A round measures each of them once, for an equal share of the time; figures are medians of
the rounds, and a ratio is the median of the ratios within the rounds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from liveclf.bench.results import Speed

Work = Callable[[], int]
"""Does some of the work; returns how many windows that were."""

N_ROUNDS = 5
_MOST_OVER = 2.0  # of the time given: then rounds that are left are left out


@dataclass(frozen=True, slots=True)
class Timed:
    """What one of them did in one round.

    Attributes:
        windows: How many.
        elapsed_s: By the clock.
        cpu_s: Of all cores together.
    """

    windows: int
    elapsed_s: float
    cpu_s: float

    @property
    def windows_per_s(self) -> float:
        """Speed."""
        return self.windows / self.elapsed_s


Round = Mapping[str, Timed]


@dataclass(frozen=True)
class Watch:
    """How long, and what is asked and told meanwhile.

    Attributes:
        part_s: How long all rounds together take.
        is_over: Asked between measurements: whether the user wants to end.
        on_step: Told of each step of a part done, as a share of the part.
        clock: Monotonic, seconds.
    """

    part_s: float
    is_over: Callable[[], bool] = lambda: False
    on_step: Callable[[float], None] = lambda share: None
    clock: Callable[[], float] = time.perf_counter

    def slot_s(self, n_works: int) -> float:
        """Return how long each of so many is measured in a round."""
        return self.part_s / (N_ROUNDS * n_works)


def alternate(works: Mapping[str, Work], watch: Watch) -> list[Round]:
    """Measure each in turn, round by round.

    Args:
        works: By name.
        watch: For how long.

    Returns:
        The rounds that are whole: fewer than `N_ROUNDS` if the user ended it or the works are
        too slow for the time, none if the user ended the first.
    """
    for work in works.values():
        if watch.is_over():
            return []
        work()  # the first call is slower: memory that is new, caches that are cold
    slot_s, began_s = watch.slot_s(len(works)), watch.clock()
    rounds: list[Round] = []
    while len(rounds) < N_ROUNDS:
        done: dict[str, Timed] = {}
        for name, work in works.items():
            if watch.is_over():
                return rounds
            done[name] = timed(work, slot_s, watch.clock)
            watch.on_step(1 / (N_ROUNDS * len(works)))
        rounds.append(done)
        if watch.clock() - began_s > _MOST_OVER * watch.part_s:
            break
    return rounds


def timed(work: Work, slot_s: float, clock: Callable[[], float]) -> Timed:
    """Repeat some work, once at least, for about so long."""
    windows, began_s, cpu_s = 0, clock(), time.process_time()
    elapsed_s = last_s = 0.0
    # Not once more where that would end further from the end of the slot than now is.
    while not windows or elapsed_s + last_s / 2 < slot_s:
        windows += work()
        now_s = clock() - began_s
        last_s, elapsed_s = now_s - elapsed_s, now_s
    return Timed(windows, max(elapsed_s, 1e-9), time.process_time() - cpu_s)


def speed_of(rounds: list[Round], name: str) -> Speed:
    """Return the median of one of them over the rounds, of which there has to be one."""
    rates = [done[name].windows_per_s for done in rounds]
    median = statistics.median(rates)
    return Speed(
        windows_per_s=median,
        spread=(max(rates) - min(rates)) / 2 / median,
        rounds=len(rates),
        cpu_us_per_window=statistics.median(
            1e6 * done[name].cpu_s / done[name].windows for done in rounds
        ),
    )


def ratio_of(rounds: list[Round], name: str, to: str) -> float:
    """Return the speed of one over that of another, median of the rounds."""
    return statistics.median(done[name].windows_per_s / done[to].windows_per_s for done in rounds)
