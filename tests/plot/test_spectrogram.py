"""A spectrogram in bounded memory: nothing is lost on the way to fewer and longer cells."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene import CENTER_HZ, block, gathered, noise, tone

from liveclf.plot.spectrogram import MOST_TUNINGS, Spectrogram


def n_spectra(n: int, n_bins: int, hop: int) -> int:
    return max(0, (n - n_bins) // hop + 1)


@given(
    cuts=st.lists(st.integers(0, 20_000), max_size=6),
    start=st.integers(0, 10_000),
    capacity=st.integers(3, 200),
)
@settings(max_examples=40)
def test_cells_are_those_of_all_spectra_whatever_the_split(cuts, start, capacity):
    n, n_bins, hop = 20_000, 32, 16
    iq = noise(n) + tone(200e3, n, -30)
    edges = [0, *sorted(cuts), n]
    blocks = [block(iq[a:b], start + a) for a, b in itertools.pairwise(edges)]
    spectrogram = gathered(Spectrogram(n_bins, hop, capacity), *blocks)
    (cells,) = spectrogram.tunings
    # An oracle: each spectrum by itself, put where its middle lies.
    window = np.sin(np.pi * np.arange(n_bins) / n_bins) ** 2
    firsts = np.arange(0, n - n_bins + 1, hop)
    framed = iq[firsts[:, None] + np.arange(n_bins)] * window / window.sum()
    power = np.abs(np.fft.fftshift(np.fft.fft(framed), axes=1)) ** 2
    at = (start + firsts + n_bins // 2 - spectrogram.first_sample) // spectrogram.cell_samples
    assert spectrogram.n_cells <= capacity
    for k in range(capacity):
        mine = power[at == k]
        assert cells.n_spectra[k] == len(mine)
        if len(mine):
            assert cells.peak[k] == pytest.approx(mine.max(axis=0), rel=1e-3)
            assert cells.total[k] == pytest.approx(mine.sum(axis=0), rel=1e-3)


def test_cells_become_twice_as_long_when_there_are_too_many():
    spectrogram = gathered(Spectrogram(32, 16, 100), block(noise(100_000)))
    assert spectrogram.cell_samples == 1024
    assert 50 < spectrogram.n_cells <= 100
    assert spectrogram.tunings[0].n_spectra.sum() == n_spectra(100_000, 32, 16)


def test_a_gap_of_days_costs_no_memory():
    day = 86_400 * 1_000_000
    spectrogram = gathered(
        Spectrogram(32, 16, 64), block(noise(5000), 7), block(noise(5000), 7 + day)
    )
    assert spectrogram.tunings[0].peak.shape == (64, 32)
    assert spectrogram.tunings[0].n_spectra.sum() == 2 * n_spectra(5000, 32, 16)
    assert (spectrogram.n_gaps, spectrogram.n_lost) == (1, day - 5000)
    assert (spectrogram.start_sample, spectrogram.stop_sample) == (7, 7 + day + 5000)


def test_it_passes_blocks_on_as_they_are():
    spectrogram, whole = Spectrogram(32, 16, 64), block(noise(5000))
    assert list(spectrogram.push(whole)) == [whole]
    assert list(spectrogram.flush()) == []
    assert spectrogram.n_samples == 5000


def test_each_centre_has_its_cells_and_what_there_is_no_room_for_is_counted():
    blocks = [
        block(noise(1000), 1000 * k, center_hz=CENTER_HZ + 1e6 * k) for k in range(MOST_TUNINGS + 2)
    ]
    spectrogram = gathered(Spectrogram(32, 16, 64), *blocks)
    assert len(spectrogram.tunings) == MOST_TUNINGS
    assert {int(cells.n_spectra.sum()) for cells in spectrogram.tunings} == {
        n_spectra(1000, 32, 16)
    }
    assert spectrogram.n_elsewhere == 2000
    assert spectrogram.n_gaps == 0


def test_samples_at_another_rate_are_counted():
    other = block(noise(1000), 1000, sample_rate_hz=2e6)
    spectrogram = gathered(Spectrogram(32, 16, 64), block(noise(1000)), other)
    assert spectrogram.n_elsewhere == 1000


def test_unknown_rates_and_centres_are_the_same_ones():
    blocks = [
        block(noise(1000), 1000 * k, sample_rate_hz=math.nan, center_hz=math.nan) for k in range(3)
    ]
    spectrogram = gathered(Spectrogram(32, 16, 64), *blocks)
    assert len(spectrogram.tunings) == 1
    assert spectrogram.n_elsewhere == 0


@pytest.mark.parametrize("n_cells", [1, 10])
def test_noise_is_as_dark_in_a_few_long_cells_as_in_many_short_ones(n_cells):
    spectrogram = gathered(Spectrogram(64, 64, n_cells + 1), block(noise(1 << 17, -40)))
    level = spectrogram.tunings[0].level_dbfs()
    known = level[spectrogram.tunings[0].n_spectra > 20]
    assert np.median(known) == pytest.approx(-40 + 10 * math.log10(1.5 / 64), abs=0.7)


def test_a_weak_carrier_and_a_short_burst_both_stand_out_of_a_long_cell():
    n = 1 << 18
    iq = noise(n, -40) + tone(250e3, n, -52)  # the noise of a bin is at -56 dBFS
    iq[100_000:100_128] += tone(-250e3, 128, -20)
    spectrogram = gathered(Spectrogram(64, 32, 2), block(iq))
    (level,) = spectrogram.tunings[0].level_dbfs()[:1]
    floor = np.median(level)
    assert level[16] > floor + 15
    assert level[48] > floor + 4


def test_nothing_is_not_a_number_and_silence_is_minus_infinity():
    spectrogram = gathered(Spectrogram(32, 16, 64), block(np.zeros(200)), block(noise(200), 800))
    level = spectrogram.tunings[0].level_dbfs()
    assert np.isneginf(level[1]).all()
    assert np.isnan(level[30]).all()
    assert np.isfinite(level[52]).all()
