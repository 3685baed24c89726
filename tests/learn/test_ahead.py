"""Batches drawn in a thread: the same, in order, a few ahead, and an end in every case."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import count, islice

import pytest

from liveclf.learn.data.ahead import DEPTH, Ahead


class Counting:
    """Numbers for ever, and how many were drawn."""

    def __init__(self) -> None:
        self.drawn = 0

    def __iter__(self) -> Iterator[int]:
        for k in count():
            self.drawn += 1
            yield k


def settles(numbers: Counting, at: int) -> bool:
    """Wait until so many are drawn, and a little longer for one too many."""
    end_s = time.monotonic() + 10
    while numbers.drawn < at and time.monotonic() < end_s:
        time.sleep(0.01)
    time.sleep(0.1)
    return numbers.drawn == at


def test_all_come_in_their_order_and_then_the_end() -> None:
    with Ahead(range(50)) as ahead:
        assert list(ahead) == list(range(50))


def test_no_more_are_drawn_than_may_wait() -> None:
    numbers = Counting()
    with Ahead(numbers) as ahead:
        time.sleep(0.05)
        assert numbers.drawn == 0  # none before one is asked for
        fetched = iter(ahead)
        assert list(islice(fetched, 3)) == [0, 1, 2]
        assert settles(numbers, 3 + DEPTH + 1)  # one is in the thread's hand


def test_an_error_comes_behind_the_batches_before_it() -> None:
    def batches() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("cut off")

    with Ahead(batches()) as ahead:
        fetched = iter(ahead)
        assert [next(fetched), next(fetched)] == [1, 2]
        with pytest.raises(OSError, match="cut off"):
            next(fetched)


def test_the_thread_ends_with_it_though_nobody_takes_what_it_has_drawn() -> None:
    with Ahead(Counting()) as ahead:
        next(iter(ahead))
        assert "batches" in [thread.name for thread in threading.enumerate()]
    assert "batches" not in [thread.name for thread in threading.enumerate()]


def test_one_that_was_never_used_ends_too() -> None:
    with Ahead(Counting()):
        pass
