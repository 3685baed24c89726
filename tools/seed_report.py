"""Tables and picture of `seed_question.py`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table
from seed_recipes import CLASSES

GOOD_DB = 10.0  # accuracy is that at this SNR and above
AVERAGED = 25  # steps: what "loss at step N" is the mean of, up to N


@dataclass(frozen=True)
class Result:
    """What came of a run.

    Attributes:
        name: Of the recipe.
        seed: Of weights and order.
        parameters: Of the network.
        losses: Of each step.
        accuracy: On held-out windows at `GOOD_DB` and above.
        causes: What the guard found, the likeliest first; none if it was silent.
        spoke_at: Step at which it did, 0 if never.
        seconds: The run took.
    """

    name: str
    seed: int
    parameters: int
    losses: list[float]
    accuracy: float
    causes: list[str]
    spoke_at: int
    seconds: float

    def loss_at(self, step: int) -> float:
        """Mean of the losses just before a step, NaN if it was not reached."""
        if step > len(self.losses):
            return float("nan")
        return float(np.mean(self.losses[max(0, step - AVERAGED) : step]))


def table_of(title: str, results: Sequence[Result], marks: Sequence[int]) -> Table:
    """Lay results out, a line a recipe, each column with the values of all seeds."""
    table = Table("", "parameters", *(f"loss at {mark}" for mark in marks), title=title)
    for column in (f"right at {GOOD_DB:g} dB and above", "the guard spoke", "seconds"):
        table.add_column(column)
    for name in dict.fromkeys(result.name for result in results):
        of_name = [result for result in results if result.name == name]
        causes = Counter(", ".join(result.causes) for result in of_name if result.causes)
        said = "; ".join(f"{n} of {len(of_name)}: {cause}" for cause, n in causes.items())
        table.add_row(
            name,
            f"{of_name[0].parameters:,}",
            *("  ".join(f"{result.loss_at(mark):.4f}" for result in of_name) for mark in marks),
            "  ".join(f"{result.accuracy:.1%}" for result in of_name),
            said or "-",
            f"{sum(result.seconds for result in of_name):.0f}",
        )
    return table


PANELS = (
    {"a": "as posted", "b": "our recipe"},
    {"changed": "the posted network, one thing changed"},
    {"taken": "our recipe, one thing taken away"},
)


def draw(results: dict[str, list[Result]], path: Path) -> None:
    """Draw the losses, smoothed, a line a run, a panel for what was run."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    panels = [{part: title for part, title in p.items() if results.get(part)} for p in PANELS]
    shown = [
        (", and ".join(panel.values()), [run for part in panel for run in results[part]])
        for panel in panels
        if panel
    ]
    size = (5 * max(1, len(shown)), 4.6)
    figure, grid = plt.subplots(1, max(1, len(shown)), figsize=size, sharey=True, squeeze=False)
    axes = grid[0]
    for axis, (title, runs) in zip(axes, shown, strict=False):
        _lines(axis, runs)
        axis.axhline(np.log(len(CLASSES)), color="grey", lw=0.6, ls=":")
        axis.set(title=title, xlabel="step", ylim=(0, 1.6))
    axes[0].set_ylabel(f"training loss, mean of {AVERAGED} steps; dotted: ln 3")
    figure.tight_layout()
    figure.savefig(path, dpi=75)


def _lines(axis: Any, results: Sequence[Result]) -> None:
    """Draw runs, those of a name in a colour."""
    names = list(dict.fromkeys(result.name for result in results))
    kernel = np.ones(AVERAGED) / AVERAGED
    for k, name in enumerate(names):
        look = {"color": f"C{k - 1}" if k else "black", "lw": 1 if k else 2}
        label: str | None = name
        for result in results:
            if result.name == name:
                smooth = np.convolve(result.losses, kernel, "valid")
                axis.plot(np.arange(len(smooth)) + AVERAGED, smooth, label=label, **look)
                label = None
    axis.legend(fontsize=7, loc="upper right", ncols=2)
