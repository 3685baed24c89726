"""The framer: splits, stretches, and a slow twin in float64."""

from __future__ import annotations

import itertools
import math
import tracemalloc
import weakref
from collections import Counter
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from liveclf.dsp.formats import FORMATS
from liveclf.dsp.framer import Framer
from liveclf.records import Block, Windows

PLAIN = Block(
    iq=np.empty((0, 2), np.float32),
    format=FORMATS["cf32"],
    start_sample=0,
    segment=0,
    sample_rate_hz=1e6,
    center_hz=433e6,
    epoch_s=1.7e9,
    received_s=0.0,
)
# What ends a stretch without a loss.
BREAKS = {
    "segment": 1,
    "sample_rate_hz": 2e6,
    "center_hz": 434e6,
    "epoch_s": 1.8e9,
    "format": FORMATS["cf64"],
}


def samples(n: int, fmt: str = "cf32", seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng([seed, n])
    dtype = FORMATS[fmt].dtype
    if dtype.kind == "f":
        return rng.standard_normal((n, 2)).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, (n, 2), dtype, endpoint=True)


def block(n: int = 0, start_sample: int = 0, **values: Any) -> Block:
    fmt = values.get("format", PLAIN.format)
    values = {"iq": samples(n, fmt.name, start_sample)} | values
    return replace(PLAIN, start_sample=start_sample, **values)


def cut(whole: Block, edges: list[int]) -> list[Block]:
    """Split a block; two equal edges make an empty one."""
    edges = [0, *sorted(edges), len(whole.iq)]
    return [
        replace(whole, iq=whole.iq[a:b], start_sample=whole.start_sample + a)
        for a, b in itertools.pairwise(edges)
    ]


def frame(framer: Framer, blocks: list[Block]) -> Windows:
    parts = [windows for b in blocks for windows in framer.push(b)]
    framer.flush()
    if not parts:
        empty = Framer(framer._window)
        (parts,) = ([w[:0] for w in empty.push(block(framer._window))],)
    return Windows.concatenate(parts)


def assert_identical(a: Windows, b: Windows) -> None:
    for f in fields(Windows):
        left, right = getattr(a, f.name), getattr(b, f.name)
        assert (left.dtype, left.shape) == (right.dtype, right.shape), f.name
        assert left.tobytes() == right.tobytes(), f.name


# -- any split -----------------------------------------------------------------------------


@settings(max_examples=60)
@given(
    fmt=st.sampled_from(sorted(FORMATS)),
    hop=st.sampled_from([100, 511, 1024, 1025, 3000]),
    n=st.integers(0, 9000),
    data=st.data(),
)
def test_any_split_of_the_stream_gives_the_same_bits(fmt, hop, n, data):
    whole = block(n, 5, format=FORMATS[fmt])
    edges = data.draw(st.lists(st.integers(0, n), max_size=12))
    one, many = Framer(1024, hop), Framer(1024, hop)
    assert_identical(frame(one, [whole]), frame(many, cut(whole, edges)))
    for counter in ("windows", "skipped", "short_samples"):
        assert getattr(one, counter) == getattr(many, counter)


@given(
    share=st.floats(0.01, 1),
    hop=st.sampled_from([5, 16, 40]),
    edges=st.lists(st.integers(0, 3000), max_size=9),
)
def test_a_share_of_the_windows_is_the_same_whatever_the_split(share, hop, edges):
    whole = block(3000, format=FORMATS["cu8"])
    every, one, many = (Framer(16, hop) for _ in range(3))
    all_of_them = frame(every, [whole])
    parts = [w for part in cut(whole, edges) for w in many.push(part, share=share)]
    some = Windows.concatenate(list(one.push(whole, share=share)))
    assert_identical(some, Windows.concatenate(parts))
    assert many.windows + many.skipped["stride"] == every.windows
    assert abs(len(some) - share * len(all_of_them)) <= 1
    # What is given out is what it would have been among all the others.
    rows = np.isin(all_of_them.start_sample, some.start_sample)
    assert_identical(some, all_of_them[rows])


