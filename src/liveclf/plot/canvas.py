"""A figure on which everything is placed in pixels, from the lower left corner."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.transforms import IdentityTransform

from liveclf.plot.geometry import Rect
from liveclf.plot.labels import Size
from liveclf.plot.look import DPI, PAD_PX, TEXT_POINTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Canvas:
    """A picture that is being drawn.

    Attributes:
        width: Of it.
        height: Of it.
        figure: Of matplotlib's.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        """Begin with an empty one.

        Args:
            size: Width and height.
        """
        self.width, self.height = size
        # A hundredth of a pixel more, as what is a hair less is cut off.
        self.figure = Figure(((size[0] + 0.01) / DPI, (size[1] + 0.01) / DPI), dpi=DPI)
        self._renderer: Any = FigureCanvasAgg(self.figure).get_renderer()  # type: ignore[no-untyped-call]

    def axes(self, area: Rect) -> Axes:
        """Return axes that fill an area; ticks and labels lie around it."""
        return self.figure.add_axes(
            (
                area.left / self.width,
                area.bottom / self.height,
                area.width / self.width,
                area.height / self.height,
            )
        )

    def text(self, x: float, y: float, text: str, **look: Any) -> None:
        """Write a line that begins at a point, half above it and half below."""
        whole: dict[str, Any] = {"va": "center", "fontsize": TEXT_POINTS} | look
        self.figure.text(x, y, text, transform=IdentityTransform(), **whole)

    def rectangles(self, rects: Sequence[Rect], **look: Any) -> None:
        """Draw rectangles, all of one look but for colours."""
        patches = [Rectangle((r.left, r.bottom), r.width, r.height) for r in rects]
        if patches:
            self.figure.add_artist(PatchCollection(patches, transform=IdentityTransform(), **look))

    def size_of(self, text: str, points: float) -> Size:
        """Return what a line takes, with a margin around it."""
        font = FontProperties(size=points)
        measure = self._renderer.get_text_width_height_descent
        width, _, _ = measure(text, font, ismath=False)
        _, height, _ = measure("Ag", font, ismath=False)  # as high as any other line
        return width + 2 * PAD_PX, height + 2 * PAD_PX

    def png(self, about: dict[str, str]) -> bytes:
        """Return the file.

        Args:
            about: Its text fields.
        """
        buffer = io.BytesIO()
        self.figure.savefig(
            buffer, format="png", dpi=DPI, metadata=about, pil_kwargs={"compress_level": 9}
        )
        return buffer.getvalue()
