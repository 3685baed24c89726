"""The course of a training as a picture."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras

from liveclf.learn import CURVES, HISTORY
from liveclf.learn.fit.checkpoint import writing
from liveclf.learn.fit.history import Row, read_history


class Curves(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """Draws the history after every epoch."""

    def __init__(self, run: Path, tell: Callable[[str], None]) -> None:
        """Take the run; tell if there is nothing to draw with."""
        super().__init__()
        self._run, self._can_draw = run, can_draw(tell)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Draw what there is by now."""
        if self._can_draw:
            draw_curves(read_history(self._run / HISTORY), self._run / CURVES)


def can_draw(tell: Callable[[str], None]) -> bool:
    """Return whether there is something to draw with, and tell if not."""
    found = find_spec("matplotlib") is not None
    if not found:
        tell(f"{CURVES} is not drawn, since matplotlib is not installed")
    return found


def draw_curves(rows: list[Row], picture: Path) -> None:
    """Draw loss and accuracy over the epochs.

    Args:
        rows: Of the history, at least one.
        picture: PNG file to write.

    Raises:
        TrainingError: It cannot be written.
    """
    from matplotlib.figure import Figure

    epochs = [row["epoch"] + 1 for row in rows]
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, key in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for name, label in ((key, "training"), (f"val_{key}", "held out")):
            axes.plot(epochs, [row[name] for row in rows], ".-", label=label)
        axes.set(xlabel="epoch", ylabel=key)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    with writing(picture, "Picture") as beside:
        figure.savefig(beside, format="png", dpi=100)
