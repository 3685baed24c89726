"""Rows of a spectrogram: bin, level, place, and the same ones however the stream is cut."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveclf.dsp.formats import FORMATS
from liveclf.dsp.waterfall import NOISE_BANDWIDTH_BINS, Rows, Waterfall, samples_per_row
from liveclf.records import Block

RATE_HZ = 1e6


def block(iq: np.ndarray, start: int = 0, **fields: object) -> Block:
    """Make a block of complex samples."""
    stored = iq.astype(np.complex64).view(np.float32).reshape(-1, 2)
    whole = Block(stored, FORMATS["cf32"], start, 0, RATE_HZ, 100e6, 0.0, 0.0)
    return replace(whole, **fields)


def tone(bin_offset: float, n_bins: int, n: int, level_db: float = 0.0) -> np.ndarray:
    return 10 ** (level_db / 20) * np.exp(2j * np.pi * bin_offset / n_bins * np.arange(n))


def noise(n: int, level_db: float = 0.0, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    iq = rng.standard_normal(n) + 1j * rng.standard_normal(n)
    return 10 ** (level_db / 20) * iq / math.sqrt(2)


def rows_of(waterfall: Waterfall, *blocks: Block) -> list[Rows]:
    pushed = [rows for b in blocks for rows in waterfall.push(b)]
    return [*pushed, *waterfall.flush()]


def joined(parts: list[Rows], name: str) -> np.ndarray:
    return np.concatenate([getattr(part, name) for part in parts])


@pytest.mark.parametrize("n_bins", [32, 256, 1000])
@pytest.mark.parametrize("bin_offset", [-7, 0, 5])
def test_a_tone_is_in_its_bin_at_its_level(n_bins, bin_offset):
    level_db = -12.5
    parts = rows_of(
        Waterfall(n_bins, 4 * n_bins), block(tone(bin_offset, n_bins, 20 * n_bins, level_db))
    )
    for dbfs in (joined(parts, "peak_dbfs"), joined(parts, "mean_dbfs")):
        assert (dbfs.argmax(axis=1) == n_bins // 2 + bin_offset).all()
        assert dbfs.max(axis=1) == pytest.approx(level_db, abs=0.01)
        assert dbfs[:, n_bins // 2 + bin_offset + 3].max() < level_db - 60


@pytest.mark.parametrize("name", ["cu8", "cs8", "cs16", "cf32"])
def test_full_scale_is_0_dbfs_in_every_format(name):
    fmt = FORMATS[name]
    iq = 0.5 * tone(8, 64, 4096)
    stored = np.stack([iq.real, iq.imag], axis=1) * fmt.full_scale + fmt.offset
    stored = (stored if name == "cf32" else stored.round()).astype(fmt.dtype)
    whole = replace(block(iq), iq=stored, format=fmt)
    assert joined(rows_of(Waterfall(64, 256), whole), "mean_dbfs").max(axis=1) == pytest.approx(
        20 * math.log10(0.5), abs=0.1
    )


def test_noise_reads_as_its_density_times_the_bandwidth_of_the_window():
    n_bins = 128
    parts = rows_of(Waterfall(n_bins, 1 << 18), block(noise(1 << 18, -20)))
    expected = -20 + 10 * math.log10(NOISE_BANDWIDTH_BINS / n_bins)
    assert 10 * np.log10(joined(parts, "mean").mean()) == pytest.approx(expected, abs=0.05)


def test_rows_are_those_of_spectra_made_one_by_one():
    """An oracle: numpy's own transform, one spectrum at a time."""
    n_bins, hop, row = 64, 24, 1000
    iq = noise(10_007)
    window = np.sin(np.pi * np.arange(n_bins) / n_bins) ** 2
    found: dict[int, list[np.ndarray]] = {}
    for start in range(0, len(iq) - n_bins + 1, hop):
        spectrum = np.fft.fftshift(np.fft.fft(iq[start : start + n_bins] * window))
        power = np.abs(spectrum / window.sum()) ** 2
        found.setdefault((start + n_bins // 2) // row, []).append(power)
    parts = rows_of(Waterfall(n_bins, row, hop), block(iq, start=0))
    assert joined(parts, "start_sample").tolist() == [row * k for k in found]
    assert joined(parts, "n_spectra").tolist() == [len(powers) for powers in found.values()]
    peak, mean = (
        np.array([f(powers, axis=0) for powers in found.values()]) for f in (np.max, np.mean)
    )
    assert joined(parts, "peak") == pytest.approx(peak, rel=1e-4, abs=1e-9)
    assert joined(parts, "mean") == pytest.approx(mean, rel=1e-4, abs=1e-9)


@given(
    cuts=st.lists(st.integers(0, 5000), max_size=12),
    hop=st.sampled_from([10, 32, 64, 200]),
    row=st.sampled_from([1, 50, 333, 4000]),
)
def test_any_split_gives_the_same_rows(cuts, hop, row):
    iq = noise(5000) + tone(3, 64, 5000, 20)
    edges = [0, *sorted(cuts), 5000]
    blocks = [block(iq[a:b], start=70 + a) for a, b in itertools.pairwise(edges)]
    whole, split = Waterfall(64, row, hop), Waterfall(64, row, hop)
    expected, parts = rows_of(whole, block(iq, start=70)), rows_of(split, *blocks)
    for name in ("start_sample", "n_spectra"):
        assert joined(parts, name).tolist() == joined(expected, name).tolist()
    for name in ("peak", "mean"):
        assert joined(parts, name) == pytest.approx(joined(expected, name), rel=1e-5)
    assert split.short_samples == whole.short_samples


def test_a_burst_much_shorter_than_a_row_is_in_its_peak():
    iq = noise(100_000, -60)
    iq[40_000:40_128] += tone(10, 64, 128)
    (rows,) = rows_of(Waterfall(64, 100_000), block(iq))
    assert rows.peak_dbfs[0].argmax() == 42
    assert rows.peak_dbfs[0, 42] == pytest.approx(0, abs=0.1)
    assert rows.mean_dbfs[0, 42] < -25


def test_a_gap_is_a_gap_in_the_rows_and_no_spectrum_reaches_over_it():
    waterfall = Waterfall(64, 128)
    one, other = block(tone(0, 64, 1024)), block(tone(16, 64, 1024), start=10_240)
    parts = rows_of(waterfall, one, other)
    starts = joined(parts, "start_sample")
    assert starts.tolist() == [*range(0, 1024, 128), *range(10_240, 11_264, 128)]
    before = joined(parts, "peak_dbfs")[starts < 1024]
    assert before[:, 48].max() < -60
    assert waterfall.short_samples == 0


def test_a_retune_ends_a_row():
    iq = tone(0, 64, 1024)
    parts = rows_of(Waterfall(64, 10_000), block(iq), block(iq, start=1024, center_hz=200e6))
    assert [(part.center_hz, part.start_sample.tolist()) for part in parts] == [
        (100e6, [0]), (200e6, [0])
    ]  # fmt: skip


def test_what_fills_no_spectrum_is_counted():
    waterfall = Waterfall(64, 128)
    short, long = block(noise(63)), block(noise(64 + 32 + 5), start=1000)
    assert sum(map(len, rows_of(waterfall, short, long))) == 1
    assert waterfall.short_samples == 63 + 5


def test_spectra_with_a_number_that_is_none_are_left_out_and_counted():
    iq = noise(1024)
    iq[100] = np.nan
    waterfall = Waterfall(64, 1 << 20)
    (rows,) = rows_of(waterfall, block(iq))
    assert np.isfinite(rows.peak).all()
    assert (waterfall.skipped, rows.n_spectra.tolist()) == (2, [1 + (1024 - 64) // 32 - 2])


def test_rows_may_become_longer_on_the_way():
    iq = noise(8192)
    waterfall = Waterfall(64, 128)
    parts = list(waterfall.push(block(iq[:4000])))
    waterfall.row_samples = 1024
    parts += [*waterfall.push(block(iq[4000:], start=4000)), *waterfall.flush()]
    assert joined(parts, "n_spectra").sum() == 1 + (8192 - 64) // 32
    assert {part.row_samples for part in parts} == {128, 1024}
    with pytest.raises(ValueError, match="1500 is no multiple of 1024"):
        waterfall.row_samples = 1500


def test_a_display_gets_as_many_rows_a_second_as_it_takes():
    row = samples_per_row(RATE_HZ, 20)
    parts = rows_of(Waterfall(256, row), block(noise(int(RATE_HZ / 2))))
    assert sum(map(len, parts)) == 10
