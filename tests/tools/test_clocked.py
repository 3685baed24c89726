"""A training that is complete when its time is up."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from liveclf.config import FitSettings, TrainSettings
from liveclf.learn.fit.optimiser import compile_model

TOOLS = Path(__file__).parents[2] / "tools"
STEPS, PEAK = 1000, 0.01


class Clock:
    """A clock that goes on by as much with each step."""

    def __init__(self, step_s: float) -> None:
        self.now_s, self._step_s = 50.0, step_s

    def monotonic(self) -> float:
        return self.now_s

    def tick(self, batch: int, logs: Any = None) -> None:
        self.now_s += self._step_s


@pytest.fixture
def clocked() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(TOOLS))
        yield import_module("clocked")


def trained(clocked: Any, step_s: float, seconds: float) -> tuple[int, list[float]]:
    """Train until it ends, and return how many steps it took and the rate of each."""
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(3)(inputs))
    fit = FitSettings(steps=STEPS, warmup_steps=100, learning_rate=PEAK, average=0.0)
    compile_model(model, TrainSettings(fit=fit))
    clock, rates = Clock(step_s), list[float]()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(clocked, "time", clock)
        rate = keras.callbacks.LambdaCallback(
            on_train_batch_begin=clock.tick,
            on_train_batch_end=lambda batch, logs: rates.append(
                float(model.optimizer.learning_rate)
            ),
        )
        x, y = np.zeros((2, 2), np.float32), np.zeros(2, np.int32)
        model.fit(
            ((x, y) for _ in count()), steps_per_epoch=STEPS, epochs=1, verbose=0,
            callbacks=[rate, clocked.Clocked(STEPS, seconds)],
        )  # fmt: skip
    return len(rates), rates


def test_where_there_is_time_for_two_fifths_the_rate_falls_so_much_faster(clocked: Any) -> None:
    steps, rates = trained(clocked, step_s=1.0, seconds=400.0)
    assert 400 <= steps <= 450  # looked at every 50
    assert max(rates) == pytest.approx(PEAK, rel=0.1)
    assert rates[200] == pytest.approx(PEAK / 2, rel=0.25)
    assert rates[-2] < PEAK / 10


def test_where_there_is_time_enough_every_step_is_taken(clocked: Any) -> None:
    steps, rates = trained(clocked, step_s=0.01, seconds=1e6)
    assert steps == STEPS
    assert rates[550] == pytest.approx(PEAK / 2, rel=0.02)  # half way behind the warm-up


def test_time_is_real(clocked: Any) -> None:
    import time

    assert clocked.time is time
