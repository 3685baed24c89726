"""The live table of emissions: which rows, which columns, which figures below."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import ConsoleOptions
from rich.table import Table
from rich.text import Text

from liveclf.emissions import Emission, Emissions
from liveclf.sinks.layout import (
    BAR_CELLS,
    Column,
    bar_text,
    duration_text,
    khz_text,
    label_text,
    lay_out,
    mhz_text,
    number_text,
    time_text,
    time_unit,
)

# One that is told no more, as its end was dropped, is not open for ever. Longer than anyone
# wants between two reports of one that lasts.
FORGET_S = 120.0
# More than a detector follows at a time, so that what is counted as open stays bounded.
MOST_OPEN = 10_000

MEDIUM_CELLS = 60
SYMBOLS_FROM_CELLS = 90
NOTE_FROM_CELLS = 110
NOTE_CELLS = 24

_Key = tuple[int, int]
"""Stream and number of an emission."""


@dataclass(slots=True)
class _Row:
    """An emission as it was told last, and when that was."""

    emission: Emission
    told_s: float


class EmissionRows:
    """One row for each emission, in the order in which they began to be told.

    So nothing jumps: the newest is at the bottom, and what lasts stays where it is, as only
    those that have ended make room for others.
    """

    waiting = "listening; no emission yet"

    def __init__(self, limit: int) -> None:
        """Start empty.

        Args:
            limit: Most rows kept.
        """
        self._limit = limit
        self._rows: dict[_Key, _Row] = {}
        self._open: dict[_Key, _Row] = {}  # also those for which there is no row
        self._n_ended = self._n_ended_unknown = 0
        self._latency_s = math.nan
        self._has_streams = False

    def add(self, report: Emissions, now_s: float) -> None:
        """Take in one batch."""
        for emission in report.rows():
            key = _key(emission)
            row = _Row(emission, now_s)
            self._open.pop(key, None)  # so that the order is that of the telling
            if emission.state == "open":
                self._open[key] = row
            else:
                self._n_ended += 1
                self._n_ended_unknown += emission.label == "unknown"
            self._show(key, row)
            self._latency_s = emission.latency_s
            self._has_streams |= emission.stream > 0
        self._forget(now_s)

    def shown(self, n: int) -> list[Emission]:
        """Return at most so many, in their order; what lasts is left out last."""
        ended = [key for key in self._rows if key not in self._open]
        lasting = [key for key in self._rows if key in self._open]
        left_out = {*[*ended, *lasting][: max(0, len(self._rows) - n)]}
        return [row.emission for key, row in self._rows.items() if key not in left_out]

    def table(self, n_rows: int, options: ConsoleOptions) -> Table | None:
        """Return as many rows, those that are open first of all; None before the first."""
        rows = self.shown(n_rows)
        if not rows:
            return None
        columns = _columns(rows, lambda e: _key(e) in self._open, options)
        return lay_out(rows, columns, self._source, options)

    def counters(self) -> str:
        """Return the figures below the table."""
        n_unknown = self._n_ended_unknown + sum(
            row.emission.label == "unknown" for row in self._open.values()
        )
        n = self._n_ended + len(self._open)
        return (
            f"{n:,} emission{'s' * (n != 1)}, {len(self._open):,} open now, "
            f"{n_unknown:,} unknown, latency {number_text(self._latency_s * 1e3, ',.0f')} ms"
        )

    def _show(self, key: _Key, row: _Row) -> None:
        if key not in self._rows and len(self._rows) >= self._limit:
            first_ended = next((other for other in self._rows if other not in self._open), None)
            if first_ended is None:
                return  # all last; what is told again has its row as soon as one of them ends
            del self._rows[first_ended]
        self._rows[key] = row

    def _forget(self, now_s: float) -> None:
        for key, row in list(self._open.items()):
            if now_s - row.told_s < FORGET_S and len(self._open) <= MOST_OPEN:
                return
            del self._open[key]

    def _source(self, emission: Emission) -> str:
        return f"{emission.stream} {emission.source}" if self._has_streams else ""


def _key(emission: Emission) -> _Key:
    return emission.stream, emission.id


def _columns(
    rows: Sequence[Emission], is_open: Callable[[Emission], bool], options: ConsoleOptions
) -> list[Column[Emission]]:
    ascii_only = options.ascii_only
    dot = Text("*" if ascii_only else "●", style="bold green")
    unit = time_unit(rows)
    columns: list[Column[Emission]] = [
        Column("", 1, lambda e: dot if is_open(e) else "", from_cells=0),
        Column(unit, 12, lambda e: time_text(e, unit), from_cells=0),
        Column("MHz", 9, mhz_text, from_cells=0),
        Column("kHz", 5, lambda e: khz_text(e.bandwidth_hz)),
        _span_column(unit),
        Column("SNR", 5, lambda e: number_text(e.snr_db, ".1f"), from_cells=MEDIUM_CELLS),
        Column("label", 9, lambda e: label_text(e.label), is_number=False, from_cells=0),
        Column("family", 6, lambda e: Text(e.family), is_number=False),
        Column(
            "prob",
            BAR_CELLS + 5,
            lambda e: bar_text(e.probability if e.n_windows else math.nan, ascii_only),
            is_number=False,
            from_cells=0,
        ),
        Column("win", 4, lambda e: f"{e.n_windows:,}"),
        Column("kBd", 6, lambda e: khz_text(e.symbol_rate_hz), from_cells=SYMBOLS_FROM_CELLS),
    ]
    if any(e.note for e in rows):
        columns.append(
            Column(
                "note",
                NOTE_CELLS,
                lambda e: Text(e.note or "", style="dim"),
                is_number=False,
                from_cells=NOTE_FROM_CELLS,
            )
        )
    return columns


def _span_column(unit: str) -> Column[Emission]:
    if unit == "sample":
        return Column("samples", 7, lambda e: f"{e.n_samples:,}", from_cells=MEDIUM_CELLS)
    return Column(
        "span", 7, lambda e: duration_text(e.duration_s or math.nan), from_cells=MEDIUM_CELLS
    )
