"""How much of what was there was found, and how much of what was found was there."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from liveclf.emissions import Emission
from liveclf.learn.score.matching import (
    DOUBLE,
    FRAGMENT,
    MATCHED,
    MERGE,
    MERGED,
    NOTHING_THERE,
    ON_ARTEFACT,
    Outcome,
    edges_of,
)
from liveclf.signals.scene.truth import Truth

HIGH_SNR_DB = 10.0
LEAST_S = 5e-3
"""Emissions of that in-band SNR and that length are those that have to be found."""

_SNR_EDGES_DB = (-math.inf, 5.0, 10.0, 15.0, 20.0, 25.0, math.inf)
_DURATION_EDGES_S = (0.0, 5e-3, 20e-3, 100e-3, 500e-3, math.inf)
_MOST_LINES = 1000
_UNKNOWN = "unknown"


@dataclass(frozen=True)
class FoundTally:
    """Of some emissions that were there.

    Attributes:
        n: How many.
        recall: Share that was found, NaN of none.
        label: Share of right labels among those found that have one, NaN of none.
        family: The same of families.
    """

    n: int
    recall: float
    label: float
    family: float


@dataclass(frozen=True)
class FoundScore:
    """What was measured on recordings whose emissions are known.

    Attributes:
        data: What the recordings are called.
        recordings: How many.
        duration_s: Of all of them, NaN if one has no rate.
        n_there: Emissions that were there.
        n_found: Emissions that were found, without those on artefacts.
        n_matched: Pairs of both.
        recall: Share of those there that was found.
        precision: Share of those found that was there.
        strong: Those there of 10 dB and above in their band that lasted 5 ms and longer; None
            if the SNR of none is known.
        whole: All those there.
        by_snr: By SNR in the band.
        by_duration: By length.
        by_family: By family.
        time_iou: Mean over the pairs, NaN if there is none.
        frequency_iou: The same in frequency.
        snr_error_db: Mean of the SNR told less the true one, NaN if none is known.
        n_fragmented: Those there that hold most of each of several found ones.
        n_merged: Those there that were not found, as one that was found covers another too.
        n_merges: Found ones that match none and cover several.
        n_fragments: Found ones that match none and lie in one.
        n_doubles: Found ones of which another is the better match.
        n_nothing_there: Found ones that overlap nothing.
        n_on_artefacts: Found ones on spurs and images, counted neither as right nor as wrong.
        missed: A line on each that was not found, on the first 1000.
        false: A line on each that was not there, on the first 1000.
        notes: What the reader of these figures has to know, sentences.
    """

    data: str
    recordings: int
    duration_s: float
    n_there: int
    n_found: int
    n_matched: int
    recall: float
    precision: float
    strong: FoundTally | None
    whole: FoundTally
    by_snr: dict[str, FoundTally]
    by_duration: dict[str, FoundTally]
    by_family: dict[str, FoundTally]
    time_iou: float
    frequency_iou: float
    snr_error_db: float
    n_fragmented: int
    n_merged: int
    n_merges: int
    n_fragments: int
    n_doubles: int
    n_nothing_there: int
    n_on_artefacts: int
    missed: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Case:
    """One that was there, and what was found of it."""

    truth: Truth
    duration_s: float
    found: Emission | None


def score_found(outcomes: Sequence[Outcome], notes: Sequence[str] = ()) -> FoundScore:
    """Count over recordings.

    A true label without a family is none that the network knows, and is not compared.

    Args:
        outcomes: Of each.
        notes: What the reader has to know of them.
    """
    cases = [case for outcome in outcomes for case in _cases(outcome)]
    strong = [c for c in cases if c.truth.snr_db >= HIGH_SNR_DB and c.duration_s >= LEAST_S]
    fates = Counter(fate for outcome in outcomes for fate in outcome.found_fates)
    truth_fates = Counter(fate for outcome in outcomes for fate in outcome.truth_fates)
    n_found = sum(fates.values()) - fates[ON_ARTEFACT]
    matched = [case for case in cases if case.found]
    errors_db = [
        c.found.snr_db - c.truth.snr_db
        for c in matched
        if c.found and math.isfinite(c.truth.snr_db)
    ]
    snr_known = any(math.isfinite(case.truth.snr_db) for case in cases)
    return FoundScore(
        data=outcomes[0].name if len(outcomes) == 1 else f"{len(outcomes)} recordings",
        recordings=len(outcomes),
        duration_s=sum(outcome.n_samples / outcome.rate_hz for outcome in outcomes),
        n_there=len(cases),
        n_found=n_found,
        n_matched=len(matched),
        recall=_share(len(matched), len(cases)),
        precision=_share(len(matched), n_found),
        strong=_tally(strong) if snr_known else None,
        whole=_tally(cases),
        by_snr=dict(_binned(cases, [c.truth.snr_db for c in cases], _SNR_EDGES_DB, 1.0, "dB")),
        by_duration=dict(
            _binned(cases, [c.duration_s for c in cases], _DURATION_EDGES_S, 1e3, "ms")
        ),
        by_family=dict(_by_family(cases)),
        time_iou=_mean([v for o in outcomes for v in o.time_iou]),
        frequency_iou=_mean([v for o in outcomes for v in o.frequency_iou]),
        snr_error_db=_mean(errors_db),
        n_fragmented=sum(outcome.n_fragmented for outcome in outcomes),
        n_merged=truth_fates[MERGED],
        n_merges=fates[MERGE],
        n_fragments=fates[FRAGMENT],
        n_doubles=fates[DOUBLE],
        n_nothing_there=fates[NOTHING_THERE],
        n_on_artefacts=fates[ON_ARTEFACT],
        missed=[line for o in outcomes for line in _missed(o)][:_MOST_LINES],
        false=[line for o in outcomes for line in _false(o)][:_MOST_LINES],
        notes=list(notes),
    )


def _cases(outcome: Outcome) -> Iterator[_Case]:
    for truth, k in zip(outcome.truths, outcome.match.tolist(), strict=True):
        duration_s = (truth.stop_sample - truth.start_sample) / outcome.rate_hz
        yield _Case(truth, duration_s, outcome.found[k] if k >= 0 else None)


def _tally(cases: Sequence[_Case]) -> FoundTally:
    pairs = [(case.truth, case.found) for case in cases if case.found]
    labels = [truth.label == found.label for truth, found in pairs if truth.label and truth.family]
    families = [truth.family == found.family for truth, found in pairs if truth.family]
    return FoundTally(
        n=len(cases),
        recall=_share(len(pairs), len(cases)),
        label=_share(sum(labels), len(labels)),
        family=_share(sum(families), len(families)),
    )


def _binned(
    cases: Sequence[_Case],
    values: Sequence[float],
    edges: Sequence[float],
    scale: float,
    unit: str,
) -> Iterator[tuple[str, FoundTally]]:
    """Yield what lies between edges; what has no value is in no bin."""
    for low, high in pairwise(edges):
        members = [case for case, v in zip(cases, values, strict=True) if low <= v < high]
        if members:
            yield _span(low * scale, high * scale, unit), _tally(members)


def _span(low: float, high: float, unit: str) -> str:
    if low <= 0 or math.isinf(low):
        return f"below {high:g} {unit}"
    return f"{low:g} {unit} and above" if math.isinf(high) else f"{low:g} to {high:g} {unit}"


def _by_family(cases: Sequence[_Case]) -> Iterator[tuple[str, FoundTally]]:
    for family in sorted({case.truth.family for case in cases} - {""}):
        yield family, _tally([case for case in cases if case.truth.family == family])


def _missed(outcome: Outcome) -> Iterator[str]:
    for truth, fate in zip(outcome.truths, outcome.truth_fates, strict=True):
        if fate != MATCHED:
            duration_s = (truth.stop_sample - truth.start_sample) / outcome.rate_hz
            snr = f", {truth.snr_db:.1f} dB" if math.isfinite(truth.snr_db) else ""
            yield (
                f"{outcome.name}: {fate}: {truth.label or truth.family or _UNKNOWN} at sample "
                f"{truth.start_sample}, {duration_s * 1e3:.1f} ms"
                f"{_band(truth.lower_hz, truth.upper_hz)}{snr}"
            )


def _false(outcome: Outcome) -> Iterator[str]:
    for found, fate in zip(outcome.found, outcome.found_fates, strict=True):
        if fate not in (MATCHED, ON_ARTEFACT):
            yield (
                f"{outcome.name}: {fate}: {found.label} at sample {found.sample}, "
                f"{found.n_samples / outcome.rate_hz * 1e3:.1f} ms"
                f"{_band(*edges_of(found))}, {found.snr_db:.1f} dB"
            )


def _band(lower_hz: float, upper_hz: float) -> str:
    if not math.isfinite(upper_hz - lower_hz):
        return ""
    middle_hz, width_hz = (lower_hz + upper_hz) / 2, upper_hz - lower_hz
    return f", {middle_hz / 1e6:.4f} MHz, {width_hz / 1e3:.1f} kHz wide"


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def _mean(values: Sequence[float]) -> float:
    known = np.array([v for v in values if not math.isnan(v)])
    return float(known.mean()) if len(known) else math.nan
