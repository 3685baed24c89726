"""An evaluation on standard output."""

from __future__ import annotations

from rich import box
from rich.table import Column, Table
from rich.text import Text

from liveclf.learn.score import tables
from liveclf.learn.score.found import FoundScore
from liveclf.learn.score.found_tables import (
    fault_lines,
    found_headline,
    found_remarks,
    found_tables,
)
from liveclf.learn.score.measure import Evaluation
from liveclf.sinks.terminal import HonestConsole

MOST_NAME_CELLS = 34
"""Up to here a name is not broken into lines, however narrow the terminal."""


def print_figures(evaluation: Evaluation | None, emissions: FoundScore | None) -> None:
    """Print what was measured on windows, and on emissions."""
    if evaluation:
        print_evaluation(evaluation)
    if evaluation and emissions:
        print()
    if emissions:
        print_found(emissions)


def print_evaluation(evaluation: Evaluation) -> None:
    """Print what a person wants to know; JSON and the report have the rest."""
    console = HonestConsole(highlight=False)
    console.print(_text(tables.headline(evaluation)))
    console.print(_table(tables.summary(evaluation)))
    console.print()
    for remark in tables.remarks(evaluation):
        console.print(_text(remark))
    strangers = tables.strangers(evaluation)
    for table in (*tables.accuracy(evaluation), *([strangers] if strangers else [])):
        console.print()
        console.print(_table(table))


def print_found(score: FoundScore) -> None:
    """Print what was found of emissions, and what was missed."""
    console = HonestConsole(highlight=False)
    console.print(_text(found_headline(score)))
    for remark in found_remarks(score):
        console.print(_text(remark))
    for table in found_tables(score):
        console.print()
        console.print(_table(table))
    console.print()
    for line in fault_lines(score):
        console.print(_text(line), soft_wrap=True)


def _table(table: tables.TextTable) -> Table:
    columns = [Column(_text(name), overflow="fold") for name in table.head]
    columns[0].min_width = min(MOST_NAME_CELLS, max(len(row[0]) for row in table.rows))
    shown = Table(*columns, box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for row in table.rows:
        shown.add_row(*map(_text, row))
    return shown


def _text(text: str) -> Text:
    """Return text without markup, and that does nothing to a terminal: it names classes."""
    return Text("".join(c if c.isprintable() else "?" for c in text))
