"""The loss, the schedule, the optimiser."""

from __future__ import annotations

import keras
import msgspec
import numpy as np
import pytest

from liveclf.config import DataSettings, FitSettings, NetworkSettings, TrainSettings
from liveclf.learn.fit.devices import computing_in
from liveclf.learn.fit.optimiser import (
    _FREE,
    SmoothedCrossentropy,
    compile_model,
    make_optimiser,
    may_skip_steps,
    name_of,
)


@pytest.mark.parametrize("smoothing", [0.0, 0.02, 0.3])
def test_the_loss_is_cross_entropy_with_part_of_the_label_spread(smoothing: float) -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 3, (40, 7))
    y = rng.integers(7, size=40)
    target = (1 - smoothing) * np.eye(7)[y] + smoothing / 7
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    found = SmoothedCrossentropy(smoothing)(y, logits.astype(np.float32))
    assert float(found) == pytest.approx(-np.mean(np.sum(target * log_p, axis=1)), rel=1e-5)


def test_the_loss_survives_being_saved() -> None:
    copy = SmoothedCrossentropy.from_config(SmoothedCrossentropy(0.25).get_config())
    assert copy.smoothing == 0.25


def test_the_learning_rate_warms_up_to_its_peak_and_falls_to_a_hundredth() -> None:
    fit = FitSettings(steps=1000, warmup_steps=100, learning_rate=0.01)
    schedule = make_optimiser(TrainSettings(fit=fit))._learning_rate
    rates = np.array([float(schedule(step)) for step in range(0, 1001, 20)])
    assert rates.argmax() == 5
    assert rates[5] == pytest.approx(0.01)
    assert rates[0] == pytest.approx(1e-4, rel=0.01)
    assert rates[-1] == pytest.approx(1e-4, rel=0.01)
    assert np.all(np.diff(rates[:6]) > 0)
    assert np.all(np.diff(rates[5:]) < 0)
    assert rates[5 + 45 // 2] == pytest.approx(0.005, rel=0.1)  # half way down a cosine


def test_the_optimiser_is_the_one_of_the_settings() -> None:
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Dense(3)(inputs))
    fit = FitSettings(weight_decay=0.05, clip_norm=0.7, average=0.9)
    compile_model(model, TrainSettings(fit=fit))
    assert isinstance(model.optimizer, keras.optimizers.AdamW)
    assert model.optimizer.weight_decay == 0.05
    assert model.optimizer.clipnorm == 0.7
    assert model.optimizer.use_ema
    assert model.optimizer.ema_momentum == 0.9
    assert model.optimizer.ema_overwrite_frequency is None
    assert not make_optimiser(TrainSettings(fit=FitSettings(average=0.0))).use_ema


def test_half_precision_leaves_out_steps_that_are_not_finite_and_does_not_count_them() -> None:
    """Which is why a resumed run cannot take the epochs behind it from the steps alone."""
    inputs = keras.Input((4,))
    with computing_in("mixed_float16"):
        model = keras.Model(inputs, keras.layers.Dense(3, dtype="float32")(inputs))
        compile_model(model, TrainSettings())
    assert may_skip_steps(model)
    x = np.ones((8, 4), np.float32)
    model.train_on_batch(x, np.zeros(8, np.int32))
    model.train_on_batch(x * np.inf, np.zeros(8, np.int32))
    assert int(model.optimizer.iterations) == 1


def test_in_single_precision_every_step_counts() -> None:
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(3)(inputs))
    compile_model(model, TrainSettings())
    assert not may_skip_steps(model)


@pytest.mark.parametrize(
    ("section", "key", "value", "alike"),
    [
        ("fit", "seed", 2, False),
        ("fit", "label_smoothing", 0.5, False),
        ("data", "snr_min_db", -10.0, False),
        ("network", "preset", "vgg16", False),
        ("data", "workers", 7, True),
        ("data", "file", "moved.hdf5", True),
        ("data", "checksum", False, True),
        ("fit", "tensorboard", True, True),
    ],
)
def test_settings_that_train_alike_share_a_name_and_others_do_not(
    section: str, key: str, value: object, alike: bool
) -> None:
    plain = TrainSettings()
    changed = msgspec.structs.replace(getattr(plain, section), **{key: value})
    other = msgspec.structs.replace(plain, **{section: changed})
    assert (name_of(other) == name_of(plain)) is alike
    assert make_optimiser(other).name == name_of(other)


def test_every_setting_that_may_change_is_one_that_there_is() -> None:
    sections = (NetworkSettings, FitSettings, DataSettings)
    assert {f for cls in sections for f in cls.__struct_fields__} >= _FREE
