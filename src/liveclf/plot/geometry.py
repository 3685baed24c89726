"""Where things are in the picture, in pixels from its lower left corner."""

from __future__ import annotations

import math
from dataclasses import dataclass

from liveclf.emissions import Emission
from liveclf.records import Annotation

_LEAST_PX = 5.0  # side of a box, so that an emission of a millisecond shows in an hour


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle, in pixels."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def width(self) -> float:
        """From left to right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """From bottom to top."""
        return self.top - self.bottom

    def meets(self, other: Rect) -> bool:
        """Tell whether the two have more than an edge in common."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.bottom < other.top
            and other.bottom < self.top
        )

    def holds(self, other: Rect) -> bool:
        """Tell whether the other lies within."""
        return (
            self.left <= other.left
            and other.right <= self.right
            and self.bottom <= other.bottom
            and other.top <= self.top
        )


@dataclass(frozen=True, slots=True)
class View:
    """A part of the band over time, and the area in which it is drawn.

    Attributes:
        area: Where it is drawn.
        start_sample: Absolute index at the left edge.
        stop_sample: At the right edge.
        lowest: Frequency at the lower edge, Hz; where no rate is known, cycles per sample.
        highest: At the upper edge.
        center_hz: Tuned frequency, NaN if unknown: then frequencies count from it.
        has_rate: Whether the sample rate is known.
    """

    area: Rect
    start_sample: float
    stop_sample: float
    lowest: float
    highest: float
    center_hz: float
    has_rate: bool

    def x(self, sample: float) -> float:
        """Return where a sample is."""
        share = (sample - self.start_sample) / (self.stop_sample - self.start_sample)
        return self.area.left + share * self.area.width

    def y(self, frequency: float) -> float:
        """Return where a frequency is."""
        share = (frequency - self.lowest) / (self.highest - self.lowest)
        return self.area.bottom + share * self.area.height


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of time and band that gets a box and a label.

    Attributes:
        start_sample: Absolute index of its first sample.
        stop_sample: After its last.
        band: Lower and upper edge, Hz; None for the whole band.
        is_absolute: Whether the edges count from 0 Hz, not from the tuned frequency.
        texts: What may stand beside it, the longest first.
        family: Which colour it has; None for what the recording says itself.
        weight: Which label is left out first where not all have room, the least.
    """

    start_sample: int
    stop_sample: int
    band: tuple[float, float] | None
    is_absolute: bool
    texts: tuple[str, ...]
    family: str | None
    weight: float


def mark_of(emission: Emission) -> Mark:
    """Return the mark of an emission."""
    offset = emission.offset_hz if emission.center_hz is None else emission.center_hz
    band = None
    if offset is not None and emission.bandwidth_hz is not None:
        band = offset - emission.bandwidth_hz / 2, offset + emission.bandwidth_hz / 2
    named = f"{emission.label} {emission.probability:.2f}" if emission.n_windows else emission.label
    return Mark(
        start_sample=emission.sample,
        stop_sample=emission.sample + max(1, emission.n_samples),
        band=band,
        is_absolute=emission.center_hz is not None,
        texts=(f"{named}, {emission.snr_db:.0f} dB", named, emission.label),
        family=emission.family,
        weight=emission.snr_db,
    )


def mark_of_annotation(annotation: Annotation) -> Mark:
    """Return the mark of what the recording says itself."""
    edges = annotation.lower_hz, annotation.upper_hz
    return Mark(
        start_sample=annotation.start_sample,
        stop_sample=annotation.stop_sample,
        band=None if edges[0] is None or edges[1] is None else (edges[0], edges[1]),
        is_absolute=True,
        texts=(annotation.label,),
        family=None,
        weight=math.inf,
    )


def box_of(mark: Mark, view: View) -> Rect | None:
    """Return the box of a mark, cut to the area; None if it lies outside.

    One that would be too small to see is made larger about its middle.
    """
    area = view.area
    bottom, top = area.bottom, area.top
    if mark.band and view.has_rate:
        shift = 0.0
        if mark.is_absolute and math.isnan(view.center_hz):
            return None
        if not mark.is_absolute and not math.isnan(view.center_hz):
            shift = view.center_hz
        bottom, top = (view.y(edge + shift) for edge in mark.band)
    left, right = view.x(mark.start_sample), view.x(mark.stop_sample)
    if not Rect(left, bottom, right, top).meets(area):
        return None
    left, right = _widened(left, right)
    bottom, top = _widened(bottom, top)
    return Rect(
        max(left, area.left), max(bottom, area.bottom), min(right, area.right), min(top, area.top)
    )


def _widened(low: float, high: float) -> tuple[float, float]:
    missing = max(0.0, _LEAST_PX - (high - low)) / 2
    return low - missing, high + missing
