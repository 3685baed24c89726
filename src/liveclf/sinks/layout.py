"""How the live table looks: columns that fit the terminal, and how a value is written."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich import box
from rich.console import ConsoleOptions
from rich.table import Table
from rich.text import Text

from liveclf.emissions import Emission
from liveclf.records import StreamInfo

BAR_CELLS = 6
MAX_NAME_CELLS = 16
WIDE_CELLS = 80
SURE, LIKELY = 0.8, 0.5

RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class Column(Generic[RowT]):
    """One column of rows of some type.

    Attributes:
        header: Its name.
        min_cells: What its values need.
        cell: The value of a row.
        is_number: Aligned to the right.
        from_cells: Left out on terminals narrower than this.
    """

    header: str
    min_cells: int
    cell: Callable[[RowT], str | Text]
    is_number: bool = True
    from_cells: int = WIDE_CELLS


def title(info: StreamInfo) -> str:
    """Return what is known of the stream, on one line."""
    parts = [info.name, info.format]
    if not math.isnan(info.sample_rate_hz):
        parts.append(f"{info.sample_rate_hz / 1e6:g} MS/s")
    if not math.isnan(info.center_hz):
        parts.append(f"{info.center_hz / 1e6:g} MHz")
    return "  ".join(parts)


def lay_out(
    rows: Sequence[RowT],
    columns: Sequence[Column[RowT]],
    source: Callable[[RowT], str],
    options: ConsoleOptions,
) -> Table:
    """Return the rows as a table that fits.

    Args:
        rows: At least one, in the order shown.
        columns: All there are.
        source: Of which stream a row is, empty where there is only one.
        options: Width and encoding of the terminal.
    """
    width, shown = options.max_width, list[Column[RowT]]()
    if any(source(row) for row in rows):
        shown.append(Column("stream", 6, lambda row: Text(source(row)), is_number=False))
        width -= MAX_NAME_CELLS
    shown += [column for column in columns if width >= column.from_cells]
    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, padding=0, header_style="bold", highlight=False
    )
    for column in shown:
        table.add_column(
            column.header,
            justify="right" if column.is_number else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=column.min_cells,
            max_width=max(MAX_NAME_CELLS, column.min_cells),
        )
    for row in rows:
        table.add_row(*(column.cell(row) for column in shown))
    return table


def label_text(label: str) -> Text:
    """Write a label; as Text, as all names, so that brackets are not taken for markup."""
    return Text(label, style="dim" if label == "unknown" else "bold")


def duration_text(seconds: float) -> str:
    """Write a duration with its unit."""
    if math.isnan(seconds):
        return "-"
    if seconds < 1:
        return f"{seconds * 1e3:.1f} ms"
    return f"{seconds:.1f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def number_text(value: float | None, form: str) -> str:
    """Write a number, "-" where it is not known."""
    return "-" if value is None or not math.isfinite(value) else format(value, form)


def bar_text(probability: float, ascii_only: bool) -> Text:
    """Draw a probability as a bar and write it in percent."""
    if not math.isfinite(probability):
        return Text("-")
    full, empty = ("#", ".") if ascii_only else ("━", "─")
    cells = round(probability * BAR_CELLS)
    style = "green" if probability >= SURE else "yellow" if probability >= LIKELY else "red"
    return Text.assemble(
        (full * cells, style), (empty * (BAR_CELLS - cells), "dim"), f" {probability:4.0%}"
    )


def time_unit(rows: Sequence[Emission]) -> str:
    """Return how times are told of all these alike: "UTC", "second", or "sample"."""
    if any(e.elapsed_s is None for e in rows):
        return "sample"
    return "second" if any(e.time is None for e in rows) else "UTC"


def time_text(e: Emission, unit: str) -> str:
    """Write when an emission began, see `time_unit`."""
    if unit == "UTC" and e.time:
        return e.time[11:23]  # hh:mm:ss.mmm of the day
    return number_text(e.elapsed_s, ".3f") if unit == "second" else str(e.sample)


def mhz_text(e: Emission) -> str:
    """Write where an emission is, without the unit."""
    if e.center_hz is not None:
        return f"{e.center_hz / 1e6:.4f}"
    return "-" if e.offset_hz is None else f"{e.offset_hz / 1e6:+.4f}"  # the sign tells them apart


def khz_text(hz: float | None) -> str:
    """Write a width or a rate, without the unit."""
    if hz is None or not math.isfinite(hz):
        return "-"
    khz = hz / 1e3
    return f"{khz:.2f}" if khz < 10 else f"{khz:.1f}" if khz < 100 else f"{khz:,.0f}"
