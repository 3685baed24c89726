"""The network: its shape, against the table it was taken from, and that it learns."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from frontend_by_hand import matched_by_hand
from numpy.typing import NDArray
from symbols_by_hand import constellation_by_hand

from liveclf.config import training
from liveclf.errors import UsageError
from liveclf.model.vgg16 import PRESETS, MeanStd, build_vgg16
from liveclf.signals.classes import CLASSES
from liveclf.signals.generator import make_chunk

SMALL = 0.125

# Simonyan and Zisserman, table 1, column D: channels of the thirteen convolutions.
COLUMN_D = [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
POOL_AFTER = [2, 4, 7, 10, 13]


def convolutions(model: keras.Model) -> list[keras.Layer]:
    return [layer for layer in model.layers if layer.name.startswith("conv")]


def run(model: keras.Model, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Call eagerly: for one batch that is faster than building a graph."""
    return np.asarray(model(x, training=False))


@pytest.fixture(scope="module")
def full() -> keras.Model:
    return build_vgg16(30, "vgg16")


def test_the_settings_name_every_preset():
    """Stated twice: the table here imports Keras, which a `--help` does not."""
    assert set(training.PRESETS) == set(PRESETS)


@pytest.fixture(scope="module", params=PRESETS)
def small(request: pytest.FixtureRequest) -> keras.Model:
    keras.utils.set_random_seed(1)
    return build_vgg16(len(CLASSES), request.param, SMALL)


def test_full_width_has_the_channels_of_vgg16(full: keras.Model) -> None:
    assert [layer.filters for layer in convolutions(full)] == COLUMN_D


def test_thirteen_convolutions_lie_in_blocks_of_2_2_3_3_3(small: keras.Model) -> None:
    """Each is followed by batch normalisation, then ReLU; each block ends in a pool of two."""
    numbers = [layer.name.removeprefix("conv") for layer in convolutions(small)]
    assert len(numbers) == 13
    ends = [numbers[k - 1] for k in POOL_AFTER]
    for k, (number, channels) in enumerate(zip(numbers, COLUMN_D, strict=True)):
        convolution, norm, relu = (
            small.get_layer(f"{kind}{number}") for kind in ("conv", "norm", "relu")
        )
        assert convolution.filters == channels // 8
        assert not convolution.use_bias
        assert (norm.input, relu.input) == (convolution.output, norm.output)
        assert relu.activation is keras.activations.relu
        last = relu.output
        if number in ends:
            pool = small.get_layer(f"pool{number[0]}")
            assert (pool.input, pool.pool_size) == (last, (1, 2))
            last = pool.output
        if k < 12:
            assert small.get_layer(f"conv{numbers[k + 1]}").input is last


def test_the_full_network_has_about_five_million_parameters(full: keras.Model) -> None:
    """Five and a quarter in the convolutions, and the head."""
    assert full.count_params() == pytest.approx(5.2e6, rel=0.05)


