"""Measuring in turn: what is repeated, when it ends, and what is made of the rounds."""

from __future__ import annotations

import pytest

from liveclf.bench.rounds import N_ROUNDS, Timed, Watch, alternate, ratio_of, speed_of, timed


class Works:
    """Works that each take a known time a call, in the order in which they are called."""

    def __init__(self, **takes_s: float) -> None:
        self.now_s, self.calls = 0.0, []
        self._takes_s = takes_s

    def clock(self) -> float:
        return self.now_s

    def work(self, name: str):
        def call() -> int:
            self.now_s += self._takes_s[name]
            self.calls.append(name)
            return 10

        return call

    @property
    def all(self):
        return {name: self.work(name) for name in self._takes_s}


def test_each_round_measures_each_for_an_equal_share_of_the_time():
    works = Works(fast=0.01, slow=0.05)
    rounds = alternate(works.all, Watch(10.0, clock=works.clock))
    assert len(rounds) == N_ROUNDS
    for done in rounds:
        assert list(done) == ["fast", "slow"]
        assert done["fast"].elapsed_s == pytest.approx(1.0, abs=0.05)
        assert done["slow"].elapsed_s == pytest.approx(1.0, abs=0.05)
    assert speed_of(rounds, "fast").windows_per_s == pytest.approx(1000)
    assert speed_of(rounds, "slow").windows_per_s == pytest.approx(200)
    assert ratio_of(rounds, "slow", "fast") == pytest.approx(0.2)
    # 60 ms before the clock counts: the first call of each is not measured.
    assert works.now_s == pytest.approx(10.06, abs=0.5)


@pytest.mark.parametrize(("takes_s", "calls"), [(0.3, 3), (0.7, 1), (0.6, 2), (5.0, 1)])
def test_a_measurement_ends_as_near_to_its_time_as_whole_calls_allow(takes_s, calls):
    works = Works(a=takes_s)
    assert timed(works.work("a"), 1.0, works.clock).windows == 10 * calls


def test_works_that_are_too_slow_are_measured_in_fewer_rounds():
    works = Works(a=5.0, b=5.0)
    rounds = alternate(works.all, Watch(1.0, clock=works.clock))
    assert len(rounds) == 1
    assert works.now_s == 20


@pytest.mark.parametrize(("ends_after", "n_rounds"), [(0, 0), (1, 0), (3, 0), (4, 1), (6, 2)])
def test_what_the_user_ends_has_the_rounds_that_are_whole(ends_after, n_rounds):
    works = Works(a=1.0, b=1.0)

    def is_over() -> bool:
        return len(works.calls) >= ends_after

    watch = Watch(10.0, is_over, clock=works.clock)
    assert len(alternate(works.all, watch)) == n_rounds
    assert len(works.calls) == ends_after


def test_steps_add_up_to_the_whole_part():
    works, told = Works(a=1.0, b=1.0, c=0.5), []
    alternate(works.all, Watch(30.0, on_step=told.append, clock=works.clock))
    assert sum(told) == pytest.approx(1)


def test_a_figure_is_the_median_and_tells_how_far_the_rounds_part():
    rounds = [
        {"a": Timed(rate, 1.0, 0.5), "b": Timed(2 * rate, 1.0, 0.5)} for rate in (90, 200, 100)
    ]
    speed = speed_of(rounds, "a")
    assert (speed.windows_per_s, speed.rounds) == (100, 3)
    assert speed.spread == pytest.approx((200 - 90) / 2 / 100)
    assert speed.cpu_us_per_window == pytest.approx(1e6 * 0.5 / 100)
    assert ratio_of(rounds, "b", "a") == 2  # the drift of the machine is in no ratio
