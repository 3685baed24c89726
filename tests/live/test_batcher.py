"""The batcher: by size, by age, in order, nothing lost."""

from __future__ import annotations

import numpy as np
import pytest
from fake_parts import make_windows
from hypothesis import given
from hypothesis import strategies as st

from liveclf.live.batcher import Batcher
from liveclf.records import Windows


def numbers(batches: list[Windows]) -> list[list[int]]:
    return [batch.x[:, 0, 0].astype(int).tolist() for batch in batches]


@given(sizes=st.lists(st.integers(0, 40), max_size=12), batch=st.integers(1, 17))
def test_whatever_is_pushed_comes_out_once_in_order_in_full_batches(sizes, batch):
    batcher, out, start = Batcher(batch, 1.0), [], 0
    for size in sizes:
        out += batcher.push(make_windows(size, start))
        start += size
        assert start - sum(len(b) for b in out) < batch  # held back: less than one batch
    full = len(out)
    out += batcher.flush()
    assert [len(b) for b in out[:full]] == [batch] * full
    assert all(0 < len(b) < batch for b in out[full:])
    assert [k for part in numbers(out) for k in part] == list(range(start))
    assert list(batcher.flush()) == []


def test_every_column_of_a_window_stays_with_it():
    batcher = Batcher(4, 1.0)
    first = make_windows(3, 0, center_hz=1.0, gap_before=np.array([7, 0, 0]), received_s=5.0)
    second = make_windows(3, 3, center_hz=2.0, epoch_s=9.0, received_s=6.0)
    (batch,) = [b for w in (first, second) for b in batcher.push(w)]
    assert batch.start_sample.tolist() == [0, 16, 32, 48]
    assert batch.center_hz.tolist() == [1, 1, 1, 2]
    assert batch.gap_before.tolist() == [7, 0, 0, 0]
    assert batch.received_s.tolist() == [5, 5, 5, 6]


@pytest.mark.parametrize(("now_s", "leaves"), [(10.0, False), (10.249, False), (10.25, True)])
def test_windows_leave_when_the_oldest_has_waited_long_enough(now_s, leaves):
    batcher = Batcher(100, 0.25)
    assert list(batcher.push(make_windows(2, 0, received_s=10.0))) == []
    assert list(batcher.push(make_windows(1, 2, received_s=10.24))) == []
    assert numbers(list(batcher.expire(now_s))) == ([[0, 1, 2]] if leaves else [])


def test_the_age_is_that_of_the_oldest_window_still_held():
    batcher = Batcher(3, 0.25)
    assert list(batcher.push(make_windows(2, 0, received_s=10.0))) == []
    (full,) = batcher.push(make_windows(2, 2, received_s=10.2))
    assert len(full) == 3
    assert list(batcher.expire(10.3)) == []
    assert numbers(list(batcher.expire(10.45))) == [[3]]


def test_an_empty_batcher_has_nothing_to_give():
    batcher = Batcher(3, 0.0)
    assert list(batcher.push(make_windows(0))) == []
    assert list(batcher.expire(1e9)) == []
    assert list(batcher.flush()) == []
