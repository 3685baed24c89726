"""Ctrl-C during training: heeded between two steps, where nothing can swallow it."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self

import keras


class Interrupt(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """Raises KeyboardInterrupt after the step in which SIGINT came; at once at the second.

    Raised anywhere, as Python does by itself, it can fall into a callback from C or a
    finaliser, which ignores it, and training goes on.
    """

    def __init__(self) -> None:
        """Begin unasked."""
        super().__init__()
        self._asked = False
        self._before: Any = None

    def __enter__(self) -> Self:
        """Take over SIGINT, in the main thread; elsewhere Python allows no handlers."""
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        """Give SIGINT back."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """End the training if that was asked for."""
        if self._asked:
            raise KeyboardInterrupt

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
