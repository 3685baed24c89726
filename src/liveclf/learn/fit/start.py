"""Begin a training with the weights of a bundle, also where the network has grown since."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from liveclf.errors import UsageError
from liveclf.model.bundle import KERAS_FILE, Bundle
from liveclf.records import FloatArray

# Of their initial values, for the features that a layer has gained: what the network has
# learned goes on nearly undisturbed, and the new features still get a gradient.
_NEW_ROWS = 0.3


def start_from(bundle: Bundle, model: keras.Model, classes: Sequence[str]) -> list[str]:
    """Give a model the weights of a bundle, layer by layer, by their names.

    A layer that the bundle lacks stays as it is; one that the model lacks is left out. A dense
    layer or a convolution that sees more features than it did takes the bundle's weights for
    the first of them: new ones are appended. A dense layer that sees fewer stays as it is.
    Classes may have been appended: the logits of those before keep their weights.

    Args:
        bundle: Where the weights come from.
        model: Untrained; left as it is if anything does not fit.
        classes: Names of its logits.

    Returns:
        Names of the layers that begin new, in whole or in part.

    Raises:
        UsageError: The bundle's network has other classes or another shape.
    """
    if bundle.info.classes != tuple(classes)[: len(bundle.info.classes)]:
        raise UsageError(f"--from {bundle.folder}: its classes are not those of this training.")
    trained = keras.models.load_model(bundle.file(KERAS_FILE), compile=False)
    learned = {layer.name: layer.get_weights() for layer in trained.layers if layer.weights}
    mine = {layer.name: layer for layer in model.layers if layer.weights}
    begun = {name: _fitted(layer, learned.get(name)) for name, layer in mine.items()}
    if None in begun.values():
        raise UsageError(
            f"--from {bundle.folder}: it is a {bundle.info.preset} of width {bundle.info.width:g}; "
            "train the same with --preset and --width."
        )
    new = [
        n
        for n, layer in mine.items()
        if _shapes(layer.get_weights()) != _shapes(learned.get(n, []))
    ]
    for name, weights in begun.items():
        mine[name].set_weights(weights)
    return new


def _fitted(layer: Any, learned: list[FloatArray] | None) -> list[FloatArray] | None:
    """Return the weights that a layer begins with; None if the learned ones do not fit it."""
    own = layer.get_weights()
    if learned is None:
        return list(own)
    if _shapes(own) == _shapes(learned):
        return learned
    dense = isinstance(layer, keras.layers.Dense)
    if not (dense or isinstance(layer, keras.layers.Conv2D)) or len(own) != len(learned):
        return None
    # Both kernels end in (..., features in, features out).
    (kernel, *_), (taken, *others) = own, learned
    if layer.name == "logits" and kernel.shape[0] == taken.shape[0]:
        return _with_classes(own, learned)
    known = taken.shape[-2]
    if kernel.shape[-1] != taken.shape[-1] or kernel.shape[:-2] != taken.shape[:-2]:
        return None
    if kernel.shape[-2] < known:
        return list(own) if dense else None
    return [np.concatenate([taken, _NEW_ROWS * kernel[..., known:, :]], axis=-2), *others]


def _with_classes(own: list[FloatArray], learned: list[FloatArray]) -> list[FloatArray] | None:
    """Append the initial weights of new classes; their bias is the mean of the others."""
    (kernel, _), (taken, bias) = own, learned
    known = taken.shape[-1]
    if kernel.shape[-1] < known:
        return None
    new = np.full(kernel.shape[-1] - known, bias.mean(), bias.dtype)
    grown = np.concatenate([taken, _NEW_ROWS * kernel[:, known:]], axis=-1)
    return [grown, np.concatenate([bias, new])]


def _shapes(weights: Sequence[FloatArray]) -> list[tuple[int, ...]]:
    return [w.shape for w in weights]
