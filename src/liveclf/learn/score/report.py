"""An evaluation as files: figures as JSON, pictures as PNG, and both in one HTML page.

The page holds its pictures and asks for nothing outside itself. Every text in it is
escaped: the names of classes and groups come from data files.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from string import Template

import msgspec

from liveclf.errors import SinkError
from liveclf.learn.score import tables
from liveclf.learn.score.found import FoundScore
from liveclf.learn.score.found_tables import (
    fault_lines,
    found_headline,
    found_remarks,
    found_tables,
)
from liveclf.learn.score.measure import Evaluation
from liveclf.learn.score.plots import check_plots, draw

FIGURES = "evaluation.json"
PAGE = "report.html"
_TEMPLATE = Path(__file__).with_name("report.html")


def prepare(folder: Path) -> None:
    """Make sure that a report can be written, before anything is measured for it.

    Raises:
        MissingExtraError: matplotlib is not installed.
        SinkError: The folder cannot be made.
    """
    check_plots()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"Folder {folder} cannot be made: {error.strerror}.") from error


def write_report(
    evaluation: Evaluation | None, folder: Path, emissions: FoundScore | None = None
) -> Path:
    """Write evaluation.json, the pictures and report.html; files of these names are replaced.

    Args:
        evaluation: Of windows, None where there were none.
        folder: Where to.
        emissions: What was found in recordings, None where that was not looked for.

    Returns:
        The page.

    Raises:
        MissingExtraError: matplotlib is not installed.
        SinkError: A file cannot be written.
    """
    pictures = draw(evaluation) if evaluation else {}
    files = {
        FIGURES: msgspec.json.format(figures(evaluation, emissions), indent=2) + b"\n",
        **pictures,
        PAGE: page(evaluation, pictures, emissions).encode(),
    }
    for name, content in files.items():
        try:
            (folder / name).write_bytes(content)
        except OSError as error:
            raise SinkError(f"{folder / name} cannot be written: {error.strerror}.") from error
    return folder / PAGE


def figures(evaluation: Evaluation | None, emissions: FoundScore | None) -> bytes:
    """Return the figures as JSON: those of the windows, and below "emissions" those of these."""
    names = [f.name for f in fields(Evaluation)] if evaluation else []
    of_windows = {name: getattr(evaluation, name) for name in names}
    return msgspec.json.encode(of_windows | {"emissions": emissions})


def page(
    evaluation: Evaluation | None,
    pictures: Mapping[str, bytes],
    emissions: FoundScore | None = None,
) -> str:
    """Return the HTML page.

    Args:
        evaluation: What it shows of windows.
        pictures: PNG files by name, see `plots.draw`.
        emissions: What it shows of emissions.
    """
    parts = [*_windows(evaluation, pictures)] if evaluation else []
    parts += _emissions(emissions) if emissions else []
    template = Template(_TEMPLATE.read_text(encoding="utf-8"))
    title = html.escape(_title(evaluation, emissions))
    return template.substitute(title=title, body="\n".join(parts))


def _title(evaluation: Evaluation | None, emissions: FoundScore | None) -> str:
    if evaluation:
        return f"{evaluation.bundle} on {evaluation.data}"
    return f"Emissions of {emissions.data}" if emissions else "Nothing"


def _windows(evaluation: Evaluation, pictures: Mapping[str, bytes]) -> Iterator[str]:
    yield from _summary(evaluation)
    yield from _accuracy(evaluation, pictures)
    yield from _confusion(pictures)
    yield from _calibration(evaluation, pictures)
    yield from _rejection(evaluation, pictures)


def _emissions(score: FoundScore) -> Iterator[str]:
    yield "<h2>Emissions</h2>"
    yield _paragraph(found_headline(score))
    yield from map(_paragraph, found_remarks(score))
    yield from map(_table, found_tables(score))
    yield from map(_paragraph, fault_lines(score))


def _summary(evaluation: Evaluation) -> Iterator[str]:
    yield _paragraph(tables.headline(evaluation))
    yield _paragraph(
        f"Bundle {evaluation.bundle}, weights {evaluation.precision}, temperature "
        f"{evaluation.temperature:g}; a label below {evaluation.min_probability:g} is unknown."
    )
    yield _table(tables.summary(evaluation))
    for remark in tables.remarks(evaluation):
        yield _paragraph(remark)


def _accuracy(evaluation: Evaluation, pictures: Mapping[str, bytes]) -> Iterator[str]:
    yield "<h2>Accuracy</h2>"
    yield _picture(pictures, "accuracy.png", "share of right labels over SNR")
    yield from map(_table, tables.accuracy(evaluation))
    yield _picture(pictures, "classes.png", "share of right labels by class and SNR")


def _confusion(pictures: Mapping[str, bytes]) -> Iterator[str]:
    yield "<h2>Confusion</h2>"
    for name in pictures:
        if name.startswith("confusion"):
            yield _picture(pictures, name, "what was called what")


def _calibration(evaluation: Evaluation, pictures: Mapping[str, bytes]) -> Iterator[str]:
    yield "<h2>Calibration</h2>"
    yield _paragraph(
        "Bars: how often labels of such a probability are right; where they end on the dashed "
        "line, probabilities are frequencies. ECE: how far they end from it in the mean, over "
        f"{len(evaluation.calibration.n)} bins, each weighted with its windows."
    )
    yield _picture(pictures, "reliability.png", "reliability diagram")


def _rejection(evaluation: Evaluation, pictures: Mapping[str, bytes]) -> Iterator[str]:
    yield "<h2>Rejection</h2>"
    yield _picture(pictures, "coverage.png", "share of right labels over share of labels given")
    yield _paragraph("Thresholds on the probability that would do it, on these very windows:")
    yield _table(tables.thresholds(evaluation))
    if strangers := tables.strangers(evaluation):
        yield _table(strangers)


def _table(table: tables.TextTable) -> str:
    lines = [_row("th", table.head), *(_row("td", row) for row in table.rows)]
    return '<div class="wide"><table>\n' + "\n".join(lines) + "\n</table></div>"


def _row(tag: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def _picture(pictures: Mapping[str, bytes], name: str, alt: str) -> str:
    if name not in pictures:
        return ""
    data = base64.b64encode(pictures[name]).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'
