"""The statistics: counts, percentiles, agreement, bounded memory."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace

import numpy as np
import pytest
from fake_parts import CLASSES, FAMILIES, FAMILY_OF, WINDOW, make_blocks, moved
from hypothesis import given
from hypothesis import strategies as st

from liveclf.dsp.framer import Framer
from liveclf.live.stats import Stats
from liveclf.records import Detections, Loss


def detections(n: int = 1, **columns) -> Detections:
    """Make `n` records; a scalar is repeated."""
    values = {
        "stream_id": 0,
        "start_sample": WINDOW * np.arange(n),
        "gap_before": 0,
        "sample_rate_hz": 1e6,
        "center_hz": 433e6,
        "epoch_s": math.nan,
        "power_dbfs": np.float32(-30),
        "level_db": np.float32(math.nan),
        "latency_s": 0.01,
        "label": 0,
        "family": 0,
        "probability": np.float32(0.9),
        "family_probability": np.float32(0.9),
        "truth": -1,
    } | columns
    return Detections(
        **{k: np.full(n, v) if np.ndim(v) == 0 else np.asarray(v) for k, v in values.items()},
        window_samples=WINDOW,
        top_label=np.zeros((n, 1), np.int64),
        top_probability=np.ones((n, 1), np.float32),
        class_names=CLASSES,
        family_names=FAMILIES,
        truth_names=("bpsk", "noise", "a door bell"),
        stream_names=("a.cu8",),
    )


def summary(stats: Stats, framer: Framer | None = None, wall_s: float = 2.0) -> dict:
    return stats.summary(framer or Framer(WINDOW), wall_s)


def test_labels_and_families_are_counted_the_most_frequent_first():
    stats = Stats(FAMILY_OF)
    stats.count(detections(4, label=[2, 2, 0, -1], family=[1, 1, 0, -1]))
    stats.count(detections(3, label=[2, -1, 3], family=[1, 0, 2]))
    figures = summary(stats)
    assert figures["labels"] == {"2FSK": 3, "unknown": 2, "BPSK": 1, "noise": 1}
    assert list(figures["labels"])[:2] == ["2FSK", "unknown"]
    assert figures["families"] == {"FSK": 3, "PSK": 2, "unknown": 1, "noise": 1}
    assert figures["unknown"] == 2


def test_windows_are_classified_skipped_or_unclassified():
    framer, stats = Framer(WINDOW), Stats(FAMILY_OF)
    first, second = make_blocks(100, 100)
    second.iq[30] = math.nan
    second.iq[60:76] = 0
    for block in (first, second):
        for _ in framer.push(block):
            pass
    framer.flush()
    stats.count(detections(5))
    stats.classified += 5
    figures = summary(stats, framer)
    assert figures["windows"] == 200 // WINDOW
    assert figures["skipped"] == {"non-finite": 1, "zero power": 1, "late": 0, "stride": 0}
    assert (figures["classified"], figures["unclassified"]) == (5, 5)
    assert figures["samples_short"] == 8


def test_samples_and_their_time_are_counted_at_their_own_rates():
    stats = Stats(FAMILY_OF)
    for block in (*make_blocks(1000, sample_rate_hz=1e3), *make_blocks(500, sample_rate_hz=2e3)):
        stats.count_block(block)
    figures = summary(stats, wall_s=0.5)
    assert (figures["samples"], figures["stream_s"], figures["wall_s"]) == (1500, 1.25, 0.5)
    assert figures["realtime_factor"] == 2.5


def test_lost_samples_are_the_jumps_of_the_source_and_never_negative():
    """Counted before any stage, so that decimation neither hides nor divides them."""
    stats = Stats(FAMILY_OF)
    first = make_blocks(100)[0]
    for start_sample in (7, 107, 210, 50, 150):  # goes on, 3 lost, turns back, goes on
        stats.count_block(replace(first, start_sample=start_sample))
    assert summary(stats)["samples_lost"] == 3
    assert summary(stats)["samples"] == 500


def test_losses_are_told_by_cause_and_what_was_wanted_apart():
    stats = Stats(FAMILY_OF)
    first, second, third, fourth = make_blocks(100, 100, 100, 100)
    told = (
        Loss("the bus", 5),
        Loss("the clock", 7, is_exact=False),
        Loss("tuning", 3, is_wanted=True),
    )
    stats.count_block(moved(first, 0, losses=(Loss("the bus", 2),)))
    stats.count_block(moved(second, 15, losses=told))
    stats.count_block(moved(third, 19, losses=(Loss("the bus", 1),)))
    stats.count_block(moved(fourth, 19))
    figures = summary(stats)
    assert figures["lost_by"] == {"the bus": 8, "the clock": 7, "missing in the recording": 3}
    assert figures["samples_lost"] == 18
    assert figures["samples_lost_estimated"] == 7
    assert figures["samples_left_out"] == 3


def test_coverage_is_of_all_the_signal_that_arrived():
    """Also of what never became a window, but not of what never came."""
    stats, framer = Stats(FAMILY_OF), Framer(WINDOW)
    first, second = make_blocks(10 * WINDOW, 10 * WINDOW)
    told = (Loss("the ring", 20 * WINDOW, had_arrived=True), Loss("the bus", 999))
    for block in (first, moved(second, 20 * WINDOW + 999, losses=told)):
        stats.count_block(block)
        for _ in framer.push(block):
            pass
    stats.count(detections(15))
    stats.classified += 15
    assert summary(stats, framer)["coverage"] == pytest.approx(15 / 40)


def test_without_a_rate_there_is_no_time():
    stats = Stats(FAMILY_OF)
    for block in make_blocks(1000, sample_rate_hz=math.nan):
        stats.count_block(block)
    figures = summary(stats)
    assert (figures["samples"], figures["stream_s"]) == (1000, None)
    assert figures["realtime_factor"] is None


@given(seed=st.integers(0, 99), scale=st.sampled_from([1e-4, 1e-3, 0.1, 5.0]))
def test_percentiles_are_within_3_percent(seed, scale):
    latency_s = scale * np.random.default_rng(seed).lognormal(0, 1, 5000)
    stats = Stats(FAMILY_OF)
    for part in np.split(latency_s, 10):
        stats.count(detections(500, latency_s=part))
    for percent in (1, 50, 90, 99):
        expected_ms = 1e3 * np.percentile(latency_s, percent, method="inverted_cdf")
        assert stats.latency_ms(percent) == pytest.approx(expected_ms, rel=0.03)
    figures = summary(stats)
    assert figures["latency_p50_ms"] == stats.latency_ms(50)
    assert figures["latency_p99_ms"] == stats.latency_ms(99)


@pytest.mark.parametrize("latency_s", [-1.0, 0.0, 1e-9, 1e-6, 0.5, 1e3, 1e9])
def test_any_latency_has_its_place(latency_s):
    stats = Stats(FAMILY_OF)
    stats.count(detections(latency_s=latency_s))
    inside = min(max(latency_s, 1e-6), 1e3)
    assert stats.latency_ms(50) == pytest.approx(1e3 * inside, rel=0.03)


def test_agreement_is_counted_where_an_annotation_names_a_class():
    stats = Stats(FAMILY_OF)
    # Annotated: bpsk four times, noise once, and a door bell, which is no class of ours.
    stats.count(
        detections(
            6, truth=[0, 0, 0, 0, 1, 2], label=[0, 1, 2, -1, 3, 0], family=[0, 0, 1, 0, 2, 0]
        )
    )
    assert summary(stats)["agreement"] == {"annotated": 5, "label_right": 2, "family_right": 4}


def test_without_annotations_there_is_no_agreement():
    stats = Stats(FAMILY_OF)
    stats.count(detections(3, truth=[-1, 2, 2]))
    assert summary(stats)["agreement"] is None


def test_before_the_first_window_there_are_no_figures_to_give():
    figures = summary(Stats(FAMILY_OF), wall_s=0.0)
    assert (figures["windows"], figures["classified"], figures["unclassified"]) == (0, 0, 0)
    assert figures["latency_p50_ms"] is figures["latency_p99_ms"] is None
    assert figures["realtime_factor"] is None


def test_the_summary_is_plain_numbers_and_strings():
    stats = Stats(FAMILY_OF)
    stats.count_block(make_blocks(10)[0])
    stats.count(detections(3, truth=[0, 1, -1]))
    figures = summary(stats)
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


def test_memory_does_not_grow_with_the_run():
    def size(stats: Stats) -> int:
        parts = [getattr(stats, name) for name in vars(stats)]
        return sum(p.nbytes if isinstance(p, np.ndarray) else sys.getsizeof(p) for p in parts)

    stats = Stats(FAMILY_OF)
    rng = np.random.default_rng(1)
    sizes = []
    for _ in range(2):
        for _ in range(100):
            labels = rng.integers(-1, 4, 50)
            stats.count(detections(50, label=labels, latency_s=rng.random(50)))
        sizes.append(size(stats))
    assert sizes[0] == sizes[1] < 10_000


@given(st.lists(st.floats(1e-5, 500), max_size=50))
def test_latencies_are_counted_below_each_bound(latencies_s):
    stats = Stats(FAMILY_OF)
    if latencies_s:
        stats.count(detections(len(latencies_s), latency_s=np.array(latencies_s)))
    told = stats.latencies
    assert told.bounds_s[0] == 0.001
    assert told.bounds_s[-2:] == (100, math.inf)
    for bound_s, n in zip(told.bounds_s, told.counts, strict=True):
        # Bounds are told rounded; what lies that close to one may be on either side.
        assert sum(x < bound_s * (1 - 1e-4) for x in latencies_s) <= n
        assert n <= sum(x <= bound_s * (1 + 1e-4) for x in latencies_s)
    assert told.counts[-1] == len(latencies_s)
    assert told.sum_s == pytest.approx(sum(latencies_s))
    assert Stats.together([stats, stats]).latencies.sum_s == pytest.approx(2 * told.sum_s)
