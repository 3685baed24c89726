"""The live table of windows: which rows, which columns, which figures below."""

from __future__ import annotations

import math

from rich.console import ConsoleOptions
from rich.table import Table
from rich.text import Text

from liveclf.records import Detections, iso_utc
from liveclf.sinks.layout import (
    BAR_CELLS,
    Column,
    bar_text,
    duration_text,
    label_text,
    lay_out,
    number_text,
)
from liveclf.sinks.spans import Span, Spans

RATE_OVER_S = 1.0


class WindowRows:
    """One row for consecutive windows of a label."""

    waiting = "waiting for the first window"

    def __init__(self, limit: int) -> None:
        """Start empty.

        Args:
            limit: Most rows kept.
        """
        self._spans = Spans(limit)
        self._n_windows = 0
        self._n_lost = 0
        self._latency_s = 0.0
        self._rate: float | None = None
        self._mark: tuple[float, int] | None = None

    def add(self, report: Detections, now_s: float) -> None:
        """Take in one batch."""
        self._spans.add(report)
        self._n_windows += len(report)
        self._n_lost += int(report.gap_before.sum())
        self._latency_s = float(report.latency_s[-1])
        if self._mark is None:
            self._mark = now_s, self._n_windows
        elif now_s - self._mark[0] >= RATE_OVER_S:
            self._rate = (self._n_windows - self._mark[1]) / (now_s - self._mark[0])
            self._mark = now_s, self._n_windows

    def table(self, n_rows: int, options: ConsoleOptions) -> Table | None:
        """Return the rows seen last, None before the first."""
        spans = self._spans.latest(n_rows)
        if not spans:
            return None
        columns = _columns(_time_unit(spans), options.ascii_only)
        return lay_out(spans, columns, lambda span: span.source, options)

    def counters(self) -> str:
        """Return the figures below the table."""
        rate = "" if self._rate is None else f", {self._rate:,.0f}/s"
        return (
            f"{self._n_windows:,} windows{rate}, {self._n_lost:,} samples lost, "
            f"latency {self._latency_s * 1e3:,.0f} ms"
        )


def _columns(unit: str, ascii_only: bool) -> list[Column[Span]]:
    return [
        Column(unit, 12, lambda span: _time(span, unit), from_cells=0),
        Column("span", 7, lambda span: duration_text(span.duration_s)),
        Column("MHz", 9, lambda span: number_text(span.center_hz / 1e6, ".4f"), from_cells=0),
        Column("label", 9, lambda span: label_text(span.label), is_number=False, from_cells=0),
        Column("family", 6, lambda span: Text(span.family), is_number=False),
        Column(
            "prob",
            BAR_CELLS + 5,
            lambda span: bar_text(span.probability, ascii_only),
            is_number=False,
            from_cells=0,
        ),
        Column("dB", 5, lambda span: number_text(span.level_db, "+.1f")),
        Column("dBFS", 5, lambda span: number_text(span.power_dbfs, ".1f")),
        Column("windows", 7, lambda span: f"{span.n_windows:,}", from_cells=0),
    ]


def _time_unit(spans: list[Span]) -> str:
    if any(math.isnan(span.sample_rate_hz) for span in spans):
        return "sample"
    return "second" if any(math.isnan(span.start_unix_s) for span in spans) else "UTC"


def _time(span: Span, unit: str) -> str:
    if unit == "UTC":
        return iso_utc(span.start_unix_s)[11:23]  # hh:mm:ss.mmm of the day
    return f"{span.start_s:.3f}" if unit == "second" else str(span.start_sample)
