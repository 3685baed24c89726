"""Spectrum and waterfall as lines of characters."""

from __future__ import annotations

import math

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from liveclf.tui.band import Band, Box, Picture, Spectrum, ticks
from liveclf.tui.listing import Item
from liveclf.tui.looks import ACCENT, BARS, BARS_ASCII, DIM, TEXT, Looks
from liveclf.view.told import Key

_EDGES, _EDGES_ASCII = "┌─┐│└┘", "+-+|++"
_CHOSEN_EDGES, _CHOSEN_EDGES_ASCII = "╔═╗║╚╝", "######"


class Canvas:
    """Lines of cells, each a character and its style."""

    def __init__(self, n_lines: int, n_columns: int) -> None:
        """Begin with blanks."""
        self.n_lines, self.n_columns = n_lines, n_columns
        self.cells: list[list[tuple[str, Style]]] = [
            [(" ", Style.null())] * n_columns for _ in range(n_lines)
        ]
        self._taken: set[tuple[int, int]] = set()

    def put(self, line: int, column: int, character: str, style: Style) -> None:
        """Set one cell, if it is there."""
        if 0 <= line < self.n_lines and 0 <= column < self.n_columns:
            self.cells[line][column] = character, style

    def write(self, line: int, column: int, text: str, style: Style) -> bool:
        """Write a text where none is yet; return whether there was room.

        What is behind shows through where the style has no background.
        """
        places = [(line, column + k) for k in range(-1, len(text) + 1)]
        if not 0 <= line < self.n_lines or column < 0 or column + len(text) > self.n_columns:
            return False
        if self._taken.intersection(places):
            return False
        self._taken.update(places[1:-1])
        for k, character in enumerate(text):
            behind = self.cells[line][column + k][1]
            self.put(line, column + k, character, Style(bgcolor=behind.bgcolor) + style)
        return True

    def strips(self) -> list[Strip]:
        """Return the lines, neighbours of one style joined."""
        return [Strip(_joined(line), self.n_columns) for line in self.cells]


def _joined(line: list[tuple[str, Style]]) -> list[Segment]:
    segments: list[Segment] = []
    text, style = "", Style.null()
    for character, of_cell in line:
        if of_cell is not style and of_cell != style:
            if text:
                segments.append(Segment(text, style))
            text, style = "", of_cell
        text += character
    if text:
        segments.append(Segment(text, style))
    return segments


