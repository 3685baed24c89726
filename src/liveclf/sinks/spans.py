"""Thousands of windows a second, as few rows as a person can read.

A row takes in the windows of one label at one frequency until that label has
been away for `HOLD_S` of the stream, so a label that flickers keeps one row with
a count instead of pushing everything else off the screen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveclf.records import Detections

HOLD_S = 0.5
# Where no sample rate is known, and where a window is longer than the hold.
HOLD_WINDOWS_NO_RATE = 200
HOLD_WINDOWS_LEAST = 2


@dataclass(slots=True, eq=False)
class Span:
    """Windows that are shown as one row.

    Attributes:
        stream_id: Of all its windows, as are label and source.
        source: Number and name of the stream, empty where there is only one.
        label: Of all its windows.
        family: Of the last window.
        center_hz: NaN if unknown.
        sample_rate_hz: NaN if unknown.
        start_unix_s: Time of the first sample, NaN if unknown.
        start_sample: Absolute index of the first sample.
        stop_sample: Absolute index after the last sample.
        last_seen: Number of its last window, counted over all streams.
        n_windows: Windows of this label in it.
        probability: Mean over the windows.
        power_dbfs: Mean of the decibels.
        level_db: Mean of the decibels that are known, NaN if none is.
    """

    stream_id: int
    source: str
    label: str
    family: str
    center_hz: float
    sample_rate_hz: float
    start_unix_s: float
    start_sample: int
    stop_sample: int
    last_seen: int
    n_windows: int
    probability: float
    power_dbfs: float
    level_db: float

    @property
    def start_s(self) -> float:
        """Seconds from sample 0 to its first sample, NaN if unknown."""
        return self.start_sample / self.sample_rate_hz

    @property
    def duration_s(self) -> float:
        """From its first sample to its last, NaN if unknown."""
        return (self.stop_sample - self.start_sample) / self.sample_rate_hz

    def extend(self, other: Span) -> None:
        """Take in a later span of the same label."""
        share = other.n_windows / (self.n_windows + other.n_windows)
        self.probability += share * (other.probability - self.probability)
        self.power_dbfs += share * (other.power_dbfs - self.power_dbfs)
        if np.isnan(self.level_db):
            self.level_db = other.level_db
        elif not np.isnan(other.level_db):
            self.level_db += share * (other.level_db - self.level_db)
        self.family = other.family
        self.stop_sample, self.last_seen = other.stop_sample, other.last_seen
        self.n_windows += other.n_windows


class Spans:
    """The rows seen last."""

    def __init__(self, limit: int) -> None:
        """Start empty.

        Args:
            limit: Most rows kept; the one not seen for longest goes first.
        """
        self._limit = limit
        self._rows: list[Span] = []
        self._n_windows = 0

    def latest(self, n: int) -> list[Span]:
        """Return the `n` rows seen last, ordered by their first window."""
        seen = sorted(self._rows, key=lambda span: span.last_seen)[-n:]
        return [row for row in self._rows if row in seen]

    def add(self, detections: Detections) -> None:
        """Take in one batch."""
        parts = (part for group in _groups(detections) for part in _pieces(detections, group))
        n_before = self._n_windows
        self._n_windows += len(detections)
        # Not by their samples, which every stream counts for itself.
        for part in sorted(parts, key=lambda part: int(part[0])):
            piece = _span(detections, part, n_before)
            row = self._row_for(piece, detections.window_samples)
            if row is not None:
                row.extend(piece)
                continue
            if len(self._rows) == self._limit:
                self._rows.remove(min(self._rows, key=lambda span: span.last_seen))
            self._rows.append(piece)

    def _row_for(self, piece: Span, window_samples: int) -> Span | None:
        hold_samples = _hold_samples(piece.sample_rate_hz, window_samples)
        for row in reversed(self._rows):
            same = (row.stream_id, row.label) == (piece.stream_id, piece.label)
            same = same and _equal(row.center_hz, piece.center_hz)
            if same and _equal(row.sample_rate_hz, piece.sample_rate_hz):
                return row if piece.start_sample - row.stop_sample <= hold_samples else None
        return None


def _groups(d: Detections) -> Iterator[NDArray[np.intp]]:
    """Yield the rows of each stream, frequency and label, in stream order."""
    for stream_id in np.unique(d.stream_id):
        of_it = d.stream_id == stream_id
        for center_hz in np.unique(d.center_hz[of_it]):
            here = np.isnan(d.center_hz) if np.isnan(center_hz) else d.center_hz == center_hz
            for label in np.unique(d.label[of_it & here]):
                yield np.flatnonzero(of_it & here & (d.label == label))


def _pieces(d: Detections, group: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Split the rows of a group where the label was away for too long."""
    starts = d.start_sample[group]
    hold_samples = _hold_samples(float(d.sample_rate_hz[group[0]]), d.window_samples)
    away = np.diff(starts) - d.window_samples > hold_samples
    yield from np.split(group, np.flatnonzero(away) + 1)


def _span(d: Detections, part: NDArray[np.intp], n_before: int) -> Span:
    first, last = int(part[0]), int(part[-1])
    label, family = int(d.label[first]), int(d.family[last])
    start, rate_hz = int(d.start_sample[first]), float(d.sample_rate_hz[first])
    level_db = d.level_db[part]
    level_db = level_db[~np.isnan(level_db)]
    stream_id = int(d.stream_id[first])
    return Span(
        stream_id=stream_id,
        source=f"{stream_id} {d.stream_names[stream_id]}" if len(d.stream_names) > 1 else "",
        label=d.class_names[label] if label >= 0 else "unknown",
        family=d.family_names[family] if family >= 0 else "unknown",
        center_hz=float(d.center_hz[first]),
        sample_rate_hz=rate_hz,
        start_unix_s=float(d.epoch_s[first]) + start / rate_hz,
        start_sample=start,
        stop_sample=int(d.start_sample[last]) + d.window_samples,
        last_seen=n_before + last,
        n_windows=len(part),
        probability=float(d.probability[part].mean()),
        power_dbfs=float(d.power_dbfs[part].mean()),
        level_db=float(level_db.mean()) if len(level_db) else float("nan"),
    )


def _hold_samples(rate_hz: float, window_samples: int) -> float:
    if np.isnan(rate_hz):
        return HOLD_WINDOWS_NO_RATE * window_samples
    return max(HOLD_S * rate_hz, HOLD_WINDOWS_LEAST * window_samples)


def _equal(a: float, b: float) -> bool:
    return a == b or (a != a and b != b)  # NaN, not known, equals itself here
