"""From blocks to the rows that a browser gets."""

from __future__ import annotations

import asyncio
import math
import struct
import time

import numpy as np
import pytest

from liveclf.dsp.waterfall import Rows
from liveclf.live.history import History
from liveclf.view.display import ROWS_PER_S, Display, Floor, Tap, waterfall_of
from liveclf.view.hub import Hub
from liveclf.view.wire import HEADER, row_message, text
from made_up import CENTER_HZ, EPOCH_S, RATE_HZ, block


def noise(n: int, seed: int = 1, power: float = 1e-4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return math.sqrt(power / 2) * (rng.standard_normal(n) + 1j * rng.standard_normal(n))


def taken_apart(message: bytes):
    """Read a row as the page does, from what wire.py says of it."""
    kind, stream, n = struct.unpack_from("<BBH", message)
    zero_db, step_db, noise_db = struct.unpack_from("<fff", message, 4)
    numbers = struct.unpack_from("<ddddd", message, 16)
    lines = np.frombuffer(message, np.uint8, offset=56).reshape(3, n)
    assert kind == 1
    return stream, noise_db, numbers, zero_db + step_db * lines.astype(float)


def rows(peak: np.ndarray, mean: np.ndarray) -> Rows:
    return Rows(
        np.array([500_000]), 50_000, peak[None].astype(np.float32), mean[None].astype(np.float32),
        np.array([10]), RATE_HZ, CENTER_HZ, EPOCH_S,
    )  # fmt: skip


def test_a_row_says_what_it_was_made_of_within_a_quarter_of_a_decibel():
    rng = np.random.default_rng(2)
    mean_db = rng.uniform(-90, -20, 256)
    peak_db = mean_db + rng.uniform(0, 10, 256)
    floor = np.full(256, -92.0, np.float32)
    message = row_message(rows(10 ** (peak_db / 10), 10 ** (mean_db / 10)), 0, floor, 3)
    stream, noise_db, numbers, lines = taken_apart(message)
    assert (stream, noise_db) == (3, -92.0)
    assert numbers == (0.5, 0.05, CENTER_HZ, RATE_HZ, EPOCH_S)
    assert lines == pytest.approx(np.array([peak_db, mean_db, floor]), abs=0.26)


def test_nothing_and_too_much_are_the_ends_of_the_scale():
    power = np.zeros(64)
    power[1], power[2] = 1e30, np.nan
    message = row_message(rows(power, power), 0, np.full(64, -80, np.float32), 0)
    peak = np.frombuffer(message, np.uint8, offset=56)[:64]
    assert (peak[0], peak[1]) == (0, 255)
    assert len(message) == HEADER.size + 3 * 64


def test_text_has_no_nan():
    assert text("x", a=math.nan, b=[math.inf, None]) == '{"type":"x","a":null,"b":[null,null]}'


def test_the_floor_is_the_noise_and_not_a_narrow_signal_that_never_pauses():
    floor, rng = Floor(), np.random.default_rng(3)
    shape = -80 + 6 * np.cos(np.linspace(-1, 1, 1024))
    for _ in range(100):
        row = shape + rng.normal(0, 0.5, 1024)
        row[300:330] = -30
        level = floor.push(row.astype(np.float32), (0.0, 1e6))
    assert level.shape == (1024,)
    assert np.abs(level - shape).max() < 2.5


def test_the_floor_is_learnt_anew_elsewhere():
    floor = Floor()
    for _ in range(10):
        floor.push(np.full(64, -90, np.float32), (1.0, 1e6))
    assert floor.push(np.full(64, -50, np.float32), (2.0, 1e6)) == pytest.approx(-50)
    assert floor.push(np.full(64, -40, np.float32), (math.nan, 1e6)) == pytest.approx(-40)
    low = floor.push(np.full(64, -50, np.float32), (math.nan, 1e6))
    assert low.max() < -40  # unknown is not another place each time


def test_the_floor_is_learnt_anew_at_another_gain_and_not_for_a_signal():
    rng = np.random.default_rng(3)
    floor, here = Floor(), (1.0, 1e6)
    quiet = [rng.normal(-90, 0.5, 1024).astype(np.float32) for _ in range(20)]
    for row in quiet:
        before = floor.push(row, here)
    louder = floor.push(quiet[0] + 20, here)
    assert np.abs(louder + 70).max() < 2
    for row in quiet:
        floor.push(row, here)
    wide = quiet[0].copy()
    wide[100:900] += 30  # most of the band, not all
    assert np.abs(floor.push(wide, here) - before).max() < 2


@pytest.mark.parametrize("rate_hz", [1e3, 8e3, 250e3, 2.4e6, 20e6])
def test_rows_cost_little_at_any_rate(rate_hz):
    row_samples = round(rate_hz / ROWS_PER_S)
    waterfall = waterfall_of(row_samples)
    made = [
        r for k in range(3) for r in waterfall.push(block(noise(row_samples, k), k * row_samples))
    ]
    n_spectra = np.concatenate([r.n_spectra for r in made])
    assert n_spectra.max() <= 101
    assert made[0].peak.shape[1] <= 1024


def test_rows_of_a_stream_reach_the_browser_with_the_tone_where_it_is():
    async def run() -> list[bytes]:
        hub = Hub(1)
        hub.open(asyncio.get_running_loop())
        client = hub.join()
        tap = Tap(History(1_000_000), 50)
        display = Display(tap, hub, 0, RATE_HZ)
        iq = noise(500_000) + 0.5 * np.exp(2j * np.pi * 0.25 * np.arange(500_000))
        for k in range(0, 500_000, 10_000):
            passed = list(tap.push(block(iq[k : k + 10_000], k)))
            assert [len(b.iq) for b in passed] == [10_000]
        until_s = time.monotonic() + 5
        while len(client.rows) < 9 and time.monotonic() < until_s:
            await asyncio.sleep(0.02)
        display.close()
        return list(client.rows)

    made = asyncio.run(run())
    assert len(made) == 9  # the tenth is being filled
    for k, message in enumerate(made):
        _, noise_db, numbers, lines = taken_apart(message)
        assert numbers[0] == pytest.approx(k * 0.05)
        assert int(lines[1].argmax()) == 768  # a quarter of the rate above the middle
        assert lines[1].max() == pytest.approx(20 * math.log10(0.5), abs=0.5)
        # Of a Hann window of 1024: 1.5 bins of the noise.
        assert noise_db == pytest.approx(-40 + 10 * math.log10(1.5 / 1024), abs=1.0)


def test_a_picture_that_is_late_loses_blocks_and_the_stream_none():
    tap = Tap(History(1_000_000), 3)
    for k in range(10):
        assert list(tap.push(block(noise(100), 100 * k)))
    assert tap.dropped == 7
    assert tap.take().start_sample == 700
    assert sum(len(b.iq) for b in tap.history.between(0, 1000)) == 1000
    tap.close()
    assert tap.take() is None


def test_an_empty_block_passes_and_is_not_kept():
    tap = Tap(History(100), 3)
    assert len(list(tap.push(block(noise(0))))) == 1
    tap.close()
    assert tap.take() is None


def test_a_replay_faster_than_a_screen_gets_longer_rows():
    async def run() -> list[bytes]:
        hub = Hub(1)
        hub.open(asyncio.get_running_loop())
        client = hub.join()
        tap = Tap(History(1000), 1000)
        display = Display(tap, hub, 0, 1e4)  # rows of 500 samples
        for k in range(200):
            list(tap.push(block(noise(500, k), 500 * k, sample_rate_hz=1e4)))
        until_s = time.monotonic() + 5
        while tap._waiting and time.monotonic() < until_s:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.05)
        display.close()
        return list(client.rows)

    lengths = [taken_apart(m)[2][1] for m in asyncio.run(run())]
    assert lengths[0] == pytest.approx(0.05)
    assert lengths[-1] >= 0.2
    assert lengths == sorted(lengths)
