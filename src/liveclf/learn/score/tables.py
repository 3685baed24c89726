"""The tables of an evaluation: the same on a terminal and in the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from liveclf.learn.score.evaluate import Score, Tally
from liveclf.learn.score.measure import Evaluation, Figures
from liveclf.learn.score.rejection import KNOWN_KEPT

# Of a set with more SNRs than that, a table has columns for the whole tens.
_MOST_SNR_COLUMNS = 8
_TENS_DB = 10


@dataclass(frozen=True)
class TextTable:
    """A table as it is read.

    Attributes:
        head: What the columns are.
        rows: The cells; the first of a row says what it is about.
    """

    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def summary(evaluation: Evaluation) -> TextTable:
    """Return the figures that are no more than one number, on all windows and strong ones."""
    shown: dict[str, Figures | None] = {
        "all windows": evaluation,
        f"{evaluation.high_snr_db:g} dB and above": evaluation.high,
    }
    columns = {where: _single(figures) for where, figures in shown.items() if figures}
    rows = [(what, *(column[what] for column in columns.values())) for what in _single(evaluation)]
    return TextTable(("", *columns), rows)


def _single(figures: Figures) -> dict[str, str]:
    return {
        "windows": str(figures.n),
        "right": percent(figures.overall),
        "family right": percent(figures.family),
        "family by summed probability right": percent(figures.summed_family),
        "ECE": number(figures.calibration.ece),
        "answered unknown": percent(figures.unknown),
        "right of the others": percent(figures.answered_right),
        "AUROC of right and wrong": number(figures.auroc),
    }


def accuracy(evaluation: Evaluation) -> Iterator[TextTable]:
    """Yield accuracies per SNR, per group of each column, per family and per class."""
    if evaluation.by_snr:
        yield _tallies("SNR dB", {f"{snr_db:g}": t for snr_db, t in evaluation.by_snr.items()})
    snrs_db = list(evaluation.by_snr)
    if len(snrs_db) > _MOST_SNR_COLUMNS:
        snrs_db = [snr_db for snr_db in snrs_db if snr_db % _TENS_DB == 0]
    for column, scores in evaluation.by_group.items():
        tallies = {name: (s.n, s.overall, s.family) for name, s in scores.items()}
        by_snr = {name: s.by_snr for name, s in scores.items()}
        yield _tallies(column, tallies, by_snr, snrs_db)
    yield _tallies("family", evaluation.by_family)
    yield _tallies("class", evaluation.by_class, evaluation.by_class_and_snr, snrs_db)


def _tallies(
    what: str,
    tallies: Mapping[str, Tally],
    by_snr: Mapping[str, Mapping[float, Tally]] | None = None,
    snrs_db: Sequence[float] = (),
) -> TextTable:
    """Lay out shares per key, with the share of right labels at some SNRs, if given."""
    nothing = (0, float("nan"), float("nan"))
    rows = []
    for key, (n, right, family) in tallies.items():
        at = (by_snr or {}).get(key, {})
        at_snrs = [percent(at.get(snr_db, nothing)[1]) for snr_db in snrs_db]
        rows.append((key, str(n), percent(right), percent(family), *at_snrs))
    return TextTable((what, "windows", "right", "family right", *_at(snrs_db)), rows)


def _at(snrs_db: Sequence[float]) -> list[str]:
    return [f"at {snr_db:g} dB" for snr_db in snrs_db]


def thresholds(figures: Figures) -> TextTable:
    """Return the thresholds that would leave few wrong labels."""
    head = ("wrong at most", "threshold", "windows with a label", "of these wrong")
    rows = [
        (percent(t.error_share), number(t.min_probability), percent(t.answered), percent(t.wrong))
        for t in figures.thresholds
    ]
    return TextTable(head, rows)


def strangers(evaluation: Evaluation) -> TextTable | None:
    """Return how each class that the network does not know fares; None if there is none."""
    if not evaluation.strangers:
        return None
    rows = [
        (name, str(n), percent(unknown), most)
        for name, (n, unknown, most) in evaluation.strangers.by_class.items()
    ]
    return TextTable(("unknown class", "windows", "unknown", "called most often"), rows)


def remarks(evaluation: Evaluation) -> Iterator[str]:
    """Yield what is said in sentences: noise, strangers, notes."""
    if noise := evaluation.noise:
        others = ", ".join(f"{name} {n}" for name, n in noise.labels.items()) or "none"
        yield (
            f"noise: {percent(noise.otherwise)} of {noise.n} windows got another label, "
            f"{percent(noise.otherwise_answered)} at or above the bundle's threshold: {others}"
        )
    where = f", {evaluation.high_snr_db:g} dB and above"
    for suffix, figures in (("", evaluation), (where, evaluation.high)):
        if figures and (found := figures.strangers):
            yield (
                f"unknown classes{suffix}: {percent(found.unknown)} of {found.n} windows answered "
                f"unknown, AUROC against the known {number(found.auroc)}, "
                f"{percent(found.false_positives)} kept where {KNOWN_KEPT:.0%} of the known are"
            )
    yield from evaluation.notes


def headline(evaluation: Evaluation) -> str:
    """Return the result in one line."""
    score: Score = evaluation
    return (
        f"{score.data}, {score.n} windows, {evaluation.engine}: "
        f"{percent(score.overall)} right, family {percent(score.family)}"
    )


def percent(share: float) -> str:
    """Write a share; a dash for one of nothing."""
    return "-" if share != share else f"{share:.1%}"  # x != x is the test for NaN


def number(value: float) -> str:
    """Write a number between 0 and 1; a dash for none."""
    return "-" if value != value else f"{value:.3f}"
