"""The decimator: splits, stretches, an independent filter, tones."""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveclf.dsp.decimate import Decimator, low_pass
from liveclf.dsp.formats import FORMATS
from liveclf.records import Annotation, Block, StreamInfo

RNG = np.random.default_rng(5)
RATE_HZ = 1000.0


def block(samples: np.ndarray, start_sample: int = 0, segment: int = 0, **values: float) -> Block:
    iq = samples.astype(np.complex64).view(np.float32).reshape(-1, 2)
    known = {"sample_rate_hz": RATE_HZ, "center_hz": 7.0, "epoch_s": 1e9, "received_s": 0.0}
    return Block(iq, FORMATS["cf32"], start_sample, segment, **(known | values))


def noise(n: int) -> np.ndarray:
    return (RNG.standard_normal(n) + 1j * RNG.standard_normal(n)).astype(np.complex64)


def run(factor: int, *blocks: Block) -> list[Block]:
    decimator = Decimator(factor)
    return [out for b in blocks for out in decimator.push(b)] + list(decimator.flush())


def samples_of(blocks: list[Block]) -> np.ndarray:
    iq = np.concatenate([b.iq for b in blocks])
    assert iq.dtype == np.float32
    return np.ascontiguousarray(iq).view(np.complex64)[:, 0]


def cut(samples: np.ndarray, edges: list[int], start: int = 0) -> list[Block]:
    edges = [0, *sorted(edges), len(samples)]
    return [block(samples[a:b], start + a) for a, b in itertools.pairwise(edges) if b > a]


