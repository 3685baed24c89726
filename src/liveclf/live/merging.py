"""Blocks of several streams, one after the other.

    blocks --thread--> [ bounded lane ] --.
    blocks --thread--> [ bounded lane ] ---+--> (number of the stream, Block)

A stream that has nothing keeps no other waiting, and none gets more turns for being faster:
next is the one that was given the fewest samples, of those that have some. A lane that is
full makes its reader wait: a file does not mind, and a radio has a ring behind it that counts.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from threading import Condition, Lock, Thread

from liveclf.errors import LiveclfError
from liveclf.records import Block

LANE_BLOCKS = 4
_END_S = 2.0  # for a reader to notice that nobody listens any more
_WAKE_S = 0.5  # signal handlers run between waits

Blocks = Generator[Block, None, None]


def merged(
    streams: Sequence[Blocks], on_failure: Callable[[int, LiveclfError], None]
) -> Generator[tuple[int, Block], None, None]:
    """Yield the number of a stream and its next block until all have ended.

    One stream is read as it is, without a thread, and its error raised.

    Args:
        streams: The blocks of each.
        on_failure: Called when one of several broke, behind its last block; the others go on.

    Raises:
        Exception: A stream failed with anything else than a LiveclfError.
    """
    if len(streams) == 1:
        with closing(streams[0]) as blocks:
            for block in blocks:
                yield 0, block
        return
    merger = _Merger(streams)
    try:
        while (turn := merger.next()) is not None:
            number, item = turn
            if isinstance(item, Block):
                yield number, item
            elif isinstance(item, LiveclfError):
                on_failure(number, item)
            else:
                raise item
    finally:
        merger.close()


class _Lane:
    """What was read of one stream and not yet taken."""

    def __init__(self, lock: Lock) -> None:
        self.has_room = Condition(lock)
        self.items: deque[Block | BaseException] = deque()
        self.is_over = False  # nothing will be added
        self.n_given = 0  # samples, and those that others were given while it had nothing


class _Merger:
    """The lanes, and the threads that fill them."""

    def __init__(self, streams: Sequence[Blocks]) -> None:
        lock = Lock()
        self._has_some = Condition(lock)
        self._lanes = [_Lane(lock) for _ in streams]
        self._n_given = 0  # of the stream that had the last turn
        self._is_closed = False
        self._threads = [
            Thread(target=self._read, args=pair, name=f"stream {k}", daemon=True)
            for k, pair in enumerate(zip(self._lanes, streams, strict=True))
        ]
        for thread in self._threads:
            thread.start()

    def next(self) -> tuple[int, Block | BaseException] | None:
        """Wait for the next block, or for what a stream broke with; None at the end of all."""
        with self._has_some:
            while not (waiting := [k for k, lane in enumerate(self._lanes) if lane.items]):
                if all(lane.is_over for lane in self._lanes):
                    return None
                self._has_some.wait(_WAKE_S)
            number = min(waiting, key=lambda k: self._lanes[k].n_given)
            lane = self._lanes[number]
            item = lane.items.popleft()
            self._n_given = lane.n_given
            if isinstance(item, Block):
                lane.n_given += len(item.iq)
            lane.has_room.notify()
            return number, item

    def close(self) -> None:
        """Have the readers end; one that hangs in its source is left behind."""
        with self._has_some:
            self._is_closed = True
            for lane in self._lanes:
                lane.has_room.notify()
        until_s = time.monotonic() + _END_S
        for thread in self._threads:
            thread.join(max(0.0, until_s - time.monotonic()))

    def _read(self, lane: _Lane, stream: Blocks) -> None:
        error = None
        try:
            with closing(stream) as blocks:
                for block in blocks:
                    if not self._put(lane, block):
                        break
        except BaseException as raised:  # whatever it is, it is raised where it is seen
            error = raised
        with self._has_some:
            if error is not None:
                lane.items.append(error)
            lane.is_over = True
            self._has_some.notify()

    def _put(self, lane: _Lane, block: Block) -> bool:
        """Append a block when there is room; False if nobody takes it any more."""
        with lane.has_room:
            while len(lane.items) >= LANE_BLOCKS and not self._is_closed:
                lane.has_room.wait(_WAKE_S)
            if not lane.items:  # what was not there could not be given: that is no claim
                lane.n_given = max(lane.n_given, self._n_given)
            lane.items.append(block)
            self._has_some.notify()
            return not self._is_closed
