"""How the live table looks: its columns, and how each value is written."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from rich import box
from rich.console import ConsoleOptions
from rich.table import Table
from rich.text import Text

from liveclf.records import StreamInfo, iso_utc
from liveclf.sinks.spans import Span

BAR_CELLS = 6
MAX_NAME_CELLS = 16
WIDE_CELLS = 80
SURE, LIKELY = 0.8, 0.5


def title(info: StreamInfo) -> str:
    """Return what is known of the stream, on one line."""
    parts = [info.name, info.format]
    if not math.isnan(info.sample_rate_hz):
        parts.append(f"{info.sample_rate_hz / 1e6:g} MS/s")
    if not math.isnan(info.center_hz):
        parts.append(f"{info.center_hz / 1e6:g} MHz")
    return "  ".join(parts)


def layout(spans: list[Span], options: ConsoleOptions) -> Table:
    """Return the rows as a table that fits.

    Args:
        spans: At least one, in the order shown.
        options: Width and encoding of the terminal.
    """
    unit = _time_unit(spans)
    columns = _columns(unit, options.ascii_only)
    width = options.max_width
    if any(span.source for span in spans):
        columns.insert(0, _SOURCE)
        width -= MAX_NAME_CELLS
    if width < WIDE_CELLS:
        columns = [column for column in columns if column.is_vital]
    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, padding=0, header_style="bold", highlight=False
    )
    for column in columns:
        table.add_column(
            column.header,
            justify="right" if column.is_number else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=column.min_cells,
            max_width=MAX_NAME_CELLS,
        )
    for span in spans:
        table.add_row(*(column.cell(span) for column in columns))
    return table


@dataclass(frozen=True, slots=True)
class _Column:
    """One column; a terminal that is too narrow gets the vital ones."""

    header: str
    min_cells: int
    cell: Callable[[Span], str | Text]
    is_number: bool = True
    is_vital: bool = False


# Text, so that brackets in a name are not taken for markup.
_SOURCE = _Column("stream", 6, lambda span: Text(span.source), is_number=False, is_vital=True)


def _columns(unit: str, ascii_only: bool) -> list[_Column]:
    return [
        _Column(unit, 12, lambda span: _time(span, unit), is_vital=True),
        _Column("span", 7, lambda span: _duration(span.duration_s)),
        _Column("MHz", 9, lambda span: _number(span.center_hz / 1e6, ".4f"), is_vital=True),
        _Column("label", 9, _label, is_number=False, is_vital=True),
        _Column("family", 6, lambda span: Text(span.family), is_number=False),
        _Column(
            "prob",
            BAR_CELLS + 5,
            lambda span: _bar(span.probability, ascii_only),
            is_number=False,
            is_vital=True,
        ),
        _Column("dB", 5, lambda span: _number(span.level_db, "+.1f")),
        _Column("dBFS", 5, lambda span: _number(span.power_dbfs, ".1f")),
        _Column("windows", 7, lambda span: f"{span.n_windows:,}", is_vital=True),
    ]


def _label(span: Span) -> Text:
    # Text, so that brackets in a name are not taken for markup.
    return Text(span.label, style="dim" if span.label == "unknown" else "bold")


def _time_unit(spans: list[Span]) -> str:
    if any(math.isnan(span.sample_rate_hz) for span in spans):
        return "sample"
    return "second" if any(math.isnan(span.start_unix_s) for span in spans) else "UTC"


def _time(span: Span, unit: str) -> str:
    if unit == "UTC":
        return iso_utc(span.start_unix_s)[11:23]  # hh:mm:ss.mmm of the day
    return f"{span.start_s:.3f}" if unit == "second" else str(span.start_sample)


def _duration(seconds: float) -> str:
    if math.isnan(seconds):
        return "-"
    if seconds < 1:
        return f"{seconds * 1e3:.1f} ms"
    return f"{seconds:.1f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def _number(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "-"


def _bar(probability: float, ascii_only: bool) -> Text:
    if not math.isfinite(probability):
        return Text("-")
    full, empty = ("#", ".") if ascii_only else ("━", "─")
    cells = round(probability * BAR_CELLS)
    style = "green" if probability >= SURE else "yellow" if probability >= LIKELY else "red"
    return Text.assemble(
        (full * cells, style), (empty * (BAR_CELLS - cells), "dim"), f" {probability:4.0%}"
    )
