"""Noise is noise: the bias that sees to it."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from liveclf.learn.export.noise import bias_wanted, favour_noise, noise_windows


@pytest.mark.parametrize("share", [0.0, 0.005, 0.1, 0.5])
def test_no_more_than_the_share_gets_another_label_and_no_less_would_do(share: float) -> None:
    logits = np.random.default_rng(1).standard_normal((1000, 5)).astype(np.float32)
    added = bias_wanted(logits, 3, share)
    assert added > 0

    def wrong(bias: float) -> float:
        moved = logits + np.float32(bias) * (np.arange(5) == 3)
        return float(np.mean(moved.argmax(axis=1) != 3))

    assert wrong(added) <= share
    assert wrong(0.98 * added) > share


def test_nothing_is_added_where_noise_is_noise_already() -> None:
    logits = np.zeros((100, 3), np.float32)
    logits[:, 1] = 2
    assert bias_wanted(logits, 1, 0.01) == 0


def test_the_network_itself_is_changed_in_that_one_number() -> None:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((2, 1024))
    outputs = keras.layers.Dense(4)(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, outputs)
    x = np.random.default_rng(1).standard_normal((300, 2, 1024)).astype(np.float32)
    before = model.get_weights()
    added = favour_noise(model, x, 2, 0.02)
    kernel, bias = model.get_weights()
    assert np.array_equal(kernel, before[0])
    assert (bias - before[1]).tolist() == [0, 0, pytest.approx(added), 0]
    answers = np.asarray(model.predict(x, verbose=0)).argmax(axis=1)
    assert 0.01 < np.mean(answers != 2) <= 0.02


def test_the_windows_are_noise_of_unit_power_and_depend_on_the_seed() -> None:
    x = noise_windows(1, (-4.0, 30.0))
    assert x.shape[1:] == (2, 1024)
    assert np.mean(np.sum(x**2, axis=1), axis=1) == pytest.approx(np.ones(len(x)), abs=2e-3)
    assert not np.array_equal(x[:8], noise_windows(2, (-4.0, 30.0))[:8])
