"""Train the dense layers alone: what the convolutions make of a window is computed once.

The convolutions are nearly all of the work; without them a pass over a hundred thousand
windows takes seconds. For whoever has few cores, and a network that has learned to see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from liveclf.config import TrainSettings
from liveclf.learn.data.feed import Chunks
from liveclf.learn.data.material import Material
from liveclf.learn.data.supply import Supply
from liveclf.learn.fit.optimiser import compile_model
from liveclf.model.vgg16 import split
from liveclf.records import FloatArray
from liveclf.signals.generator import CHUNK
from liveclf.signals.workers import in_order

_BATCH = 128
Batches = Iterator[tuple[tuple[FloatArray, ...], NDArray[np.int32]]]


def fit_head(
    model: keras.Model,
    settings: TrainSettings,
    material: Material,
    tell: Callable[[str], None],
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    """Train the dense layers on the features of as many windows as the pool holds.

    Args:
        model: Changed, but for its convolutions.
        settings: Of the run.
        material: What to train on.
        tell: Takes a sentence on what is going on.
        callbacks: Of the training.
    """
    fit = settings.fit
    trunk, head = split(model)
    n_chunks = max(1, settings.data.pool_windows // CHUNK)
    tell(f"--freeze: the convolutions see {n_chunks * CHUNK:,} windows, once")
    seen, y = _features(trunk, material.chunks, n_chunks, settings.data.workers)
    check = _seen(trunk, material.check.x)
    compile_model(head, settings)
    epoch_steps = min(fit.epoch_steps, fit.steps)
    supply = Supply(_batches(seen, y, fit.batch, fit.seed))
    head.fit(
        iter(supply),
        steps_per_epoch=epoch_steps,
        epochs=fit.steps // epoch_steps,
        validation_data=(tuple(check), material.check.y.astype(np.int32)),
        validation_batch_size=fit.batch,
        shuffle=False,
        verbose=0,
        callbacks=[supply, *callbacks],
    )
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(fit.steps)  # so that a checkpoint says: to the end


def _features(
    trunk: keras.Model, chunks: Chunks, n: int, workers: int
) -> tuple[list[FloatArray], NDArray[np.int32]]:
    """Return what the trunk makes of the first n chunks, and their labels."""
    parts, labels = [], []
    for made in in_order(chunks, range(n), workers):
        parts.append(_seen(trunk, made.x.astype(np.float32)))
        labels.append(made.y)
    seen = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return seen, np.concatenate(labels).astype(np.int32)


def _seen(trunk: keras.Model, x: FloatArray) -> list[FloatArray]:
    """Return the outputs of a trunk, of which some presets have one and some several."""
    seen = trunk.predict(x, batch_size=_BATCH, verbose=0)
    return seen if isinstance(seen, list) else [seen]


def _batches(seen: list[FloatArray], y: NDArray[np.int32], batch: int, seed: int) -> Batches:
    """Yield batches for ever, every window at most once in a pass."""
    rng = np.random.default_rng([seed, 3])
    batch = min(batch, len(y))
    while True:
        order = rng.permutation(len(y))
        for k in range(len(y) // batch):
            rows = order[k * batch : (k + 1) * batch]
            yield tuple(part[rows] for part in seen), y[rows]
