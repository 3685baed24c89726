"""The band as it is drawn: rows of the waterfall, brought to the columns and lines of a screen."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveclf.emissions import Emission
from liveclf.records import FloatArray
from liveclf.tui.listing import Item
from liveclf.view.wire import Row

_MOST_ROWS = 1600  # 80 s, 20 MB
ROWS_PER_LINE = 4  # 0.2 s, two halves
_MOST_PER_LINE = 64
_RANGE_DB = 36.0  # of the colours
# Above the mean noise: where colours begin. The highest of many spectra lies above the mean.
_LEAST_DB, _MOST_DB = 5.0, 14.0
_RECENT_ROWS = 4  # that the spectrum is a mean of
_RECENT_S = 0.5
_LEAST_SPAN_DB = 30.0


@dataclass(frozen=True, slots=True)
class Box:
    """Where an emission is on the screen.

    Attributes:
        item: The emission.
        first_line: Of the newest part, from the top.
        last_line: Of the oldest part.
        first_column: Of its lower edge.
        last_column: Of its upper edge.
    """

    item: Item
    first_line: int
    last_line: int
    first_column: int
    last_column: int


@dataclass(frozen=True, slots=True)
class Picture:
    """The waterfall on a screen.

    Attributes:
        levels: Strength of each half cell, (2 * lines, columns) from 0 on, the newest on top.
        boxes: The emissions in it.
    """

    levels: NDArray[np.int64]
    boxes: Sequence[Box]


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The newest spectrum on a screen.

    Attributes:
        mean_dbfs: Of each column.
        floor_dbfs: Noise, of each column.
        low_dbfs: Of the lowest line.
        high_dbfs: Of the highest.
        noise_dbfs: Of one bin.
    """

    mean_dbfs: FloatArray
    floor_dbfs: FloatArray
    low_dbfs: float
    high_dbfs: float
    noise_dbfs: float


