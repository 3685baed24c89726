"""The decider against arithmetic written out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from fake_parts import CLASSES, FAMILIES, FAMILY_OF, WINDOW, make_windows

from liveclf.live.decider import Decider
from liveclf.records import Annotation, Detections, StreamInfo, Windows


def decider(temperature: float = 1.0, **rules) -> Decider:
    rules = {"top_k": 3, "min_probability": 0.0} | rules
    return Decider(CLASSES, FAMILY_OF, temperature, **rules)


def decide(logits: list[list[float]], temperature: float = 1.0, **rules) -> Detections:
    windows = make_windows(len(logits))
    return decider(temperature, **rules).decide(windows, np.array(logits, np.float32), 0.0)


def softmax(logits: list[float], temperature: float) -> list[float]:
    powers = [math.exp((v - max(logits)) / temperature) for v in logits]
    return [p / sum(powers) for p in powers]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7, 40.0])
def test_probabilities_are_the_softmax_at_the_temperature(temperature):
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 4, (50, 4)).astype(np.float32).tolist()
    found = decide(logits, temperature, top_k=4)
    for k, row in enumerate(logits):
        p = softmax(row, temperature)
        order = sorted(range(4), key=lambda c: -p[c])
        assert found.top_label[k].tolist() == order
        np.testing.assert_allclose(found.top_probability[k], sorted(p, reverse=True), rtol=1e-5)
        sums = [p[0] + p[1], p[2], p[3]]
        assert found.family[k] == sums.index(max(sums))
        assert found.family_probability[k] == pytest.approx(max(sums), rel=1e-5)
    assert found.label.tolist() == found.top_label[:, 0].tolist()
    assert found.probability.tolist() == found.top_probability[:, 0].tolist()
    assert (found.class_names, found.family_names) == (CLASSES, FAMILIES)


def test_huge_logits_are_no_overflow():
    found = decide([[1e30, 0, -1e30, 0]])
    assert (found.label[0], found.probability[0]) == (0, 1)


def test_a_family_can_be_surer_than_its_members_and_another_than_the_label():
    # 0.3 BPSK, 0.3 QPSK, 0.4 2FSK: the likeliest label is of a less likely family.
    found = decide([np.log([0.3, 0.3, 0.4, 1e-9]).tolist()])
    assert CLASSES[found.label[0]] == "2FSK"
    assert FAMILIES[found.family[0]] == "PSK"
    assert found.family_probability[0] == pytest.approx(0.6, rel=1e-4)


def test_equal_probabilities_keep_the_order_of_the_classes():
    assert decide([[0.0, 0.0, 0.0, 0.0]], top_k=4).top_label.tolist() == [[0, 1, 2, 3]]


@pytest.mark.parametrize(("top_k", "listed"), [(1, 1), (3, 3), (4, 4), (100, 4)])
def test_as_many_classes_are_listed_as_asked_for_and_as_there_are(top_k, listed):
    found = decide([[3.0, 1.0, 2.0, 0.0]] * 2, top_k=top_k)
    assert found.top_label.shape == found.top_probability.shape == (2, listed)


@pytest.mark.parametrize(
    ("threshold", "label", "family"),
    [(0.0, 0, 0), (0.39, 0, 0), (0.41, -1, 0), (0.69, -1, 0), (0.71, -1, -1)],
)
def test_below_the_threshold_a_label_and_a_family_are_unknown_each_for_itself(
    threshold, label, family
):
    found = decide([np.log([0.4, 0.3, 0.2, 0.1]).tolist()], min_probability=threshold)
    assert (found.label[0], found.family[0]) == (label, family)
    assert found.probability[0] == pytest.approx(0.4, rel=1e-4)  # is told all the same
    assert found.top_label[0].tolist() == [0, 1, 2]


def test_the_columns_of_the_windows_are_passed_on():
    windows = make_windows(
        2, 5, 100.0, gap_before=np.array([9, 0]), center_hz=1.0, sample_rate_hz=2.0, epoch_s=3.0
    )
    found = decider().decide(windows, np.zeros((2, 4), np.float32), now_s=100.5)
    assert found.start_sample.tolist() == [80, 96]
    assert found.gap_before.tolist() == [9, 0]
    assert found.latency_s.tolist() == [0.5, 0.5]
    assert found.window_samples == WINDOW
    for column, value in (("center_hz", 1.0), ("sample_rate_hz", 2.0), ("epoch_s", 3.0)):
        assert getattr(found, column).tolist() == [value, value]
    assert found.power_dbfs.tolist() == [-30, -30]


def test_the_level_is_over_the_floor_of_the_batches_before():
    one = decider()
    quiet = make_windows(64)
    loud = make_windows(1, 64, power_dbfs=np.array([-20], np.float32))
    levels = [one.decide(w, np.zeros((len(w), 4), np.float32), 0.0).level_db for w in (quiet, loud)]
    assert np.isnan(levels[0]).tolist() == [True] * 63 + [False]
    assert levels[1].tolist() == [10.0]


# -- truth ---------------------------------------------------------------------------------


def carrying(annotations: list[Annotation], name: str = "a") -> StreamInfo:
    return StreamInfo(name, "cu8", 1e6, 0.0, None, False, annotations=tuple(annotations))


def truth_of(annotations: list[Annotation], n: int = 4) -> list[str | None]:
    """Return the truth of `n` windows of 16 samples from sample 0."""
    found = decide([[0.0] * 4] * n, streams=[carrying(annotations)])
    return [row.truth for row in found.rows()]


def test_without_annotations_nothing_is_true():
    assert truth_of([]) == [None] * 4


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (0, 64, ["a"] * 4),
        (16, 32, [None, "a", None, None]),
        (8, 24, ["a", "a", None, None]),  # half of either
        (9, 24, [None, "a", None, None]),  # one sample less
        (9, 23, [None, None, None, None]),
        (20, 27, [None] * 4),
        (64, 80, [None] * 4),
        (-100, 1000, ["a"] * 4),
    ],
)
def test_an_annotation_is_true_where_it_covers_half_a_window(start, stop, expected):
    assert truth_of([Annotation(start, stop, "a")]) == expected


def test_of_two_that_overlap_the_one_that_covers_more_is_true():
    a, b = Annotation(0, 25, "a"), Annotation(22, 64, "b")
    assert truth_of([a, b]) == truth_of([b, a]) == ["a", "b", "b", "b"]


def test_of_two_that_cover_the_same_the_first_is_true():
    a, b = Annotation(0, 64, "a"), Annotation(0, 64, "b")
    assert truth_of([a, b]) == ["a"] * 4
    assert truth_of([b, a]) == ["b"] * 4


def test_annotations_of_one_label_share_a_name():
    annotations = [Annotation(0, 16, "a"), Annotation(16, 32, "b"), Annotation(32, 48, "a")]
    assert truth_of(annotations) == ["a", "b", "a", None]
    assert decide([[0.0] * 4], streams=[carrying(annotations)]).truth_names == ("a", "b")


# -- several streams -----------------------------------------------------------------------


def test_level_and_truth_of_a_stream_are_those_of_that_stream_alone():
    rng = np.random.default_rng(3)
    infos = [
        carrying([Annotation(0, 1600, "x")], "a"),
        carrying([Annotation(800, 9000, "y"), Annotation(0, 400, "x")], "b"),
    ]
    parts = [
        make_windows(200, stream_id=k, power_dbfs=rng.normal(-30, 5, 200).astype(np.float32))
        for k in (0, 1)
    ]
    whole = Windows.concatenate(parts)
    cut = int(rng.integers(1, 400))  # into two batches
    # Ten windows of one, ten of the other.
    turns = np.array(sorted(range(400), key=lambda k: (whole.start_sample[k] // 160, k)))
    together = decider(streams=infos)
    logits = np.zeros((400, 4), np.float32)
    rows = [
        row
        for part in np.split(turns, [cut])
        for row in together.decide(whole[part], logits[: len(part)], 0.0).rows()
    ]
    for k, info in enumerate(infos):
        alone = decider(streams=[info]).decide(replace_stream(parts[k]), logits[:200], 0.0)
        mine = [row for row in rows if row.stream == k]
        assert {row.source for row in mine} == {info.name}
        told = [(r.sample, r.level_db, r.truth) for r in mine]
        assert told == [(r.sample, r.level_db, r.truth) for r in alone.rows()]
    assert any(row.level_db is not None for row in rows)


def replace_stream(windows: Windows) -> Windows:
    return replace(windows, stream_id=np.zeros_like(windows.stream_id))
