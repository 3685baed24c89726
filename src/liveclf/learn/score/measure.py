"""Everything that is measured of a network on labelled windows.

answers --judge--> verdicts --> figures on all windows, on those at 10 dB and above,
                                per group; noise; strangers
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.learn.score.calibrate import (
    Coverage,
    Reliability,
    Threshold,
    coverage,
    fit_threshold,
    reliability,
)
from liveclf.learn.score.evaluate import Score, Tally, score_verdicts, snr_groups, tally
from liveclf.learn.score.groups import FILE, group_by
from liveclf.learn.score.rejection import (
    NOISE,
    NoiseLabels,
    Strangers,
    auroc,
    judge_noise,
    judge_strangers,
)
from liveclf.learn.score.verdicts import Answers, Network, Verdicts, judge

HIGH_SNR_DB = 10.0
"""From here on a signal is called strong: these windows are reported apart."""

MOST_GROUPS = 16
"""A column of text with more values than that does not group windows, it describes them."""

ERROR_SHARES = (0.2, 0.1, 0.05, 0.02)
"""The thresholds that would leave no more wrong labels than that are reported."""

_THRESHOLDS = np.arange(101) / 100


@dataclass(frozen=True)
class Confusion:
    """What was called what.

    Attributes:
        truth: The rows.
        answers: The columns.
        counts: Windows, by row and column.
    """

    truth: list[str]
    answers: list[str]
    counts: list[list[int]]


@dataclass(frozen=True)
class Figures(Score):
    """What was measured on some of the windows.

    Windows of which no more than the family is known count for the family alone.

    Attributes:
        summed_family: Share of windows for which the family whose members are most probable
            together is right; it is what a detection carries.
        by_family: (windows, right, right family) per true family.
        classes: Confusion of the classes.
        families: Confusion of the families.
        calibration: Of the probability of the label.
        unknown: Share of labels below the bundle's threshold.
        answered_right: Share of the other labels that are right, NaN where there are none.
        auroc: Probability that a right label is more probable than a wrong one, NaN where
            all are right, or wrong.
        coverage: What other thresholds would leave.
        thresholds: Those that would leave no more wrong labels than `ERROR_SHARES`, on these
            very windows.
        strangers: How windows of classes that the network does not know fare.
    """

    summed_family: float
    by_family: dict[str, Tally]
    classes: Confusion
    families: Confusion
    calibration: Reliability
    unknown: float
    answered_right: float
    auroc: float
    coverage: Coverage
    thresholds: list[Threshold]
    strangers: Strangers | None


@dataclass(frozen=True)
class Evaluation(Figures):
    """What was measured on all windows, and on groups of them.

    Attributes:
        bundle: Name of the bundle.
        engine: What ran it.
        precision: Of its weights.
        temperature: Divisor of the logits.
        min_probability: The bundle's threshold.
        high_snr_db: From which SNR on `high` counts.
        high: The same figures on the windows of that SNR and above; None if there are none.
        by_class_and_snr: (windows, right, right family) per true class and SNR in dB.
        by_group: The score of each group that a column of the set makes; without windows of
            noise, which have neither channel nor symbols.
        noise: What windows without a signal were called.
        notes: What the reader of these figures has to know, sentences.
    """

    bundle: str
    engine: str
    precision: str
    temperature: float
    min_probability: float
    high_snr_db: float
    high: Figures | None
    by_class_and_snr: dict[str, dict[float, Tally]]
    by_group: dict[str, dict[str, Score]]
    noise: NoiseLabels | None
    notes: list[str]


def evaluate(answers: Answers, network: Network, notes: Sequence[str] = ()) -> Evaluation:
    """Measure everything.

    Args:
        answers: What the network answered, and the truth.
        network: The network.
        notes: What the reader has to know of the windows.

    Raises:
        TrainingError: There is no window of which the network knows the family at least.
    """
    verdicts = judge(answers, network)
    high = verdicts[verdicts.snr_db >= HIGH_SNR_DB]
    has_high = bool(np.any(high.true_family >= 0))
    by_group, left_out = _by_group(answers, verdicts)
    return Evaluation(
        **_shallow(_figures(verdicts, answers.name, network)),
        bundle=network.name,
        engine=network.engine,
        precision=network.precision,
        temperature=network.temperature,
        min_probability=network.min_probability,
        high_snr_db=HIGH_SNR_DB,
        high=_figures(high, answers.name, network) if has_high else None,
        by_class_and_snr=_by_class_and_snr(verdicts),
        by_group=by_group,
        noise=judge_noise(verdicts, network.min_probability),
        notes=[*notes, *left_out],
    )


def _figures(verdicts: Verdicts, data: str, network: Network) -> Figures:
    known = verdicts[verdicts.true_family >= 0]
    strangers = verdicts[verdicts.true_family < 0]
    labelled = known[known.true_class >= 0]
    p, right = labelled.probability, labelled.right
    answered = p >= network.min_probability
    summed = known.summed_family == known.true_family
    return Figures(
        **_shallow(score_verdicts(known, data)),
        summed_family=float(summed.mean()),
        by_family=tally(known, known.true_family, known.families),
        classes=_confusion(labelled.true_class, labelled.label, network.classes),
        families=_confusion(known.true_family, known.family, network.family_names),
        calibration=reliability(p, right),
        unknown=_mean(~answered),
        answered_right=_mean(right[answered]),
        auroc=auroc(p[right], p[~right]),
        coverage=coverage(p, right, _THRESHOLDS),
        thresholds=[fit_threshold(p, right, share) for share in ERROR_SHARES if len(p)],
        strangers=judge_strangers(known, strangers, network.min_probability),
    )


def _confusion(
    truth: NDArray[np.int64], answer: NDArray[np.int64], names: Sequence[str]
) -> Confusion:
    """Count pairs; what is neither a truth nor an answer is left out."""
    n = len(names)
    counts = np.bincount(truth * n + answer, minlength=n * n).reshape(n, n)
    rows = np.flatnonzero(counts.sum(axis=1)).tolist()
    columns = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1)).tolist()
    return Confusion(
        truth=[names[k] for k in rows],
        answers=[names[k] for k in columns],
        counts=counts[np.ix_(rows, columns)].tolist(),
    )


def _by_class_and_snr(verdicts: Verdicts) -> dict[str, dict[float, Tally]]:
    known = verdicts[verdicts.true_family >= 0]
    group, snrs_db = snr_groups(known.snr_db)
    found = {}
    for k, name in enumerate(known.names):
        cells = tally(known, np.where(known.truth == k, group, -1), snrs_db)
        if cells:
            found[name] = cells
    return found


def _by_group(
    answers: Answers, verdicts: Verdicts
) -> tuple[dict[str, dict[str, Score]], list[str]]:
    """Score the groups that columns make.

    Returns:
        Scores by column and group, and a sentence on each column that was left out.
    """
    found: dict[str, dict[str, Score]] = {}
    notes = []
    known = verdicts.true_family >= 0
    is_noise = np.array([name == NOISE for name in verdicts.names], bool)[verdicts.truth]
    for column, values in answers.groups.items():
        group, names = group_by(values)
        if len(names) > MOST_GROUPS and column != FILE:
            notes.append(f"Column {column} has {len(names)} values, too many to report apart.")
            continue
        rows = known if column == FILE else known & ~is_noise
        members = {name: rows & (group == k) for k, name in enumerate(names)}
        scores = {
            name: score_verdicts(verdicts[of_group], name)
            for name, of_group in members.items()
            if of_group.any()
        }
        if scores:
            found[column] = scores
    return found, notes


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _shallow(record: Any) -> dict[str, Any]:
    """Return the fields of a dataclass as they are."""
    return {f.name: getattr(record, f.name) for f in fields(record)}
