"""What the terminal can show: colours and characters, and what stands for them where it cannot."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from rich.cells import cell_len, set_cell_size
from rich.style import Style

Colours = Literal["many", "16", "none"]

BACK, TEXT, DIM, ACCENT, GOOD, WARN, BAD = (
    "#0a0d13", "#dbe2ee", "#8a96ab", "#59c2ff", "#4dd9a6", "#ffb454", "#ff6b8b",
)  # fmt: skip
# As on the page.
_FAMILIES = {
    "ASK": "#ffb454", "PSK": "#59c2ff", "APSK": "#7aa2f7", "QAM": "#c792ea", "AM": "#f78c6c",
    "FM": "#ff6b8b", "FSK": "#4dd9a6", "OFDM": "#ffe066", "CSS": "#a5e844", "CW": "#f5f5f5",
    "noise": "#7d8799",
}  # fmt: skip
_OTHER = "#9aa5b8"
_NEAREST = {
    "ASK": "yellow", "PSK": "bright_cyan", "APSK": "bright_blue", "QAM": "bright_magenta",
    "AM": "red", "FM": "bright_red", "FSK": "bright_green", "OFDM": "bright_yellow",
    "CSS": "green", "CW": "bright_white", "noise": "bright_black",
    BACK: "default", TEXT: "default", DIM: "default", ACCENT: "bright_cyan", GOOD: "green",
    WARN: "yellow", BAD: "bright_red",
}  # fmt: skip
# Of the colour map "inferno" by Stefan van der Walt and Nathaniel Smith (CC0), from black on.
_HEAT = (
    "#0a0d13", "#0d0a20", "#160b39", "#240c4f", "#340a5f", "#420a68", "#520e6d", "#61136e",
    "#71196e", "#801f6c", "#8f2469", "#9f2a63", "#ae305c", "#bc3754", "#c9404a", "#d54a41",
    "#df5337", "#e9612b", "#f1711f", "#f68013", "#fa9207", "#fca50a", "#fbb81d", "#f7d03c",
    "#f2e661", "#fcffa4",
)  # fmt: skip
_SHADES, _SHADES_ASCII = " ░▒▓█", " .:+#"
_SHADE_COLOURS = ("default", "blue", "cyan", "yellow", "bright_white")
BARS, BARS_ASCII = " ▁▂▃▄▅▆▇█", "  ..::||#"


@dataclass(frozen=True, slots=True)
class Looks:
    """How things are drawn on this terminal.

    Attributes:
        colours: How many it has.
        ascii_only: Whether it shows nothing else.
    """

    colours: Colours = "many"
    ascii_only: bool = False

    @property
    def has_halves(self) -> bool:
        """Whether a cell can show two values, one above the other."""
        return self.colours == "many" and not self.ascii_only

    @property
    def n_levels(self) -> int:
        """How many strengths a cell of the waterfall can show."""
        return len(_HEAT) if self.has_halves else len(_SHADES)

    def cell(self, upper: int, lower: int) -> tuple[str, Style]:
        """Return a cell of the waterfall for the levels of its halves."""
        return _cell(self, upper, lower)

    def on_heat(self, level: int, style: Style) -> Style:
        """Return a style on the background that a level of the waterfall has."""
        return style + Style(bgcolor=_HEAT[level]) if self.has_halves else style

    def style(self, colour: str, *, bold: bool = False) -> Style:
        """Return the style of one of the colours above, or of a family's name."""
        return _style(self.colours, colour, bold)

    def plain(self, text: str) -> str:
        """Return a text from outside so that it can do nothing but be read.

        What is no character to look at (escapes, line ends, marks that turn the direction of
        writing) is spelt out, as are other alphabets on a terminal that has no more than ASCII.
        """
        return "".join(c if self._is_shown(c) else _spelt(c) for c in text)

    def _is_shown(self, character: str) -> bool:
        return character.isprintable() and (character.isascii() or not self.ascii_only)

    def pick(self, character: str, instead: str) -> str:
        """Return a character, or what stands for it in ASCII."""
        return instead if self.ascii_only else character


def fitted(text: str, n_cells: int, *, right: bool = False) -> str:
    """Return a text of exactly so many cells."""
    if right and cell_len(text) < n_cells:
        return " " * (n_cells - cell_len(text)) + text
    return set_cell_size(text, n_cells)


@lru_cache(maxsize=256)
def _style(colours: Colours, colour: str, bold: bool) -> Style:
    if colours == "none":
        return Style(dim=colour == DIM, bold=bold, reverse=colour == BAD)
    if colours == "16":
        return Style(color=_NEAREST.get(colour, "white"), bold=bold, dim=colour == DIM)
    return Style(color=colour if colour[0] == "#" else _FAMILIES.get(colour, _OTHER), bold=bold)


@lru_cache(maxsize=4096)
def _cell(looks: Looks, upper: int, lower: int) -> tuple[str, Style]:
    if looks.has_halves:
        if upper == lower:
            return " ", Style(bgcolor=_HEAT[upper])
        return "▀", Style(color=_HEAT[upper], bgcolor=_HEAT[lower])
    level = max(upper, lower)
    shade = (_SHADES_ASCII if looks.ascii_only else _SHADES)[level]
    colour = _SHADE_COLOURS[level] if looks.colours != "none" else None
    return shade, Style(color=colour)


def _spelt(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
