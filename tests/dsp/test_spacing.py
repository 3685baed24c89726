"""The choice of a share of the windows: evenly spaced, whatever the splits."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from liveclf.dsp.spacing import EvenChoice

SHARES = st.floats(1e-4, 1.0)


@given(share=SHARES, n=st.integers(0, 3000), edges=st.lists(st.integers(0, 3000), max_size=9))
def test_any_split_gives_the_same_choice(share, n, edges):
    one, many = EvenChoice(), EvenChoice()
    edges = [0, *sorted(min(edge, n) for edge in edges), n]
    parts = [many.take(b - a, share) for a, b in itertools.pairwise(edges)]
    assert np.concatenate(parts).tolist() == one.take(n, share).tolist()


@given(share=SHARES)
def test_gaps_differ_by_one_at_most_and_the_share_is_kept(share):
    n = round(50 / share)
    taken = np.flatnonzero(EvenChoice().take(n, share))
    assert taken[0] == 0
    # A little more than one, as n itself is rounded.
    assert abs(len(taken) - n * share) <= 1 + share
    gaps = np.diff(taken)
    assert gaps.max() - gaps.min() <= 1


@given(every=st.integers(1, 40))
def test_one_of_k_is_every_kth(every):
    taken = np.flatnonzero(EvenChoice().take(20 * every, float(Fraction(1, every))))
    # A share that is no sum of powers of two is short of the true one by 2^-25 at most.
    assert np.abs(taken - every * np.arange(len(taken))).max() <= 1


@given(shares=st.lists(st.floats(0.05, 1.0), min_size=1, max_size=20))
def test_a_changing_share_leaves_no_hole(shares):
    choice = EvenChoice()
    taken = np.flatnonzero(np.concatenate([choice.take(30, share) for share in shares]))
    assert np.diff(taken).max(initial=0) <= np.ceil(1 / min(shares)) + 1
    assert abs(len(taken) - 30 * sum(shares)) <= 1


def test_all_and_none():
    choice = EvenChoice()
    choice.take(7, 0.3)
    assert choice.take(100, 1.0).all()
    assert not choice.take(100, 0.0).any()
    assert choice.take(0, 0.5).shape == (0,)
