"""From the messages of GNU Radio's ZeroMQ blocks to stretches of samples; no sockets here.

Whether messages begin with a header (`gnuradio_tags`) is decided by the first one and holds
for all: a header has a mark, a version, tags that can be read, and leaves whole samples.
Samples that look like that by chance are next to impossible: without tags the header has an
odd number of bytes, and so has no message of whole samples; with tags, dozens of bytes would
have to be right.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from liveclf.sources.zeromq.gnuradio_tags import START, Headed, Tag, parse
from liveclf.sources.zeromq.gnuradio_time import Finding, TagClock

TIME = "rx_time"
"""Key of the tag with the time of a sample."""

NEW_SEGMENT = "new_segment"
"""Key of a tag of ours, value true: what comes from here on does not continue what was."""

# Over half a day of samples at 20 MS/s. A receiver that was away for longer has other
# worries; and no position overflows, whatever a message claims.
_MOST_LOST = 2**40

_HIGHEST_HZ = 1e12
_ROUNDED = 1e-3  # by which a rate that the user wrote down may differ from the real one


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples that belong together.

    Attributes:
        data: Whole samples.
        lost: Missing just before them.
        is_new: They do not continue those before, or have another rate or centre.
        sample_rate_hz: NaN if unknown.
        center_hz: NaN if unknown.
        first_s: UNIX time of the first, as the publisher tells it; NaN if it does not, or if
            they continue those before.
    """

    data: memoryview
    lost: int
    is_new: bool
    sample_rate_hz: float
    center_hz: float
    first_s: float = math.nan


class MessageReader:
    """Takes messages in their order, and counts what is missing between them."""

    def __init__(
        self,
        bytes_per_sample: int,
        sample_rate_hz: float,
        center_hz: float,
        headed: bool | None,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin before the first message.

        Args:
            bytes_per_sample: Of the samples.
            sample_rate_hz: As the user said, which goes over tags; NaN if not.
            center_hz: As the user said, which goes over tags; NaN if not.
            headed: Whether messages have headers; None if the first is to tell.
            now: Monotonic, seconds.
        """
        self.headed = headed
        self.sample_rate_hz, self.center_hz = sample_rate_hz, center_hz
        self.told_rate_hz = math.nan  # by a tag, used or not
        self._size = bytes_per_sample
        self._fixed_rate, self._fixed_center = sample_rate_hz > 0, not math.isnan(center_hz)
        self._next: int | None = None  # index of the sample that should come
        self.clock = TagClock(is_rate_sure=self._fixed_rate)
        self._now = now

    def push(self, message: memoryview) -> Iterator[Stretch]:
        """Take a message apart.

        Raises:
            ValueError: It is not what it should be.
        """
        if self.headed is None:
            self.headed = self._looks_headed(message)
        if not self.headed:
            yield self._stretch(self._whole(message), 0, False, 0)
            return
        headed = parse(message)
        data = self._whole(headed.payload)
        n_samples = len(data) // self._size
        lost, is_new = self._missing(headed.offset)
        self._next = headed.offset + n_samples
        at = 0
        for position, tags in _by_position(headed, n_samples):
            part = data[at * self._size : position * self._size]
            before = self._stretch(part, lost, is_new, headed.offset + at)
            found = self._hear(headed.offset + position, tags)
            if not (found.breaks or found.lost):
                continue
            if position > at:
                yield before
                at, lost, is_new = position, 0, False
            lost, is_new = min(lost + found.lost, _MOST_LOST), is_new or found.breaks
        if n_samples > at or lost or is_new:
            yield self._stretch(data[at * self._size :], lost, is_new, headed.offset + at)

    def _looks_headed(self, message: memoryview) -> bool:
        if message[: len(START)] != START:
            return False
        try:
            return len(parse(message).payload) % self._size == 0
        except ValueError:
            return False

    def _whole(self, data: memoryview) -> memoryview:
        # Not kept for the next message as of a stream of bytes: GNU Radio sends whole items,
        # so this is another format, and half a sample more would swap I and Q for good.
        if len(data) % self._size:
            raise ValueError(
                f"a message has {len(data)} bytes of samples, not a multiple of {self._size}"
            )
        return data

    def _missing(self, offset: int) -> tuple[int, bool]:
        """Return how many samples are missing, and whether this is another stream."""
        if self._next is None:
            return 0, False
        lost = offset - self._next
        if 0 <= lost <= _MOST_LOST:
            return lost, False
        self.clock.forget()
        return 0, True

    def _stretch(self, data: memoryview, lost: int, is_new: bool, offset: int) -> Stretch:
        first_s = self.clock.at(offset, self._rate_of_times_hz) if is_new else math.nan
        return Stretch(data, lost, is_new, self.sample_rate_hz, self.center_hz, first_s)

    def _hear(self, offset: int, tags: list[Tag]) -> Finding:
        """Take note of the tags of a sample; tell what is missing there, and if it breaks."""
        rate_hz = self._rate_of_times_hz  # up to here
        # A list, so that all are heard.
        breaks = any([self._changes(tag, offset) for tag in tags if tag.key != TIME])
        lost = 0
        for tag in tags:
            if tag.key == TIME:
                found = self.clock.hear(tag.offset, tag.value, rate_hz, self._now())
                breaks, lost = breaks or found.breaks, lost + found.lost
        return Finding(min(lost, _MOST_LOST), breaks)

    @property
    def _rate_of_times_hz(self) -> float:
        """The rate that fits the publisher's clock: what the user said may be rounded."""
        told_hz, used_hz = self.told_rate_hz, self.sample_rate_hz
        return told_hz if abs(told_hz - used_hz) <= _ROUNDED * used_hz else used_hz

    def _changes(self, tag: Tag, offset: int) -> bool:
        """Take note of a tag; tell whether the stream breaks there."""
        if isinstance(tag.value, bool):
            if breaks := tag.key == NEW_SEGMENT and tag.value:
                self.clock.forget()
            return breaks
        match tag:
            case Tag(key="rx_rate", value=int() | float() as rate_hz):
                return self._changes_rate(float(rate_hz), offset)
            case Tag(key="rx_freq", value=int() | float() as center_hz):
                return self._changes_center(float(center_hz))
        return False

    def _changes_rate(self, rate_hz: float, offset: int) -> bool:
        if not 0 < rate_hz < _HIGHEST_HZ:
            return False
        if rate_hz != self.told_rate_hz:
            self.clock.advance(offset, self._rate_of_times_hz)
        self.told_rate_hz = rate_hz
        if self._fixed_rate or rate_hz == self.sample_rate_hz:
            return False
        self.sample_rate_hz = rate_hz
        return True

    def _changes_center(self, center_hz: float) -> bool:
        if self._fixed_center or not abs(center_hz) < _HIGHEST_HZ or center_hz == self.center_hz:
            return False
        self.center_hz = center_hz
        return True


def _by_position(headed: Headed, n_samples: int) -> Iterator[tuple[int, list[Tag]]]:
    """Yield the tags of each sample in order; what is tagged outside counts as at the edge."""
    at: dict[int, list[Tag]] = {}
    for tag in headed.tags:
        position = min(max(tag.offset - headed.offset, 0), n_samples)
        at.setdefault(position, []).append(tag)
    yield from sorted(at.items(), key=lambda item: item[0])
