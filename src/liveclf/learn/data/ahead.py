"""Batches drawn by a thread of its own while the network works on those before."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Generic, Self, TypeVar

BatchT = TypeVar("BatchT")

DEPTH = 4  # batches that wait at most
_LOOK_S = 0.2  # how often a thread that waits for room looks whether it is still needed
_JOIN_S = 10.0


class Ahead(Generic[BatchT]):
    """Hands on what it iterates over, in order, a few ahead.

    TensorFlow draws from an iterator in a thread of its own; JAX does between two steps, when
    its device has nothing to do.
    """

    def __init__(self, batches: Iterable[BatchT]) -> None:
        """Take the batches; nothing is drawn before the first is asked for."""
        self._batches = batches
        self._drawn: queue.Queue[tuple[BatchT | None, BaseException | None]] = queue.Queue(DEPTH)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="batches", daemon=True)

    def __iter__(self) -> Iterator[BatchT]:
        """Yield the batches; the error that ends them is raised in its turn."""
        self._thread.start()
        while True:
            batch, error = self._drawn.get()
            if error is not None:
                raise error
            if batch is None:
                return
            yield batch

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the thread, which may be waiting for a batch that is being made."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join(_JOIN_S)

    def _draw(self) -> None:
        try:
            for batch in self._batches:
                if not self._hand_on((batch, None)):
                    return
        except BaseException as error:  # raised where the batches are used
            self._hand_on((None, error))
            return
        self._hand_on((None, None))

    def _hand_on(self, drawn: tuple[BatchT | None, BaseException | None]) -> bool:
        """Wait for room; say whether it was needed."""
        while not self._over.is_set():
            try:
                self._drawn.put(drawn, timeout=_LOOK_S)
            except queue.Full:
                continue
            return True
        return False
