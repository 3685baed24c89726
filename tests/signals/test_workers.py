"""Processes that make things end when they are told to, whatever they are at."""

from __future__ import annotations

import operator
import os
import time

import numpy as np
import pytest

from liveclf.errors import TrainingError
from liveclf.signals.workers import Makers, in_order

# 16 MB, many times what a pipe holds: a process spends most of its time writing it.
LARGE = 2_000_000


@pytest.mark.timeout(120)
def test_closed_in_the_middle_of_results_it_does_not_hang() -> None:
    with Makers(np.zeros, 2) as makers:
        makers.submit(1).result(60)  # both have begun, or the second soon will
        asked = [makers.submit(LARGE) for _ in range(4)]
        asked[0].result(60)
    assert all(one.done() for one in asked)


@pytest.mark.timeout(60)
def test_what_is_being_made_at_the_close_is_not_waited_for() -> None:
    with Makers(time.sleep, 1) as makers:
        makers.submit(0).result(60)
        for _ in range(50):
            makers.submit(600)


def test_results_come_in_the_order_of_the_items() -> None:
    wanted = [-x for x in range(20)]
    assert list(in_order(operator.neg, range(20), 2)) == wanted


def test_an_error_of_the_function_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_order((1).__truediv__, [1, 0], 1))


def test_a_process_that_dies_is_an_error_and_not_a_wait() -> None:
    with pytest.raises(TrainingError, match="was killed"):
        list(in_order(die, [1], 1))


def die(status: int) -> None:
    """End this process at once, as the system does for want of memory."""
    os._exit(status)
