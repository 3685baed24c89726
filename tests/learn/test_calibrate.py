"""The temperature of the logits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from liveclf.learn.calibrate import fit_temperature


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
