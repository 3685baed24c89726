"""Whether a network knows when it does not know."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from liveclf.learn.score.verdicts import Verdicts

NOISE = "noise"
"""The class of windows in which there is no signal."""

KNOWN_KEPT = 0.95
"""Share of the known that is to be kept where strangers are counted."""


@dataclass(frozen=True)
class Strangers:
    """How windows of classes that the network does not know fare.

    Attributes:
        n: Windows of theirs.
        unknown: Share of them answered "unknown" at the bundle's threshold.
        auroc: Probability that a window of a known class gets a higher probability than one
            of theirs; 0.5 is chance.
        false_positives: Share of them kept by the threshold that keeps `KNOWN_KEPT` of the
            known.
        by_class: Windows, share answered "unknown", and the label given most often, per class.
    """

    n: int
    unknown: float
    auroc: float
    false_positives: float
    by_class: dict[str, tuple[int, float, str]]


@dataclass(frozen=True)
class NoiseLabels:
    """What windows without a signal were called.

    Attributes:
        n: Windows.
        otherwise: Share with another label than noise.
        otherwise_answered: The same, where a label below the bundle's threshold is none.
        labels: Those other labels, the most frequent first.
    """

    n: int
    otherwise: float
    otherwise_answered: float
    labels: dict[str, int]


def auroc(higher: NDArray[Any], lower: NDArray[Any]) -> float:
    """Return how probable it is that a value of one set is above one of another.

    Ties count half. NaN if a set is empty.

    Source: Hanley and McNeil, "The Meaning and Use of the Area under a Receiver Operating
    Characteristic (ROC) Curve", 1982: it is the Wilcoxon statistic.
    """
    if not len(higher) or not len(lower):
        return math.nan
    ranks = rankdata(np.concatenate([higher, lower]))
    above = float(ranks[: len(higher)].sum()) - len(higher) * (len(higher) + 1) / 2
    return above / (len(higher) * len(lower))


def false_positive_rate(
    known: NDArray[Any], strangers: NDArray[Any], true_positive_rate: float = KNOWN_KEPT
) -> float:
    """Return the share of strangers at or above the threshold that keeps enough of the known.

    Args:
        known: Probabilities of windows of known classes, at least one.
        strangers: Of the others.
        true_positive_rate: Share of the known at or above the threshold.
    """
    # Less a little, so that 0.95 of 20 is not 19.000000000000004, and so 20.
    kept = max(1, math.ceil(true_positive_rate * len(known) - 1e-9))
    threshold = np.sort(known)[len(known) - kept]
    return float(np.mean(strangers >= threshold)) if len(strangers) else math.nan


def judge_strangers(
    known: Verdicts, strangers: Verdicts, min_probability: float
) -> Strangers | None:
    """Measure how strangers are told from known classes; None if there are none.

    Args:
        known: Verdicts on windows of known classes, at least one.
        strangers: On the others.
        min_probability: The bundle's threshold.
    """
    if not len(strangers):
        return None
    p, unknown = strangers.probability, strangers.probability < min_probability
    by_class = {}
    for k in np.unique(strangers.truth).tolist():
        rows = strangers.truth == k
        most = int(np.bincount(strangers.label[rows]).argmax())
        share = float(unknown[rows].mean())
        by_class[strangers.names[k]] = (int(rows.sum()), share, strangers.classes[most])
    return Strangers(
        n=len(strangers),
        unknown=float(unknown.mean()),
        auroc=auroc(known.probability, p),
        false_positives=false_positive_rate(known.probability, p),
        by_class=by_class,
    )


def judge_noise(verdicts: Verdicts, min_probability: float) -> NoiseLabels | None:
    """Count what windows of noise are called; None if there are none.

    Args:
        verdicts: On windows of any class.
        min_probability: The bundle's threshold.
    """
    if NOISE not in verdicts.names or NOISE not in verdicts.classes:
        return None
    noise = verdicts[verdicts.truth == verdicts.names.index(NOISE)]
    if not len(noise):
        return None
    wrong = ~noise.right
    labels = Counter(noise.classes[k] for k in noise.label[wrong].tolist())
    return NoiseLabels(
        n=len(noise),
        otherwise=float(wrong.mean()),
        otherwise_answered=float(np.mean(wrong & (noise.probability >= min_probability))),
        labels=dict(labels.most_common()),
    )
