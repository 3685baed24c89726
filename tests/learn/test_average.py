"""The average of the weights, and statistics of batch normalisation that belong to it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from tones import CLASSES, Tones, little_network, tones

from liveclf.config import FitSettings, TrainSettings
from liveclf.learn.fit import average as average_module
from liveclf.learn.fit.average import estimate_statistics, finish
from liveclf.learn.fit.optimiser import compile_model


def small(momentum: float = 0.9) -> keras.Model:
    model = little_network(len(CLASSES), "small", 0.03125)
    fit = FitSettings(steps=40, warmup_steps=1, learning_rate=0.02, average=momentum)
    compile_model(model, TrainSettings(fit=fit))
    model.run_eagerly = True  # to compile a graph takes longer than all the steps here
    return model


@pytest.fixture(autouse=True)
def _few_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(average_module, "_BATCHES", 8)


def trained(momentum: float = 0.9) -> keras.Model:
    keras.utils.set_random_seed(1)
    model = small(momentum)
    made = Tones()(0)
    for k in range(0, 1024, 64):
        model.train_on_batch(made.x[k : k + 64].astype(np.float32), made.y[k : k + 64])
    return model


def test_the_statistics_become_the_mean_over_all_batches() -> None:
    model = small()
    before = {name: model.get_layer(name).get_weights() for name in ("conv", "logits")}
    rng = np.random.default_rng(1)
    batches = [rng.normal(0, 1 + k, (32, 2, 1024)).astype(np.float32) for k in range(5)]
    estimate_statistics(model, batches)
    seen = keras.Model(model.inputs[0], model.get_layer("conv").output)
    outputs = [np.asarray(seen(x)) for x in batches]
    norm = model.get_layer("norm")
    mean = np.mean([o.mean(axis=(0, 1)) for o in outputs], axis=0)
    variance = np.mean([o.var(axis=(0, 1)) for o in outputs], axis=0)
    assert np.asarray(norm.moving_mean) == pytest.approx(mean, abs=1e-5)
    assert np.asarray(norm.moving_variance) == pytest.approx(variance, rel=1e-4)
    assert norm.momentum == 0.9  # as it was
    for name, weights in before.items():
        for mine, wanted in zip(model.get_layer(name).get_weights(), weights, strict=True):
            assert np.array_equal(mine, wanted)


def test_a_better_average_is_taken_with_statistics_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = trained()
    average = [np.asarray(v) for v in model.optimizer._model_variables_moving_average]
    last, told = model.get_weights(), []
    monkeypatch.setattr(average_module, "_measured", measuring(0.9, 0.8))
    finish(model, Tones(), tones().check, 0.9, told.append)
    for mine, wanted in zip(model.trainable_weights, average, strict=True):
        assert np.array_equal(np.asarray(mine), wanted)
    assert not np.array_equal(model.get_weights()[0], last[0])
    assert not np.array_equal(np.asarray(model.get_layer("norm").moving_mean), last[3])
    assert told[0].endswith("; the average it is")


@pytest.mark.parametrize("after", [0.91, float("nan")])
def test_a_worse_average_is_left_and_the_user_is_told(
    after: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained()
    last, told = model.get_weights(), []
    monkeypatch.setattr(average_module, "_measured", measuring(0.9, after))
    finish(model, Tones(), tones().check, 0.9, told.append)
    for mine, wanted in zip(model.get_weights(), last, strict=True):
        assert np.array_equal(mine, wanted)
    assert told[0].endswith("; the last weights it is")
    assert "has loss 0.91" in told[0] or "has loss nan" in told[0]


def measuring(*losses: float) -> object:
    measured = iter({"loss": loss, "accuracy": 0.5} for loss in losses)
    return lambda *_: next(measured)


def test_the_better_of_the_two_is_measured_on_the_held_out_windows() -> None:
    """The decision rests on real figures: the one that stays has the lower loss."""
    model, check = trained(), tones(512).check
    before = model.evaluate(check.x, check.y, verbose=0, return_dict=True)["loss"]
    told: list[str] = []
    finish(model, Tones(), check, 0.9, told.append)
    after = model.evaluate(check.x, check.y, verbose=0, return_dict=True)["loss"]
    assert after <= before + 1e-6
    assert f"{before:.4f}" in told[0]


def test_without_an_average_nothing_changes() -> None:
    model = trained(0.0)
    last = model.get_weights()
    finish(model, Tones(), tones().check, 0.0, pytest.fail)
    for mine, wanted in zip(model.get_weights(), last, strict=True):
        assert np.array_equal(mine, wanted)
