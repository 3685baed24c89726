"""What a person who trains wants to see: loss, accuracy, rate, time left."""

from __future__ import annotations

from typing import Any, Self

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class TrainingProgress(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """A bar on stderr while an epoch runs, and a line for each that has ended."""

    def __init__(self, steps: int, batch: int, first_step: int) -> None:
        """Take the length of the run, the windows per step, and where it starts."""
        super().__init__()
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("loss {task.fields[loss]:.3f}  accuracy {task.fields[accuracy]:.3f}"),
            TextColumn("{task.fields[rate]:.0f} windows/s"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._batch = batch
        self._task = self._bar.add_task(
            "train", total=steps, completed=first_step, loss=0.0, accuracy=0.0, rate=0.0
        )

    def __enter__(self) -> Self:
        """Return the callback; the bar is drawn when training begins."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the bar as it stands and give the cursor back, also when training breaks off."""
        self._bar.stop()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Draw the bar."""
        self._bar.start()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Move it."""
        logs = logs or {}
        speed = self._bar.tasks[0].speed or 0.0
        self._bar.update(
            self._task,
            advance=1,
            loss=logs.get("loss", 0.0),
            accuracy=logs.get("accuracy", 0.0),
            rate=speed * self._batch,
        )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Leave a line behind."""
        logs = logs or {}
        self._bar.console.print(
            f"epoch {epoch + 1:3d}: loss {logs['loss']:.4f}, accuracy {logs['accuracy']:.4f}; "
            f"held out: loss {logs['val_loss']:.4f}, accuracy {logs['val_accuracy']:.4f}; "
            f"waited for data {logs['waiting']:.1%} of the time",
            highlight=False,
            soft_wrap=True,
        )
