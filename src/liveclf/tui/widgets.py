"""The parts of the screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from liveclf.emissions import Emission
from liveclf.sinks.layout import duration_text, khz_text, mhz_text, time_text, time_unit
from liveclf.tui.band import Band
from liveclf.tui.canvas import draw_axis, draw_spectrum, draw_waterfall
from liveclf.tui.listing import Item, Listing
from liveclf.tui.looks import DIM, GOOD, TEXT, Looks, fitted
from liveclf.view.told import Key

_AXIS_LINES = 2
_SPECTRUM_SHARE, _LEAST_SPECTRUM, _MOST_SPECTRUM = 0.3, 2, 8
_WHEEL_ROWS = 3
_BAR_CELLS = 6


class Lines(Widget):
    """A widget that shows lines made now and then, not whenever it is drawn."""

    def __init__(self, widget_id: str) -> None:
        """Begin with none."""
        super().__init__(id=widget_id)
        self._strips: list[Strip] = []

    def show(self, strips: list[Strip]) -> None:
        """Show these."""
        if strips != self._strips:
            self._strips = strips
            self.refresh()

    def show_text(self, lines: Sequence[Text]) -> None:
        """Show these, cut to the width."""
        width = self.size.width
        self.show([_strip(line, width) for line in lines[: self.size.height]])

    def render_line(self, y: int) -> Strip:
        """Return one line, on the background of the widget."""
        width, style = self.size.width, self.rich_style
        if y >= len(self._strips):
            return Strip.blank(width, style)
        return self._strips[y].apply_style(style).adjust_cell_length(width, style)


class BandView(Lines):
    """Spectrum, axis and waterfall."""

    def draw(self, band: Band, items: Sequence[Item], looks: Looks, chosen: Key | None) -> None:
        """Draw the band as it is now."""
        width, height = self.size
        n_spectrum = int(_SPECTRUM_SHARE * height)
        n_spectrum = max(_LEAST_SPECTRUM, min(_MOST_SPECTRUM, n_spectrum))
        spectrum = band.spectrum(width)
        picture = band.picture(items, height - n_spectrum - _AXIS_LINES, width, looks.n_levels)
        if spectrum is None or picture is None:
            self.show_text([Text(" waiting for samples", looks.style(DIM))])
            return
        active = band.active(items, width)
        self.show(
            [
                *draw_spectrum(spectrum, n_spectrum, width, looks, active).strips(),
                *draw_axis(band, width, looks, active).strips(),
                *draw_waterfall(picture, width, looks, chosen).strips(),
            ]
        )


@dataclass(frozen=True, slots=True)
class _Column:
    """Of the list: what stands in it, and from which width on it is there."""

    name: str
    cells: int
    text: Callable[[Item, str], str]
    from_cells: int = 0
    is_right: bool = True


def _of(text: Callable[[Emission], str]) -> Callable[[Item, str], str]:
    return lambda item, _: text(item.emission)


_COLUMNS = (
    _Column("time", 12, lambda item, unit: time_text(item.emission, unit)),
    _Column("MHz", 10, _of(mhz_text)),
    _Column("kHz", 6, _of(lambda e: khz_text(e.bandwidth_hz)), from_cells=61),
    _Column("span", 8, _of(lambda e: _span(e)), from_cells=70),
    _Column("SNR", 5, _of(lambda e: f"{e.snr_db:.1f}"), from_cells=54),
)
_LABEL_CELLS, _FAMILY_CELLS, _FAMILY_FROM = 10, 7, 78


class EmissionList(Lines, can_focus=True):
    """The emissions, one a line; the chosen one stays chosen wherever it goes.

    Attributes:
        chosen: The key of it, None while there is none.
        follows: Whether the first is chosen, always.
    """

    class Chosen(Message):
        """Another one was chosen by hand."""

    def __init__(self, listing: Listing) -> None:
        """Begin with none."""
        super().__init__("list")
        self._listing = listing
        self._top = 0
        self.chosen: Key | None = None
        self.follows = True

    def draw(self, looks: Looks) -> None:
        """Draw the list as it is now."""
        rows, width = self._listing.rows(), self.size.width
        n_lines = max(0, self.size.height - 1)
        at = self._place(rows)
        self._top = max(0, min(self._top, len(rows) - n_lines))
        if at is not None:
            self._top = max(at - n_lines + 1, min(self._top, at))
        shown = rows[self._top : self._top + n_lines]
        unit = time_unit([item.emission for item in shown])
        strips = [_heading(width, unit, looks)]
        strips += [_line(i, width, unit, looks, is_chosen=i.key == self.chosen) for i in shown]
        if not rows:
            what = "no emission passes the filter" if len(self._listing) else "no emission yet"
            strips.append(_strip(Text(f"  {what}", looks.style(DIM)), width))
        self.show(strips)

    def move(self, n_rows: int) -> None:
        """Choose another, so many rows further down."""
        rows = self._listing.rows()
        if not rows:
            return
        at = self._place(rows)
        self._choose(0 if at is None else max(0, min(len(rows) - 1, at + n_rows)))

    def on_click(self, event: events.Click) -> None:
        """Choose the one under the pointer."""
        if 0 <= (at := self._top + event.y - 1) < len(self._listing.rows()) and event.y > 0:
            self._choose(at)

    def on_mouse_scroll_down(self) -> None:
        """Go down."""
        self.move(_WHEEL_ROWS)

    def on_mouse_scroll_up(self) -> None:
        """Go up."""
        self.move(-_WHEEL_ROWS)

    @property
    def page(self) -> int:
        """Rows that are seen at once."""
        return max(1, self.size.height - 1)

    def _choose(self, at: int) -> None:
        self.chosen, self.follows = self._listing.rows()[at].key, False
        self.post_message(self.Chosen())

    def _place(self, rows: list[Item]) -> int | None:
        """Return where the chosen one is, and choose the first where that is asked for."""
        if self.follows or self._listing.find(self.chosen) is None:
            self.chosen = rows[0].key if rows else None
        return next((k for k, item in enumerate(rows) if item.key == self.chosen), None)


def _strip(text: Text, width: int) -> Strip:
    """Return a line of text cut to a width."""
    marks = {0, len(text), *(at for span in text.spans for at in (span.start, span.end))}
    segments = []
    for start, stop in pairwise(sorted(marks)):
        over = [s.style for s in text.spans if s.start <= start and s.end >= stop]
        styles = [style for style in (text.style, *over) if isinstance(style, Style)]
        segments.append(Segment(text.plain[start:stop], Style.combine([Style.null(), *styles])))
    return Strip(segments).crop(0, width)


def _span(e: Emission) -> str:
    return f"{e.n_samples:,}" if e.duration_s is None else duration_text(e.duration_s)


def _heading(width: int, unit: str, looks: Looks) -> Strip:
    parts = ["  "]
    for column in _columns(width):
        name = {"time": unit}.get(column.name, column.name)
        parts.append(fitted(name, column.cells, right=column.is_right) + " ")
    parts.append(fitted("label", _LABEL_CELLS) + " ")
    if width >= _FAMILY_FROM:
        parts.append(fitted("family", _FAMILY_CELLS) + " ")
    parts.append(fitted("prob", _BAR_CELLS + 5))
    return _strip(Text("".join(parts), looks.style(DIM)), width)


def _columns(width: int) -> list[_Column]:
    return [column for column in _COLUMNS if width >= column.from_cells]


def _line(item: Item, width: int, unit: str, looks: Looks, *, is_chosen: bool) -> Strip:
    e = item.emission
    family = looks.style(e.family, bold=True)
    if item.label == "unknown":
        family = looks.style(DIM)
    text = Text()
    text.append(looks.pick("●", "*") if item.is_open else " ", looks.style(GOOD))
    text.append(looks.pick("▌", ">") if is_chosen else " ", looks.style(TEXT, bold=True))
    for column in _columns(width):
        cell = fitted(column.text(item, unit), column.cells, right=column.is_right)
        text.append(cell + " ", looks.style(TEXT))
    text.append(fitted(looks.plain(item.label), _LABEL_CELLS) + " ", family)
    if width >= _FAMILY_FROM:
        text.append(fitted(looks.plain(e.family), _FAMILY_CELLS) + " ", looks.style(DIM))
    if e.n_windows:
        cells = round(e.probability * _BAR_CELLS)
        text.append(looks.pick("━", "#") * cells, family)
        text.append(looks.pick("─", ".") * (_BAR_CELLS - cells), looks.style(DIM))
        text.append(f" {e.probability:4.0%}", looks.style(TEXT))
    strip = _strip(text, width).adjust_cell_length(width)
    if not is_chosen:
        return strip
    mark = Style(bgcolor="#1f2a3d") if looks.colours == "many" else Style(reverse=True)
    return strip.apply_style(mark)
