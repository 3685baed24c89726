#!/usr/bin/env python3
"""How much the windows of an emission are worth together, and how sure a label has to be.

    python tools/fit_emissions.py [--scenes 60] [--seed 3001] [--model NAME|DIR]

Makes scenes (`tools/make_scenes.py`), runs the detector and the network over them, and pairs
what is found with what was there. Printed, over emissions that were found:

- for each power of the number of windows that the mean log-probability is multiplied by
  (`_EVIDENCE` in live/emission_decider.py), the mean log-loss and the calibration error;
- at the power in use, for each least probability, how many labels and families are left and
  how many of these are wrong.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.special import log_softmax, softmax

from liveclf.config import DetectSettings, ModelSettings, SourceSettings
from liveclf.emissions import Emission, Emissions, Heard
from liveclf.learn.score.matching import last_told, match
from liveclf.live import emission_decider, pipeline
from liveclf.live.batcher import Batcher
from liveclf.live.emission_decider import EmissionDecider, Rules
from liveclf.live.finder import Finder
from liveclf.live.stats import Stats
from liveclf.model.bundle import Bundle, load_bundle
from liveclf.model.engines import open_engine
from liveclf.protocols import Engine
from liveclf.signals.scene.files import write_scene
from liveclf.signals.scene.plan import SceneSettings, plan
from liveclf.signals.scene.receive import Receiver, receive
from liveclf.sources import open_source

POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)
LEAST = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
BINS = 15


class Keeping(EmissionDecider):
    """Keeps, by emission, the mean of the log-probabilities and the number of windows."""

    kept: dict[int, tuple[NDArray[np.float64], int]]

    def _probabilities(self, one: Any, heard: Heard) -> NDArray[np.float64]:
        p = super()._probabilities(one, heard)
        if one.n_answered:
            mean = one.sums / one.n_answered
            if not p[self.rules.classes.index("noise")]:
                mean = np.where(p > 0, mean, -np.inf)
            self.kept[heard.id] = mean, one.n_answered
        return p


class Output:
    """Keeps what is told."""

    all_closed = False

    def __init__(self) -> None:
        self.records: list[Emission] = []

    def write(self, told: Emissions) -> None:
        """Keep one batch."""
        self.records += told.records


def scene_answers(
    seed: int, folder: Path, bundle: Bundle, engine: Engine, temperature: float
) -> list[tuple[NDArray[np.float64], int, int]]:
    """Return of every emission that is found: mean log-probabilities, windows, true class."""
    settings = SceneSettings(seed=seed, duration_s=0.5, snr_db=(3.0, 30.0))
    scene = receive(plan(settings), settings.duration_s, Receiver(), seed)
    path = write_scene(scene, folder / f"scene-{seed}")
    source = open_source(SourceSettings(path=str(path)))
    info = bundle.info
    rules = Rules(info.classes, info.families, temperature, len(info.classes), 0.0, 1e9)
    decider, output = Keeping(rules, [source.info]), Output()
    decider.kept = {}
    finder = Finder(info.window_samples, DetectSettings())
    stream = pipeline.Stream(source, [], finder, Stats(info.families))
    pipeline.run([stream], Batcher(engine.batch_size, 0.0), engine, decider, output)
    source.close()
    found = last_told(output.records)
    outcome = match(scene.truths, found, rate_hz=2.4e6, n_samples=source.info.n_samples or 0)
    answers = []
    for truth, k in zip(outcome.truths, outcome.match, strict=True):
        if k >= 0 and found[k].id in decider.kept:
            mean, n = decider.kept[found[k].id]
            answers.append((mean, n, info.classes.index(truth.label)))
    return answers


def calibration_error(p: NDArray[np.float64], is_right: NDArray[np.bool_]) -> float:
    """Return the expected calibration error over equally wide bins."""
    bins = np.minimum((p * BINS).astype(int), BINS - 1)
    gaps = [abs(p[bins == k].sum() - is_right[bins == k].sum()) for k in range(BINS)]
    return float(sum(gaps) / len(p))


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--seed", type=int, default=3001)
    parser.add_argument("--model", default="auto")
    asked = parser.parse_args()
    bundle = load_bundle(asked.model)
    engine, precision = open_engine(bundle, ModelSettings())
    temperature = bundle.info.temperature[precision]
    answers = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(asked.seed, asked.seed + asked.scenes):
            answers += scene_answers(seed, Path(folder), bundle, engine, temperature)
            for file in Path(folder).iterdir():
                file.unlink()
    mean = np.array([a[0] for a in answers])
    n = np.array([a[1] for a in answers])
    y = np.array([a[2] for a in answers])
    tell(bundle, mean, n, y)


def tell(
    bundle: Bundle, mean: NDArray[np.float64], n: NDArray[np.int64], y: NDArray[np.int64]
) -> None:
    """Print what follows from all emissions."""
    console = Console(highlight=False)
    console.print(f"{len(y)} emissions found, {np.median(n):g} windows in the middle")
    powers = Table("power", "log-loss", "calibration error")
    for power in POWERS:
        log_p = log_softmax(mean * n[:, None] ** power, axis=1)
        p = np.exp(log_p)
        loss = -np.maximum(log_p[np.arange(len(y)), y], np.log(1e-6)).mean()
        error = calibration_error(p.max(axis=1), p.argmax(axis=1) == y)
        powers.add_row(f"{power:g}", f"{loss:.3f}", f"{error:.3f}")
    console.print(powers)
    info = bundle.info
    names = list(dict.fromkeys(info.families[c] for c in info.classes))
    of = np.array([names.index(info.families[c]) for c in info.classes])
    p = softmax(mean * n[:, None] ** emission_decider._EVIDENCE, axis=1)
    families = np.stack([p[:, of == k].sum(axis=1) for k in range(len(names))], axis=1)
    shares = Table("least probability", "labels told", "wrong", "families told", "wrong")
    for least in LEAST:
        cells = [f"{least:g}"]
        for q, truth in ((p, y), (families, of[y])):
            told = q.max(axis=1) >= least
            wrong = (q.argmax(axis=1) != truth)[told]
            cells += [f"{told.mean():.1%}", f"{wrong.mean():.1%}"]
        shares.add_row(*cells)
    console.print(shares)


if __name__ == "__main__":
    main()
