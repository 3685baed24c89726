"""Shifting in frequency: the same samples for any split, and the signal where it should be."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from liveclf.dsp.formats import FORMATS
from liveclf.dsp.shift import Shifter
from liveclf.records import Block

RATE_HZ = 1e6


def block(iq: np.ndarray, start: int = 0) -> Block:
    return Block(iq, FORMATS["cf32"], start, 0, RATE_HZ, 100e6, math.nan, 0.0)


def tone(hz: float, n: int) -> np.ndarray:
    x = np.exp(2j * np.pi * hz / RATE_HZ * np.arange(n)).astype(np.complex64)
    return x.view(np.float32).reshape(-1, 2)


def test_what_lay_below_the_centre_is_in_the_middle() -> None:
    (out,) = Shifter(250e3).push(block(tone(-250e3, 4096)))
    assert np.allclose(out.iq, [1, 0], atol=1e-3)
    assert out.center_hz == 99.75e6


@given(st.lists(st.integers(1, 999), max_size=6), st.integers(0, 2**45))
@settings(max_examples=40, deadline=None)
def test_any_split_gives_the_same_samples(cuts: list[int], start: int) -> None:
    iq = tone(12_345.0, 1000)
    (whole,) = Shifter(77_777.0).push(block(iq, start))
    shifter, edges = Shifter(77_777.0), sorted({0, *cuts, 1000})
    parts = [out.iq for a, b in pairwise(edges) for out in shifter.push(block(iq[a:b], start + a))]
    assert np.array_equal(np.concatenate(parts), whole.iq)


def test_without_an_offset_blocks_pass_as_they_are() -> None:
    one = block(tone(1.0, 16))
    assert list(Shifter(0.0).push(one)) == [one]
