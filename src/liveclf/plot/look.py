"""Colours, fonts and margins."""

from __future__ import annotations

from typing import Any

DPI = 100
# Names come from files: a dollar sign in one is a dollar sign, not mathematics. Nor does the
# user's own matplotlibrc have a say.
STYLE: Any = {
    "text.parse_math": False,
    "text.usetex": False,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.linewidth": 0.8,
    "hatch.linewidth": 0.6,
    "hatch.color": "#6a6f78",
}
TEXT_POINTS, LABEL_POINTS, PAD_PX = 9.0, 8.0, 2.0

# Blue to white, so that every other colour is left for the boxes.
RAMP = ("#04060d", "#0a1730", "#123a63", "#27699a", "#6fb0cf", "#d3ecf2", "#ffffff")
N_COLORS = 64  # finer than the eye; noise in more of them makes a file twice the size
NOTHING = "#3c4048"  # where no sample came
ANNOTATED = "#ffffff"
_COLORS = {
    "ASK": "#ff9f1c",
    "PSK": "#ff62c5",
    "APSK": "#ff8f80",
    "QAM": "#ffe24a",
    "AM": "#ff5050",
    "FM": "#c79bff",
    "FSK": "#7be04c",
    "OFDM": "#1ce6bd",
    "CSS": "#c6ff3a",
    "CW": "#f2d2a4",
    "noise": "#9aa5b1",
    "unknown": "#d5d9de",
}
_MORE_COLORS = ("#ffb3d9", "#b8e986", "#ffd59e", "#a6f0e0", "#e0b0ff")
_LONGEST_LABEL = 28

# Room around the panels and between them, in pixels.
LEFT_PX, RIGHT_PX, BOTTOM_PX, TOP_PX, BETWEEN_PX = 90, 90, 50, 66, 12


def color_of(family: str | None) -> str:
    """Return the colour of a family; one that is none of ours has one of its own as well."""
    if family is None:
        return ANNOTATED
    return _COLORS.get(family) or _MORE_COLORS[sum(map(ord, family)) % len(_MORE_COLORS)]


def shown(text: str, longest: int = _LONGEST_LABEL) -> str:
    """Return a text as a picture can hold it: printable, on one line, not too long."""
    printable = "".join(c if c.isprintable() else "?" for c in text)
    return printable if len(printable) <= longest else f"{printable[: longest - 1]}…"
