"""Windows that are too late are left out and counted; what was lost before them is not."""

from __future__ import annotations

import math

import numpy as np
from fake_parts import make_windows
from hypothesis import given
from hypothesis import strategies as st

from liveclf.live.shedder import Shedder

GAPS = st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=40)


@given(GAPS, st.integers(1, 7))
def test_no_lost_sample_is_forgotten_with_the_windows_left_out(
    told: list[tuple[int, bool]], size: int
) -> None:
    """Each window: samples lost before it, and whether it is late."""
    shedder, kept, owed, expected = Shedder(1.0), [], 0, []
    for first in range(0, len(told), size):
        part = told[first : first + size]
        windows = make_windows(
            len(part),
            first,
            gap_before=np.array([gap for gap, _ in part], np.int64),
            received_s=np.array([0.0 if late else 10.0 for _, late in part]),
        )
        kept += shedder.push(windows, 10.0).gap_before.tolist()
    for gap, late in told:
        owed += gap
        if not late:
            expected.append(owed)
            owed = 0
    assert kept == expected
    assert shedder.shed == sum(late for _, late in told)


def test_without_a_limit_everything_passes() -> None:
    windows = make_windows(5)
    assert Shedder(math.inf).push(windows, 1e9) is windows
