"""A training that is complete when its time is up, however many steps that allows."""

from __future__ import annotations

import time
from typing import Any

import keras

_EVERY = 50  # steps between two looks at the clock


class Clocked(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """Counts steps that there is no time for as done: the learning rate follows that count.

    The clock begins with the end of the first step, behind all compilation.
    """

    def __init__(self, steps: int, seconds: float) -> None:
        """Take how many steps the schedule has, and how long it may take."""
        super().__init__()
        self._steps, self._seconds = steps, seconds
        self._began_s, self._taken = 0.0, 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Move the count on; end at its end."""
        self._taken += 1
        if not self._began_s:
            self._began_s = time.monotonic()
        if self._taken % _EVERY:
            return
        if sync := getattr(self.model, "jax_state_sync", None):
            sync()  # in fit the JAX backend holds newer values than the model does
        share = (time.monotonic() - self._began_s) / self._seconds
        count = self.model.optimizer.iterations
        count.assign(max(int(count), min(self._steps, int(share * self._steps))))
        if int(count) >= self._steps:
            self.model.stop_training = True
            print(f"complete after {self._taken} steps", flush=True)
