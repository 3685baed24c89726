"""Do the labels go with the inputs: asked of a classifier that cannot be stuck."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from liveclf.learn.stuck import diagnosis
from liveclf.learn.stuck.diagnosis import Finding
from liveclf.learn.stuck.probe import Probe, as_iq, autocorrelation
from liveclf.records import FloatArray

_ERRORS = 3  # what labels that are random exceed once in 700 times


def relation(probe: Probe | None) -> Finding:
    """Tell what is left to think of where a network is sound and does not learn."""
    if probe is None:
        return Finding(
            diagnosis.UNKNOWN,
            "the layers are alive and the weights change; inputs and labels were not seen",
            "give StuckGuard(probe=(x, y)), so that it can look at them",
        )
    found, chance, error = balanced_accuracy(probe)
    measured = (
        f"simple features of {len(probe.x)} inputs (envelope, spectrum) tell {found:.1%} of a "
        f"class's windows from the others', a guess {chance:.1%} +- {error:.1%}"
    )
    if found < chance + _ERRORS * error:
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


def balanced_accuracy(probe: Probe) -> tuple[float, float, float]:
    """Let a nearest centroid on simple features tell the classes apart, on the other half.

    Features: moments of the envelope, of the signal and its powers, autocorrelation and
    spectrum, as ranks, decorrelated within classes. Far from the best classifier, but it
    has nothing to tune and cannot be stuck.

    Returns:
        Mean over classes of the share found, that of a guess, and the standard error.
    """
    features = _features(probe.x)
    features = rankdata(features, axis=0) * (3.5 / len(features))  # spread about 1
    half = np.arange(len(features)) % 2
    answer = np.empty_like(probe.label)
    for fold in (0, 1):
        known = half == fold
        classes = np.unique(probe.label[known])
        centroid = np.stack([features[known & (probe.label == k)].mean(0) for k in classes])
        inside = features[known] - centroid[np.searchsorted(classes, probe.label[known])]
        spread = inside.T @ inside / known.sum() + 0.1 * np.eye(features.shape[1])
        whiten = np.linalg.cholesky(np.linalg.inv(spread))
        apart = features[~known] @ whiten
        distance = ((apart[:, None] - (centroid @ whiten)[None]) ** 2).sum(-1)
        answer[~known] = classes[distance.argmin(1)]
    of_class = [answer[probe.label == k] == k for k in np.unique(probe.label)]
    chance = 1 / len(of_class)
    error = chance * np.sqrt(sum(chance * (1 - chance) / len(right) for right in of_class))
    return float(np.mean([right.mean() for right in of_class])), chance, float(error)


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
