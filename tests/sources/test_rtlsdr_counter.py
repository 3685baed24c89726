"""Lost samples, told from the counter of the test mode."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from liveclf.sources.rtlsdr.counter import counter_losses


def _counter(first: int, n: int) -> np.ndarray:
    return np.arange(first, first + n).astype(np.uint8)


HOLES = st.lists(st.tuples(st.integers(1, 2000), st.integers(1, 255)), max_size=8)


@given(HOLES, st.integers(0, 255), st.data())
def test_holes_are_counted_however_the_bytes_are_cut(holes, first, data):
    at, parts, lost = first, [], 0
    for n, hole in holes:
        parts.append(_counter(at, n))
        at += n + hole
        lost += hole
    received = np.concatenate([*parts, _counter(at, 10)])
    cut = data.draw(st.integers(0, len(received)))
    start = counter_losses(received[:cut].tobytes())
    rest = counter_losses(received[cut:].tobytes(), start.last)
    assert start.lost_bytes + rest.lost_bytes == lost
    assert start.holes + rest.holes == len(holes)
    assert rest.last == received[-1]


@given(st.integers(0, 255), st.integers(1, 5000))
def test_a_counter_without_holes_has_none(first, n):
    losses = counter_losses(_counter(first, n))
    assert (losses.lost_bytes, losses.holes) == (0, 0)


def test_a_hole_shows_its_length_modulo_the_counter():
    received = np.concatenate([_counter(0, 100), _counter(100 + 256 + 6, 100)])
    losses = counter_losses(received)
    assert (losses.lost_samples, losses.holes) == (3, 1)


def test_nothing_is_nothing():
    assert counter_losses(b"", 7).last == 7
    assert counter_losses(b"").last is None
