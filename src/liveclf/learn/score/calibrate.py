"""Make probabilities mean what they say, and say how far they do.

A temperature divides the logits, a threshold turns improbable labels into "unknown". Both
belong to one set of weights: fp32 and int8 have their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from liveclf.errors import TrainingError
from liveclf.records import FloatArray

ECE_BINS = 15
"""Source: Guo et al., table 1."""

# The thresholds that are tried: in steps that a person can read.
_THRESHOLDS = np.arange(1001) / 1000


@dataclass(frozen=True)
class Reliability:
    """How often labels are right, by the probability that they were given.

    Attributes:
        ece: Expected calibration error, NaN of no window.
        n: Windows per bin, the bins being equally wide from 0 to 1.
        probability: Mean probability per bin, NaN where it is empty.
        right: Share of right labels per bin, NaN where it is empty.
    """

    ece: float
    n: list[int]
    probability: list[float]
    right: list[float]


@dataclass(frozen=True)
class Coverage:
    """What thresholds on the probability would leave.

    Attributes:
        threshold: The thresholds, ascending.
        answered: Share of windows whose label is at least as probable.
        right: Share of these labels that are right, NaN where there are none.
    """

    threshold: list[float]
    answered: list[float]
    right: list[float]


@dataclass(frozen=True)
class Threshold:
    """A probability below which a label is better not given.

    Attributes:
        min_probability: The threshold.
        error_share: How often the labels that it leaves may be wrong.
        wrong: How often they were, on the windows that it was fitted on.
        answered: Share of these windows that it left.
    """

    min_probability: float
    error_share: float
    wrong: float
    answered: float


def fit_temperature(logits: FloatArray, y: NDArray[Any]) -> float:
    """Find the divisor of the logits under which the labels are most probable.

    Source: Guo et al., "On Calibration of Modern Neural Networks", section 4.2.

    Args:
        logits: Shape (n, n_classes), of windows that were not trained on.
        y: True class, shape (n,).
    """
    rows = np.arange(len(y))

    def negative_log_likelihood(log_temperature: float) -> float:
        log_p = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(np.mean(log_p[rows, y]))

    best = minimize_scalar(negative_log_likelihood, bounds=(-2.3, 2.3), method="bounded")
    return float(np.exp(best.x))


def reliability(
    probability: NDArray[Any], right: NDArray[np.bool_], bins: int = ECE_BINS
) -> Reliability:
    """Compare probabilities with how often labels are right.

    The expected calibration error is the mean distance of the two over equally wide bins,
    each bin weighted with its windows.

    Source: Guo et al., "On Calibration of Modern Neural Networks", section 2,
    equation 3; bin m holds probabilities in ((m - 1) / bins, m / bins].

    Args:
        probability: Of the label given, shape (n,).
        right: Whether it is right, shape (n,).
        bins: How many.
    """
    edges = np.arange(1, bins) / bins
    p = probability.astype(np.float64)
    index = np.searchsorted(edges, p, side="left")
    n = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean_p = np.bincount(index, p, bins) / n
        share = np.bincount(index, right, bins) / n
    used = n > 0
    ece = float(np.sum(n[used] / n.sum() * np.abs(share - mean_p)[used])) if len(p) else np.nan
    return Reliability(ece, n.tolist(), mean_p.tolist(), share.tolist())


def coverage(
    probability: NDArray[Any], right: NDArray[np.bool_], thresholds: NDArray[np.float64]
) -> Coverage:
    """Find how many labels thresholds leave, and how many of these are right.

    Args:
        probability: Of the label given, shape (n,).
        right: Whether it is right, shape (n,).
        thresholds: Ascending.
    """
    order = np.argsort(probability)
    below = np.searchsorted(probability[order].astype(np.float64), thresholds, side="left")
    n_right = np.concatenate([[0], np.cumsum(right[order])])
    left = len(order) - below
    with np.errstate(invalid="ignore"):
        share = (n_right[-1] - n_right[below]) / left
        answered = left / len(order)
    return Coverage(thresholds.tolist(), answered.tolist(), share.tolist())


def fit_threshold(
    probability: NDArray[Any], right: NDArray[np.bool_], error_share: float
) -> Threshold:
    """Find the lowest threshold above which labels are wrong at most so often.

    Where no threshold does it, the answer is one that leaves no label, or 1.

    Args:
        probability: Of the label given, after the temperature, shape (n,), of windows
            that were not trained on.
        right: Whether it is right, shape (n,).
        error_share: How often a label may be wrong, 0 to 1.

    Raises:
        TrainingError: There is no window to fit on.
    """
    if not len(probability):
        raise TrainingError("A threshold needs held-out windows to be fitted on; there are none.")
    found = coverage(probability, right, _THRESHOLDS)
    wrong = np.nan_to_num(1 - np.array(found.right))  # no label is no wrong label
    fits = np.flatnonzero(wrong <= error_share + 1e-12)  # so that 1 - 0.9 is not above 0.1
    k = int(fits[0]) if len(fits) else len(_THRESHOLDS) - 1
    return Threshold(float(_THRESHOLDS[k]), error_share, float(wrong[k]), found.answered[k])