class Band:
    """The newest rows of one stream at one tuning; bounded.

    Attributes:
        rows_per_line: How many a line of the waterfall stands for.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._rows: deque[Row] = deque(maxlen=_MOST_ROWS)
        self._n_pushed = 0
        self.rows_per_line = ROWS_PER_LINE

    def push(self, row: Row) -> None:
        """Take a row; one at another tuning begins anew."""
        if self._rows and not _is_like(row, self._rows[-1]):
            self.clear()
        self._rows.append(row)
        self._n_pushed += 1

    def clear(self) -> None:
        """Forget everything."""
        self._rows.clear()

    @property
    def newest(self) -> Row | None:
        """The newest row, None before the first."""
        return self._rows[-1] if self._rows else None

    def slower(self, factor: float) -> None:
        """Have a line stand for more rows, or fewer."""
        wanted = round(self.rows_per_line * factor)
        self.rows_per_line = max(2, min(_MOST_PER_LINE, wanted))

    def column_of(self, offset: float, n_columns: int) -> int:
        """Return the column of a frequency.

        Args:
            offset: From the centre, in sample rates.
            n_columns: How many there are; one that lies outside is taken for the nearest.
        """
        return max(0, min(n_columns - 1, math.floor((offset + 0.5) * n_columns)))

    def picture(
        self, items: Iterable[Item], n_lines: int, n_columns: int, n_levels: int
    ) -> Picture | None:
        """Return the waterfall, None before the first row."""
        newest = self.newest
        if newest is None or n_lines < 1 or n_columns < 1:
            return None
        half = self.rows_per_line // 2
        shown = self._halves(2 * n_lines, half)
        over_noise_db = np.full((2 * n_lines, n_columns), -math.inf, np.float32)
        for k, rows in shown:
            peak = np.max([row.peak_dbfs for row in rows], axis=0)
            over_noise_db[k] = _columns(peak, n_columns) - rows[-1].noise_dbfs
        levels = _levels(over_noise_db, n_levels)
        boxes = _boxes(items, _line_times(shown, n_lines), self, n_columns)
        return Picture(levels, boxes)

    def spectrum(self, n_columns: int) -> Spectrum | None:
        """Return the newest spectrum, None before the first row."""
        newest = self.newest
        if newest is None or n_columns < 1:
            return None
        rows = [self._rows[-k - 1] for k in range(min(_RECENT_ROWS, len(self._rows)))]
        power = np.mean([10 ** (row.mean_dbfs / 10) for row in rows], axis=0)
        mean = _columns(np.asarray(10 * np.log10(power), np.float32), n_columns)
        low = 5 * math.floor((newest.noise_dbfs - 5) / 5)
        high = max(low + _LEAST_SPAN_DB, 5 * math.ceil(float(mean.max()) / 5))
        floor = _columns(newest.floor_dbfs, n_columns)
        return Spectrum(mean, floor, low, high, newest.noise_dbfs)

    def active(self, items: Iterable[Item], n_columns: int) -> list[Box]:
        """Return what is on the air, or was until just now; the weakest first."""
        newest = self.newest
        if newest is None:
            return []
        since_s = newest.start_s + newest.duration_s - _RECENT_S
        active = [
            item
            for item in items
            if item.emission.stream == newest.stream
            and (item.is_open or _stop_s(item.emission) > since_s)
        ]
        edges = ((item, _edges(item.emission, newest)) for item in active)
        return sorted(
            (
                Box(item, 0, 0, self.column_of(e[0], n_columns), self.column_of(e[1], n_columns))
                for item, e in edges
                if e
            ),
            key=lambda box: box.item.emission.snr_db,
        )

    def _halves(self, n_halves: int, half: int) -> list[tuple[int, list[Row]]]:
        """Return the rows of each half line, newest first, with its place from the top.

        Halves are counted from the first row of all, two to a line, so that what is drawn
        keeps its form while it moves down.
        """
        n, size = self._n_pushed, 2 * half
        end = size * math.ceil(n / size)  # behind the newest line, full or not
        shown: list[tuple[int, list[Row]]] = []
        for k in range(n_halves):
            stop, start = min(n, end - k * half), end - (k + 1) * half
            first = max(start, n - len(self._rows))
            if first >= stop:
                if start < n - len(self._rows):
                    break
                continue
            at = n - len(self._rows)
            shown.append((k, [self._rows[j - at] for j in range(first, stop)]))
        return shown


def tick_step_hz(span_hz: float, n_columns: int, least_columns: int) -> float:
    """Return a round distance of marks on the axis of frequency."""
    least_hz = span_hz * least_columns / max(1, n_columns)
    unit = 10.0 ** math.floor(math.log10(least_hz))
    return next((m * unit for m in (1, 2, 5) if m * unit >= least_hz), 10 * unit)


def _is_like(row: Row, other: Row) -> bool:
    ours, theirs = (row.center_hz, row.sample_rate_hz), (other.center_hz, other.sample_rate_hz)
    same = np.array_equal(ours, theirs, True)
    return same and row.stream == other.stream and len(row.peak_dbfs) == len(other.peak_dbfs)


def _columns(values: FloatArray, n_columns: int) -> FloatArray:
    """Return the highest value in each column."""
    n = len(values)
    if n <= n_columns:
        return values[np.arange(n_columns) * n // n_columns]
    starts = -(-np.arange(n_columns) * n // n_columns)  # as `column_of` has it
    return np.asarray(np.maximum.reduceat(values, starts), np.float32)


def _levels(over_noise_db: FloatArray, n_levels: int) -> NDArray[np.int64]:
    known = over_noise_db[np.isfinite(over_noise_db)]
    usual_db = float(np.median(known)) if len(known) else 0.0
    # Above what most of the picture is, if that is noise.
    low_db = min(max(usual_db + 1.0, _LEAST_DB), _MOST_DB)
    share = np.clip((over_noise_db - low_db) / _RANGE_DB, 0, 1)
    return np.asarray(np.ceil(share * (n_levels - 1)), np.int64)


def _line_times(
    shown: Sequence[tuple[int, list[Row]]], n_lines: int
) -> list[tuple[float, float] | None]:
    """Return from when to when each line is, None where there is nothing."""
    times: list[tuple[float, float] | None] = [None] * n_lines
    for k, rows in shown:
        start, stop = rows[0].start_s, rows[-1].start_s + rows[-1].duration_s
        before = times[k // 2]
        times[k // 2] = (start, before[1] if before else stop)
    return times


def _boxes(
    items: Iterable[Item],
    times: Sequence[tuple[float, float] | None],
    band: Band,
    n_columns: int,
) -> list[Box]:
    newest = band.newest
    known = [time for time in times if time]
    if not known or newest is None:
        return []
    boxes = []
    for item in items:
        e = item.emission
        start_s, stop_s = e.elapsed_s, _stop_s(e)
        if e.stream != newest.stream or start_s is None or stop_s < known[-1][0]:
            continue
        if item.is_open:
            stop_s = max(stop_s, known[0][1])
        edges = _edges(e, newest)
        lines = [k for k, t in enumerate(times) if t and t[0] < stop_s and t[1] > start_s]
        if edges and lines:
            low, high = (band.column_of(edge, n_columns) for edge in edges)
            boxes.append(Box(item, lines[0], lines[-1], low, high))
    return boxes


def _stop_s(e: Emission) -> float:
    return (e.elapsed_s or 0.0) + (e.duration_s or 0.0)


def _edges(e: Emission, row: Row) -> tuple[float, float] | None:
    """Return the edges of an emission from the centre of a row, in sample rates."""
    if e.offset_hz is None or e.bandwidth_hz is None:
        return None
    knows = e.center_hz is not None and math.isfinite(row.center_hz)
    offset_hz = e.center_hz - row.center_hz if knows and e.center_hz is not None else e.offset_hz
    low, high = (offset_hz + s * e.bandwidth_hz / 2 for s in (-1, 1))
    if high < -row.sample_rate_hz / 2 or low > row.sample_rate_hz / 2:
        return None
    return low / row.sample_rate_hz, high / row.sample_rate_hz


def ticks(row: Row, n_columns: int) -> Iterator[tuple[int, str]]:
    """Yield the marks of the axis of frequency: the column, and what stands there."""
    rate, center = row.sample_rate_hz, row.center_hz
    is_known = math.isfinite(center)
    middle = center if is_known else 0.0
    step = tick_step_hz(rate, n_columns, 14)
    digits = max(0, min(6, math.ceil(-math.log10(step / 1e6) - 1e-9)))
    first = math.ceil((middle - rate / 2) / step)
    for k in range(first, math.floor((middle + rate / 2) / step) + 1):
        column = math.floor(((k * step - middle) / rate + 0.5) * n_columns)
        sign = "" if is_known else "+"
        if 0 <= column < n_columns:
            yield column, f"{k * step / 1e6:{sign}.{digits}f}"
