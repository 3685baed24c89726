"""Windows of any number in, batches for the engine out: what is waiting, up to a size.

While the engine works, windows pile up in the source; when it is free they come here until
there are `batch_size` of them, or until the source says that no more are waiting (an empty
block), and then go. So a fast engine gets small batches at once and a slow one full ones,
and nobody waits for a batch to fill, unless told to by `max_age_s`: larger batches, which
cost less each window, against latency.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from liveclf.records import Windows


class Batcher:
    """Collects windows until there are enough, or no more are waiting.

    Holds less than one batch. It has no clock: the time is passed in.
    """

    def __init__(self, batch_size: int, max_age_s: float) -> None:
        """Set the limits.

        Args:
            batch_size: Windows per batch.
            max_age_s: How long a window waits for the batch to fill when no more are waiting.
        """
        self._size = batch_size
        self._max_age_s = max_age_s
        self._held: list[Windows] = []
        self._n = 0
        self._oldest_s = math.inf  # of several streams, it need not be the first

    def push(self, windows: Windows) -> Iterator[Windows]:
        """Take windows and yield every full batch; native and normalised ones share none."""
        if self._held and windows.x.dtype != self._held[0].x.dtype:
            yield from self.flush()
        while self._n + len(windows) >= self._size:
            room = self._size - self._n
            yield self._release(windows[:room])
            windows = windows[room:]
        if len(windows):
            self._held.append(windows)
            self._n += len(windows)
            self._oldest_s = min(self._oldest_s, float(windows.received_s[0]))

    def expire(self, now_s: float) -> Iterator[Windows]:
        """Yield what is held, as no more is waiting, if its oldest window is `max_age_s` old.

        Args:
            now_s: When the source said so.
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
