"""Which of the emissions that were found is which of those that were there.

Both are boxes in time and frequency. A found one may be one that was there where their
intersection is at least half of their union in time and 0.3 of it in frequency: when an
emission begins and ends is plain, where its band ends depends on the level that is asked for,
and a band a third too wide on either side still tells what to listen to. Bands narrower than
a detector resolves are widened first. What has no frequency is compared in time alone.

One found emission is one that was there, and the reverse; of all ways to pair them the one
with the most pairs is taken, then the one with the largest overlaps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from liveclf.emissions import Emission
from liveclf.signals.scene.truth import Truth

MATCHED = "matched"
MISSED = "missed"  # nothing was found there
MERGED = "merged"  # most of it lies in one that covers another as well
FRAGMENTED = "fragmented"  # several were found inside it, none of them most of it
MISPLACED = "misplaced"  # something overlaps, and too little
DOUBLE = "double"  # would match one that another matches better
MERGE = "merge"  # covers most of several that were there
FRAGMENT = "fragment"  # lies mostly in one that was there
ON_ARTEFACT = "on an artefact"  # lies mostly on a spur or an image: neither right nor wrong
NOTHING_THERE = "nothing there"


@dataclass(frozen=True)
class MatchRule:
    """When a found emission is one that was there.

    Attributes:
        least_time_iou: Intersection over union of the stretches of time, at least.
        least_frequency_iou: The same of the bands.
        resolution_hz: Narrower bands are widened to that around their middles.
        least_inside: What has so much of its area inside another lies mostly in it.
    """

    least_time_iou: float = 0.5
    least_frequency_iou: float = 0.3
    resolution_hz: float = 4e3
    least_inside: float = 0.5


@dataclass(frozen=True)
class Outcome:
    """What became of the emissions of one recording.

    Attributes:
        name: Of the recording.
        rate_hz: Its sample rate, NaN if unknown.
        n_samples: Its length.
        truths: What was there.
        found: What was found.
        match: Index of the found one per truth, -1 where there is none, (n_truths,).
        time_iou: Of each truth with its match, NaN where there is none.
        frequency_iou: The same in frequency; 1 where one of both has no frequency.
        truth_fates: What became of each truth.
        found_fates: What each found one is.
        n_fragmented: Truths that hold most of each of several found ones.
    """

    name: str
    rate_hz: float
    n_samples: int
    truths: tuple[Truth, ...]
    found: tuple[Emission, ...]
    match: NDArray[np.int64]
    time_iou: NDArray[np.float64]
    frequency_iou: NDArray[np.float64]
    truth_fates: tuple[str, ...]
    found_fates: tuple[str, ...]
    n_fragmented: int


@dataclass(frozen=True)
class _Boxes:
    """Start and stop in samples, edges in Hz (NaN if unknown); each (n,) float64."""

    start: NDArray[np.float64]
    stop: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]


@dataclass(frozen=True)
class _Pairs:
    """Truths and found ones that overlap: indices, and how far they do; each (n_pairs,)."""

    truth: NDArray[np.int64]
    found: NDArray[np.int64]
    time_iou: NDArray[np.float64]
    frequency_iou: NDArray[np.float64]
    of_truth: NDArray[np.float64]  # share of the truth's area that is covered
    of_found: NDArray[np.float64]  # share of the found one's


def match(
    truths: Sequence[Truth],
    found: Sequence[Emission],
    *,
    name: str = "",
    rate_hz: float = float("nan"),
    n_samples: int = 0,
    rule: MatchRule | None = None,
) -> Outcome:
    """Pair what was found with what was there.

    Args:
        truths: Of one recording; artefacts are matched with nothing. NaN edges: unknown.
        found: Of the same, each once, see `last_told`.
        name: Of the recording.
        rate_hz: Its sample rate.
        n_samples: Its length.
        rule: When one is the other.
    """
    rule = rule or MatchRule()
    there = tuple(truth for truth in truths if not truth.is_artefact)
    # A receiver is asked to know its own spike at 0 Hz.
    ignored = tuple(truth for truth in truths if truth.is_artefact and truth.label != "dc")
    boxes = _boxes_of_found(found, rule)
    pairs = _overlapping(_boxes_of_truths(there, rule), boxes)
    close = (pairs.time_iou >= rule.least_time_iou) & (
        pairs.frequency_iou >= rule.least_frequency_iou
    )
    chosen = _assign(pairs, close, len(there), len(found))
    matched = np.full(len(there), -1, np.int64)
    matched[pairs.truth[chosen]] = pairs.found[chosen]
    ious = np.full((2, len(there)), np.nan)
    ious[:, pairs.truth[chosen]] = pairs.time_iou[chosen], pairs.frequency_iou[chosen]
    on_artefacts = _overlapping(_boxes_of_truths(ignored, rule), boxes)
    inside = pairs.of_found >= rule.least_inside
    n_inside = np.bincount(pairs.truth[inside], minlength=len(there))
    return Outcome(
        name=name,
        rate_hz=rate_hz,
        n_samples=n_samples,
        truths=there,
        found=tuple(found),
        match=matched,
        time_iou=ious[0],
        frequency_iou=ious[1],
        truth_fates=_truth_fates(pairs, matched, rule, len(found)),
        found_fates=_found_fates(pairs, close, matched, on_artefacts, rule, len(found)),
        n_fragmented=int(np.sum(n_inside > 1)),
    )


def last_told(told: Iterable[Emission]) -> tuple[Emission, ...]:
    """Return each emission once, as it was told last, in the order of their starts."""
    last = {(emission.stream, emission.id): emission for emission in told}
    return tuple(sorted(last.values(), key=lambda emission: emission.sample))


def by_train(truths: Iterable[Truth]) -> tuple[Truth, ...]:
    """Join the packets of each train to one, from the first to the last."""
    joined: list[Truth] = []
    at: dict[int | None, int] = {}
    for truth in sorted(truths, key=lambda truth: truth.start_sample):
        if truth.train in at:
            k = at[truth.train]
            stop_sample = max(joined[k].stop_sample, truth.stop_sample)
            joined[k] = replace(joined[k], stop_sample=stop_sample, is_short=False)
            continue
        if truth.train is not None:
            at[truth.train] = len(joined)
        joined.append(truth)
    return tuple(joined)


def edges_of(found: Emission) -> tuple[float, float]:
    """Return the edges of its band, Hz: absolute, or from 0 Hz where no centre is known.

    Both are NaN where no rate is known.
    """
    middle_hz = found.offset_hz if found.center_hz is None else found.center_hz
    if middle_hz is None or found.bandwidth_hz is None:
        return math.nan, math.nan
    return middle_hz - found.bandwidth_hz / 2, middle_hz + found.bandwidth_hz / 2


def _boxes_of_truths(truths: Sequence[Truth], rule: MatchRule) -> _Boxes:
    columns = [(t.start_sample, t.stop_sample, t.lower_hz, t.upper_hz) for t in truths]
    return _boxes(columns, rule)


def _boxes_of_found(found: Sequence[Emission], rule: MatchRule) -> _Boxes:
    columns = []
    for one in found:
        columns.append((one.sample, one.sample + one.n_samples, *edges_of(one)))
    return _boxes(columns, rule)


def _boxes(columns: Sequence[tuple[float, ...]], rule: MatchRule) -> _Boxes:
    start, stop, lower, upper = np.array(columns, np.float64).reshape(-1, 4).T
    wider = np.maximum(0, rule.resolution_hz - (upper - lower)) / 2  # NaN stays NaN
    return _Boxes(start, np.maximum(stop, start + 1), lower - wider, upper + wider)


def _overlapping(a: _Boxes, b: _Boxes) -> _Pairs:
    """Return the pairs that overlap: of all that are compared few are in vain."""
    order = np.argsort(b.start, kind="stable")
    # Those before `first` have ended, those from `last` on have not begun.
    ended = np.maximum.accumulate(b.stop[order]) if len(order) else b.stop
    first = np.searchsorted(ended, a.start, side="right")
    last = np.maximum(np.searchsorted(b.start[order], a.stop, side="left"), first)
    counts = last - first
    i = np.repeat(np.arange(len(a.start)), counts)
    within = np.arange(len(i)) - np.repeat(np.cumsum(counts) - counts, counts)
    j = order[np.repeat(first, counts) + within]
    time = np.minimum(a.stop[i], b.stop[j]) - np.maximum(a.start[i], b.start[j])
    band = np.minimum(a.upper[i], b.upper[j]) - np.maximum(a.lower[i], b.lower[j])
    overlap = (time > 0) & ~(band <= 0)
    i, j, time, band = i[overlap], j[overlap], time[overlap], band[overlap]
    times = a.stop[i] - a.start[i], b.stop[j] - b.start[j]
    bands = a.upper[i] - a.lower[i], b.upper[j] - b.lower[j]

    def known(share: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(np.isnan(share), 1.0, share)

    return _Pairs(
        truth=i.astype(np.int64),
        found=j.astype(np.int64),
        time_iou=time / (times[0] + times[1] - time),
        frequency_iou=known(band / (bands[0] + bands[1] - band)),
        of_truth=time / times[0] * known(band / bands[0]),
        of_found=time / times[1] * known(band / bands[1]),
    )


def _assign(
    pairs: _Pairs, close: NDArray[np.bool_], n_truths: int, n_found: int
) -> NDArray[np.int64]:
    """Choose pairs, each truth and each found one at most once; returns indices of pairs."""
    candidates = np.flatnonzero(close).astype(np.int64)
    if not len(candidates):
        return candidates
    i, j = pairs.truth[candidates], pairs.found[candidates]
    # One more pair counts more than any overlap, whose sum stays below 1.
    overlap = pairs.time_iou[candidates] * pairs.frequency_iou[candidates]
    worth = 1 + overlap / (len(candidates) + 1)
    chosen = [
        group[_best(i[group], j[group], worth[group])]
        for group in _groups(i, n_truths + j, n_truths + n_found)
    ]
    return candidates[np.concatenate(chosen)]


def _groups(i: NDArray[np.int64], j: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """Yield the edges, as indices, of each connected part of a graph of `size` nodes."""
    graph = coo_array((np.ones(len(i)), (i, j)), shape=(size, size))
    _, part_of = connected_components(graph, directed=False)
    part = part_of[i]
    order = np.argsort(part, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(part[order])) + 1)


def _best(
    i: NDArray[np.int64], j: NDArray[np.int64], worth: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Choose edges of the largest sum of worths that share no node, as indices."""
    rows, row = np.unique(i, return_inverse=True)
    columns, column = np.unique(j, return_inverse=True)
    table = np.zeros((len(rows), len(columns)))
    table[row, column] = worth
    edge = np.full(table.shape, -1)
    edge[row, column] = np.arange(len(i))
    picked: NDArray[np.int64] = edge[linear_sum_assignment(table, maximize=True)]
    return picked[picked >= 0]


