"""Do the labels go with the inputs: asked of a classifier that cannot be stuck."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from liveclf.learn.stuck import diagnosis
from liveclf.learn.stuck.diagnosis import Finding
from liveclf.learn.stuck.probe import Probe, as_iq, autocorrelation
from liveclf.records import FloatArray

_ERRORS = 3  # what labels that are random exceed once in 700 times
_SMALL = 0.04  # standard error from which on windows are too few to call labels random


def relation(probe: Probe | None) -> Finding:
    """Tell what is left to think of where a network is sound and does not learn."""
    if probe is None:
        return Finding(
            diagnosis.UNKNOWN,
            "the layers are alive and the weights change; inputs and labels were not seen",
            "give StuckGuard(probe=(x, y)), so that it can look at them",
        )
    found, error = share_in_order(probe)
    measured = (
        f"simple features of {len(probe.x)} inputs (envelope, spectrum) put a window's own class "
        f"before another in {found:.1%} of cases, a guess in 50.0% +- {error:.1%}"
    )
    if error < _SMALL and found < 0.5 + _ERRORS * error:
        return Finding(
            diagnosis.UNRELATED,
            f"{measured}: to them the labels are random",
            "check that x and y are shuffled together and that the labels are of this file; "
            "if they are, the signals may be below the noise",
        )
    return Finding(
        diagnosis.UNKNOWN,
        f"the layers are alive, the weights change, and {measured}",
        "a learning rate ten times lower or higher; batch normalisation; and check that what "
        "feeds the network keeps x and y in the same order",
    )


def share_in_order(probe: Probe) -> tuple[float, float]:
    """Let centroids of simple features put the classes in order, for each window of the other half.

    Features: moments of the envelope, of the signal and its powers, autocorrelation and
    spectrum, as ranks, decorrelated within classes. Far from the best classifier, but it
    has nothing to tune and cannot be stuck. The order of all classes says more than the
    first of them: with many classes a weak relation seldom puts the right one first.

    Returns:
        How often a window's own class comes before another, every pair of classes weighing
        the same (0.5 for random labels), and the standard error.
    """
    features = _features(probe.x)
    features = rankdata(features, axis=0) * (3.5 / len(features))  # spread about 1
    half = np.arange(len(features)) % 2
    before = np.full(len(features), np.nan)
    for known in (half == 0, half == 1):
        classes = np.unique(probe.label[known])
        asked = np.flatnonzero(~known & np.isin(probe.label, classes))
        distance = _distances(features, probe.label, known, asked)
        own = distance[np.arange(len(asked)), np.searchsorted(classes, probe.label[asked])]
        before[asked] = (distance > own[:, None]).sum(1) / max(1, len(classes) - 1)
    of_class = [before[(probe.label == k) & ~np.isnan(before)] for k in np.unique(probe.label)]
    of_class = [share for share in of_class if len(share)]
    error = np.sqrt(sum(share.var() / len(share) for share in of_class)) / len(of_class)
    return float(np.mean([share.mean() for share in of_class])), float(error)


def _distances(
    features: NDArray[np.float64], label: NDArray[np.int64], known: NDArray[Any], asked: Any
) -> NDArray[np.float64]:
    """Squared distance of the rows asked to the centroid of each class of the rows known."""
    classes, of = np.unique(label[known], return_inverse=True)
    centroid = np.stack([features[known][of == k].mean(0) for k in range(len(classes))])
    inside = features[known] - centroid[of]
    spread = inside.T @ inside / known.sum() + 0.1 * np.eye(features.shape[1])
    whiten = np.linalg.cholesky(np.linalg.inv(spread))
    apart = (features[asked] @ whiten)[:, None] - (centroid @ whiten)[None]
    distance: NDArray[np.float64] = (apart**2).sum(-1)
    return distance


def _features(x: FloatArray) -> NDArray[np.float64]:
    """Describe each window by some thirty numbers, shape (n, features)."""
    z = as_iq(x)
    if z is None:
        flat = x.reshape(len(x), -1)
        axes = np.random.default_rng(0).standard_normal((flat.shape[1], 24))
        seen = flat @ axes / np.sqrt(flat.shape[1])
        return np.column_stack([seen, flat.mean(1), flat.std(1), (flat**4).mean(1)])
    power = np.mean(np.abs(z) ** 2, axis=1, keepdims=True)
    z = z / np.sqrt(power + 1e-20)
    moments = [np.mean(np.abs(z) ** k, axis=1) for k in (1, 3, 4, 6)]
    lines = [np.abs(np.mean(z**k, axis=1)) for k in (1, 2, 4)]
    memory = [np.abs(autocorrelation(z, lag)) for lag in (1, 2, 3, 4, 6, 8, 16)]
    turns = np.std(np.angle(z[:, 1:] * z[:, :-1].conj()), axis=1)
    bins = np.abs(np.fft.fft(z)) ** 2 / z.shape[1]
    levels = np.log(np.quantile(bins, np.linspace(0.05, 1, 12), axis=1) + 1e-6)
    return np.column_stack([np.log(power + 1e-20), *moments, *lines, *memory, turns, *levels])
