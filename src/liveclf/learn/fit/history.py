"""What a run has come through: a row of a CSV file for every epoch, and when to end it."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import keras

from liveclf.errors import TrainingError
from liveclf.learn import BEST, CHECKPOINT, HISTORY
from liveclf.learn.fit.checkpoint import keep_copy, writing

Row = dict[str, float]


class Log(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """Appends to the history after every epoch."""

    def __init__(self, path: Path) -> None:
        """Take the file."""
        super().__init__()
        self._path = path

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write all rows anew, one more than before: never half a row."""
        row = {"epoch": float(epoch)} | {k: float(v) for k, v in sorted((logs or {}).items())}
        write_history(self._path, [*read_history(self._path), row])


class Plateau(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """Keeps the best checkpoint apart, and ends a training that does not get better.

    It has no memory beside the history, so a resumed run ends when it would have.
    """

    def __init__(self, run: Path, patience: int) -> None:
        """Take the run, and how many epochs without a better one are borne."""
        super().__init__()
        self._run, self._patience = run, patience

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Make up for a crash between the checkpoint and its copy."""
        self._keep_best()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look back."""
        self._keep_best()
        if is_over(self._run / HISTORY, self._patience):
            self.model.stop_training = True

    def _keep_best(self) -> None:
        rows = read_history(self._run / HISTORY)
        if rows and best_epoch(rows) == len(rows) - 1:
            keep_copy(self._run / CHECKPOINT, self._run / BEST)


def is_over(history: Path, patience: int) -> bool:
    """Say whether a run has got no better for `patience` epochs; 0 bears any number."""
    rows = read_history(history)
    return bool(patience and rows) and len(rows) - 1 - best_epoch(rows) >= patience


def best_epoch(rows: list[Row]) -> int:
    """Return the first of the epochs with the lowest loss on the held-out windows."""
    losses = [row["val_loss"] for row in rows]
    return min(range(len(rows)), key=lambda k: (math.isnan(losses[k]), losses[k]))


def read_history(path: Path) -> list[Row]:
    """Return the rows of a history, none if there is no file yet.

    Raises:
        TrainingError: It is damaged.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise TrainingError(
            f"History {path} cannot be read: {error}; begin another run."
        ) from error


def write_history(path: Path, rows: list[Row]) -> None:
    """Write rows, replacing the file.

    Raises:
        TrainingError: It cannot be written.
    """
    with writing(path, "History") as beside, beside.open("w", newline="", encoding="utf-8") as file:
        columns = dict.fromkeys(key for row in rows for key in row) or ["epoch"]
        table = csv.DictWriter(file, list(columns), restval=math.nan)
        table.writeheader()
        table.writerows(row | {"epoch": int(row["epoch"])} for row in rows)
