"""The network a run ends with: the average of its weights, if that is the better one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import keras
import numpy as np

from liveclf.learn.data.feed import Chunks, turned
from liveclf.learn.data.truth import TruthSet
from liveclf.learn.fit.teaching import networks_in
from liveclf.records import FloatArray
from liveclf.signals.generator import CHUNK

_BATCH = 128
_BATCHES = 48


def finish(
    model: keras.Model,
    chunks: Chunks,
    check: TruthSet,
    momentum: float,
    tell: Callable[[str], None],
) -> None:
    """Give a trained network the average of its weights, unless it was better before.

    Args:
        model: With the optimiser that has kept the average; changed.
        chunks: What it was trained on.
        check: Windows that decide.
        momentum: Of the average; 0 if none was kept.
        tell: Takes a sentence on what was decided.
    """
    if not momentum:
        return
    last = model.get_weights()
    model.optimizer.finalize_variable_values(model.trainable_weights)
    average = model.get_weights()
    model.set_weights(last)
    choose(model, average, chunks, check, tell)


def choose(
    model: keras.Model,
    average: Sequence[FloatArray],
    chunks: Chunks,
    check: TruthSet,
    tell: Callable[[str], None],
) -> None:
    """Give a compiled network the average of its weights, unless it was better before.

    Args:
        model: Changed.
        average: Of all its weights, in their order; what batch normalisation has counted is
            estimated anew.
        chunks: As in `finish`, like the rest.
        check: Windows that decide.
        tell: Takes a sentence.
    """
    last, before = model.get_weights(), _measured(model, check)
    model.set_weights(list(average))
    # Batch normalisation has only the statistics of the last weights.
    estimate_statistics(model, _batches(chunks))
    after = _measured(model, check)
    better = after["loss"] <= before["loss"]
    if not better:
        model.set_weights(last)
    tell(
        f"on the held-out windows the average of the weights has loss {after['loss']:.4f}, "
        f"accuracy {after['accuracy']:.4f}, the last weights {before['loss']:.4f}, "
        f"{before['accuracy']:.4f}; the {'average' if better else 'last weights'} it is"
    )


def estimate_statistics(model: keras.Model, batches: Iterable[FloatArray]) -> None:
    """Estimate mean and variance of every batch normalisation anew, equally over batches.

    Source: Izmailov et al., "Averaging Weights Leads to Wider Optima", section 3.2.

    Args:
        model: Changed; nothing but these statistics.
        batches: Windows as in training.
    """
    layers = [layer for network in networks_in(model) for layer in network.layers]
    norms = [n for n in layers if isinstance(n, keras.layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for k, x in enumerate(batches):
        for norm in norms:
            norm.momentum = k / (k + 1)  # a cumulative mean
        model(x, training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _batches(chunks: Chunks) -> Iterator[FloatArray]:
    """Yield windows of the first chunks, the same whenever a run is finished."""
    rng = np.random.default_rng(0)
    for index in range(_BATCHES * _BATCH // CHUNK):
        x = chunks(index).x.astype(np.float32)
        for part in np.split(x, CHUNK // _BATCH):
            yield turned(part, rng)


def _measured(model: keras.Model, check: TruthSet) -> dict[str, float]:
    measured = model.evaluate(check.x, check.y, batch_size=_BATCH, verbose=0, return_dict=True)
    return {key: float(value) for key, value in measured.items()}
