"""The samples of an emission: cut out of the band, and what is drawn of them."""

from __future__ import annotations

import numpy as np
import pytest

from liveclf.live.history import History
from liveclf.view.clips import _MOST_SAMPLES, block_of, cut_clip, drawn
from made_up import CENTER_HZ, EMISSION, EPOCH_S, RATE_HZ, band, block, emission, history


def test_a_clip_is_the_emission_at_baseband_and_at_three_times_its_width():
    clip = cut_clip(EMISSION, history())
    assert clip.is_whole
    assert clip.sample_rate_hz == pytest.approx(3 * EMISSION.bandwidth_hz, rel=0.02)
    assert len(clip.iq) / clip.sample_rate_hz == pytest.approx(EMISSION.duration_s, rel=0.01)
    inner = clip.iq[20:-20]
    spectrum = np.abs(np.fft.fft(inner))
    at_hz = np.fft.fftfreq(len(inner), 1 / clip.sample_rate_hz)[spectrum.argmax()]
    # Against the tone that was put there: 100 kHz above the centre, half of full scale.
    assert clip.offset_hz + at_hz == pytest.approx(100e3, abs=50)
    assert np.abs(inner).mean() == pytest.approx(0.5, rel=0.02)
    first = block_of(clip)
    assert first.center_hz == pytest.approx(CENTER_HZ + clip.offset_hz)
    assert first.epoch_s == pytest.approx(EPOCH_S + 0.02, abs=1e-4)


def test_of_a_long_emission_the_end_is_kept():
    iq = np.exp(2j * np.pi * 0.1 * np.arange(2_000_000))
    wide = emission(sample=0, n_samples=2_000_000, bandwidth_hz=250e3)
    clip = cut_clip(wide, history(iq, 2_000_000))
    assert not clip.is_whole
    assert len(clip.iq) == pytest.approx(_MOST_SAMPLES, rel=0.01)
    assert clip.start_s + len(clip.iq) / clip.sample_rate_hz == pytest.approx(2.0, abs=1e-3)


@pytest.mark.parametrize(
    "gone",
    [
        {"sample": 900_000},
        {"offset_hz": None},
        {"bandwidth_hz": None},
    ],
)
def test_of_samples_that_are_not_there_nothing_is_made_up(gone):
    assert cut_clip(emission(**gone), history()) is None


def test_a_clip_does_not_reach_over_a_retune():
    kept = History(1_000_000)
    kept.keep(block(band()[:40_000]))
    kept.keep(block(band()[40_000:], 40_000, segment=1, center_hz=1e9))
    clip = cut_clip(EMISSION, kept)
    assert not clip.is_whole
    assert clip.center_hz == 1e9
    assert len(clip.iq) / clip.sample_rate_hz == pytest.approx(0.01, rel=0.02)


def test_symbols_are_found_where_there_is_a_line_of_their_rate():
    """QPSK at 5 samples a symbol, raised cosine: four clusters, of this rate."""
    rng = np.random.default_rng(4)
    symbols = np.exp(1j * (np.pi / 4 + np.pi / 2 * rng.integers(0, 4, 1500)))
    t = np.arange(-40, 41) / 5
    with np.errstate(invalid="ignore", divide="ignore"):
        pulse = np.sinc(t) * np.cos(np.pi * 0.5 * t) / (1 - (2 * 0.5 * t) ** 2)
    pulse[~np.isfinite(pulse)] = np.sinc(1 / (2 * 0.5)) * np.pi / 4
    train = np.zeros(7500, complex)
    train[::5] = symbols
    y = np.convolve(train, pulse, "same") * np.exp(2j * np.pi * 0.003 * np.arange(7500))
    clip = cut_clip(
        emission(sample=0, n_samples=7500, offset_hz=0.0, bandwidth_hz=330e3), history(y)
    )
    shown = drawn(clip)
    assert shown["symbol_rate_hz"] == pytest.approx(RATE_HZ / 5, rel=1e-3)
    points = np.array(shown["points"]) @ [1, 1j]
    corners = np.exp(1j * (np.pi / 4 + np.pi / 2 * np.arange(4)))
    nearest = np.abs(points[:, None] / np.abs(points).mean() - corners).min(axis=1)
    assert np.median(nearest) < 0.15


def test_of_noise_samples_are_shown_and_no_symbols():
    shown = drawn(cut_clip(emission(sample=60_000, bandwidth_hz=300e3), history()))
    assert shown["symbol_rate_hz"] is None
    assert len(shown["points"]) == 512
    assert np.mean(np.square(shown["trace"]).sum(axis=1)) == pytest.approx(1, rel=0.5)
