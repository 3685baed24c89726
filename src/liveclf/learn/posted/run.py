"""`liveclf train --recipe as-posted`: the network of the question, with its own faults.

A run of it leaves `config.toml`, `history.csv` and `curves.png`: no checkpoint, for the
posted one never acts, and no bundle, for what comes of it is no use to anybody.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.config import TrainSettings, to_toml
from liveclf.errors import TrainingError, UsageError
from liveclf.learn import CONFIG, CURVES, HISTORY
from liveclf.learn.data.datasets import open_dataset
from liveclf.learn.fit.curves import can_draw, draw_curves
from liveclf.learn.fit.history import write_history
from liveclf.learn.fit.train import Tell
from liveclf.learn.posted.recipe import AsPosted, train_as_posted
from liveclf.records import FloatArray
from liveclf.signals.generator import CHUNK, Labelled, make_chunk
from liveclf.signals.workers import in_order

# RadioML's unipolar kind, as in the posted `ask.hdf5`.
POSTED_CLASSES = ("OOK", "4ASK", "8ASK")

# What the post leaves open; all else is as posted.
_OPEN = {
    "network": {"recipe", "width"},
    "fit": {"steps", "seed", "on_stuck"},
    "data": {"file", "class_file", "snr_min_db", "snr_max_db", "pool_windows", "workers"},
}


def run_as_posted(settings: TrainSettings, run: Path, tell: Tell) -> AsPosted:
    """Train as posted on a file, or on generated windows of the posted classes.

    Args:
        settings: Of the run.
        run: Its folder.
        tell: Takes what the user should know.

    Returns:
        What came of it.

    Raises:
        UsageError: A setting is given that the post does not leave open.
        TrainingError: The guard has stopped it, or the run cannot be written.
    """
    check_open(settings)
    x, y = _posted_data(settings)
    try:
        run.mkdir(parents=True, exist_ok=True)
        (run / CONFIG).write_text(to_toml(settings), encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"--run {run} cannot be written: {error.strerror}.") from error
    fit, network = settings.fit, settings.network
    done = train_as_posted(
        x,
        y,
        seed=fit.seed,
        width=network.width or 1.0,
        steps_limit=fit.steps,
        out=run,
        on_stuck=fit.on_stuck,
        say=tell,
    )
    _keep(done.history, run, tell)
    if done.guard.diagnosis is not None and fit.on_stuck == "stop":
        raise TrainingError(
            f"The training was stopped at step {done.guard.diagnosis.step}, as posted: "
            f"{done.guard.diagnosis.cause}; its history is in {run}, and --on-stuck warn goes on "
            "all the same."
        )
    return done


def _keep(history: dict[str, list[float]], run: Path, tell: Tell) -> None:
    """Write the history of a run as one of ours has it."""
    n = len(history["loss"])
    rows = [{"epoch": float(k)} | {name: history[name][k] for name in history} for k in range(n)]
    write_history(run / HISTORY, rows)
    if can_draw(tell):
        draw_curves(rows, run / CURVES)


def check_open(settings: TrainSettings) -> None:
    """Refuse settings that would have no effect.

    Raises:
        UsageError: One is set.
    """
    plain = TrainSettings()
    for section, free in _OPEN.items():
        mine, other = getattr(settings, section), getattr(plain, section)
        given = [k for k in mine.__struct_fields__ if getattr(mine, k) != getattr(other, k)]
        if fixed := [key for key in given if key not in free]:
            raise UsageError(
                f"--recipe as-posted has its own {', '.join(fixed)}; leave out what is not "
                f"one of {', '.join(sorted(set().union(*_OPEN.values())))}."
            )


def _posted_chunk(seed: int, snr_db: tuple[float, float], index: int) -> Labelled:
    return make_chunk(seed, index, snr_db, POSTED_CLASSES)


def _posted_data(settings: TrainSettings) -> tuple[FloatArray, NDArray[Any]]:
    """Return windows as they are stored, (n, 1024, 2), not normalised, and one-hot labels."""
    wanted = settings.data
    if not wanted.file:
        snr_db = (wanted.snr_min_db, wanted.snr_max_db)
        make = partial(_posted_chunk, settings.fit.seed, snr_db)
        made = list(in_order(make, range(wanted.pool_windows // CHUNK), wanted.workers))
        x = np.concatenate([chunk.x for chunk in made]).astype(np.float32).transpose(0, 2, 1)
        y = np.concatenate([chunk.y for chunk in made])
        return np.ascontiguousarray(x), np.eye(len(POSTED_CLASSES), dtype=np.float32)[y]
    data = open_dataset(Path(wanted.file), Path(wanted.class_file) if wanted.class_file else None)
    rows = np.arange(len(data))
    stored = [data.layout.to_rows(block) for _, block in data.windows.stored(rows)]
    x = np.ascontiguousarray(np.concatenate(stored).transpose(0, 2, 1))
    return x, np.eye(len(data.classes), dtype=np.float32)[data.y]
