"""Cutting one emission out of the band."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveclf.dsp.extract import Extractor, Tuning

CHUNK = 1024


def reading(iq: np.ndarray):
    """Return what reads a stretch: zeros where there is nothing of it."""

    def read(start: int, stop: int) -> np.ndarray:
        places = np.arange(start, stop)
        there = (places >= 0) & (places < len(iq))
        return np.where(there, iq[np.clip(places, 0, len(iq) - 1)], 0).astype(np.complex64)

    return read


def tone(frequency: float, n: int, amplitude: float = 0.5) -> np.ndarray:
    phase = 2j * np.pi * frequency * np.arange(n) + 0.7j
    return (amplitude * np.exp(phase)).astype(np.complex64)


@pytest.mark.parametrize("center_bin", [0, 1, 37, -300, 511])
@pytest.mark.parametrize("rate", [1 / 64, 0.1, 0.5, 1.0])
def test_a_tone_comes_out_at_0_hz_with_its_power_and_phase(center_bin, rate):
    n = 20 * CHUNK
    extractor = Extractor(CHUNK, reading(tone(center_bin / CHUNK, n)))
    tuning = extractor.tuning(center_bin / CHUNK, rate)
    assert tuning.center_bin == center_bin
    y, first = extractor.cut(2 * CHUNK, 18 * CHUNK, n, tuning)
    assert abs(first - 2 * CHUNK) <= 1 / extractor.rate(tuning)
    assert len(y) == round(16 * CHUNK * extractor.rate(tuning))
    # Over some twenty chunks it stands still, so no border moves its phase.
    assert np.abs(y - 0.5 * np.exp(0.7j)).max() < 1e-3


@pytest.mark.parametrize("beside", [-0.3, 0.13, 0.45])
def test_a_tone_between_bins_turns_evenly(beside):
    n = 20 * CHUNK
    extractor = Extractor(CHUNK, reading(tone((100 + beside) / CHUNK, n)))
    tuning = extractor.tuning(100 / CHUNK, 0.25)
    y, _ = extractor.cut(2 * CHUNK, 18 * CHUNK, n, tuning)
    turns = np.angle(y[1:] / y[:-1]) / (2 * np.pi)
    assert turns == pytest.approx(beside / CHUNK / extractor.rate(tuning), abs=1e-3)
    assert np.abs(y) == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("away", [0.6, 1.0, 3.0])
def test_what_lies_beside_the_band_is_left_out(away):
    n, rate = 20 * CHUNK, 0.125
    extractor = Extractor(CHUNK, reading(tone(0.1 + away * rate, n)))
    y, _ = extractor.cut(2 * CHUNK, 18 * CHUNK, n, extractor.tuning(0.1, rate))
    assert 20 * np.log10(np.abs(y).max() / 0.5) < -40


def test_the_power_of_white_noise_is_that_of_the_band():
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((200 * CHUNK, 2)).astype(np.float32).view(np.complex64)[:, 0]
    extractor = Extractor(CHUNK, reading(noise))
    tuning = extractor.tuning(-0.2, 0.25)
    y, _ = extractor.cut(0, len(noise), len(noise), tuning)
    share = np.mean(np.abs(y) ** 2) / np.mean(np.abs(noise) ** 2) / extractor.rate(tuning)
    # Flat to 0.80 of the band, and half a cosine, whose square has mean 3/8, to 0.98.
    assert share == pytest.approx(0.80 + 0.18 * 3 / 8, abs=0.03)


@settings(max_examples=25, deadline=None)
@given(
    hops=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    rate=st.sampled_from([1 / 32, 0.25, 0.5, 1.0]),
    center=st.floats(-0.5, 0.5),
)
def test_pieces_are_those_of_the_whole(hops, rate, center):
    rng = np.random.default_rng(2)
    iq = rng.standard_normal((12 * CHUNK, 2)).astype(np.float32).view(np.complex64)[:, 0]
    extractor = Extractor(CHUNK, reading(iq))
    tuning = extractor.tuning(center, rate)
    borders = 64 * np.cumsum([1, *hops])  # whole samples of every rate
    borders = borders[borders <= len(iq)]
    whole, _ = extractor.cut(int(borders[0]), int(borders[-1]) + 64, len(iq), tuning)
    stops = [*borders[1:], borders[-1] + 64]
    pieces = [
        Extractor(CHUNK, reading(iq)).cut(int(a), int(b), len(iq), tuning)[0]
        for a, b in zip(borders, stops, strict=True)
    ]
    assert np.allclose(np.concatenate(pieces), whole, atol=1e-5)


def test_the_end_of_what_is_known_is_read_again_when_more_has_come():
    iq = tone(0.1, 4 * CHUNK)
    there = iq.copy()
    there[CHUNK:] = 0
    extractor = Extractor(CHUNK, lambda start, stop: reading(there)(start, stop))
    tuning = extractor.tuning(0.1, 0.5)
    extractor.cut(0, 2 * CHUNK, CHUNK, tuning)
    there[:] = iq
    y, _ = extractor.cut(CHUNK, 2 * CHUNK, len(iq), tuning)
    fresh, _ = Extractor(CHUNK, reading(iq)).cut(CHUNK, 2 * CHUNK, len(iq), tuning)
    assert np.array_equal(y, fresh)


def test_no_more_than_so_many_transforms_are_kept():
    iq = tone(0.1, 300 * CHUNK)
    extractor = Extractor(CHUNK, reading(iq))
    extractor.cut(0, len(iq), len(iq), extractor.tuning(0.1, 0.1))
    assert len(extractor._spectra) <= 64


def test_no_emission_is_so_wide_or_narrow_that_it_has_no_rate():
    extractor = Extractor(CHUNK, reading(tone(0, 10)))
    assert extractor.tuning(0.0, 9.0) == Tuning(0, CHUNK)
    assert extractor.rate(extractor.tuning(0.0, 1e-9)) == 16 / CHUNK
