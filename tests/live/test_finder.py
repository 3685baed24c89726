"""Blocks in, windows of each emission out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from liveclf.config import DetectSettings
from liveclf.dsp.detect.detector import Detector, Found
from liveclf.dsp.detect.resolution import Resolution
from liveclf.dsp.formats import FORMATS
from liveclf.emissions import Heard
from liveclf.live import finder as finder_module
from liveclf.live.finder import Finder
from liveclf.records import Block, Windows

WINDOW = 256
RATE_HZ = 250e3
BURSTS = [(150_000, 160_000, 0.20), (200_000, 202_000, -0.30), (260_000, 300_000, 0.05)]


def white(n: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 2), np.float32).view(np.complex64)[:, 0] * np.float32(0.007)


def bursts(n: int = 400_000, seed: int = 1) -> np.ndarray:
    """Return noise of power 1e-4 and bursts of 2FSK, 20 dB over it."""
    iq, rng = white(n, seed), np.random.default_rng(seed)
    for start, stop, center in BURSTS:
        signs = np.repeat(rng.choice([-1, 1], (stop - start) // 40 + 1), 40)[: stop - start]
        phase = 2 * np.pi * np.cumsum(center + 0.01 * signs)
        iq[start:stop] += (0.1 * np.exp(1j * phase)).astype(np.complex64)
    return iq


def blocks_of(iq: np.ndarray, *lengths: int, start: int = 0, **values) -> list[Block]:
    """Cut samples into blocks of these lengths, over and over."""
    known = {"sample_rate_hz": RATE_HZ, "center_hz": 433e6, "epoch_s": math.nan}
    known |= {"received_s": 0.0, "segment": 0, "format": FORMATS["cf32"]} | values
    found, at, k = [], 0, 0
    while at < len(iq):
        piece = iq[at : at + lengths[k % len(lengths)]]
        pairs = np.ascontiguousarray(piece).view(np.float32).reshape(-1, 2)
        found.append(Block(iq=pairs, start_sample=start + at, **known))
        at, k = at + len(piece), k + 1
    return found


def run(
    blocks: list[Block], settings: DetectSettings | None = None, **pushed
) -> tuple[Finder, list[Windows], list[Heard]]:
    finder, windows, heard = Finder(WINDOW, settings or DetectSettings()), [], []
    for block in blocks:
        windows += finder.push(block, **pushed)
        heard += finder.heard()
    windows += finder.flush()
    return finder, windows, heard + finder.heard()


def ends(heard: list[Heard]) -> list[Heard]:
    return sorted((h for h in heard if h.has_ended), key=lambda h: h.start_sample)


def test_each_burst_is_an_emission_with_windows_of_its_own():
    finder, windows, heard = run(blocks_of(bursts(), 10_000))
    assert len(ends(heard)) == finder.emissions == len(BURSTS)
    for one, (start, stop, center) in zip(ends(heard), BURSTS, strict=True):
        assert (one.start_sample, one.stop_sample) == pytest.approx((start, stop), abs=200)
        assert (one.low + one.high) / 2 == pytest.approx(center, abs=1 / 128)
        mine = [w for w in windows if w.emission_id[0] == one.id]
        assert sum(map(len, mine)) == one.n_windows >= 1
        for w in mine:
            assert w.x.shape[1:] == (2, WINDOW)
            assert w.x.dtype == np.float32
            assert np.mean(np.square(w.x), axis=(1, 2)) * 2 == pytest.approx(1, rel=1e-3)
            assert np.all(w.start_sample >= start - WINDOW * RATE_HZ / w.sample_rate_hz)
            assert np.all(w.start_sample < stop)
            assert (w.center_hz - 433e6) / RATE_HZ == pytest.approx(center, abs=1 / 128)
            assert np.all(w.sample_rate_hz <= RATE_HZ)
    assert finder.windows == sum(map(len, windows)) == sum(h.n_windows for h in ends(heard))


def test_a_window_holds_the_signal_at_0_hz_at_its_own_rate():
    iq = white(300_000)
    n = np.arange(20_000)
    iq[200_000:220_000] += 0.1 * np.exp(2j * np.pi * 0.2345 * n).astype(np.complex64)
    _, windows, _ = run(blocks_of(iq, 10_000))
    (w,) = windows
    x = w.x[len(w) // 2]
    spectrum = np.abs(np.fft.fft((x[0] + 1j * x[1]) * np.hanning(WINDOW)))
    peak = np.fft.fftfreq(WINDOW)[spectrum.argmax()] * w.sample_rate_hz[0]
    assert w.center_hz[0] - 433e6 + peak == pytest.approx(0.2345 * RATE_HZ, abs=100)
    assert w.power_dbfs == pytest.approx(-20, abs=1)


@pytest.mark.parametrize("lengths", [(64,), (333, 1, 0, 5000), (4096,), (65_536,)])
def test_how_the_stream_is_cut_into_blocks_does_not_matter(lengths):
    iq = bursts()
    blocks = [b for b in blocks_of(iq, *lengths) if lengths != (0,)]
    one, other = run(blocks), run(blocks_of(iq, 16_384))
    assert len(ends(one[2])) == len(ends(other[2])) == len(BURSTS)
    for a, b in zip(ends(one[2]), ends(other[2]), strict=True):
        assert (a.start_sample, a.stop_sample) == (b.start_sample, b.stop_sample)
        assert (a.low, a.high) == pytest.approx((b.low, b.high), abs=1e-3)
        assert a.snr == pytest.approx(b.snr, rel=0.05)
    starts = [np.sort(np.concatenate([w.start_sample for w in r[1]])) for r in (one, other)]
    assert len(starts[0]) == len(starts[1])


def test_blocks_of_another_size_give_the_same_windows_where_the_floor_is_the_same():
    iq = bursts()
    # The floor is learnt from what there is when there is enough: the first block is the same.
    first, rest = iq[:70_000], iq[70_000:]
    alike = []
    for n in (5000, 1777):
        blocks = blocks_of(first, 70_000) + blocks_of(rest, n, start=70_000)
        _, windows, _ = run(blocks)
        alike.append(Windows.concatenate(windows))
    assert np.array_equal(alike[0].start_sample, alike[1].start_sample)
    assert np.allclose(alike[0].x, alike[1].x, atol=1e-3)
    assert np.allclose(alike[0].sample_rate_hz, alike[1].sample_rate_hz)


@pytest.mark.parametrize(
    "changed",
    [
        {"start_sample": 285_000 + 10**6},
        {"center_hz": 434e6},
        {"segment": 1},
        {"sample_rate_hz": 1e6},
    ],
)
def test_a_gap_or_a_retune_ends_an_emission(changed):
    iq = bursts()
    before = blocks_of(iq[:280_000], 5000)
    moved = [replace(b, **changed) for b in blocks_of(iq[280_000:285_000], 5000, start=280_000)]
    if "start_sample" in changed:
        moved = [replace(b, start_sample=10**6) for b in moved]
    _, windows, heard = run(before + moved)
    last = ends(heard)[2]
    assert last.has_ended
    assert last.start_sample == pytest.approx(260_000, abs=200)
    assert last.stop_sample <= 280_000
    assert all(w.emission_id[0] <= last.id for w in windows if w.start_sample[0] < 280_000)


def test_numbers_go_on_behind_a_gap():
    iq = bursts()
    blocks = blocks_of(iq, 5000) + blocks_of(iq, 5000, start=10**6)
    finder, windows, heard = run(blocks)
    assert sorted(h.id for h in ends(heard)) == [1, 2, 3, 4, 5, 6]
    assert finder.emissions == 6
    assert [h.start_sample for h in ends(heard)[3:]] == [
        h.start_sample + 10**6 for h in ends(heard)[:3]
    ]
    assert {int(k) for w in windows for k in w.emission_id} == {1, 2, 3, 4, 5, 6}


def test_windows_that_are_late_are_left_out_and_counted_and_the_emission_is_told():
    finder, _, heard = run(blocks_of(bursts(), 5000))
    late, none, told = run(blocks_of(bursts(), 5000), is_late=True)
    assert none == []
    assert late.skipped["late"] == finder.windows > 0
    assert [h.n_windows for h in ends(told)] == [0, 0, 0]
    assert [h.start_sample for h in ends(told)] == [h.start_sample for h in ends(heard)]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5])
def test_a_share_of_the_windows_is_given_out_and_the_others_are_counted(share):
    whole, _, _ = run(blocks_of(bursts(), 5000))
    finder, windows, _ = run(blocks_of(bursts(), 5000), share=share)
    assert finder.windows == sum(map(len, windows))
    assert finder.windows + finder.skipped["stride"] == whole.windows
    assert finder.windows == pytest.approx(share * whole.windows, abs=1)


def test_what_is_weaker_than_asked_for_is_left_out_and_counted():
    finder, windows, heard = run(blocks_of(bursts(), 5000), DetectSettings(min_snr_db=50))
    assert (windows, heard, finder.emissions) == ([], [], 0)
    assert finder.left_out["too weak"] == len(BURSTS)


def test_integers_as_a_radio_sends_them_are_looked_through_alike():
    steps = np.round(bursts().view(np.float32).reshape(-1, 2) * 127.5 + 127.5)
    iq = np.clip(steps, 0, 255).astype(np.uint8)
    like = blocks_of(bursts(), 5000)
    blocks = [
        replace(b, iq=iq[b.start_sample : b.start_sample + len(b.iq)], format=FORMATS["cu8"])
        for b in like
    ]
    _, windows, heard = run(blocks)
    assert len(ends(heard)) == len(BURSTS)
    assert all(w.x.dtype == np.float32 for w in windows)


def test_samples_that_are_no_numbers_hurt_nobody():
    iq = bursts()
    iq[10_000:10_050] = np.nan
    iq[155_000] = np.inf
    _, windows, heard = run(blocks_of(iq, 5000))
    assert all(np.isfinite(w.x).all() for w in windows)
    starts = [h.start_sample for h in ends(heard)]
    for start, _, _ in BURSTS:
        assert min(abs(s - start) for s in starts) <= 200


def test_a_stretch_without_a_rate_is_looked_through_too():
    blocks = blocks_of(bursts(1_000_000), 5000, sample_rate_hz=math.nan, center_hz=math.nan)
    _, windows, heard = run(blocks)
    assert len(ends(heard)) >= 3
    assert all(math.isnan(h.sample_rate_hz) for h in heard)
    assert all(np.isnan(w.sample_rate_hz).all() for w in windows)


def test_one_that_lasts_is_cut_piece_by_piece():
    iq = white(1_000_000)
    n = np.arange(800_000)
    iq[100_000:900_000] += 0.1 * np.exp(2j * np.pi * 0.2 * n).astype(np.complex64)
    finder, windows, heard = run(blocks_of(iq, 10_000))
    assert {h.id for h in heard} == {1}
    assert [h.has_ended for h in heard] == [False] * (len(heard) - 1) + [True]
    assert len(heard) > 8
    counts = [h.n_windows for h in heard]
    assert counts == sorted(counts)
    starts = np.concatenate([w.start_sample for w in windows])
    assert np.all(np.diff(starts) > 0)
    assert finder.windows == len(starts) == counts[-1]
    # A window for every quarter of a second, all along.
    assert np.diff(np.concatenate([[100_000], starts, [900_000]])).max() < 0.5 * RATE_HZ


# -- memory --------------------------------------------------------------------------------


class NothingFound:
    """A detector that sees and says nothing, or one signal that never ends."""

    def __init__(self, lasting: Found | None) -> None:
        self.seen_samples = 0
        self.left_out: dict[str, int] = {}
        self._lasting = lasting

    def push(self, iq: np.ndarray) -> list[Found]:
        self.seen_samples += len(iq)
        return []

    def lasting(self, least_samples: int) -> list[Found]:
        if not self._lasting or self.seen_samples < least_samples:
            return []
        return [replace(self._lasting, start=0, stop=self.seen_samples, has_ended=False)]

    def flush(self) -> list[Found]:
        return []


@pytest.mark.parametrize("lasting", [False, True])
def test_what_is_held_does_not_grow_with_the_stream(monkeypatch, lasting):
    """As many blocks as an hour of an RTL-SDR has, of few samples each."""
    detector = Detector(Resolution.at(RATE_HZ, 0.012), 1e-12)
    (one, *_) = detector.push(bursts()) + detector.flush()
    nothing = NothingFound(one if lasting else None)
    monkeypatch.setattr(finder_module, "Detector", lambda *_: nothing)
    finder = Finder(WINDOW, DetectSettings())
    iq = np.ones((64, 2), np.float32)
    first = blocks_of(np.ones(64, np.complex64), 64, sample_rate_hz=8000.0)[0]
    held = []
    for k in range(36_000):
        for _ in finder.push(replace(first, iq=iq, start_sample=64 * k)):
            pass
        finder.heard()
        if k % 6000 == 5999:
            stretch = finder._stretch
            held.append((len(stretch._samples._parts), len(stretch.cuts), len(finder._heard)))
    assert held[-1] == held[0] or held[-1] == held[1]
    assert sum(held[-1]) < 6000


def test_what_was_told_is_told_to_its_end_though_it_is_too_weak_by_then(monkeypatch):
    iq, finder = white(400_000), Finder(WINDOW, DetectSettings())
    iq[100_000:] += 0.1 * np.exp(2j * np.pi * 0.1 * np.arange(300_000)).astype(np.complex64)
    for block in blocks_of(iq, 10_000):
        list(finder.push(block))
    (first, *_) = finder.heard()
    stretch = finder._stretch
    (found,) = stretch.detector.lasting(0)
    weak = replace(found, snr=0.5, has_ended=True)
    monkeypatch.setattr(stretch.detector, "flush", lambda: [weak])
    list(finder.flush())
    (last,) = finder.heard()
    assert (first.has_ended, last.has_ended, last.id) == (False, True, first.id)
    assert finder.left_out["too weak"] == 0
    assert not stretch.cuts
