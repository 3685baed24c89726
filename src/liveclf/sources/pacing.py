"""How much of a stream is wanted, and how fast."""

from __future__ import annotations

import math
import time

from liveclf.config import SourceSettings
from liveclf.errors import UsageError

BLOCK_SAMPLES = 65_536
_BLOCK_S = 0.01  # of a paced stream: a sample waits so long for its block at most
_WAKE_S = 0.1  # how soon a wait notices that the stream was closed
_MOST_SAMPLES = 2**62


def wanted_span(settings: SourceSettings, rate_hz: float) -> tuple[int, int | None]:
    """Turn --start, --duration and -n into sample indices.

    Args:
        settings: What the user asked for.
        rate_hz: Sample rate, NaN if unknown.

    Returns:
        Index of the first sample and the one after the last, None for no end.

    Raises:
        UsageError: Seconds are asked for and no rate is known, or nothing is left.
    """
    duration_s = math.inf if settings.duration_s is None else float(settings.duration_s)
    if math.isnan(rate_hz) and (settings.start_s > 0 or duration_s < math.inf):
        flag = "--start" if settings.start_s > 0 else "--duration"
        raise UsageError(
            f"{flag} needs a sample rate and none is known: give --rate, or limit with -n."
        )
    start = _samples(settings.start_s, rate_hz)
    wanted = _MOST_SAMPLES if duration_s == math.inf else _samples(duration_s, rate_hz)
    if wanted == 0:
        raise UsageError(f"--duration {duration_s:g} s is less than one sample; make it longer.")
    if settings.samples is not None:
        wanted = min(wanted, int(settings.samples))
    return start, None if wanted == _MOST_SAMPLES else start + wanted


def _samples(seconds: float, rate_hz: float) -> int:
    return round(min(seconds * rate_hz, _MOST_SAMPLES)) if seconds else 0


class Pacer:
    """Holds a stream to its own clock, if asked to; ends with `close`.

    Attributes:
        speed: How many times as fast as its clock; may be set from any thread, above 0.
        is_paused: Whether nothing is delivered; may be set from any thread.
    """

    def __init__(self, settings: SourceSettings, rate_hz: float) -> None:
        """Check that there is a clock to keep.

        Args:
            settings: Says whether to keep it.
            rate_hz: Sample rate, NaN if unknown.

        Raises:
            UsageError: --realtime without a sample rate.
        """
        if settings.realtime and math.isnan(rate_hz):
            raise UsageError("--realtime needs a sample rate and none is known: give --rate.")
        self._keeps_time = settings.realtime
        # Not a threading.Event: close is called by signal handlers, and one that
        # interrupts Event.wait at the wrong moment waits for itself for ever.
        self._closed = False
        self._due_s = math.nan
        self.speed = 1.0
        self.is_paused = False

    @property
    def closed(self) -> bool:
        """Whether the stream is to end."""
        return self._closed

    @property
    def keeps_time(self) -> bool:
        """Whether there is a pace, which `speed` changes."""
        return self._keeps_time

    def close(self) -> None:
        """End the stream, from any thread."""
        self._closed = True

    def block_samples(self, rate_hz: float) -> int:
        """Return how many samples to put in a block."""
        if not self._keeps_time:
            return BLOCK_SAMPLES
        return min(BLOCK_SAMPLES, max(1, round(rate_hz * _BLOCK_S)))

    def restart(self) -> None:
        """Begin the clock anew with the next samples, as the stream had none to deliver."""
        self._due_s = math.nan

    def would_wait(self, n_samples: int, rate_hz: float) -> bool:
        """Tell whether so many more samples are not due yet."""
        if self.is_paused:
            return True
        due_s = self._due_s + n_samples / (rate_hz * self.speed)  # NaN before the first, which wait
        return self._keeps_time and not due_s <= time.monotonic()

    def wait(self, n_samples: int, rate_hz: float) -> float | None:
        """Wait until a radio would have delivered so many more samples.

        Samples that the recording has lost take no time.

        Returns:
            Monotonic time, in seconds, at which they were there to be taken: if a clock
            is kept, before now by as much as the reader is behind. None if the stream
            was closed meanwhile.
        """
        while self.is_paused and not self._closed:
            self.restart()
            time.sleep(_WAKE_S)
        if not self._keeps_time:
            return None if self._closed else time.monotonic()
        if math.isnan(self._due_s):
            self._due_s = time.monotonic()
        self._due_s += n_samples / (rate_hz * self.speed)
        while (left_s := self._due_s - time.monotonic()) > 0 and not self._closed:
            time.sleep(min(left_s, _WAKE_S))
        return None if self._closed else self._due_s
