"""Units and ticks of the axes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from liveclf.plot.geometry import View
from liveclf.records import iso_utc

if TYPE_CHECKING:
    from matplotlib.axis import Axis

# Steps between ticks that people read off a clock, in seconds.
_CLOCK_STEPS_S = (60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200)
_DAY_S = 86_400
_MOST_TICKS = 10
_CLOCK_FROM_S = 600.0  # from here on times are h:mm:ss
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True, slots=True)
class Scale:
    """How an axis is written.

    Attributes:
        scale: From samples or Hz to what stands at its ticks.
        label: What is counted.
        ticks: As numbers, as whole numbers, or as a time of hours, minutes and seconds.
        span: From one end to the other, in what stands at its ticks.
    """

    scale: float
    label: str
    ticks: Literal["number", "count", "clock"]
    span: float

    def dress(self, axis: Axis, label: str) -> None:
        """Set the ticks and the label of an axis."""
        from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator, ScalarFormatter

        axis.set_label_text(label)
        axis.set_major_locator(MaxNLocator(_MOST_TICKS, steps=[1, 2, 2.5, 5, 10]))
        if self.ticks == "clock":
            rough = self.span / _MOST_TICKS
            step = next(
                (s for s in _CLOCK_STEPS_S if s >= rough), math.ceil(rough / 86_400) * 86_400
            )
            axis.set_major_locator(MultipleLocator(step))
            axis.set_major_formatter(FuncFormatter(lambda value, _: clock(value)))
        elif self.ticks == "count":
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        else:
            axis.set_major_formatter(ScalarFormatter(useOffset=False, useMathText=False))


def time_axis(view: View, sample_rate_hz: float) -> Scale:
    """Return the scale of time: seconds, or samples where no rate is known."""
    samples = view.stop_sample - view.start_sample
    if not view.has_rate:
        return Scale(1.0, "samples", "count", samples)
    span_s = samples / sample_rate_hz
    if span_s >= _CLOCK_FROM_S:
        return Scale(1 / sample_rate_hz, "h:mm:ss", "clock", span_s)
    return Scale(1 / sample_rate_hz, "seconds", "number", span_s)


def band_axis(view: View) -> Scale:
    """Return the scale of frequency: absolute, from the centre, or cycles per sample."""
    span = view.highest - view.lowest
    if not view.has_rate:
        return Scale(1.0, "cycles per sample", "number", span)
    if math.isnan(view.center_hz):
        factor, prefix = next(((f, p) for f, p in _PREFIXES[1:] if span >= 2 * f), (1.0, ""))
        return Scale(1 / factor, f"{prefix}Hz from the centre", "number", span / factor)
    factor, prefix = (1e6, "M") if view.highest >= 1e6 else (1e3, "k")
    return Scale(1 / factor, f"{prefix}Hz", "number", span / factor)


def clock(seconds: float) -> str:
    """Write a time as h:mm:ss."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def span(seconds: float) -> str:
    """Write a duration."""
    if seconds >= _CLOCK_FROM_S:
        return clock(seconds)
    return f"{seconds:.4g} s" if seconds >= 1 else f"{1e3 * seconds:.4g} ms"


def si(value: float) -> str:
    """Write a number with the prefix of its unit."""
    factor, prefix = next(((f, p) for f, p in _PREFIXES if value >= f), (1.0, ""))
    return f"{float(f'{value / factor:.9g}'):.9g} {prefix}"


def hertz(value: float) -> str:
    """Write a frequency: all digits of one that was set, three of a bandwidth."""
    return f"{si(value if value >= 1e6 else float(f'{value:.3g}'))}Hz"


def moment(epoch_s: float) -> str:
    """Write a UNIX time to the second, "" for an unknown one."""
    if not 0 <= epoch_s < 253_402_300_799:
        return ""
    return f"{iso_utc(epoch_s)[:19].replace('T', ' ')} UTC"
