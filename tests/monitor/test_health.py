"""Health: what is unwell, for how long, and what a new start would mend."""

from __future__ import annotations

import pytest
from states import output, snapshot, stats, stream

from liveclf.monitor.health import Health

LIMIT_S = 30.0


class Clock:
    """A time that passes only when told."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(LIMIT_S, clock)


def pass_time(health: Health, clock: Clock, seconds: float, *states) -> None:
    """Let the loop turn for so long, each second with the next state, the last one again."""
    for k in range(round(seconds)):
        clock.now_s += 1
        health.beat()
        health.look(states[min(k, len(states) - 1)])


def test_a_run_whose_samples_come_is_well(health, clock):
    pass_time(health, clock, 100, *(snapshot(stream(stats(samples=k))) for k in range(100)))
    assert health.not_ready() == health.not_alive() == []


def test_samples_that_stay_away_are_unwell_after_the_limit_but_alive(health, clock):
    came = snapshot(stream(stats(samples=5)))
    pass_time(health, clock, LIMIT_S, came)
    assert health.not_ready() == []
    pass_time(health, clock, 2, came)
    assert health.not_ready() == ["stream 0 (fake radio 7): no samples for 31 s"]
    assert health.not_alive() == []
    pass_time(health, clock, 1, snapshot(stream(stats(samples=6))))
    assert health.not_ready() == []


def test_before_the_first_sample_the_limit_counts_from_the_start(health, clock):
    pass_time(health, clock, LIMIT_S + 2, snapshot(stream()))
    assert "no samples" in health.not_ready()[0]


def test_each_of_several_streams_is_watched(health, clock):
    states = [snapshot(stream(stats(samples=k)), stream(name="b")) for k in range(50)]
    pass_time(health, clock, 50, *states)
    assert health.not_ready() == ["stream 1 (b): no samples for 49 s"]


def test_a_quiet_band_is_well_and_windows_that_wait_are_not(health, clock):
    quiet = [snapshot(stream(stats(samples=k, classified=3), windows=3)) for k in range(60)]
    pass_time(health, clock, 60, *quiet)
    assert health.not_ready() == []
    stuck = [snapshot(stream(stats(samples=k, classified=3), windows=4)) for k in range(60)]
    pass_time(health, clock, 60, *stuck)
    assert health.not_ready() == ["stream 0 (fake radio 7): no window labelled for 60 s"]


def test_a_network_that_is_slow_but_works_is_well(health, clock):
    states = [snapshot(stream(stats(samples=k, classified=k), windows=k + 9)) for k in range(1, 60)]
    pass_time(health, clock, 59, *states)
    assert health.not_ready() == []


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"state": "failed", "message": "jsonl: disk full."}, "jsonl: disk full."),
        ({"is_connected": False, "message": "mqtt: away."}, "mqtt: away."),
        ({"state": "closed"}, "jsonl is closed"),
    ],
)
def test_an_output_that_is_broken_is_unwell_at_once(health, clock, state, said):
    pass_time(health, clock, 1, snapshot(outputs=(output(**state),)))
    assert health.not_ready() == [said]
    assert health.not_alive() == []


def test_an_output_that_is_stuck_is_unwell_after_the_limit(health, clock):
    full = snapshot(outputs=(output(n_records=90, n_waiting=9),))
    pass_time(health, clock, LIMIT_S + 2, full)
    assert health.not_ready() == ["jsonl: nothing written for 31 s"]
    # What it drops meanwhile is not written either.
    dropping = snapshot(outputs=(output(n_records=190, n_waiting=9, n_dropped=100),))
    pass_time(health, clock, 1, dropping)
    assert health.not_ready() == ["jsonl: nothing written for 32 s"]


def test_a_stream_that_broke_for_good_is_told_once(health, clock):
    broke = [snapshot(stream(stats(samples=k)), stream(failure="gone")) for k in range(99)]
    pass_time(health, clock, 99, *broke)
    assert health.not_ready() == ["stream 1 (fake radio 7): gone"]


def test_a_loop_that_does_not_turn_is_not_alive(health, clock):
    pass_time(health, clock, 5, snapshot(stream(stats(samples=1))))
    clock.now_s += LIMIT_S + 1
    assert health.not_alive() == ["the loop has not turned for 31 s"]
    assert health.not_ready()[0] == health.not_alive()[0]


def test_a_run_that_has_ended_is_alive_and_not_ready(health, clock):
    health.end()
    clock.now_s += 1000
    assert health.not_alive() == []
    assert health.not_ready() == ["the run has ended"]