@settings(deadline=None)
@given(
    factor=st.sampled_from([2, 3, 7, 16, 100]),
    n=st.integers(1, 20_000),
    start=st.integers(0, 1000),
    data=st.data(),
)
def test_any_split_of_the_input_gives_the_same_bits(factor, n, start, data):
    samples = noise(n)
    edges = data.draw(st.lists(st.integers(0, n), max_size=12))
    whole = run(factor, block(samples, start))
    parts = run(factor, *cut(samples, edges, start))
    assert samples_of(parts).tobytes() == samples_of(whole).tobytes() if whole else not parts
    at = -(-start // factor)
    for part in parts:
        assert part.start_sample == at
        at += len(part.iq)
    assert at == -(-(start + n) // factor)


def test_single_samples_give_the_same_bits_too():
    samples = noise(3000)
    whole = samples_of(run(5, block(samples)))
    parts = samples_of(run(5, *cut(samples, list(range(3000)))))
    assert parts.tobytes() == whole.tobytes()


@pytest.mark.parametrize(
    ("factor", "n"), [(2, 1000), (10, 995), (10, 991), (64, 9999), (4096, 5000)]
)
def test_outputs_are_those_of_a_plain_convolution(factor, n):
    samples = noise(n)
    taps = low_pass(factor).astype(np.float64)
    full = np.convolve(samples.astype(np.complex128), taps)
    expected = full[len(taps) // 2 :][:n][::factor]
    got = samples_of(run(factor, block(samples)))
    assert len(got) == math.ceil(n / factor)
    assert np.abs(got - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("factor", [2, 5, 32])
def test_a_tone_passes_below_0_4_and_stops_above_0_6_of_the_output_rate(factor):
    n = 200 * factor
    k = np.arange(n)
    inner = slice(20, -20)  # away from the ends, where the filter reaches into nothing
    for frequency, low_db, high_db in ((0.0, -0.02, 0.02), (0.39, -0.1, 0.1), (-0.4, -0.1, 0.1)):
        tone = np.exp(2j * np.pi * frequency / factor * k)
        level_db = 20 * np.log10(np.abs(samples_of(run(factor, block(tone)))[inner]))
        assert low_db < level_db.min() <= level_db.max() < high_db
    for frequency in (0.6, -0.61, 0.75, 1.0, 0.5 * factor):
        if frequency > 0.5 * factor:
            continue
        tone = np.exp(2j * np.pi * frequency / factor * k)
        assert np.abs(samples_of(run(factor, block(tone)))[inner]).max() < 10 ** (-60 / 20)


@pytest.mark.parametrize("start", [0, 1, 9, 10, 123_457])
def test_output_k_is_centred_on_input_k_times_the_factor(start):
    # An impulse at an absolute multiple of the factor comes out symmetric around it.
    factor, n = 10, 2000
    at = -(-(start + n // 2) // factor) * factor
    samples = np.zeros(n)
    samples[at - start] = 1.0
    blocks = run(factor, block(samples, start))
    response = samples_of(blocks)
    peak = int(np.argmax(np.abs(response)))
    assert blocks[0].start_sample + peak == at // factor
    assert np.allclose(response[peak - 9 : peak], response[peak + 9 : peak : -1], atol=1e-7)


def test_the_taps_are_symmetric_and_sum_to_1():
    taps = low_pass(7)
    assert taps.dtype == np.float32
    assert np.array_equal(taps, taps[::-1])
    assert taps.sum() == pytest.approx(1, abs=1e-6)


# -- stretches --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "second", [{"start_sample": 1500}, {"start_sample": 1000, "segment": 1}, {"start_sample": 900}]
)
def test_nothing_crosses_a_gap_or_a_joint(second):
    a, b = noise(1000), noise(800)
    blocks = run(8, block(a), block(b, **second))
    alone = run(8, block(a)) + run(8, block(b, **second))
    assert samples_of(blocks).tobytes() == samples_of(alone).tobytes()
    assert [x.start_sample for x in blocks] == [x.start_sample for x in alone]
    n_first = len(run(8, block(a)))
    assert [x.segment for x in blocks] == [0] * n_first + [1] * (len(blocks) - n_first)


def test_a_gap_stays_where_it_was_in_time():
    blocks = run(10, block(noise(1000)), block(noise(995), start_sample=1503))
    # Outputs 0..99, then the first multiple of 10 at or behind sample 1503.
    assert blocks[0].start_sample == 0
    after = next(b for b in blocks if b.start_sample >= 100)
    assert after.start_sample == 151
    time_s = after.epoch_s + after.start_sample / after.sample_rate_hz
    assert time_s == pytest.approx(1e9 + 1510 / RATE_HZ, abs=1e-6)


def test_a_stretch_without_a_multiple_of_the_factor_gives_nothing():
    assert run(10, block(noise(5), start_sample=1)) == []
    assert len(samples_of(run(10, block(noise(5), 1), block(noise(11), 20)))) == 2


def test_no_input_no_output_and_flush_may_be_called_twice():
    decimator = Decimator(4)
    assert list(decimator.flush()) == []
    list(decimator.push(block(noise(100))))
    assert sum(len(b.iq) for b in decimator.flush()) == 25
    assert list(decimator.flush()) == []


# -- what the blocks say ----------------------------------------------------------------


def test_a_block_says_its_new_rate_and_format_and_keeps_the_rest():
    out = run(4, block(noise(4000), segment=3, received_s=5.0))[0]
    assert (out.sample_rate_hz, out.center_hz, out.epoch_s) == (250.0, 7.0, 1e9)
    assert (out.segment, out.received_s) == (0, 5.0)  # segments are numbered anew
    assert out.format is FORMATS["cf32"]


def test_native_integers_come_out_at_full_scale_1():
    iq = np.full((400, 2), 64, np.int8)
    native = Block(iq, FORMATS["cs8"], 0, 0, RATE_HZ, 7.0, 0.0, 0.0)
    assert samples_of(run(4, native))[30:60] == pytest.approx(0.5 + 0.5j, abs=1e-5)


def test_a_factor_of_1_changes_nothing():
    b = block(noise(10))
    assert run(1, b) == [b]
    with pytest.raises(ValueError, match="at least 1"):
        Decimator(0)


def test_most_of_a_stretch_does_not_wait_for_its_end():
    decimator = Decimator(4)
    ready = sum(
        len(b.iq)
        for x in cut(noise(40_000), list(range(0, 40_000, 100)))
        for b in decimator.push(x)
    )
    assert ready > 10_000 - 64 - 20


def test_the_stream_is_described_in_the_new_samples():
    info = StreamInfo("x", "cu8", 1000.0, 7.0, 1001, False, (Annotation(10, 25, "a"),), ("n",))
    assert Decimator(10).describe(info) == StreamInfo(
        "x", "cf32", 100.0, 7.0, 101, False, (Annotation(1, 3, "a"),), ("n",)
    )
    assert Decimator(1).describe(info) == info


def test_it_keeps_up_with_any_dongle():
    # Several MS/s are usual; 2 leave room for a machine that is busy with other work.
    blocks = [block(noise(65_536), k * 65_536) for k in range(8)]
    best_s = math.inf
    for _ in range(3):
        began_s = time.perf_counter()
        run(10, *blocks)
        best_s = min(best_s, time.perf_counter() - began_s)
    assert 8 * 65_536 / best_s > 2e6


def test_an_empty_block_lets_go_what_is_ready() -> None:
    """A silent pipe sends empty blocks, so that nothing waits for samples that do not come."""
    samples, factor = noise(1000), 8
    stage = Decimator(factor)
    waiting = list(stage.push(block(samples[:400])))
    idle = list(stage.push(block(samples[:0], 400)))
    again = list(stage.push(block(samples[:0], 400)))
    rest = [*stage.push(block(samples[400:], 400)), *stage.flush()]
    assert not waiting
    assert len(idle[0].iq) == 400 // factor - 10  # the filter reaches ten outputs ahead
    assert [len(b.iq) for b in again] == [0]
    whole = run(factor, block(samples))
    assert samples_of([*idle, *again, *rest]).tobytes() == samples_of(whole).tobytes()


@pytest.mark.parametrize("gap", range(1, 9))
def test_a_gap_shorter_than_the_factor_still_ends_the_stretch(gap: int) -> None:
    """The indices cannot show it, so the segment does: nothing is filtered or framed across."""
    factor, samples = 8, noise(2000)
    first, second = samples[:1000], samples[1000:]
    found = run(factor, block(first), block(second, 1000 + gap))
    alone = [run(factor, block(first)), run(factor, block(second, 1000 + gap))]
    assert samples_of(found).tobytes() == b"".join(samples_of(part).tobytes() for part in alone)
    segments = [out.segment for out in found]
    assert segments == sorted(segments)
    assert len(set(segments)) == 2
    starts = [out.start_sample for out in found]
    ends = [out.start_sample + len(out.iq) for out in found]
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
