"""The network as it is run on a device: batch normalisation folded, convolutions in half precision.

conv(x, W) -> gamma (y - mean) / sqrt(var + eps) + beta
= conv(x, W s) + (beta - mean s),  s = gamma / sqrt(var + eps)
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

# Nearly all of the arithmetic. All else stays float32: what comes before and beside the
# convolutions, statistics, dense layers and logits.
_HALF = (layers.Conv2D, layers.Activation, layers.MaxPooling2D)


def folded(model: keras.Model, policy: str = "float32") -> keras.Model:
    """Return a copy for inference, in which no convolution is followed by a normalisation.

    Args:
        model: The trained network, float32.
        policy: Of Keras, in which the convolutions compute: "float32", "mixed_float16" or
            "mixed_bfloat16".
    """
    norm_of = _foldable(model)
    conv_of = {norm: conv for conv, norm in norm_of.items()}

    def copy(layer: layers.Layer) -> layers.Layer:
        config = layer.get_config()
        if layer.name in norm_of:
            config["use_bias"] = True
        if isinstance(layer, _HALF):
            config["dtype"] = policy
        return type(layer).from_config(config)

    def call(layer: layers.Layer, *inputs: Any, **options: Any) -> Any:
        return inputs[0] if layer.name in conv_of else layer(*inputs, **options)

    bare = keras.models.clone_model(model, clone_function=copy, call_function=call)
    for layer in model.layers:
        if layer.name in norm_of:
            bare.get_layer(layer.name).set_weights(
                _folded_weights(layer, model.get_layer(norm_of[layer.name]))
            )
        elif layer.name not in conv_of and layer.weights:
            bare.get_layer(layer.name).set_weights(layer.get_weights())
    return bare


def flops_per_window(model: keras.Model) -> int:
    """Return multiplications and additions of convolutions and dense layers, for one window."""
    return sum(_flops(layer) for layer in model.layers)


def _foldable(model: keras.Model) -> dict[str, str]:
    """Map each linear convolution to the normalisation that alone takes what it makes."""
    taken = [id(x) for layer in model.layers for x in _inputs(layer)]
    makers = {id(layer.output): layer for layer in model.layers if isinstance(layer, layers.Conv2D)}
    found = {}
    for norm in model.layers:
        conv = makers.get(id(norm.input)) if isinstance(norm, layers.BatchNormalization) else None
        if (
            conv is not None
            and conv.activation is keras.activations.linear
            and taken.count(id(conv.output)) == 1
            and all(conv.output is not x for x in model.outputs)
        ):
            found[conv.name] = norm.name
    return found


def _inputs(layer: layers.Layer) -> list[Any]:
    return layer.input if isinstance(layer.input, list) else [layer.input]


def _folded_weights(conv: layers.Conv2D, norm: layers.BatchNormalization) -> list[Any]:
    """Return kernel and bias."""
    kernel = np.asarray(conv.kernel, np.float64)
    bias = np.asarray(conv.bias, np.float64) if conv.use_bias else 0.0
    scale = 1 / np.sqrt(np.asarray(norm.moving_variance, np.float64) + norm.epsilon)
    if norm.scale:
        scale = scale * np.asarray(norm.gamma, np.float64)
    bias = (bias - np.asarray(norm.moving_mean, np.float64)) * scale
    if norm.center:
        bias = bias + np.asarray(norm.beta, np.float64)
    return [(kernel * scale).astype(np.float32), bias.astype(np.float32)]  # channels are last


def _flops(layer: layers.Layer) -> int:
    if isinstance(layer, layers.Conv2D):
        _, rows, columns, _ = layer.output.shape
        return int(2 * rows * columns * np.prod(layer.kernel.shape))
    if isinstance(layer, layers.Dense):
        return int(2 * np.prod(layer.kernel.shape))
    return 0
