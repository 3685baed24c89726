"""What the tag `rx_time` tells: when samples were taken, and how many are missing before one.

Its value is a tuple of whole seconds and the rest of a second. A radio's block tags its first
sample so, and the first behind each overflow. Between two tags time goes on with the samples;
where it has gone on further, the radio has dropped the difference.

Whether it counts from 1970 depends on how the flowgraph sets the radio's clock: the default of
gr-uhd is to let it count from when the radio was started.

Source: GNU Radio 3.10, gr-uhd usrp_source_impl.cc, `work`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

# Whoever tells a time before 2000 does not count from 1970; behind 2100 it is no time.
_UNIX_S = range(946_684_800, 4_102_444_800)

# By which times may disagree with the count of samples before they tell of a loss.
_TOLERANCE_S = 1e-6
# How long a message may have waited for us: the queues hold that of the lowest rates.
_MOST_QUEUED_S = 60.0
_MOST_SET_BACK = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """What a time says of the stream.

    Attributes:
        lost: Samples missing just before the tagged one.
        breaks: Time does not go on there with the count, and how many are missing is not known.
    """

    lost: int = 0
    breaks: bool = False


class _Timed(NamedTuple):
    """A sample whose time was told: its index, when it was taken, when it came (monotonic)."""

    offset: int
    whole_s: int
    rest_s: float
    came_s: float


@dataclass
class TagClock:
    """The publisher's clock.

    Attributes:
        is_rate_sure: The user said the rate. One that a tag tells was passed through decimators
            that do not change it.
    """

    is_rate_sure: bool
    _last: _Timed | None = None
    _untold: dict[str, str] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)
    _n_set_back: int = 0

    def forget(self) -> None:
        """Begin again: the samples from here on do not continue those before."""
        self._last = None

    def hear(self, offset: int, value: Any, rate_hz: float, came_s: float) -> Finding:
        """Take the time of a sample.

        Args:
            offset: Index of the sample.
            value: Of the tag.
            rate_hz: Of the samples before; NaN if unknown.
            came_s: `time.monotonic()`.
        """
        if self._n_set_back >= _MOST_SET_BACK:
            return Finding()
        if (time_s := _time_of(value)) is None:
            self._note("bad", f"rx_time {_short(value)} of the publisher is no time, and not used.")
            return Finding()
        before, self._last = self._last, _Timed(offset, *time_s, came_s)
        if before is None:
            self._note_kind()
            return Finding(breaks=True)
        return self._compared(before, self._last, rate_hz)

    def at(self, offset: int, rate_hz: float) -> float:
        """Return the UNIX time of a sample, NaN if unknown."""
        if self._last is None or self._last.whole_s not in _UNIX_S:
            return math.nan
        since_s = (offset - self._last.offset) / rate_hz if offset != self._last.offset else 0.0
        time_s = self._last.whole_s + (self._last.rest_s + since_s)
        return time_s if _UNIX_S.start <= time_s < _UNIX_S.stop else math.nan

    def advance(self, offset: int, rate_hz: float) -> None:
        """Carry the time on to a sample from which on the rate is another."""
        if self._last is None:
            return
        since_s = self._last.rest_s + (offset - self._last.offset) / rate_hz
        if math.isnan(since_s):
            self._last = None
            return
        whole_s = self._last.whole_s + math.floor(since_s)
        self._last = self._last._replace(
            offset=offset, whole_s=whole_s, rest_s=since_s - math.floor(since_s)
        )

    def notes(self) -> Iterator[str]:
        """Yield, once, sentences that are worth a line to the user."""
        self._told.update(self._untold)
        while self._untold:
            yield self._untold.pop(next(iter(self._untold)))

    def _compared(self, before: _Timed, now: _Timed, rate_hz: float) -> Finding:
        passed_s = (now.whole_s - before.whole_s) + (now.rest_s - before.rest_s)
        counted = now.offset - before.offset
        missing = passed_s * rate_hz - counted
        if math.isnan(missing):
            return Finding(breaks=True)
        if abs(missing) <= _TOLERANCE_S * rate_hz + 0.5:
            return Finding()
        if missing < 0:
            self._note_set_back(missing / rate_hz)
        elif passed_s > now.came_s - before.came_s + _MOST_QUEUED_S:
            self._note(
                "set",
                f"rx_time of the publisher goes on by {passed_s:.6g} s at once: its clock was set."
                " If samples were lost there, how many is not known.",
            )
        elif missing > counted and not self.is_rate_sure:
            self._note(
                "rate",
                f"rx_time of the publisher goes on by {passed_s:.6g} s over {counted:,} samples,"
                f" which does not fit {rate_hz:.12g} samples/s: if a decimator is before it, give"
                " the rate behind that with --rate; how many samples are lost is not known.",
            )
        else:
            return Finding(lost=round(missing))
        return Finding(breaks=True)

    def _note_set_back(self, by_s: float) -> None:
        self._n_set_back += 1
        if self._n_set_back == _MOST_SET_BACK:
            self._last = None
            self._note(
                "untrusted",
                "rx_time of the publisher does not count its samples, and is not used any more.",
            )
            return
        self._note(
            "back", f"rx_time of the publisher goes back by {-by_s:.6g} s against the count."
        )

    def _note_kind(self) -> None:
        assert self._last is not None
        if self._last.whole_s in _UNIX_S:
            self._note("kind", "The times of the samples are those of the publisher (rx_time).")
            return
        self._note(
            "kind",
            f"rx_time of the publisher begins at {self._last.whole_s + self._last.rest_s:.6g} s,"
            " which is not UNIX time: it tells losses, and the times are of this machine's clock.",
        )

    def _note(self, kind: str, sentence: str) -> None:
        if kind not in self._told:
            self._untold[kind] = sentence


def _time_of(value: Any) -> tuple[int, float] | None:
    match value:
        case (int() as whole_s, int() | float() as rest_s) if (
            not isinstance(whole_s, bool) and 0 <= whole_s < 2**63 and 0 <= rest_s <= 1
        ):
            return whole_s, float(rest_s)
    return None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
