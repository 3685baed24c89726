"""How a signal ends a stream: in order, and at once if it comes a second time."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stopped_by_signals(*actions: Callable[[], None]) -> Iterator[list[int]]:
    """End the stream at the first signal, so that all that came before is dealt with.

    Args:
        actions: What ends it; they only set flags.

    Yields:
        The signals received. A second one raises KeyboardInterrupt at once.
    """
    received: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            raise KeyboardInterrupt
        for action in actions:
            action()

    watched = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, stop) for number in watched]
    try:
        yield received
    finally:
        for number, handler in zip(watched, before, strict=True):
            signal.signal(number, handler)
