"""Counters of a run; bounded whatever its length."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from liveclf.emissions import Emissions
from liveclf.records import Block, Detections

# Logarithmic bins, 40 per decade from 1 us to 1000 s, each read as its geometric middle:
# half a bin is a factor of 1.029, so percentiles are within 3 %.
_BINS_PER_DECADE = 40
_EDGES_S = np.logspace(-6, 3, 9 * _BINS_PER_DECADE + 1)
_HALF_BIN = 10 ** (0.5 / _BINS_PER_DECADE)
# What monitoring is told: four per decade from 1 ms to 100 s.
_BUCKETS = slice(3 * _BINS_PER_DECADE, 8 * _BINS_PER_DECADE + 1, _BINS_PER_DECADE // 4)


_UNTOLD = "missing in the recording"

# What adds up over streams.
_ADDED = (
    "samples", "lost_by", "samples_lost_estimated", "samples_left_out", "stream_s", "classified",
    "labels", "families", "unknown", "annotated", "label_right", "family_right", "_latency",
    "_latency_sum_s", "_samples_dropped", "emissions", "noise",
)  # fmt: skip


class Counted(Protocol):
    """What makes windows, and counts: a `Framer`, or a `Finder`."""

    @property
    def windows(self) -> int:
        """Windows given out."""
        ...

    @property
    def skipped(self) -> Counter[str]:
        """Windows not given out, by reason."""
        ...

    @property
    def short_samples(self) -> int:
        """Samples that fill no window."""
        ...

    @property
    def left_out(self) -> Counter[str]:
        """Emissions not told, by reason."""
        ...


@dataclass(frozen=True)
class Cut:
    """What the framers of several streams counted, see `Counted`."""

    windows: int
    skipped: Counter[str]
    short_samples: int
    left_out: Counter[str]

    @classmethod
    def together(cls, framers: Sequence[Counted]) -> Self:
        """Add up."""
        skipped, left_out = Counter[str](), Counter[str]()
        for framer in framers:
            skipped.update(framer.skipped)
            left_out.update(framer.left_out)
        return cls(
            sum(framer.windows for framer in framers),
            skipped,
            sum(framer.short_samples for framer in framers),
            left_out,
        )


@dataclass(frozen=True, slots=True)
class Histogram:
    """How latencies are distributed.

    Attributes:
        bounds_s: Upper bounds, each included, the last one infinite.
        counts: How many are no longer than each bound.
        sum_s: Of all.
    """

    bounds_s: tuple[float, ...]
    counts: tuple[int, ...]
    sum_s: float


class Stats:
    """What came in, what was classified, what was not and why, and how late."""

    def __init__(self, family_of: Mapping[str, str]) -> None:
        """Begin at zero.

        Args:
            family_of: Family of each class, to compare annotations with.
        """
        self._family_of = family_of
        self.samples = 0
        self.lost_by: Counter[str] = Counter()  # samples by cause
        self.samples_lost_estimated = 0
        self.samples_left_out = 0
        self._samples_dropped = 0  # that had arrived
        self._expected: int | None = None
        self.stream_s = 0.0
        self.rate_known = True
        self.classified = 0
        self.labels: Counter[str] = Counter()
        self.families: Counter[str] = Counter()
        self.unknown = 0
        self.emissions = 0  # told to their ends
        self.noise = 0  # emissions that the network takes for noise
        self.annotated = 0
        self.label_right = 0
        self.family_right = 0
        self._latency = np.zeros(len(_EDGES_S) + 1, np.int64)
        self._latency_sum_s = 0.0

    @classmethod
    def together(cls, parts: Sequence[Stats]) -> Stats:
        """Add up the counts of several streams, at least one."""
        whole = cls(parts[0]._family_of)
        for part in parts:
            for name in _ADDED:
                setattr(whole, name, getattr(whole, name) + getattr(part, name))
            whole.rate_known &= part.rate_known
        return whole

    def counting(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Pass blocks on as the source delivers them, counted."""
        for block in blocks:
            self.count_block(block)
            yield block

    def count_block(self, block: Block) -> None:
        """Count samples, those missing before them, and the time they span."""
        # A recording may begin anywhere; before the first sample of a radio there are losses
        # only if it says so.
        expected = block.start_sample if self._expected is None else self._expected
        self._count_losses(block, max(0, block.start_sample - expected))
        self._expected = block.start_sample + len(block.iq)
        self.samples += len(block.iq)
        if block.sample_rate_hz > 0:
            self.stream_s += len(block.iq) / block.sample_rate_hz
        else:
            self.rate_known = False

    @property
    def samples_lost(self) -> int:
        """Samples that are missing in the stream, whatever the cause."""
        return self.lost_by.total()

    def _count_losses(self, block: Block, jump: int) -> None:
        for loss in block.losses:
            jump -= loss.samples
            if loss.is_wanted:
                self.samples_left_out += loss.samples
                continue
            self.lost_by[loss.cause] += loss.samples
            if loss.had_arrived:
                self._samples_dropped += loss.samples
            if not loss.is_exact:
                self.samples_lost_estimated += loss.samples
        if jump > 0:
            self.lost_by[_UNTOLD] += jump

    def count(self, report: Detections | Emissions) -> None:
        """Count labels, agreement with annotations, and latencies."""
        if isinstance(report, Emissions):
            self._count_emissions(report)
        else:
            self._count_detections(report)

    def _count_emissions(self, told: Emissions) -> None:
        self.noise += len(told.noise)
        for one in told.records:
            self._latency[np.searchsorted(_EDGES_S, one.latency_s)] += 1
            self._latency_sum_s += one.latency_s
            if one.state != "closed":
                continue
            self.emissions += 1
            self.labels[one.label] += 1
            self.families[one.family] += 1
            self.unknown += one.label == "unknown"
            truth = {name.lower(): name for name in self._family_of}.get((one.truth or "").lower())
            if truth is not None:
                self.annotated += 1
                self.label_right += one.label == truth
                self.family_right += one.family == self._family_of[truth]

    def _count_detections(self, found: Detections) -> None:
        self.labels += _tally(found.label, found.class_names)
        self.families += _tally(found.family, found.family_names)
        self.unknown += int(np.sum(found.label < 0))
        self._latency += np.bincount(
            np.searchsorted(_EDGES_S, found.latency_s), minlength=len(self._latency)
        )
        self._latency_sum_s += float(np.sum(found.latency_s))
        self._count_agreement(found)

    @property
    def latencies(self) -> Histogram:
        """All latencies so far, in few buckets."""
        # Bin k holds what is above edge k - 1 and not above edge k.
        below = np.cumsum(self._latency)
        return Histogram(
            (*np.round(_EDGES_S[_BUCKETS], 7).tolist(), math.inf),
            (*below[:-1][_BUCKETS].tolist(), int(below[-1])),
            self._latency_sum_s,
        )

    def latency_ms(self, percent: float) -> float | None:
        """Return a percentile of the latencies so far, within 3 %, None before the first."""
        total = int(self._latency.sum())
        if not total:
            return None
        k = int(np.searchsorted(np.cumsum(self._latency), percent / 100 * total))
        return float(_EDGES_S[min(k, len(_EDGES_S) - 1)] / _HALF_BIN * 1e3)

    def summary(self, framer: Counted, wall_s: float) -> dict[str, Any]:
        """Return every figure as plain numbers and strings.

        Args:
            framer: For what it, or all of them together, skipped and left over.
            wall_s: How long the run took.
        """
        skipped = dict(framer.skipped)
        windows = framer.windows + framer.skipped.total()
        stream_s = self.stream_s if self.rate_known else None
        return {
            "samples": self.samples,
            "stream_s": stream_s,
            "wall_s": wall_s,
            "realtime_factor": stream_s / wall_s if stream_s and wall_s > 0 else None,
            "windows": windows,
            "classified": self.classified,
            "unclassified": framer.windows - self.classified,
            "coverage": self._coverage(windows),
            "skipped": skipped,
            "samples_lost": self.samples_lost,
            "samples_lost_estimated": self.samples_lost_estimated,
            "lost_by": dict(self.lost_by.most_common()),
            "samples_left_out": self.samples_left_out,
            "samples_short": framer.short_samples,
            "emissions": self.emissions,
            "noise": self.noise,
            "left_out": dict(framer.left_out),
            "unknown": self.unknown,
            "latency_p50_ms": self.latency_ms(50),
            "latency_p99_ms": self.latency_ms(99),
            "labels": dict(self.labels.most_common()),
            "families": dict(self.families.most_common()),
            "agreement": self._agreement(),
        }

    def _coverage(self, windows: int) -> float | None:
        """Return which share of the signal that arrived was classified."""
        if not windows:
            return None
        # Those never became windows; as a share, their number is right at any rate and hop.
        dropped = self._samples_dropped / max(1, self.samples + self._samples_dropped)
        return self.classified / windows * (1 - dropped)

    def _count_agreement(self, found: Detections) -> None:
        for k in np.unique(found.truth[found.truth >= 0]).tolist():
            rows = found.truth == k
            name = found.truth_names[k]
            label = next((c for c in found.class_names if c.lower() == name.lower()), None)
            if label is None:  # annotated in words that are none of our classes
                continue
            self.annotated += int(rows.sum())
            self.label_right += int(np.sum(found.label[rows] == found.class_names.index(label)))
            family = found.family_names.index(self._family_of[label])
            self.family_right += int(np.sum(found.family[rows] == family))

    def _agreement(self) -> dict[str, int] | None:
        if not self.annotated:
            return None
        return {
            "annotated": self.annotated,
            "label_right": self.label_right,
            "family_right": self.family_right,
        }


def _tally(index: NDArray[np.int64], names: tuple[str, ...]) -> Counter[str]:
    counts = np.bincount(index + 1, minlength=len(names) + 1)
    return Counter({name: int(n) for name, n in zip(("unknown", *names), counts, strict=True) if n})
