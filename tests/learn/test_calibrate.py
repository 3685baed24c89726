"""The temperature of the logits, calibration error, thresholds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from liveclf.errors import TrainingError
from liveclf.learn.score.calibrate import (
    ECE_BINS,
    coverage,
    fit_temperature,
    fit_threshold,
    reliability,
)


def honest(n: int = 20_000, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return logits, and labels drawn with exactly the probabilities that these say."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, 6))
    p = softmax(logits, axis=1)
    return logits, (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5, 7.0])
def test_a_known_temperature_is_recovered(temperature: float) -> None:
    """Logits that are too sure by a factor are divided by that factor."""
    logits, y = honest()
    found = fit_temperature((temperature * logits).astype(np.float32), y)
    assert found == pytest.approx(temperature, rel=0.03)


def test_afterwards_probabilities_are_frequencies() -> None:
    logits, y = honest(seed=2)
    boast = 4 * logits
    p = softmax(boast / fit_temperature(boast.astype(np.float32), y), axis=1)
    sure = p.max(axis=1)
    right = p.argmax(axis=1) == y
    for low, high in ((0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.0)):
        some = (sure > low) & (sure <= high)
        assert right[some].mean() == pytest.approx(sure[some].mean(), abs=0.03)
    before = softmax(boast, axis=1).max(axis=1)
    assert before.mean() > right.mean() + 0.1  # there was something to mend


def test_the_answer_does_not_change_and_the_temperature_stays_in_reason() -> None:
    """A network that is always right, or never, does not get 0 or infinity."""
    logits, _ = honest(500)
    assert 0.09 < fit_temperature(logits, logits.argmax(axis=1)) < 0.2
    assert 5 < fit_temperature(logits, logits.argmin(axis=1)) < 11


# -- calibration error --------------------------------------------------------------------


def test_the_calibration_error_is_the_one_worked_out_by_hand() -> None:
    """Two bins: 0.2 and 0.4, one of two right; 0.9, 0.8 and 1.0, two of three right."""
    p = np.array([0.9, 0.2, 1.0, 0.4, 0.8], np.float32)
    found = reliability(p, np.array([True, False, True, True, False]), bins=2)
    assert found.n == [2, 3]
    assert found.probability == pytest.approx([0.3, 0.9])
    assert found.right == pytest.approx([1 / 2, 2 / 3])
    assert found.ece == pytest.approx(2 / 5 * 0.2 + 3 / 5 * (0.9 - 2 / 3))


def test_the_calibration_error_is_that_of_a_loop_over_the_bins() -> None:
    rng = np.random.default_rng(3)
    p = np.concatenate([rng.random(400), np.arange(1, ECE_BINS + 1) / ECE_BINS])
    right = rng.random(len(p)) < 0.6
    error, sizes = 0.0, []
    for m in range(ECE_BINS):
        inside = [k for k in range(len(p)) if m / ECE_BINS < p[k] <= (m + 1) / ECE_BINS]
        sizes.append(len(inside))
        gap = sum(right[k] for k in inside) / len(inside) - sum(p[k] for k in inside) / len(inside)
        error += len(inside) / len(p) * abs(gap)
    found = reliability(p, right)
    assert found.n == sizes
    assert found.ece == pytest.approx(error)


def test_empty_bins_are_no_error_and_no_window_is_no_figure() -> None:
    found = reliability(np.full(10, 0.7), np.arange(10) < 7)
    assert found.ece == pytest.approx(0, abs=1e-12)
    assert sum(np.isnan(found.right)) == ECE_BINS - 1
    assert np.isnan(reliability(np.zeros(0), np.zeros(0, bool)).ece)


# -- thresholds ---------------------------------------------------------------------------


def test_coverage_is_counted() -> None:
    p = np.array([0.3, 0.5, 0.5, 0.9], np.float32)
    right = np.array([False, True, False, True])
    found = coverage(p, right, np.array([0.0, 0.5, 0.6, 0.95]))
    assert found.answered == [1.0, 0.75, 0.25, 0.0]
    assert found.right[:3] == pytest.approx([1 / 2, 2 / 3, 1.0])
    assert np.isnan(found.right[3])  # of no label


@pytest.mark.parametrize("error_share", [0.5, 0.3, 0.1, 0.02])
def test_the_threshold_is_the_lowest_that_keeps_the_promise(error_share: float) -> None:
    rng = np.random.default_rng(4)
    p = rng.random(5000).astype(np.float32)
    right = rng.random(5000) < p  # honest probabilities
    found = fit_threshold(p, right, error_share)
    left = p >= found.min_probability
    assert found.wrong == pytest.approx(np.mean(~right[left]))
    assert found.answered == pytest.approx(np.mean(left))
    assert found.error_share == error_share
    assert found.wrong <= error_share
    for lower in np.arange(0, found.min_probability - 1e-9, 0.001):
        assert np.mean(~right[p >= lower]) > error_share
    # Of honest probabilities above t, uniformly spread, (1 - t) / 2 are wrong.
    assert found.min_probability == pytest.approx(max(0, 1 - 2 * error_share), abs=0.05)


def test_where_all_labels_are_right_enough_none_is_held_back() -> None:
    p = np.array([0.1, 0.2, 0.9, 0.95, 0.99])
    assert fit_threshold(p, np.ones(5, bool), 0.0).min_probability == 0.0
    assert fit_threshold(p, np.array([0, 1, 1, 1, 1], bool), 0.2).min_probability == 0.0


def test_where_no_threshold_does_it_no_label_is_left() -> None:
    found = fit_threshold(np.array([0.2, 0.8]), np.zeros(2, bool), 0.1)
    assert (found.answered, found.wrong) == (0.0, 0.0)
    assert found.min_probability > 0.8
    sure = fit_threshold(np.ones(3), np.zeros(3, bool), 0.1)  # wrong with certainty
    assert (sure.min_probability, sure.wrong, sure.answered) == (1.0, 1.0, 1.0)


def test_a_threshold_of_nothing_is_refused() -> None:
    with pytest.raises(TrainingError, match="needs held-out windows"):
        fit_threshold(np.zeros(0), np.zeros(0, bool), 0.1)
