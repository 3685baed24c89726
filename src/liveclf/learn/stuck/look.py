"""A look into a network between two steps: what its layers make of a few inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from liveclf.learn.stuck import diagnosis
from liveclf.learn.stuck.diagnosis import Finding
from liveclf.records import FloatArray

_HELD = 2**24  # numbers of a look's layers that are held at once
_SAMPLES = 256  # numbers kept of each weight, to see whether it changes
_CONSTANT = 1e-2  # deviation of a logit from input to input; a fresh network has 0.1 to 1
_STILL = 1e-3  # change of a weight since the first look, over its size, that is next to none
_SHRUNK = 0.05  # of the first layer's signal that arrives at the last
_DEAD = 0.99


@dataclass(frozen=True)
class Layer:
    """What one layer makes of the inputs.

    Attributes:
        name: As Keras calls it.
        signal: RMS of what differs over inputs and positions, each unit's mean taken off.
        dead: Share of the units that are zero for every input, NaN if it is no ReLU.
    """

    name: str
    signal: float
    dead: float


@dataclass(frozen=True)
class Look:
    """What was seen.

    Attributes:
        step: Optimiser steps before it.
        logits: Shape (n, n_classes); logarithms of probabilities where those come out.
        layers: Those that end in an activation, first to last, without the output; none of
            a model that is not made of layers one can reach.
        weights: Some numbers of each trainable weight, by its path.
        learning_rate: Of the step to come, NaN if there is none.
    """

    step: int
    logits: FloatArray
    layers: tuple[Layer, ...]
    weights: dict[str, FloatArray]
    learning_rate: float

    @property
    def spread(self) -> float:
        """How much a logit differs from input to input, RMS over classes."""
        return float(np.sqrt(np.mean(np.var(self.logits, axis=0))))

    @property
    def is_constant(self) -> bool:
        """Whether the answer is as good as the same for every input."""
        return self.spread < _CONSTANT

    def wakes_since(self, before: Look) -> bool:
        """Whether a constant output is about to end, as the way out of a plateau begins."""
        return self.spread > 2 * before.spread and self.spread > _CONSTANT / 100


class Observer:
    """Looks into one model; leaves it as it is."""

    def __init__(self, model: keras.Model) -> None:
        """Take the model, built."""
        self._model = model
        # A model of its own class has no graph of layers to reach into.
        self._layers = _watched(model) if getattr(model, "inputs", None) else []
        self._graph = model
        if self._layers:
            outputs = [*(layer.output for layer in self._layers), model.outputs[0]]
            self._graph = keras.Model(model.inputs, outputs)
        held = sum(int(np.prod(layer.output.shape[1:])) for layer in self._layers)
        self._chunk = max(1, _HELD // max(1, held))

    def look(self, x: FloatArray, step: int) -> Look:
        """Look, with x as the inputs, also in the middle of `fit`."""
        if sync := getattr(self._model, "jax_state_sync", None):
            sync()  # in fit the JAX backend holds newer weights than the model does
        sums = [np.zeros(0)] * len(self._layers)
        logits = []
        for start in range(0, len(x), self._chunk):
            chunk = x[start : start + self._chunk]
            seen = self._graph([chunk] if self._layers else chunk, training=False)
            *outputs, answer = seen if self._layers else [seen]
            logits.append(_as_logits(_array(answer)))
            for k, output in enumerate(outputs):
                sums[k] = _with(sums[k], _array(output), len(chunk) / len(x))
        layers = tuple(
            _layer(layer, *moments) for layer, moments in zip(self._layers, sums, strict=True)
        )
        rate = getattr(self._model.optimizer, "learning_rate", np.nan)
        weights = {weight.path: _some(weight) for weight in self._model.trainable_weights}
        return Look(step, np.concatenate(logits), layers, weights, float(_array(rate)))


def network_findings(now: Look, first: Look) -> list[Finding]:
    """Return what is wrong with a network that does not learn, the likeliest cause first."""
    bad = [path for path, few in now.weights.items() if not np.isfinite(few).all()]
    if bad or not np.isfinite(now.logits).all():
        return [
            Finding(
                diagnosis.NOT_FINITE,
                f"{len(bad)} of {len(now.weights)} weights or the output hold NaN or infinity",
                "lower the learning rate, clip the gradient (clipnorm=1) and look for NaN in x",
                fatal=True,
            )
        ]
    found = [_frozen(now, first)]
    if now.is_constant:
        constant = [_shrinking(now, first), _dead(now)]
        found += constant if any(constant) else [_constant(now)]
    return [finding for finding in found if finding]


def suspicion(now: Look, first: Look) -> list[Finding]:
    """Return what may keep a network that is not quite constant where a guess is."""
    shrinking = _shrinking(now, first)
    return [shrinking] if shrinking and now.spread < 10 * _CONSTANT else []


def _frozen(now: Look, first: Look) -> Finding | None:
    """Recognise a learning rate of next to nothing and gradients that never arrive."""
    change = {
        path: float(_rms(few - first.weights[path]) / max(_rms(few), 0.1))
        for path, few in now.weights.items()
        if path in first.weights
    }
    if change and (now.step == first.step or max(change.values()) > _STILL):
        return None
    most = f"by at most {max(change.values()):.1e} of its size" if change else "for there is none"
    return Finding(
        diagnosis.FROZEN,
        f"no trainable weight ({len(change)}) has changed since step {first.step}, {most}; "
        f"learning rate {now.learning_rate:.1e}",
        "set trainable=True before compile, and a learning rate of about 1e-3 for Adam",
    )


def _shrinking(now: Look, first: Look) -> Finding | None:
    """Recognise what layers that each halve the signal do, when there are many."""
    signals = [layer.signal for layer in first.layers]
    if len(signals) < 2 or signals[-1] > _SHRUNK * signals[0]:
        return None
    return Finding(
        diagnosis.SHRINKING,
        f"of the first layer's signal 1 part in {signals[0] / max(signals[-1], 1e-30):.0f} reaches "
        f"the last (RMS {_listed(signals)} at step {first.step}), so that a logit differs from "
        f"input to input by {now.spread:.1e} and nothing can be learnt from it",
        "batch normalisation before every ReLU; or he_normal initialisation in place of Keras's "
        "glorot_uniform, with a lower learning rate (Adam 1e-4)",
    )


def _dead(now: Look) -> Finding | None:
    shares = [layer.dead for layer in now.layers]
    dead = [layer.name for layer in now.layers if layer.dead >= _DEAD]
    if not dead:
        return None
    return Finding(
        diagnosis.DEAD,
        f"all units of {', '.join(dead)} are zero for every one of {len(now.logits)} inputs, and "
        f"get no gradient any more (share of dead units, layer by layer: {_listed(shares)})",
        "begin again: a dead unit stays dead; with a learning rate ten times lower and warm-up, "
        "and batch normalisation before every ReLU",
    )


def _constant(now: Look) -> Finding:
    return Finding(
        diagnosis.CONSTANT_OUTPUT,
        f"a logit differs from input to input by {now.spread:.1e}, while the layers before it "
        f"have a signal (RMS {_listed([layer.signal for layer in now.layers])})",
        "look at the last layers: their initialisation, and an activation that saturates",
    )


def _watched(model: keras.Model) -> list[Any]:
    """Return the layers that end in an activation, but for the model's output."""
    outputs = {id(output) for output in model.outputs}
    linear = (None, keras.activations.linear)
    return [
        layer
        for layer in model.layers
        if (_is_relu(layer) or getattr(layer, "activation", None) not in linear)
        and not isinstance(layer.output, list | tuple | dict)
        and id(layer.output) not in outputs
    ]