def draw_waterfall(picture: Picture, n_columns: int, looks: Looks, chosen: Key | None) -> Canvas:
    """Draw the waterfall and the emissions in it.

    Args:
        picture: What is seen.
        n_columns: Of the screen.
        looks: Of the terminal.
        chosen: The emission that is marked.
    """
    levels = picture.levels.tolist()
    canvas = Canvas(len(levels) // 2, n_columns)
    for line in range(canvas.n_lines):
        upper, lower = levels[2 * line], levels[2 * line + 1]
        canvas.cells[line] = [looks.cell(u, low) for u, low in zip(upper, lower, strict=True)]
    heat = [
        [max(u, low) for u, low in zip(levels[2 * k], levels[2 * k + 1], strict=True)]
        for k in range(canvas.n_lines)
    ]
    boxes = sorted(picture.boxes, key=lambda box: (box.item.key == chosen, box.first_line))
    for box in boxes:
        _draw_box(canvas, box, heat, looks, is_chosen=box.item.key == chosen)
    for box in reversed(boxes):
        _draw_label(canvas, box, looks, is_chosen=box.item.key == chosen)
    return canvas


def _draw_box(
    canvas: Canvas, box: Box, heat: list[list[int]], looks: Looks, *, is_chosen: bool
) -> None:
    edges = looks.pick(_EDGES, _EDGES_ASCII)
    style = looks.style(_family(box.item), bold=is_chosen)
    if is_chosen:
        edges = looks.pick(_CHOSEN_EDGES, _CHOSEN_EDGES_ASCII)
        style = looks.style(TEXT, bold=True)

    def put(line: int, column: int, character: str) -> None:
        level = heat[line][column] if 0 <= column < canvas.n_columns else 0
        canvas.put(line, column, character, looks.on_heat(level, style))

    low, high = box.first_column, box.last_column
    for line in range(box.first_line, box.last_line + 1):
        put(line, low, edges[3])
        put(line, high, edges[3])
    if high - low < 2 or box.last_line == box.first_line:
        return
    for column in range(low + 1, high):
        put(box.first_line, column, edges[1])
        put(box.last_line, column, edges[1])
    if not box.item.is_open or box.first_line > 0:
        put(box.first_line, low, edges[0])
        put(box.first_line, high, edges[2])
    put(box.last_line, low, edges[4])
    put(box.last_line, high, edges[5])


def _draw_label(canvas: Canvas, box: Box, looks: Looks, *, is_chosen: bool) -> None:
    label = looks.plain(box.item.label)
    style = looks.on_heat(0, looks.style(TEXT if is_chosen else _family(box.item), bold=True))
    inside = box.last_column - box.first_column - 1
    if len(label) <= inside:
        column = box.first_column + 1
        lines = range(box.first_line, min(box.first_line + 3, box.last_line + 1))
    else:  # beside it, on the side where there is room
        column = box.last_column + 1
        if column + len(label) > canvas.n_columns:
            column = box.first_column - len(label)
        lines = range(box.first_line, min(box.first_line + 2, box.last_line + 1))
    for line in lines:
        if canvas.write(line, column, label, style):
            return


def _family(item: Item) -> str:
    return item.emission.family if item.label != "unknown" else "unknown"


def draw_spectrum(
    spectrum: Spectrum, n_lines: int, n_columns: int, looks: Looks, active: list[Box]
) -> Canvas:
    """Draw the spectrum: noise dim, what stands out of it bright, emissions in their colours."""
    canvas = Canvas(n_lines, n_columns)
    bars = looks.pick(BARS, BARS_ASCII)
    colours: list[str | None] = [None] * n_columns
    for box in active:
        for column in range(box.first_column, box.last_column + 1):
            colours[column] = _family(box.item)
    span = max(1e-9, spectrum.high_dbfs - spectrum.low_dbfs)
    full = n_lines * (len(bars) - 1)
    for column in range(n_columns):
        height = _eighths(float(spectrum.mean_dbfs[column]), spectrum.low_dbfs, span, full)
        noise = _eighths(float(spectrum.floor_dbfs[column]), spectrum.low_dbfs, span, full)
        for line in range(n_lines):
            base = (n_lines - 1 - line) * (len(bars) - 1)
            filled = max(0, min(len(bars) - 1, height - base))
            is_noise = noise > base or (colours[column] is None and height - noise < 4)
            colour = DIM if is_noise else colours[column] or ACCENT
            if filled:
                canvas.put(line, column, bars[filled], looks.style(colour))
    style = looks.style(DIM)
    if n_lines > 1:
        canvas.write(0, 0, f"{spectrum.high_dbfs:.0f}", style)
        canvas.write(n_lines - 1, 0, f"{spectrum.low_dbfs:.0f}", style)
    text = f"noise {spectrum.noise_dbfs:.1f} dBFS per bin"
    canvas.write(0, n_columns - len(text), text, style)
    return canvas


def _eighths(dbfs: float, low_dbfs: float, span_db: float, full: int) -> int:
    if not math.isfinite(dbfs):
        return 0
    return max(0, min(full, round((dbfs - low_dbfs) / span_db * full)))


def draw_axis(band: Band, n_columns: int, looks: Looks, active: list[Box]) -> Canvas:
    """Draw what is on the air, and below it the frequencies."""
    canvas = Canvas(2, n_columns)
    bar = looks.pick("━", "=")
    for box in active:
        style = looks.style(_family(box.item))
        for column in range(box.first_column, box.last_column + 1):
            canvas.put(0, column, bar, style)
    for box in reversed(active):
        label = looks.plain(box.item.label)
        middle = (box.first_column + box.last_column + 1 - len(label)) // 2
        column = max(0, min(n_columns - len(label), middle))
        canvas.write(0, column, label, looks.style(_family(box.item), bold=True))
    if (newest := band.newest) is not None:
        dim = looks.style(DIM)
        for column, text in ticks(newest, n_columns):
            place = max(0, min(n_columns - len(text) - 1, column))
            canvas.write(1, place, looks.pick("╵", "'") + text, dim)
    return canvas
