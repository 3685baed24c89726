"""Bursts and neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from liveclf.signals.linear import phasor
from liveclf.signals.others import white
from liveclf.signals.surroundings import BURST_SHARE, NEIGHBOUR_SHARE, burst, neighbours

N = 2000


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def envelopes() -> np.ndarray:
    """Return what burst makes of constant envelopes, the rows it changed only."""
    y = np.abs(burst(np.ones((N, 1024), np.complex64), rng()))
    return np.asarray(y[np.ptp(y, axis=1) > 0.1])


def test_about_as_many_rows_are_bursts_as_said(envelopes: np.ndarray) -> None:
    assert len(envelopes) / N == pytest.approx(BURST_SHARE, abs=0.03)


def test_bursts_begin_end_or_do_both_a_third_each(envelopes: np.ndarray) -> None:
    on = envelopes > 0.5 * envelopes.max(axis=1, keepdims=True)
    begins, ends = ~on[:, 0] & on[:, -1], on[:, 0] & ~on[:, -1]
    both = ~on[:, 0] & ~on[:, -1]
    for kind in (begins, ends, both):
        assert kind.mean() == pytest.approx(1 / 3, abs=0.1)
    assert not np.any(on[:, 0] & on[:, -1])
    length = on[both].sum(axis=1) / 1024
    assert 0.13 < length.min() < 0.25
    assert 0.7 < length.max() < 0.82


def test_a_window_with_a_burst_has_unit_mean_power_all_the_same(envelopes: np.ndarray) -> None:
    """So the SNR stays what it is defined as: over the whole window."""
    assert np.mean(envelopes**2, axis=1) == pytest.approx(np.ones(len(envelopes)), abs=1e-4)


def test_a_burst_where_nothing_is_sent_is_not_made() -> None:
    silent = np.zeros((N, 1024), np.complex64)
    silent[:, 500] = 32  # on-off keying that was on for one sample
    assert np.all(np.abs(burst(silent, rng())[:, 500]) > 1)


def test_neighbours_are_weaker_and_at_the_edges() -> None:
    tone = phasor(np.zeros((N, 1)) + 0.01 * np.arange(1024)[None, :])
    y = neighbours(tone.copy(), np.ones(N, bool), rng())
    added = y - tone
    has = np.abs(added).max(axis=1) > 0
    assert has.mean() == pytest.approx(NEIGHBOUR_SHARE, abs=0.02)
    level_db = 10 * np.log10(np.mean(np.abs(added[has]) ** 2, axis=1))
    assert -35.5 < level_db.min() < -30
    assert -16 < level_db.max() < -11.5
    power = np.abs(np.fft.fft(added[has], axis=1)) ** 2
    middle = np.abs(np.fft.fftfreq(1024)) < 0.15
    assert np.median(power[:, middle].sum(axis=1) / power.sum(axis=1)) < 0.01


def test_who_must_not_have_a_neighbour_has_none() -> None:
    x = white(rng(), (N, 1024))
    able = np.arange(N) % 2 == 0
    y = neighbours(x.copy(), able, rng())
    assert np.array_equal(y[~able], x[~able])
    assert not np.array_equal(y[able], x[able])
