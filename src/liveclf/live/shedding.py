"""What to do when the engine cannot keep up: which share of the windows it gets.

    block        nothing is left out, the source waits (files, pipes)
    drop-oldest  windows that have waited longer than `--max-late` are left out (live)
    stride       a share of the windows, evenly spaced, so that it is never so late (live)

With `stride`, `--max-late` stays on as a safety net for what nobody can foresee.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from liveclf.errors import UsageError
from liveclf.records import StreamInfo

TARGET_S = 0.1
"""How long the oldest window of a batch waits for the engine, while windows are left out.

Long enough that the engine always finds work, and gets batches worth their while; it is the
lateness that a share of the engine is bought with, so no longer.
"""

_RECOVERY_S = 2 * TARGET_S  # to work off what has piled up; if as short as a batch it swings
_MEMORY_S = 0.5  # over which the load is averaged: some batches, and soon a new speed
_LEAST_SHARE = 1e-6
_LEAST_FACTOR = 0.1  # of what the engine could do, while it works off a stall


class Stride:
    """Decides which share of the windows is classified; no clock, no I/O.

    The load is what the engine would take for one second of the stream if it got every
    window: its own time over the time that the stream went on, averaged. One over the load
    is the share that it can do. That is corrected by how late it is: late by `TARGET_S`, the
    share is as reckoned; less late, larger (by half at most: an engine that is merely
    inefficient on the small batches of an idle hour then leaves out nothing); more late,
    smaller, so that what has piled up is worked off. So an error in the load becomes a little
    more or less lateness, and not an engine that stands idle.

    Attributes:
        share: Of the windows to classify now, above 0, at most 1.
    """

    def __init__(self, max_age_s: float = 0.0) -> None:
        """Begin with every window.

        Args:
            max_age_s: How long windows wait for their batch anyway, which is no pile-up.
        """
        self._target_s = TARGET_S + max_age_s
        self.share = 1.0
        self._engine_s = 0.0  # for every window of `_stream_s`, not only the share
        self._stream_s = 0.0
        self._last_arrival_s = math.nan

    def classified(self, received_s: NDArray[np.float64], started_s: float, done_s: float) -> None:
        """Learn from a batch; all times are of one monotonic clock.

        Args:
            received_s: When each of its windows arrived, shape (n,).
            started_s: When the engine got it.
            done_s: When the engine was ready for the next.
        """
        first_arrival_s, last_arrival_s = float(received_s.min()), float(received_s.max())
        stream_s = last_arrival_s - self._last_arrival_s
        self._last_arrival_s = last_arrival_s
        if math.isnan(stream_s):  # the first batch: nothing to relate it to
            return
        took_s = done_s - started_s
        kept = math.exp(-max(took_s, stream_s) / _MEMORY_S)
        self._engine_s = kept * self._engine_s + took_s / self.share
        self._stream_s = kept * self._stream_s + max(0.0, stream_s)
        factor = 1 + (self._target_s - (started_s - first_arrival_s)) / _RECOVERY_S
        able = self._stream_s / self._engine_s if self._engine_s > 0 else 1.0
        self.share = min(1.0, max(able, _LEAST_SHARE) * max(factor, _LEAST_FACTOR))


def policy_of(when_slow: str, info: StreamInfo, *, can_wait: bool) -> str:
    """Return which policy a stream gets.

    Args:
        when_slow: The setting: auto, block, drop-oldest or stride.
        info: Of the stream.
        can_wait: It loses nothing when it is read late, live or not.

    Raises:
        UsageError: The policy does not go with the source.
    """
    if when_slow == "auto":
        return "stride" if info.is_live else "block"
    if when_slow == "block" and not can_wait:
        raise UsageError(
            f"--when-slow block conflicts with {info.name}, which does not wait, so that samples"
            " would be lost; choose stride or drop-oldest."
        )
    if when_slow != "block" and not info.is_live:
        raise UsageError(
            f"--when-slow {when_slow} conflicts with {info.name}, which waits, so that nothing"
            " has to be left out; add --realtime to have it go on like a radio."
        )
    return when_slow