def _is_relu(layer: Any) -> bool:
    is_layer = isinstance(layer, keras.layers.ReLU)
    return is_layer or getattr(layer, "activation", None) is keras.activations.relu


def _with(sums: Any, output: FloatArray, weight: float) -> Any:
    """Add a chunk's mean, mean square and share above zero of each unit, shape (3, units)."""
    units = output.reshape(-1, output.shape[-1]).astype(np.float64)
    new = np.stack([units.mean(0), np.square(units).mean(0), (units > 0).mean(0)]) * weight
    return sums + new if sums.size else new


def _layer(layer: Any, mean: Any, square: Any, above: Any) -> Layer:
    signal = float(np.sqrt(np.maximum(square - mean**2, 0).mean()))
    return Layer(layer.name, signal, float((above == 0).mean()) if _is_relu(layer) else np.nan)


def _as_logits(output: FloatArray) -> FloatArray:
    """Take the logarithm of what are probabilities."""
    is_share = bool((output >= 0).all() and np.allclose(output.sum(-1), 1, atol=1e-2))
    return np.log(np.maximum(output, 1e-12)) if is_share else output


def _some(weight: Any) -> FloatArray:
    """Take up to `_SAMPLES` numbers, evenly spread, off the device."""
    flat = keras.ops.reshape(weight, (-1,))
    few: FloatArray = _array(flat[:: max(1, flat.shape[0] // _SAMPLES)])
    return few


def _array(tensor: Any) -> Any:
    return keras.ops.convert_to_numpy(tensor)


def _rms(x: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def _listed(values: list[float]) -> str:
    return " ".join(f"{value:.2g}" for value in values)