@pytest.mark.parametrize("hop", [1, 7, 16, 17, 40])
def test_single_samples_give_the_same_bits(hop):
    whole = block(300)
    parts = cut(whole, list(range(300)))
    assert_identical(frame(Framer(16, hop), [whole]), frame(Framer(16, hop), parts))


# -- against the twin ----------------------------------------------------------------------


@dataclass
class Twin:
    """What the framer has to give, worked out window by window in float64."""

    starts: list[int]
    x: list[np.ndarray]
    power_dbfs: list[float]
    gap_before: list[int]
    stretch: list[Block]
    skipped: Counter[str]
    n_windows: int = 0
    short: int = 0


def twin(stretches: list[Block], window: int, hop: int) -> Twin:
    out = Twin(
        [], [], [], [], [], Counter({"non-finite": 0, "zero power": 0, "late": 0, "stride": 0})
    )
    pending, end = 0, None
    for stretch in stretches:
        n = len(stretch.iq)
        gap = 0 if end is None else max(0, stretch.start_sample - end)
        pending, end = pending + gap, stretch.start_sample + n
        n_here = max(0, (n - window) // hop + 1)
        out.n_windows += n_here
        covered = 0
        for k in range(n_here):
            values = stretch.iq[k * hop : k * hop + window].astype(np.float64)
            values = (values - stretch.format.offset).T
            covered = k * hop + window
            power = sum(float(v) ** 2 for v in values.flat) / window
            if not math.isfinite(power):
                out.skipped["non-finite"] += 1
            elif power == 0:
                out.skipped["zero power"] += 1
            else:
                out.starts.append(stretch.start_sample + k * hop)
                out.x.append(values / math.sqrt(power))
                out.power_dbfs.append(10 * math.log10(power / stretch.format.full_scale**2))
                out.gap_before.append(pending)
                out.stretch.append(stretch)
                pending = 0
        out.short += max(0, n - max(n_here * hop, covered))
    return out


@st.composite
def streams(draw: st.DrawFn) -> list[Block]:
    """Some stretches, each parted from the next by a loss or another break."""
    stretches: list[Block] = []
    at, known = draw(st.integers(0, 10**12)), {}
    for number in range(draw(st.integers(1, 5))):
        if number:
            kind = draw(st.sampled_from(["gap", "turn back", "gap and retune", *BREAKS]))
            if "gap" in kind:
                at += draw(st.integers(1, 5000))
            elif kind == "turn back":
                at -= draw(st.integers(1, 50))
            if kind == "gap and retune":
                known["center_hz"] = known.get("center_hz", 433e6) + 1e6
            elif kind == "format":
                is_64_bit = known.get("format") is BREAKS["format"]
                known["format"] = PLAIN.format if is_64_bit else BREAKS["format"]
            elif kind in BREAKS:
                known[kind] = known.get(kind, getattr(PLAIN, kind)) + 1
        stretch = block(draw(st.integers(1, 200)), at, **known)
        for bad in draw(st.lists(st.integers(0, len(stretch.iq) - 1), max_size=2)):
            value = draw(st.sampled_from([math.nan, math.inf, -math.inf]))
            stretch.iq[bad, draw(st.integers(0, 1))] = value
        if draw(st.booleans()):
            first = draw(st.integers(0, len(stretch.iq)))
            stretch.iq[first : first + draw(st.integers(0, 100))] = 0
        stretches.append(stretch)
        at += len(stretch.iq)
    return stretches


@settings(max_examples=150)
@given(
    stretches=streams(),
    window=st.sampled_from([1, 2, 16, 33]),
    hop=st.integers(1, 70),
    data=st.data(),
)
def test_windows_are_those_of_the_slow_twin(stretches, window, hop, data):
    expected = twin(stretches, window, hop)
    blocks = [
        part
        for stretch in stretches
        for part in cut(stretch, data.draw(st.lists(st.integers(0, len(stretch.iq)), max_size=4)))
    ]
    framer = Framer(window, hop)
    found = frame(framer, blocks)
    assert found.start_sample.tolist() == expected.starts
    assert found.gap_before.tolist() == expected.gap_before
    assert framer.windows == len(expected.starts) == len(found)
    assert framer.skipped == expected.skipped
    assert framer.windows + sum(framer.skipped.values()) == expected.n_windows
    assert framer.short_samples == expected.short
    for name in ("sample_rate_hz", "center_hz", "epoch_s"):
        assert getattr(found, name).tolist() == [getattr(s, name) for s in expected.stretch]
    if expected.starts:
        np.testing.assert_allclose(found.x, expected.x, rtol=3e-6, atol=1e-6)
        np.testing.assert_allclose(found.power_dbfs, expected.power_dbfs, atol=1e-4)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_is_cut_as_the_slow_twin_does(name):
    whole = block(5000, format=FORMATS[name])
    expected = twin([whole], 1024, 700)
    found = frame(Framer(1024, 700), [whole])
    assert found.start_sample.tolist() == expected.starts == [700 * k for k in range(6)]
    np.testing.assert_allclose(found.x, expected.x, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.power_dbfs, expected.power_dbfs, atol=1e-4)
    assert (found.x.dtype, found.power_dbfs.dtype) == (np.float32, np.float32)


def test_every_window_has_unit_mean_power():
    found = frame(Framer(1024), [block(20_000, format=FORMATS["cu8"])])
    power = (found.x.astype(np.float64) ** 2).sum(axis=(1, 2)) / 1024
    np.testing.assert_allclose(power, 1, rtol=1e-6)


def test_row_0_is_i_and_row_1_is_q():
    iq = np.array([[3, 4]] * 8, np.float32)
    found = frame(Framer(8), [block(iq=iq)])
    np.testing.assert_allclose(found.x, [[[0.6] * 8, [0.8] * 8]], rtol=1e-6)
    np.testing.assert_allclose(found.power_dbfs, 10 * math.log10(25), rtol=1e-6)


# -- stretches -----------------------------------------------------------------------------


@pytest.mark.parametrize("what", BREAKS)
def test_no_window_reaches_over_a_change_of(what):
    change = {what: BREAKS[what]}
    framer = Framer(16)
    found = frame(framer, [block(40), block(40, 40, **change)])
    assert found.start_sample.tolist() == [0, 16, 40, 56]
    assert found.gap_before.tolist() == [0, 0, 0, 0]
    assert framer.short_samples == 16


def test_no_window_reaches_over_a_gap():
    framer = Framer(16)
    found = frame(framer, [block(40), block(40, 41)])
    assert found.start_sample.tolist() == [0, 16, 41, 57]
    assert found.gap_before.tolist() == [0, 0, 1, 0]


def test_what_is_not_known_continues_what_was_not_known():
    def unknown() -> dict[str, float]:  # each NaN an object of its own
        return {k: float("nan") for k in ("sample_rate_hz", "center_hz", "epoch_s")}

    found = frame(Framer(16), [block(20, **unknown()), block(20, 20, **unknown())])
    assert found.start_sample.tolist() == [0, 16]
    assert np.isnan(found.epoch_s).all()


def test_a_gap_is_told_by_the_next_window_given_even_if_the_first_is_skipped():
    second = block(48, 50)
    second.iq[5] = math.nan
    framer = Framer(16)
    found = frame(framer, [block(16), second])
    assert found.start_sample.tolist() == [0, 66, 82]
    assert found.gap_before.tolist() == [0, 34, 0]
    assert framer.skipped["non-finite"] == 1


def test_gaps_around_a_stretch_too_short_for_a_window_add_up():
    found = frame(Framer(16), [block(16), block(3, 20), block(16, 30)])
    assert found.gap_before.tolist() == [0, 4 + 7]


def test_a_loss_before_the_first_block_is_not_made_up():
    framer = Framer(16)
    found = frame(framer, [block(16, 10**15)])
    assert (found.start_sample.tolist(), found.gap_before.tolist()) == ([10**15], [0])


def test_the_receive_time_is_that_of_the_last_sample():
    blocks = [replace(b, received_s=float(k)) for k, b in enumerate(cut(block(64), [8, 20, 33]))]
    assert frame(Framer(16), blocks).received_s.tolist() == [1.0, 2.0, 3.0, 3.0]


@pytest.mark.parametrize(
    ("n", "hop", "short"),
    [
        (15, 16, 15),  # fills no window at all
        (16, 16, 0),
        (20, 16, 4),
        (16, 8, 0),  # the next window would begin inside the first, and has nothing new
        (20, 8, 4),
        (16, 100, 0),
        (90, 100, 0),  # left out by the hop
        (105, 100, 5),
    ],
)
def test_samples_too_few_for_one_more_window_are_counted_once(n, hop, short):
    framer = Framer(16, hop)
    frame(framer, [block(n)])
    assert framer.short_samples == short


# -- skipped -------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["cf32", "cf64"])
def test_a_window_with_a_number_that_is_none_is_skipped(bad, name):
    whole = block(64, format=FORMATS[name])
    whole.iq[20, 1] = bad
    framer = Framer(16)
    assert frame(framer, [whole]).start_sample.tolist() == [0, 32, 48]
    assert framer.skipped == {"non-finite": 1, "zero power": 0, "late": 0, "stride": 0}


@pytest.mark.parametrize("huge", [1e30, 1e300])
def test_a_window_too_strong_for_32_bits_is_skipped(huge):
    whole = block(32, format=FORMATS["cf64"])
    whole.iq[20, 1] = huge
    framer = Framer(16)
    assert frame(framer, [whole]).start_sample.tolist() == [0]
    assert framer.skipped == {"non-finite": 1, "zero power": 0, "late": 0, "stride": 0}


def test_a_window_of_zeros_is_skipped():
    whole = block(64, format=FORMATS["cs16"])
    whole.iq[16:32] = 0
    framer = Framer(16)
    assert frame(framer, [whole]).start_sample.tolist() == [0, 32, 48]
    assert framer.skipped == {"non-finite": 0, "zero power": 1, "late": 0, "stride": 0}


# -- memory --------------------------------------------------------------------------------


def test_a_huge_block_with_hop_1_comes_out_in_groups():
    whole = block(5000)  # its windows take 33 MB
    framer = Framer(1024, 1)
    tracemalloc.start()
    try:
        sizes = [len(windows) for windows in framer.push(whole)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(sizes) == 5000 - 1024 + 1
    assert max(sizes) <= 64
    assert peak < 4e6


@example(hop=1)
@example(hop=1024)
@given(hop=st.integers(1, 5000))
@settings(max_examples=10)
def test_a_block_is_not_kept_alive(hop):
    whole = block(4096)
    gone = weakref.ref(whole.iq)
    framer = Framer(1024, hop)
    for _ in framer.push(whole):
        pass
    del whole
    assert gone() is None


@given(
    st.lists(st.tuples(st.integers(0, 400), st.booleans(), st.integers(0, 9)), max_size=12),
    st.sampled_from([None, 16, 200]),
)
def test_late_blocks_are_left_out_and_counted_and_nothing_else_changes(
    told: list[tuple[int, bool, int]], hop: int | None
) -> None:
    """Each block: its length, whether it is late, and how many samples are lost before it."""
    blocks, at = [], 0
    for n, _, lost in told:
        at += lost
        blocks.append(block(n, at))
        at += n
    usual, framer = Framer(64, hop), Framer(64, hop)
    whole = [[w for w in usual.push(b)] for b in blocks]
    some = [
        [w for w in framer.push(b, is_late=late)]
        for b, (_, late, _) in zip(blocks, told, strict=True)
    ]
    usual.flush()
    framer.flush()
    for every, kept, (_, late, _) in zip(whole, some, told, strict=True):
        starts = [w.start_sample.tolist() for w in kept]
        assert starts == ([] if late else [w.start_sample.tolist() for w in every])
    assert framer.windows + framer.skipped["late"] == usual.windows
    assert framer.short_samples == usual.short_samples
    gaps = sum(int(w.gap_before.sum()) for kept in some for w in kept)
    assert (
        gaps + framer._gap
        == sum(int(w.gap_before.sum()) for kept in whole for w in kept) + usual._gap
    )
