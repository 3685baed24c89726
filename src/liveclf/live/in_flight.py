"""Batches handed to an engine ahead of its answers, which come in the same order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from liveclf.protocols import BackgroundEngine, Engine
from liveclf.records import FloatArray, Windows

Answer = tuple[Windows, float, FloatArray]  # the batch, when it was handed over, its logits
_Wait = Callable[[], FloatArray]


class InFlight:
    """Keeps an engine busy: while it works on one batch, the next is made and handed to it.

    There is no thread here, so nothing to close: the backends of Keras return before the work
    is done, ONNX Runtime is called by threads of its engine. Any other engine gets a batch at
    a time, and answers at once.
    """

    def __init__(self, engine: Engine, depth: int = 2) -> None:
        """Begin with nothing in flight.

        Args:
            engine: What runs the network.
            depth: Most batches that a `BackgroundEngine` is given before its first answer.
        """
        self._submit = engine.submit if isinstance(engine, BackgroundEngine) else None
        self._predict, self._depth = engine.predict, depth
        self._waiting: deque[tuple[Windows, float, _Wait]] = deque()

    def push(self, batch: Windows, now_s: float) -> Iterator[Answer]:
        """Hand over a batch, and yield what is answered so that there is room for it.

        The iterator has to be used up before the next push. An error of the engine is
        raised in the turn of its batch.

        Args:
            batch: The next one.
            now_s: The time, which comes back with its answer.
        """
        if self._submit is None:
            yield batch, now_s, self._predict(batch.x)
            return
        if len(self._waiting) >= self._depth:
            yield self._oldest()
        try:
            wait = self._submit(batch.x)
        except Exception as error:  # in its turn: what is ahead of it may be sound
            wait = _raising(error)
        self._waiting.append((batch, now_s, wait))

    def flush(self) -> Iterator[Answer]:
        """Wait for everything in flight and yield it."""
        while self._waiting:
            yield self._oldest()

    def _oldest(self) -> Answer:
        batch, handed_s, wait = self._waiting.popleft()
        return batch, handed_s, wait()


def _raising(error: Exception) -> _Wait:
    def wait() -> FloatArray:
        raise error

    return wait
