"""Answer the question this project began with: why does the posted VGG16 stay at ln 3.

    python tools/seed_question.py [--width 0.125] [--steps 500] [--parts a,b,c] [--out DIR]

Prints three tables: (a) the network as posted on three ASK classes, one line a seed, with
what the stuck guard said; (b) our recipe on the same windows; (c) the posted network with
one thing changed at a time, and our recipe with one thing taken away. With --out also
`stuck.json` and `stuck.png`. `--full-size-steps N` makes N steps as posted at width 1.

Windows: OOK, 4ASK and 8ASK (unipolar) of the package's generator, 2 to 16 samples per
symbol (OOK to 64), any carrier phase, no offset and no fading, white noise at 0 to 30 dB;
signal of unit power before the noise, as in RadioML 2018.01A. A third of the posted data
set lies below -4 dB, where nobody tells 4ASK from 8ASK; without it a loss says more.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up notes on stderr

import keras
import numpy as np
from rich.console import Console
from rich.table import Table
from seed_recipes import (
    CHANGED,
    CLASSES,
    OURS,
    POSTED,
    TAKEN,
    Recipe,
    build,
    make_windows,
    prepared,
)

from liveclf.config import FitSettings, TrainSettings
from liveclf.learn.as_posted import train_as_posted
from liveclf.learn.guard import StuckGuard
from liveclf.learn.optimiser import compile_model
from liveclf.model.vgg16 import build_vgg16

GOOD_DB = 10.0  # accuracy is that at this SNR and above
CHECKS = (200, 300, 500)
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


def main() -> None:
    """Run what is asked for and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--width", type=float, default=0.125, help="channels over VGG16's")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--windows", type=int, default=16000, help="to train on")
    parser.add_argument("--seeds", default="1,2,3", help="of part a; the first is that of b, c")
    parser.add_argument("--parts", default="a,b,c")
    parser.add_argument("--full-size-steps", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    parts = arguments.parts.split(",")
    lab = Lab(arguments.width, arguments.steps, arguments.batch, arguments.windows)
    results: dict[str, list[Result]] = {}
    if "a" in parts:
        results["a"] = lab.rows("(a) as posted", [partial(lab.as_posted, seed) for seed in seeds])
    if "b" in parts:
        results["b"] = lab.rows("(b) vgg16-classic, our recipe", [partial(lab.ours, seeds[0])])
    if "c" in parts:
        for title, recipes in (("changed", CHANGED), ("taken", TAKEN)):
            runs = [partial(lab.run, recipe, seeds[0]) for recipe in recipes]
            results[title] = lab.rows(f"(c) one thing {title}", runs)
    if arguments.full_size_steps:
        full = Lab(1.0, arguments.full_size_steps, arguments.batch, arguments.windows)
        results["full"] = full.rows("as posted, full size", [partial(full.run, POSTED, seeds[0])])
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        held = {part: [asdict(result) for result in of] for part, of in results.items()}
        (arguments.out / "stuck.json").write_text(json.dumps(held), encoding="utf-8")
        draw(results, arguments.out / "stuck.png")


class Lab:
    """One set of windows, and what is tried on it."""

    def __init__(self, width: float, steps: int, batch: int, n_windows: int) -> None:
        self._width, self._steps, self._batch = width, steps, batch
        self._train = make_windows(n_windows, seed=1)
        self._test = make_windows(3000, seed=2)

    def rows(self, title: str, runs: Sequence[Callable[[], Result]]) -> list[Result]:
        """Run, and print a table as it grows."""
        marks = [step for step in (100, 300, 500) if step < self._steps] + [self._steps]
        marks = sorted(set(marks))
        table = Table("", "seed", "parameters", *(f"loss at {m}" for m in marks), title=title)
        for column in (f"right at {GOOD_DB:g} dB and above", "guard", "seconds"):
            table.add_column(column)
        results = []
        for run in runs:
            result = run()
            results.append(result)
            said = f"step {result.spoke_at}: {', '.join(result.causes)}" if result.causes else "-"
            table.add_row(
                result.name,
                str(result.seed),
                f"{result.parameters:,}",
                *(f"{result.loss_at(mark):.4f}" for mark in marks),
                f"{result.accuracy:.1%}",
                said,
                f"{result.seconds:.0f}",
            )
            keras.backend.clear_session()
        Console(width=160).print(table)
        return results

    def as_posted(self, seed: int) -> Result:
        """Train by the function behind `liveclf train --recipe as-posted`."""
        began_s = time.perf_counter()
        stored = np.ascontiguousarray(self._train.x.transpose(0, 2, 1))  # as RadioML stores it
        one_hot = np.eye(len(CLASSES), dtype=np.float32)[self._train.y]
        with tempfile.TemporaryDirectory() as folder:
            posted = train_as_posted(
                stored, one_hot, seed=seed, width=self._width, steps_limit=self._steps,
                batch=self._batch, out=Path(folder), on_stuck="warn",
            )  # fmt: skip
        test = prepared(self._test, POSTED)[..., None]
        return self._result("as posted", seed, posted.model, test, posted.guard, began_s)

    def ours(self, seed: int) -> Result:
        """Train vgg16-classic as `liveclf train` would."""
        keras.utils.set_random_seed(seed)
        model = build_vgg16(len(CLASSES), "vgg16-classic", self._width)
        self._compile_ours(model)
        return self._fit("vgg16-classic", seed, model, OURS)

    def run(self, recipe: Recipe, seed: int) -> Result:
        """Train a recipe."""
        keras.utils.set_random_seed(seed)
        model = build(recipe, self._width)
        if recipe.scheduled:
            self._compile_ours(model)
        else:
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile(keras.optimizers.Adam(recipe.learning_rate), loss, metrics=["accuracy"])
        return self._fit(recipe.name, seed, model, recipe)

    def _compile_ours(self, model: keras.Model) -> None:
        fit = FitSettings(steps=self._steps, warmup_steps=self._steps // 10, label_smoothing=0.0)
        compile_model(model, TrainSettings(fit=fit))

    def _fit(self, name: str, seed: int, model: keras.Model, recipe: Recipe) -> Result:
        began_s = time.perf_counter()
        x = prepared(self._train, recipe)
        checks = [step for step in CHECKS if step <= self._steps] or [self._steps]
        guard = StuckGuard((x, self._train.y), on_stuck="warn", check_steps=checks)
        rng = np.random.default_rng(seed)

        def batches() -> Any:
            while True:
                rows = rng.integers(len(x), size=self._batch)
                yield x[rows], self._train.y[rows]

        model.fit(batches(), steps_per_epoch=self._steps, callbacks=[guard], verbose=0)
        return self._result(name, seed, model, prepared(self._test, recipe), guard, began_s)

    def _result(
        self, name: str, seed: int, model: keras.Model, x: Any, guard: StuckGuard, began_s: float
    ) -> Result:
        good = self._test.snr_db >= GOOD_DB
        answer = model.predict(x[good], batch_size=self._batch, verbose=0).argmax(1)
        found = guard.diagnosis
        return Result(
            name,
            seed,
            model.count_params(),
            [round(loss, 5) for loss in guard.losses],
            float(np.mean(answer == self._test.y[good])),
            [finding.cause for finding in found.findings] if found else [],
            found.step if found else 0,
            time.perf_counter() - began_s,
        )


def draw(results: dict[str, list[Result]], path: Path) -> None:
    """Draw the losses, smoothed, one panel a table of the ablation."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    panels = [
        ("the posted network, one thing changed", ("a", "changed")),
        ("our recipe, one thing taken away", ("b", "taken")),
    ]
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), sharey=True)
    for axis, (title, parts) in zip(axes, panels, strict=True):
        for result in (result for part in parts for result in results.get(part, [])):
            kernel = np.ones(AVERAGED) / AVERAGED
            smooth = np.convolve(result.losses, kernel, "valid")
            axis.plot(np.arange(len(smooth)) + AVERAGED, smooth, label=result.name, lw=1.2)
        axis.axhline(np.log(len(CLASSES)), color="black", lw=0.6, ls=":")
        axis.set(title=title, xlabel="step", ylim=(0, 1.4))
        axis.legend(fontsize=7, loc="lower left")
    axes[0].set_ylabel(f"training loss, mean of {AVERAGED} steps; dotted: ln 3")
    figure.tight_layout()
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    main()
