"""Where labels stand beside their boxes, in pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from liveclf.plot.geometry import Rect
from liveclf.records import FloatArray

_APART_PX = 2.0  # between a box and its label
_MOST_LINES = 8  # of labels over each other in a box that is high enough

Size = tuple[float, float]
"""Width and height, in pixels."""


@dataclass(frozen=True, slots=True)
class Label:
    """Where a text stands, and which of its lengths had room."""

    rect: Rect
    which: int


def place_labels(
    boxes: Sequence[Rect],
    sizes: Sequence[Sequence[Size]],
    weights: Sequence[float],
    area: Rect,
    others: Sequence[Rect],
) -> list[Label | None]:
    """Find a place for the label of each box, so that no two of them overlap.

    A label stands above its box, below it, in it, or beside it, where it hides no other
    box if there is such a place. The heaviest choose first.

    Args:
        boxes: What they belong to.
        sizes: Of each, its texts, the longest first.
        weights: Of each.
        area: In which labels stay.
        others: All boxes of the area, these among them.

    Returns:
        For each box its label, None where there was no room.
    """
    placed: list[Label | None] = [None] * len(boxes)
    every, taken = _edges(others), list[Rect]()
    for k in sorted(range(len(boxes)), key=lambda k: (-weights[k], boxes[k].left)):
        rest = every[(every != _edges([boxes[k]])).any(axis=1)]
        label = _find_place(boxes[k], sizes[k], area, _edges(taken), rest)
        if label:
            placed[k] = label
            taken.append(label.rect)
    return placed


def _find_place(
    box: Rect, sizes: Sequence[Size], area: Rect, taken: FloatArray, boxes: FloatArray
) -> Label | None:
    """Return the first place that hides nothing, else the first that hides no label."""
    second: Label | None = None
    for which, size in enumerate(sizes):
        for rect in _candidates(box, size):
            if not area.holds(rect) or _meets_any(rect, taken):
                continue
            if not _meets_any(rect, boxes):
                return Label(rect, which)
            second = second or Label(rect, which)
    return second


def _edges(rects: Sequence[Rect]) -> FloatArray:
    edges = [(rect.left, rect.bottom, rect.right, rect.top) for rect in rects]
    return np.array(edges, np.float32).reshape(-1, 4)


def _meets_any(rect: Rect, edges: FloatArray) -> bool:
    left, bottom, right, top = edges.T
    apart = (
        (left >= rect.right) | (right <= rect.left) | (bottom >= rect.top) | (top <= rect.bottom)
    )
    return not bool(apart.all())


def _candidates(box: Rect, size: Size) -> list[Rect]:
    """Return the places for a label, the best first."""
    width, height = size
    above, below = box.top + _APART_PX, box.bottom - _APART_PX - height
    middle = (box.left + box.right - width) / 2
    columns = (box.left, box.right - width, middle)
    corners = [(x, y) for y in (above, below) for x in columns]
    if 2 * height < box.height:
        inside = box.left + _APART_PX
        # Several lines, where boxes are as high as the band and side by side.
        lines = [(inside, box.top - _APART_PX - k * height) for k in range(1, _MOST_LINES)]
        corners += [*lines[:3], (inside, box.bottom + _APART_PX), *lines[3:]]
    beside = (box.bottom + box.top - height) / 2
    corners += [(box.right + _APART_PX, beside), (box.left - _APART_PX - width, beside)]
    # Further up and down, where many emissions follow each other closely.
    corners += [(box.left, above + k * height) for k in (1, 2, 3)]
    corners += [(box.left, below - k * height) for k in (1, 2, 3)]
    return [Rect(x, y, x + width, y + height) for x, y in corners]