def _truth_fates(
    pairs: _Pairs, matched: NDArray[np.int64], rule: MatchRule, n_found: int
) -> tuple[str, ...]:
    n = len(matched)
    covers = pairs.of_truth >= rule.least_inside
    n_covered = np.bincount(pairs.found[covers], minlength=n_found)
    is_merged = _any(pairs.truth[covers & (n_covered[pairs.found] > 1)], n)
    inside = pairs.of_found >= rule.least_inside
    n_inside = np.bincount(pairs.truth[inside], minlength=n)
    fates = np.where(_any(pairs.truth, n), MISPLACED, MISSED).astype(object)
    fates[n_inside > 1] = FRAGMENTED
    fates[is_merged] = MERGED
    fates[matched >= 0] = MATCHED
    return tuple(fates.tolist())


def _found_fates(
    pairs: _Pairs,
    close: NDArray[np.bool_],
    matched: NDArray[np.int64],
    on_artefacts: _Pairs,
    rule: MatchRule,
    n_found: int,
) -> tuple[str, ...]:
    covers = pairs.of_truth >= rule.least_inside
    n_covered = np.bincount(pairs.found[covers], minlength=n_found)
    inside = pairs.of_found >= rule.least_inside
    ignored = on_artefacts.found[on_artefacts.of_found >= rule.least_inside]
    fates = np.where(_any(pairs.found, n_found), MISPLACED, NOTHING_THERE).astype(object)
    fates[_any(ignored, n_found)] = ON_ARTEFACT
    fates[_any(pairs.found[inside], n_found)] = FRAGMENT
    fates[n_covered > 1] = MERGE
    fates[_any(pairs.found[close], n_found)] = DOUBLE
    fates[matched[matched >= 0]] = MATCHED
    return tuple(fates.tolist())


def _any(indices: NDArray[np.int64], n: int) -> NDArray[np.bool_]:
    return np.bincount(indices, minlength=n) > 0
