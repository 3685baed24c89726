"""Answer the question this project began with: why does the posted VGG16 stay at ln 3.

    python tools/seed_question.py [--width 0.125] [--steps 500] [--parts a,b,c] [--out DIR]

Prints three tables: (a) the network as posted on three ASK classes, with what the stuck
guard said; (b) our recipe on the same windows; (c) the posted network with one thing
changed at a time, and our recipe with one thing taken away. A line is a recipe, a column
holds a number for each seed. With --out also `stuck.json` and `stuck.png`, of all that
was run with it. `--full-size-steps N` makes N steps as posted at width 1.

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
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up notes on stderr

import keras
import numpy as np
from rich.console import Console
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
from seed_report import GOOD_DB, Result, draw, table_of

from liveclf.config import FitSettings, TrainSettings
from liveclf.learn.fit.optimiser import compile_model
from liveclf.learn.guard import StuckGuard
from liveclf.learn.posted.recipe import train_as_posted
from liveclf.model.vgg16 import build_vgg16

CHECKS = (200, 300, 500)  # the guard's own
MARKS = (100, 300, 500)  # steps at which the issue asks for the loss


def main() -> None:
    """Run what is asked for and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--width", type=float, default=0.125, help="channels over VGG16's")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--windows", type=int, default=16000, help="to train on")
    parser.add_argument("--seeds", default="1,2,3", help="of weights and order")
    parser.add_argument("--parts", default="a,b,c", help="a, b, and c or changed, taken")
    parser.add_argument("--full-size-steps", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    parts = arguments.parts.split(",")
    lab = Lab(arguments.width, arguments.steps, arguments.batch, arguments.windows)
    results: dict[str, list[Result]] = {}
    runs: list[Callable[[int], Result]]
    if "a" in parts:
        results["a"] = lab.runs("(a) as posted", [lab.as_posted], seeds)
    if "b" in parts:
        sizes = {FitSettings().batch, arguments.batch}
        runs = [partial(lab.ours, batch=size) for size in sorted(sizes)]
        results["b"] = lab.runs("(b) vgg16-classic, our recipe", runs, seeds)
    for title, recipes in (("changed", CHANGED), ("taken", TAKEN)):
        if "c" in parts or title in parts:
            runs = [partial(lab.run, recipe) for recipe in recipes]
            results[title] = lab.runs(f"(c) one thing {title}", runs, seeds)
    if arguments.full_size_steps:
        full = Lab(1.0, arguments.full_size_steps, arguments.batch, arguments.windows)
        runs = [partial(full.run, POSTED)]
        results["full"] = full.runs("as posted, full size", runs, seeds[:1])
    if arguments.out:
        keep(results, arguments.out)


def keep(results: dict[str, list[Result]], folder: Path) -> None:
    """Write results beside those that are there already, and draw all."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "stuck.json"
    if path.exists():
        for part, of in json.loads(path.read_text(encoding="utf-8")).items():
            new = {(result.name, result.seed) for result in results.get(part, [])}
            old = [Result(**one) for one in of if (one["name"], one["seed"]) not in new]
            results[part] = [*old, *results.get(part, [])]
    held = {part: [asdict(result) for result in of] for part, of in results.items()}
    path.write_text(json.dumps(held), encoding="utf-8")
    draw(results, folder / "stuck.png")


class Lab:
    """One set of windows, and what is tried on it."""

    def __init__(self, width: float, steps: int, batch: int, n_windows: int) -> None:
        self._width, self._steps, self._batch = width, steps, batch
        self._train = make_windows(n_windows, seed=1)
        self._test = make_windows(3000, seed=2)

    def runs(
        self, title: str, of_seed: Sequence[Callable[[int], Result]], seeds: Sequence[int]
    ) -> list[Result]:
        """Run each for every seed, and print a table."""
        results = []
        for run in of_seed:
            for seed in seeds:
                results.append(run(seed))
                keras.backend.clear_session()
        marks = sorted({step for step in MARKS if step < self._steps} | {self._steps})
        Console(width=170).print(table_of(title, results, marks))
        return results

    def as_posted(self, seed: int) -> Result:
        """Train by the function behind `liveclf train --recipe as-posted`."""
        began_s = time.perf_counter()
        stored = np.ascontiguousarray(self._train.x.transpose(0, 2, 1))  # as RadioML stores it
        one_hot = np.eye(len(CLASSES), dtype=np.float32)[self._train.y]
        with tempfile.TemporaryDirectory() as folder:
            posted = train_as_posted(
                stored, one_hot, seed=seed, width=self._width, steps_limit=self._steps,
                batch=self._batch, out=Path(folder), on_stuck="warn", say=_nothing,
            )  # fmt: skip
        test = prepared(self._test, POSTED)[..., None]
        return self._result("as posted", seed, posted.model, test, posted.guard, began_s)

    def ours(self, seed: int, batch: int) -> Result:
        """Train vgg16-classic as `liveclf train` would."""
        keras.utils.set_random_seed(seed)
        model = build_vgg16(len(CLASSES), "vgg16-classic", self._width)
        self._compile_ours(model)
        return self._fit(f"vgg16-classic, batches of {batch}", seed, model, OURS, batch)

    def run(self, recipe: Recipe, seed: int) -> Result:
        """Train a recipe."""
        keras.utils.set_random_seed(seed)
        model = build(recipe, self._width)
        if recipe.scheduled:
            self._compile_ours(model)
        else:
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile(keras.optimizers.Adam(recipe.learning_rate), loss, metrics=["accuracy"])
        return self._fit(recipe.name, seed, model, recipe, self._batch)

    def _compile_ours(self, model: keras.Model) -> None:
        # No average of the weights: it is made for runs of thousands of steps.
        warm = self._steps // 10
        fit = FitSettings(steps=self._steps, warmup_steps=warm, label_smoothing=0.0, average=0.0)
        compile_model(model, TrainSettings(fit=fit))

    def _fit(self, name: str, seed: int, model: keras.Model, recipe: Recipe, batch: int) -> Result:
        began_s = time.perf_counter()
        x = prepared(self._train, recipe)
        checks = sorted({step for step in CHECKS if step < self._steps} | {self._steps})
        guard = StuckGuard((x, self._train.y), on_stuck="warn", check_steps=checks, say=_nothing)
        rng = np.random.default_rng(seed)

        def batches() -> Any:
            while True:
                rows = rng.integers(len(x), size=batch)
                yield x[rows], self._train.y[rows]

        model.jit_compile = False  # compiling takes longer than it saves here
        model.fit(
            batches(), steps_per_epoch=self._steps, callbacks=[guard], verbose=0, shuffle=False
        )
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


def _nothing(_: str) -> None:
    """Say nothing: the causes are in the table."""


if __name__ == "__main__":
    main()