def classic_parameters(width: float, n_classes: int) -> int:
    """Add up the posted network: convolutions (1, 3), batch norm, Flatten, two Dense of 4096."""
    channels = [int(c * width) for c in COLUMN_D]
    inputs = [1, *channels[:-1]]
    weights = sum(3 * i * o for i, o in zip(inputs, channels, strict=True)) + 4 * sum(channels)
    wide = int(4096 * width)
    flat = 2 * (1024 // 2**5) * channels[-1]
    return weights + (flat + 1) * wide + (wide + 1) * wide + (wide + 1) * n_classes


@pytest.mark.parametrize("width", [0.125, 0.25])
def test_the_classic_network_has_156_million_parameters(width: float) -> None:
    """Counted at small widths, where the same sum holds: the full one takes 620 MB."""
    assert build_vgg16(24, "vgg16-classic", width).count_params() == classic_parameters(width, 24)
    assert classic_parameters(1, 24) == pytest.approx(156e6, rel=0.005)
    assert PRESETS["vgg16-classic"].width == 1


def until(model: keras.Model, layer: str) -> keras.Model:
    return keras.Model(model.input, model.get_layer(layer).output)


def test_the_classic_network_keeps_i_and_q_apart_until_flatten() -> None:
    """Changing Q changes no activation of the row of I, down to the last pool."""
    model = build_vgg16(3, "vgg16-classic", SMALL)
    rows = until(model, "pool5")
    x = np.random.default_rng(1).standard_normal((2, 2, 1024)).astype(np.float32)
    other = x.copy()
    other[:, 1] = np.random.default_rng(2).standard_normal((2, 1024))
    before, after = (run(rows, w) for w in (x, other))
    assert before.shape == (2, 2, 32, 64)
    assert np.array_equal(before[:, 0], after[:, 0])
    assert not np.allclose(before[:, 1], after[:, 1], atol=1e-3)


def test_the_joint_stem_mixes_i_and_q_at_once() -> None:
    """No activation after the first convolution is a matter of one of them alone."""
    stem = until(build_vgg16(3, "vgg16", SMALL), "conv1_1")
    x = np.random.default_rng(1).standard_normal((1, 2, 1024)).astype(np.float32)
    base = run(stem, x)
    assert base.shape == (1, 1, 1024, 8)
    for row in (0, 1):
        changed = x.copy()
        changed[:, row] += 1
        moved = np.abs(run(stem, changed) - base)
        assert np.all(moved.max(axis=(0, 1, 2)) > 1e-4), "a channel that does not see this row"


def test_the_first_kernel_reaches_three_samples_to_either_side() -> None:
    stem = until(build_vgg16(3, "vgg16", SMALL), "conv1_1")
    x = np.zeros((1, 2, 1024), np.float32)
    x[0, 0, 500] = 1
    kernel = stem.get_layer("conv1_1").get_weights()[0]
    kernel[:, :, 2:] = 0  # of the window as it came: the matched filter reaches everywhere
    stem.get_layer("conv1_1").set_weights([kernel])
    touched = np.flatnonzero(np.abs(run(stem, x)[0, 0]).max(axis=1))
    assert touched.tolist() == list(range(497, 504))


def test_the_output_is_one_float32_logit_a_class(small: keras.Model) -> None:
    x = np.random.default_rng(1).standard_normal((5, 2, 1024)).astype(np.float32)
    logits = run(small, x)
    assert small.input_shape == (None, 2, 1024)
    assert logits.shape == (5, len(CLASSES))
    assert logits.dtype == np.float32
    assert np.ptp(logits) > 1e-3  # not the constant logits of a network that is dead at birth


def test_the_loss_begins_near_chance(small: keras.Model) -> None:
    """Ln K, give or take what random weights make of it: neither dead nor blown up."""
    made = make_chunk(1, 5, (0.0, 30.0))
    # Batch statistics, as the first step of training uses them.
    logits = np.asarray(small(made.x[:60].astype(np.float32), training=True), np.float64)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    loss = -np.mean(log_p[np.arange(60), made.y[:60]])
    assert loss == pytest.approx(np.log(len(CLASSES)), abs=1.0)


@pytest.mark.parametrize("preset", ["vgg16", "vgg16-classic"])
def test_a_handful_of_windows_is_learnt_in_a_few_steps(preset: str) -> None:
    """The network that does not learn stays at ln 3 = 1.0986."""
    made = make_chunk(1, 3, (20.0, 30.0))
    names = ("OOK", "FM", "CW")
    rows = np.concatenate([np.flatnonzero(made.y == CLASSES.index(name))[:8] for name in names])
    x, y = made.x[rows].astype(np.float32), np.repeat(np.arange(3), 8)
    keras.utils.set_random_seed(1)
    model = build_vgg16(3, preset, SMALL)
    model.compile(
        keras.optimizers.SGD(0.02, momentum=0.8),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        run_eagerly=True,  # ten steps cost less than a graph
    )
    for _ in range(10):
        model.reset_metrics()
        loss = float(model.train_on_batch(x, y))
    assert loss < 0.5 * np.log(3)


def test_an_unknown_preset_is_a_usage_error_that_lists_the_known() -> None:
    with pytest.raises(UsageError, match=r"'vgg19'.*vgg16-classic, vgg16, vgg16-slim"):
        build_vgg16(3, "vgg19")


@pytest.mark.parametrize("width", [0.1, 0.25, 0.3, 0.5])
def test_channels_are_whole_eights_at_any_width(width: float) -> None:
    model = build_vgg16(3, "vgg16-slim", width)
    filters = [layer.filters for layer in convolutions(model)]
    assert all(f % 8 == 0 and f > 0 for f in filters)
    assert filters == pytest.approx([c * width for c in COLUMN_D], abs=4.01)


def test_pooling_is_mean_and_standard_deviation_over_time() -> None:
    x = np.random.default_rng(1).normal(0.5, 2, (3, 1, 40, 5)).astype(np.float32)
    x[0, :, :, 0] = 7.0  # constant: no deviation, and no NaN from a variance just below zero
    pooled = np.asarray(MeanStd()(x))
    assert pooled[:, :5] == pytest.approx(x.mean(axis=(1, 2)), abs=1e-5)
    assert pooled[:, 5:] == pytest.approx(x.std(axis=(1, 2)), abs=0.01)
    assert MeanStd().compute_output_shape((None, 1, 40, 5)) == (None, 10)


# ---------------------------------------------------------------- a second implementation


Weights = dict[str, list[Any]]


def convolved(a: Any, weights: Weights) -> Any:
    """Run thirteen convolutions and five pools over (n, rows, time, channels)."""
    for block, n_convolutions in enumerate((2, 2, 3, 3, 3), 1):
        for c in range(1, n_convolutions + 1):
            kernel = weights[f"conv{block}_{c}"][0][0]  # (reach, in, out)
            reach = len(kernel) // 2
            padded = np.pad(a, ((0, 0), (0, 0), (reach, reach), (0, 0)))
            length = a.shape[2]
            a = sum(padded[:, :, k : k + length] @ kernel[k] for k in range(len(kernel)))
            gamma, beta, mean, variance = weights[f"norm{block}_{c}"]
            a = np.maximum(gamma * (a - mean) / np.sqrt(variance + 1e-3) + beta, 0)
        a = np.maximum(a[:, :, 0::2], a[:, :, 1::2])
    return a


def by_hand(model: keras.Model, x: NDArray[np.float32]) -> NDArray[np.float64]:
    """Run the network in plain NumPy, rows apart where I and Q are no channels."""
    weights: Weights = {
        layer.name: [np.asarray(w, np.float64) for w in layer.get_weights()]
        for layer in model.layers
    }
    if "symbols" not in weights:
        a = convolved(x[:, :, :, None].astype(np.float64), weights).reshape(len(x), -1)
    else:
        y = matched_by_hand(x)
        both = np.concatenate([x, y], axis=1).transpose(0, 2, 1)[:, None]
        a = convolved(both, weights)[:, 0]
        gamma, beta, mean, variance = weights["symbols"]
        symbols = gamma * (constellation_by_hand(y) - mean) / np.sqrt(variance + 1e-3) + beta
        a = np.concatenate([a.mean(axis=1), np.sqrt(a.var(axis=1) + 1e-5), symbols], axis=1)
    for name in ("dense1", "dense2"):
        if name in weights:
            a = np.maximum(a @ weights[name][0] + weights[name][1], 0)
    return np.asarray(a @ weights["logits"][0] + weights["logits"][1])


@pytest.mark.parametrize("preset", ["vgg16", "vgg16-classic"])
def test_the_network_computes_what_its_description_says(preset: str) -> None:
    """Against NumPy written from the description, with no weight at its start value."""
    rng = np.random.default_rng(1)
    model = build_vgg16(5, preset, SMALL)
    for weight in model.weights:
        low, high = (0.6, 1.6) if weight.name in ("gamma", "moving_variance") else (-0.3, 0.3)
        if weight.name != "kernel":
            weight.assign(rng.uniform(low, high, weight.shape).astype(np.float32))
    x = rng.standard_normal((3, 2, 1024)).astype(np.float32)
    wanted = by_hand(model, x)
    assert np.ptp(wanted) > 0.3
    assert np.allclose(run(model, x), wanted, atol=2e-3 * np.ptp(wanted))
