"""Windows merged into rows that a person can read."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveclf.sinks.spans import HOLD_S, Spans

RATE_HZ = 2.4e6


def rows(spans, n=100):
    return [(row.label, row.n_windows) for row in spans.latest(n)]


def test_consecutive_windows_of_a_label_are_one_row(make):
    spans = Spans(10)
    spans.add(make(6, label=[0, 0, 0, 1, 1, -1], level_db=np.nan, probability=[1, 0.5, 0, 1, 1, 1]))
    assert rows(spans) == [("BPSK", 3), ("QPSK", 2), ("unknown", 1)]
    first = spans.latest(3)[0]
    assert first.duration_s == pytest.approx(3 * 1024 / RATE_HZ)
    assert first.probability == pytest.approx(0.5)
    assert np.isnan(first.level_db)


def test_a_label_that_flickers_keeps_its_row(make):
    spans = Spans(10)
    spans.add(make(100, label=np.arange(100) % 2))
    assert rows(spans) == [("BPSK", 50), ("QPSK", 50)]


def test_a_label_that_was_away_for_longer_than_the_hold_gets_a_new_row(make):
    away = int(HOLD_S * RATE_HZ) + 4 * 1024
    spans = Spans(10)
    spans.add(make(3, label=0, start_sample=[0, 1024, away]))
    assert rows(spans) == [("BPSK", 2), ("BPSK", 1)]
    spans.add(make(1, label=0, start=2 * away))
    assert rows(spans) == [("BPSK", 2), ("BPSK", 1), ("BPSK", 1)]


def test_another_frequency_is_another_row_also_where_none_is_known(make):
    spans = Spans(10)
    spans.add(make(4, label=0, center_hz=[1e8, np.nan, 1e8, np.nan]))
    spans.add(make(1, label=0, center_hz=np.nan, start=4096))
    assert rows(spans) == [("BPSK", 2), ("BPSK", 3)]


@pytest.mark.parametrize("rate_hz", [np.nan, 100.0])
def test_consecutive_windows_are_one_row_at_any_rate(make, rate_hz):
    spans = Spans(10)
    for k in range(3):
        spans.add(make(2, label=0, start=k * 2048, sample_rate_hz=rate_hz))
    assert rows(spans) == [("BPSK", 6)]


def test_the_row_not_seen_for_longest_goes_first(make):
    spans = Spans(3)
    for k, label in enumerate([0, 1, 2, 0, 3]):
        spans.add(make(1, label=label, start=k * 1024))
    assert rows(spans) == [("BPSK", 2), ("2FSK", 1), ("AM-DSB-SC", 1)]
    assert rows(spans, 2) == [("BPSK", 2), ("AM-DSB-SC", 1)]


@settings(max_examples=50, deadline=None)
@given(
    labels=st.lists(st.integers(-1, 3), min_size=1, max_size=40),
    edges=st.lists(st.integers(0, 40), max_size=5),
    spacing=st.sampled_from([1024, 200_000, 900_000]),
)
def test_rows_do_not_depend_on_the_batches_and_hold_every_window(make, cut, labels, edges, spacing):
    n = len(labels)
    whole = make(n, label=labels, family=0, start_sample=np.arange(n) * spacing)
    together, apart = Spans(100), Spans(100)
    together.add(whole)
    edges = [0, *sorted(min(e, n) for e in edges), n]
    for a, b in pairwise(edges):
        if a < b:
            apart.add(cut(whole, slice(a, b)))
    assert rows(together) == rows(apart)
    assert sum(count for _, count in rows(apart)) == n
    for one, other in zip(together.latest(100), apart.latest(100), strict=True):
        assert one.probability == pytest.approx(other.probability, abs=1e-6)
        assert (one.start_sample, one.stop_sample) == (other.start_sample, other.stop_sample)
