"""Make probabilities mean what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from liveclf.records import FloatArray


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
