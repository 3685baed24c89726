"""Batches on their way to the network: how long it waits for them, and what ended them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Generic, Self, TypeVar

import keras

BatchT = TypeVar("BatchT")


class Supply(keras.callbacks.Callback, Generic[BatchT]):  # type: ignore[misc]  # keras is untyped
    """Hands batches on, and adds to the logs of an epoch the share of its time spent waiting.

    Backends fetch ahead in a thread of their own, so the time that `next` takes says
    nothing: a step has waited if its batch was ready only after the step before had ended.
    """

    def __init__(self, batches: Iterable[BatchT]) -> None:
        """Take the batches; nothing is drawn yet.

        Attributes:
            failure: The error that ended them, which backends wrap into one of their own.
        """
        super().__init__()
        self.failure: Exception | None = None
        self._batches = batches
        self._ready_s: deque[float] = deque()
        self._began_s = self._ended_s = self._waited_s = 0.0

    def __iter__(self) -> Iterator[BatchT]:
        """Yield the batches."""
        try:
            for batch in self._batches:
                self._ready_s.append(time.monotonic())
                yield batch
        except Exception as error:
            self.failure = error
            raise

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Raise what ended the batches in place of the backend's report of it."""
        if self.failure is not None and kind is not None and issubclass(kind, Exception):
            raise self.failure from None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        self._began_s = self._ended_s = time.monotonic()
        self._waited_s = 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Add what this step has waited."""
        self._waited_s += max(0.0, self._ready_s.popleft() - self._ended_s)
        self._ended_s = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Tell the callbacks that come after."""
        if logs is not None:
            logs["waiting"] = self._waited_s / max(self._ended_s - self._began_s, 1e-9)
