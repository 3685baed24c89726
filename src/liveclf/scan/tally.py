"""What is kept of the detections of one recording; bounded whatever its length."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from liveclf.dsp.framer import Framer
from liveclf.live.stats import Stats
from liveclf.protocols import Sink
from liveclf.records import Detections, StreamInfo

# Levels in steps of a tenth of a dB, as far as 32-bit samples reach.
_STEP_DB = 0.1
_EDGES_DB = np.arange(-2000, 2001) * _STEP_DB


class Tally:
    """An output of the pipeline that adds up, and passes records on if they are wanted."""

    all_closed = False

    def __init__(
        self, classes: tuple[str, ...], top_k: int, records: Sink[Detections] | None
    ) -> None:
        """Begin at zero.

        Args:
            classes: Names of the network's outputs.
            top_k: Classes listed, for the recording and for each record.
            records: Takes each record, or None.
        """
        self._classes, self._top_k, self._records = classes, top_k, records
        self._probability = np.zeros(len(classes))
        self._levels = np.zeros(len(_EDGES_DB) + 1, np.int64)

    def write(self, found: Detections) -> None:
        """Take one batch, which lists every class of every window."""
        self._probability += np.bincount(
            found.top_label.ravel(), found.top_probability.ravel(), len(self._classes)
        )
        known = found.level_db[~np.isnan(found.level_db)]
        self._levels += np.bincount(np.searchsorted(_EDGES_DB, known), minlength=len(self._levels))
        if self._records:
            self._records.write(
                replace(
                    found,
                    top_label=found.top_label[:, : self._top_k],
                    top_probability=found.top_probability[:, : self._top_k],
                    # A recording was made long ago, and a rerun has to give the same file.
                    latency_s=np.full(len(found), math.nan),
                )
            )

    def figures(self, stats: Stats, framer: Framer, info: StreamInfo) -> dict[str, Any]:
        """Return what a result holds of the detections.

        Args:
            stats: Of the recording.
            framer: Of the recording.
            info: Of the recording.
        """
        summary = stats.summary(framer, 0.0)
        labels, families = _shares(stats.labels), _shares(stats.families)
        copied = ("samples", "windows", "classified", "samples_lost")
        return {
            **{name: summary[name] for name in copied},
            "signal_s": _rounded(summary["stream_s"], 6),
            "coverage": _rounded(summary["coverage"], 6),
            "skipped": {reason: n for reason, n in summary["skipped"].items() if n},
            "sample_rate_hz": _rounded(info.sample_rate_hz, 6),
            "center_hz": _rounded(info.center_hz, 6),
            "label": next(iter(labels), None),
            "family": next(iter(families), None),
            "label_shares": labels,
            "family_shares": families,
            "top": self._top(stats.classified),
            "level_db_median": self._median_db(),
        }

    def _top(self, classified: int) -> list[tuple[str, float]]:
        if not classified:
            return []
        mean = self._probability / classified
        best = np.argsort(-mean, kind="stable")[: self._top_k]
        return [(self._classes[k], round(float(mean[k]), 4)) for k in best]

    def _median_db(self) -> float | None:
        total = int(self._levels.sum())
        if not total:
            return None
        k = int(np.searchsorted(np.cumsum(self._levels), (total + 1) // 2))
        return round(float(_EDGES_DB[min(k, len(_EDGES_DB) - 1)]), 1)


def _shares(counts: Mapping[str, int]) -> dict[str, float]:
    """Return the share of each, the largest first, ties by name."""
    total = sum(counts.values())
    ordered = sorted(Counter(counts).items(), key=lambda item: (-item[1], item[0]))
    return {name: round(n / total, 4) for name, n in ordered if n}


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, digits)
