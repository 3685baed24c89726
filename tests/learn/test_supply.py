"""The share of time that training waits for data."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from liveclf.learn.data import supply as supply_module
from liveclf.learn.data.supply import Supply


class Clock:
    """A clock that goes on when told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(supply_module, "time", clock)
    return clock


def epoch(clock: Clock, making_s: list[float], computing_s: float, *, ahead: int) -> float:
    """Play an epoch; `ahead` batches are fetched before the first step, none waits for room."""

    def batches() -> Iterator[int]:
        for k, s in enumerate(making_s):
            clock.now_s += s
            yield k

    supply = Supply(batches())
    fetched = iter(supply)
    for _ in range(ahead):
        next(fetched)
    supply.on_epoch_begin(0)
    for k in range(len(making_s)):
        if k >= ahead:
            next(fetched)
        clock.now_s += computing_s
        supply.on_train_batch_end(k)
    logs: dict[str, float] = {"loss": 1.0}
    supply.on_epoch_end(0, logs)
    return logs["waiting"]


def test_a_step_has_waited_if_its_batch_came_after_the_step_before_had_ended(
    clock: Clock,
) -> None:
    assert epoch(clock, [3.0] * 10, 1.0, ahead=0) == pytest.approx(0.75)
    assert epoch(clock, [0.0] * 10, 1.0, ahead=0) == 0.0


def test_batches_that_were_fetched_ahead_cost_nothing(clock: Clock) -> None:
    assert epoch(clock, [3.0] * 10, 1.0, ahead=10) == 0.0
    assert epoch(clock, [3.0] * 10, 1.0, ahead=8) == pytest.approx(6 / 16)


def test_the_next_epoch_begins_anew(clock: Clock) -> None:
    supply = Supply(iter(range(4)))
    fetched = iter(supply)
    for waiting_s in (2.0, 0.0):
        clock.now_s += 50.0  # validation
        supply.on_epoch_begin(0)
        for k in range(2):
            clock.now_s += waiting_s
            next(fetched)
            clock.now_s += 1.0
            supply.on_train_batch_end(k)
        logs: dict[str, float] = {"loss": 1.0}
        supply.on_epoch_end(0, logs)
        assert logs["waiting"] == pytest.approx(waiting_s / (waiting_s + 1.0))


def test_the_error_that_ended_the_batches_is_kept() -> None:
    def batches() -> Iterator[int]:
        yield 1
        raise OSError("cut off")

    supply = Supply(batches())
    fetched = iter(supply)
    assert next(fetched) == 1
    assert supply.failure is None
    with pytest.raises(OSError, match="cut off") as caught:
        next(fetched)
    assert supply.failure is caught.value
    with pytest.raises(OSError, match="cut off"), supply:
        raise RuntimeError("UnknownError: exception in py_func, 60 lines")
    with pytest.raises(KeyboardInterrupt), supply:  # not this, which the user asked for
        raise KeyboardInterrupt
    with supply:  # the batches were not needed
        pass


def test_errors_of_others_are_left_alone() -> None:
    with pytest.raises(RuntimeError, match="mine"), Supply(iter(range(4))):
        raise RuntimeError("mine")


def test_time_is_real() -> None:
    """The clock of the module is the monotonic one."""
    assert supply_module.time is time
