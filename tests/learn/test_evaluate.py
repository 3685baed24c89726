"""Scores, against numbers counted by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from liveclf.errors import TrainingError
from liveclf.learn.data.truth import TruthSet
from liveclf.learn.score.evaluate import MOST_SNRS, predict, predict_stream, score, snr_groups
from liveclf.records import FloatArray

CLASSES = ("BPSK", "QPSK", "FM", "noise")
FAMILIES = {"BPSK": "PSK", "QPSK": "PSK", "FM": "FM", "noise": "noise"}

# What it is, what the network says, and at which SNR.
CASES = [
    ("BPSK", "BPSK", 0),
    ("BPSK", "QPSK", 0),
    ("QPSK", "QPSK", 0),
    ("QPSK", "FM", 10),
    ("FM", "FM", 10),
    ("FM", "FM", 10),
    ("FM", "BPSK", 10),
    ("BPSK", "BPSK", np.nan),
]


def truth_of(cases: Sequence[tuple[str, str, float]], classes: Sequence[str]) -> TruthSet:
    return TruthSet(
        name="by hand",
        x=np.zeros((len(cases), 2, 1024), np.float32),
        y=np.array([classes.index(name) for name, _, _ in cases], dtype=int),
        snr_db=np.array([snr for _, _, snr in cases], np.float32),
        classes=tuple(classes),
    )


def logits_of(cases: Sequence[tuple[str, str, float]]) -> FloatArray:
    """Return logits whose largest is the answer, by a little."""
    logits = np.random.default_rng(1).uniform(-5, 5, (len(cases), len(CLASSES)))
    for row, (_, answer, _) in zip(logits, cases, strict=True):
        row[CLASSES.index(answer)] = row.max() + 0.1
    return logits.astype(np.float32)


def test_scores_are_the_counted_shares() -> None:
    result = score(logits_of(CASES), truth_of(CASES, CLASSES), CLASSES, FAMILIES)
    assert result.data == "by hand"
    assert result.n == 8
    assert result.overall == pytest.approx(5 / 8)
    assert result.family == pytest.approx(6 / 8)  # BPSK called QPSK is the right family


def test_scores_per_snr_leave_out_windows_of_unknown_snr() -> None:
    result = score(logits_of(CASES), truth_of(CASES, CLASSES), CLASSES, FAMILIES)
    assert result.by_snr == {
        0.0: (3, pytest.approx(2 / 3), pytest.approx(1.0)),
        10.0: (4, pytest.approx(2 / 4), pytest.approx(2 / 4)),
    }


def test_scores_per_class_are_shares_of_the_true_class() -> None:
    result = score(logits_of(CASES), truth_of(CASES, CLASSES), CLASSES, FAMILIES)
    assert result.by_class == {
        "BPSK": (3, pytest.approx(2 / 3), pytest.approx(1.0)),
        "QPSK": (2, pytest.approx(1 / 2), pytest.approx(1 / 2)),
        "FM": (3, pytest.approx(2 / 3), pytest.approx(2 / 3)),
    }


def test_the_set_may_number_its_classes_otherwise_and_have_fewer() -> None:
    """Names are compared, never indices."""
    mine = truth_of(CASES, ("FM", "QPSK", "BPSK"))
    result = score(logits_of(CASES), mine, CLASSES, FAMILIES)
    assert result.overall == pytest.approx(5 / 8)
    assert result.by_class["FM"][0] == 3


def test_only_some_true_classes_may_be_scored_while_any_answer_counts() -> None:
    truth = truth_of(CASES, CLASSES)
    result = score(logits_of(CASES), truth, CLASSES, FAMILIES, only=("BPSK", "QPSK"))
    assert result.n == 5
    assert result.overall == pytest.approx(3 / 5)  # QPSK called FM is wrong, not left out
    assert set(result.by_class) == {"BPSK", "QPSK"}
    assert result.by_snr[10.0][0] == 1


def test_a_class_that_the_network_does_not_know_is_named() -> None:
    truth = truth_of([("AM", "FM", 0)], ("AM", "FM"))
    with pytest.raises(TrainingError, match="does not know AM of by hand"):
        score(np.zeros((1, 4), np.float32), truth, CLASSES, FAMILIES)


def test_a_set_with_nothing_to_score_is_refused() -> None:
    """Not a share of nothing, which is NaN."""
    with pytest.raises(TrainingError, match="by hand has no windows to score"):
        score(logits_of(CASES), truth_of(CASES, CLASSES), CLASSES, FAMILIES, only=("noise",))
    with pytest.raises(TrainingError, match="no windows to score"):
        score(np.zeros((0, 4), np.float32), truth_of([], CLASSES), CLASSES, FAMILIES)


def test_a_bundle_keeps_the_score_with_snr_as_text() -> None:
    result = score(logits_of(CASES), truth_of(CASES, CLASSES), CLASSES, FAMILIES)
    kept = result.as_accuracy("int8")
    assert (kept.data, kept.precision, kept.overall) == ("by hand", "int8", 0.625)
    assert kept.by_snr == {"0": 0.6667, "10": 0.5}


class Doubling:
    """An engine that answers with the first samples, and notes what it was given."""

    name = "doubling"
    batch_size = 4

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def predict(self, x: FloatArray) -> FloatArray:
        self.sizes.append(len(x))
        return 2 * x[:, 0, :3]


@pytest.mark.parametrize(
    ("n", "sizes"), [(1, [1]), (4, [4]), (5, [4, 1]), (11, [4, 4, 3]), (12, [4, 4, 4])]
)
def test_prediction_goes_batch_by_batch_in_order(n: int, sizes: list[int]) -> None:
    x = np.arange(n * 2048, dtype=np.float32).reshape(n, 2, 1024)
    engine = Doubling()
    assert np.array_equal(predict(engine, x), 2 * x[:, 0, :3])
    assert engine.sizes == sizes


@pytest.mark.parametrize("sizes", [[3, 3, 3], [1] * 9, [9], [5, 4], [2, 0, 7]])
def test_a_stream_of_windows_is_predicted_as_if_it_were_whole(sizes: list[int]) -> None:
    x = np.arange(9 * 2048, dtype=np.float32).reshape(9, 2, 1024)
    parts = np.split(x, np.cumsum(sizes)[:-1])
    engine, done = Doubling(), list[int]()
    logits = predict_stream(engine, iter(parts), done.append)
    assert np.array_equal(logits, 2 * x[:, 0, :3])
    assert sum(done) == 9
    assert max(engine.sizes) <= engine.batch_size


def test_a_stream_holds_no_more_than_a_batch_and_what_was_handed_over_last() -> None:
    """A data set of 20 GB goes through; a window is let go once it was predicted."""
    handed, predicted = [0], [0]

    def parts() -> Iterator[FloatArray]:
        for _ in range(50):
            assert handed[0] - predicted[0] < Doubling.batch_size
            handed[0] += 3
            yield np.zeros((3, 2, 1024), np.float32)

    def count(n: int) -> None:
        predicted[0] += n

    assert len(predict_stream(Doubling(), parts(), count)) == 150


def test_a_stream_without_windows_has_no_logits() -> None:
    assert len(predict_stream(Doubling(), [], print)) == 0
    assert len(predict_stream(Doubling(), [np.zeros((0, 2, 1024), np.float32)], print)) == 0


def test_a_few_snrs_are_reported_as_they_are() -> None:
    group, keys = snr_groups(np.array([0.5, np.nan, -3, 0.5, np.inf, -np.inf], np.float32))
    assert keys == [-3.0, 0.5]
    assert group.tolist() == [1, -1, 0, 1, -1, -1]


def test_continuous_snrs_are_reported_to_the_nearest_even_number() -> None:
    snr_db = np.linspace(-6, 30, MOST_SNRS + 37).astype(np.float32)
    group, keys = snr_groups(snr_db)
    assert keys == list(range(-6, 31, 2))
    assert np.max(np.abs(np.array(keys)[group] - snr_db)) <= 1
