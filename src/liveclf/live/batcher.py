"""Windows of any number in, batches for the engine out, by size or by age."""

from __future__ import annotations

import math
from collections.abc import Iterator

from liveclf.records import Windows


class Batcher:
    """Collects windows until there are enough, or the oldest has waited too long.

    Holds less than one batch. It has no clock: the time is passed in.
    """

    def __init__(self, batch_size: int, max_age_s: float) -> None:
        """Set the limits.

        Args:
            batch_size: Windows per batch.
            max_age_s: Longest that a window waits for the batch to fill.
        """
        self._size = batch_size
        self._max_age_s = max_age_s
        self._held: list[Windows] = []
        self._n = 0
        self._oldest_s = math.inf  # of several streams, it need not be the first

    def push(self, windows: Windows) -> Iterator[Windows]:
        """Take windows and yield every full batch."""
        while self._n + len(windows) >= self._size:
            room = self._size - self._n
            yield self._release(windows[:room])
            windows = windows[room:]
        if len(windows):
            self._held.append(windows)
            self._n += len(windows)
            self._oldest_s = min(self._oldest_s, float(windows.received_s[0]))

    def expire(self, now_s: float) -> Iterator[Windows]:
        """Yield what is held if its oldest window has waited `max_age_s` at `now_s`.

        Args:
            now_s: When the latest block arrived. Not the time of the clock, in which the
                engine's work is: it would call windows old that came a moment ago.
        """
        if self._held and now_s - self._oldest_s >= self._max_age_s:
            yield from self.flush()

    def flush(self) -> Iterator[Windows]:
        """Yield what is held."""
        if self._held:
            yield self._release(None)

    def _release(self, last: Windows | None) -> Windows:
        parts = [*self._held, last] if last is not None else self._held
        self._held, self._n, self._oldest_s = [], 0, math.inf
        return Windows.concatenate(parts)
