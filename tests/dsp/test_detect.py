"""The detector: what is in the band, and what is not."""

from __future__ import annotations

import numpy as np
import pytest

from liveclf.config import DetectSettings
from liveclf.dsp.detect.detector import Detector, Found
from liveclf.dsp.detect.resolution import Resolution

RATE_HZ = 250e3
R = Resolution.at(RATE_HZ, 0.012)
LEAST = 1e-12
TOLD = 10 ** (DetectSettings().min_snr_db / 10)


def white(n: int, seed: int = 1, power: float = 1e-4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((n, 2), np.float32) * np.float32(np.sqrt(power / 2))
    return noise.view(np.complex64)[:, 0]


def add_burst(iq: np.ndarray, start: int, stop: int, low: float, high: float, over: float) -> None:
    """Add noise of a band, so many times as strong as what is in that band."""
    rng = np.random.default_rng(start)
    n = stop - start
    frequencies = np.fft.fftfreq(n)
    level = np.sqrt(over * np.mean(np.abs(iq) ** 2) * n / 2)
    spectrum = level * (rng.standard_normal(n) + 1j * rng.standard_normal(n))
    spectrum[(frequencies < low) | (frequencies > high)] = 0
    iq[start:stop] += np.fft.ifft(spectrum).astype(np.complex64)


def found_in(iq: np.ndarray, block: int = 1 << 14, resolution: Resolution = R) -> list[Found]:
    detector = Detector(resolution, LEAST)
    found = [f for k in range(0, len(iq), block) for f in detector.push(iq[k : k + block])]
    # What is weaker is left out behind the detector.
    return [f for f in found + detector.flush() if f.snr >= TOLD]


def assert_found(found: Found, start: int, stop: int, low: float, high: float) -> None:
    """Within two rows, and two bins."""
    assert abs(found.start - start) <= 2 * R.hop_samples + R.n_bins // 2
    assert abs(found.stop - stop) <= 2 * R.hop_samples + R.n_bins // 2
    assert found.low == pytest.approx(low, abs=2 / R.n_bins)
    assert found.high == pytest.approx(high, abs=2 / R.n_bins)
    assert found.has_ended


BURSTS = [
    (100_000, 120_000, -0.30, -0.20),
    (160_000, 161_500, 0.10, 0.16),
    (200_000, 320_000, -0.05, 0.05),
    (210_000, 230_000, 0.30, 0.36),
    (400_000, 410_000, -0.45, -0.40),
]


def test_bursts_are_found_where_they_are():
    iq = white(500_000)
    for burst in BURSTS:
        add_burst(iq, *burst, over=100)
    found = sorted(found_in(iq), key=lambda f: f.start)
    assert len(found) == len(BURSTS)
    for one, burst in zip(found, BURSTS, strict=True):
        assert_found(one, *burst)
    assert len({f.number for f in found}) == len(BURSTS)


@pytest.mark.parametrize("over", [10.0, 100.0, 1000.0])
def test_their_power_is_told_over_the_noise_of_their_band(over):
    iq = white(300_000)
    add_burst(iq, 150_000, 200_000, -0.10, 0.0, over)
    (found,) = found_in(iq)
    assert 10 * np.log10(found.snr) == pytest.approx(10 * np.log10(over), abs=1.5)
    assert found.power == pytest.approx(0.1 * over * 1e-4, rel=0.3)


def test_what_begins_with_the_stretch_and_ends_with_it_is_found():
    iq = white(200_000)
    add_burst(iq, 0, 30_000, 0.1, 0.15, 100)
    add_burst(iq, 180_000, 200_000, -0.2, -0.15, 100)
    first, last = found_in(iq)
    assert_found(first, 0, 30_000, 0.1, 0.15)
    assert_found(last, 180_000, 200_000, -0.2, -0.15)


@pytest.mark.parametrize("seed", [3, 4])
def test_noise_alone_is_nothing_for_twenty_seconds(seed):
    assert found_in(white(5_000_000, seed)) == []


def test_the_spike_of_a_receiver_at_0_hz_is_nothing():
    iq = white(1_500_000)
    iq += np.complex64(0.02 + 0.01j)  # 7 dB over all of the noise
    assert found_in(iq) == []


def test_another_gain_is_at_most_one_signal():
    iq = white(2_000_000)
    iq[800_000:] *= 4
    assert len(found_in(iq)) <= 1


def test_a_gain_that_falls_is_at_most_one_signal():
    iq = white(2_000_000)
    iq[:800_000] *= 4
    assert len(found_in(iq)) <= 1


def test_digital_zeros_are_nothing_and_what_comes_behind_them_is_found():
    iq = white(1_000_000)
    iq[:100_000] = 0
    iq[400_000:500_000] = 0
    add_burst(iq, 700_000, 720_000, 0.1, 0.2, 100)
    assert found_in(np.zeros(500_000, np.complex64)) == []
    found = found_in(iq)
    assert any(abs(f.start - 700_000) <= 2 * R.n_bins for f in found)
    assert len(found) == 1


@pytest.mark.parametrize("block", [1, 63, 64, 65, 1000, 40_000, 10**6])
def test_how_the_stream_is_cut_into_blocks_does_not_matter(block):
    n = 30_000 if block == 1 else 300_000
    iq = white(n)
    add_burst(iq, n // 2, n // 2 + n // 20, 0.1, 0.2, 100)
    found = found_in(iq, block)
    assert len(found) == 1
    for one, other in zip(found, found_in(iq, n), strict=True):
        assert (one.number, one.start, one.stop) == (other.number, other.start, other.stop)
        # The floor is learnt from what there is when there is enough.
        assert one.low == pytest.approx(other.low, abs=0.1 / R.n_bins)
        assert one.high == pytest.approx(other.high, abs=0.1 / R.n_bins)
        assert one.snr == pytest.approx(other.snr, rel=0.05)


def test_a_signal_that_lasts_is_told_while_it_does_and_keeps_its_number():
    iq = white(1_000_000)
    add_burst(iq, 300_000, 900_000, 0.1, 0.2, 100)
    detector, lasting, ended = Detector(R, LEAST), [], []
    for k in range(0, len(iq), 10_000):
        ended += detector.push(iq[k : k + 10_000])
        lasting += detector.lasting(62_500)
    ended += detector.flush()
    (found,) = ended
    assert abs(found.start - 300_000) <= 16 * R.hop_samples
    assert abs(found.stop - 900_000) <= 16 * R.hop_samples
    assert found.low == pytest.approx(0.1, abs=2 / R.n_bins)
    assert found.high == pytest.approx(0.2, abs=2 / R.n_bins)
    assert {f.number for f in lasting} == {found.number}
    assert not any(f.has_ended for f in lasting)
    assert len(lasting) > 10
    assert [f.stop for f in lasting] == sorted(f.stop for f in lasting)


def test_what_is_shorter_than_a_pause_does_not_end_a_signal():
    iq = white(400_000)
    gap = round(0.008 * RATE_HZ)
    add_burst(iq, 150_000, 160_000, 0.1, 0.2, 100)
    add_burst(iq, 160_000 + gap, 170_000 + gap, 0.1, 0.2, 100)
    assert len(found_in(iq)) == 1
    iq = white(400_000)
    add_burst(iq, 150_000, 160_000, 0.1, 0.2, 100)
    add_burst(iq, 160_000 + 3 * gap, 170_000 + 3 * gap, 0.1, 0.2, 100)
    assert len(found_in(iq)) == 2
