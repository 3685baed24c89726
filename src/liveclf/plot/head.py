"""What stands above the spectrogram."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from liveclf import __version__
from liveclf.plot import axes as scales
from liveclf.plot import look
from liveclf.plot.geometry import Mark, Rect
from liveclf.plot.look import color_of, shown
from liveclf.plot.spectrogram import Spectrogram

if TYPE_CHECKING:
    from liveclf.plot.canvas import Canvas

LONGEST_NAME = 90


def draw_head(canvas: Canvas, spectrogram: Spectrogram, name: str, marks: Sequence[Mark]) -> None:
    """Write title, what is known of the stream, and the families that have boxes.

    Args:
        canvas: Where.
        spectrogram: Of the stream.
        name: Of it.
        marks: Those that are in the picture.
    """
    left, top = look.LEFT_PX, canvas.height
    title = shown(name, LONGEST_NAME)
    canvas.text(left, top - 14, title, fontsize=11, fontweight="bold")
    canvas.text(left, top - 33, _about(spectrogram), color="#444444")
    made_by = f"liveclf {__version__}"
    canvas.text(canvas.width - 8, 12, made_by, color="#888888", fontsize=7, ha="right")
    x, y = float(left), top - 52.0
    for family, n in Counter(mark.family for mark in marks).most_common():
        text = f"{n:,} annotated" if family is None else f"{n:,} {shown(family)}"
        width = 23 + canvas.size_of(text, look.TEXT_POINTS)[0]
        if x + width > canvas.width:
            break
        canvas.rectangles(
            [Rect(x + 1, y - 5, x + 17, y + 5)],
            facecolor=look.RAMP[2],
            edgecolor=color_of(family),
            linewidth=1.5,
            linestyle=(0, (2, 1)) if family is None else "-",
        )
        canvas.text(x + 23, y, text)
        x += width + 14


def _about(spectrogram: Spectrogram) -> str:
    """Return the line under the title."""
    s = spectrogram
    centers = sorted({c.center_hz for c in s.tunings if not math.isnan(c.center_hz)})
    parts = [", ".join(scales.hertz(center) for center in centers)]
    if math.isnan(s.sample_rate_hz):
        parts += ["rate unknown", f"{s.n_samples:,} samples"]
    else:
        samples = s.stop_sample - (s.start_sample or 0)
        parts += [f"{scales.si(s.sample_rate_hz)}S/s", scales.span(samples / s.sample_rate_hz)]
    if s.n_gaps:
        plural = "s" * (s.n_gaps != 1)
        parts.append(f"{s.n_gaps:,} gap{plural}, {s.n_lost:,} samples lost (hatched)")
    return "   ".join(part for part in parts if part)
