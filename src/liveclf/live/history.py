"""The newest samples of a stream, for what turns out to be wanted only later."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from threading import Lock

from liveclf.records import Block


class History:
    """Passes blocks on and remembers the newest; a `Stage`.

    `between` may be called from another thread.
    """

    def __init__(self, limit_samples: int) -> None:
        """Set how much is remembered.

        Args:
            limit_samples: At least so many of the newest samples, and at most a block more.
        """
        self._limit_samples = limit_samples
        self._blocks: deque[Block] = deque()
        self._n_samples = 0
        self._lock = Lock()

    def push(self, block: Block) -> Iterator[Block]:
        """Remember one block and pass it on."""
        self.keep(block)
        yield block

    def keep(self, block: Block) -> Block | None:
        """Remember one block; return the copy, None of an empty one."""
        if not len(block.iq):
            return None
        # Copied, as what it is a view of may be overwritten behind the loop's back.
        kept = replace(block, iq=block.iq.copy())
        with self._lock:
            self._blocks.append(kept)
            self._n_samples += len(kept.iq)
            while self._n_samples - len(self._blocks[0].iq) >= self._limit_samples:
                self._n_samples -= len(self._blocks.popleft().iq)
        return kept

    def flush(self) -> Iterator[Block]:
        """Yield nothing: nothing is held back."""
        return iter(())

    def between(self, start_sample: int, stop_sample: int) -> list[Block]:
        """Return what is still there of a stretch, in order, cut to it.

        Args:
            start_sample: Absolute index of its first sample.
            stop_sample: Absolute index after its last.
        """
        with self._lock:
            blocks = list(self._blocks)
        found = []
        for block in blocks:
            first = max(0, start_sample - block.start_sample)
            last = min(len(block.iq), stop_sample - block.start_sample)
            if first < last:
                start = block.start_sample + first
                found.append(replace(block, iq=block.iq[first:last], start_sample=start))
        return found
