"""The noise floor against NumPy's percentile."""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from liveclf.dsp.noise_floor import FIRST_WINDOWS, HISTORY_WINDOWS, NoiseFloor


def powers(n: int, seed: int = 1) -> np.ndarray:
    """Noise with bursts, and with values that come twice."""
    rng = np.random.default_rng(seed)
    power = rng.normal(-40, 2, n) + 20 * (rng.random(n) < 0.3)
    return power.round(1).astype(np.float32)


def push(
    floor: NoiseFloor, power: np.ndarray, center_hz: float = 1e8, rate_hz: float = 1e6
) -> np.ndarray:
    return floor.push(power, np.full(len(power), center_hz), np.full(len(power), rate_hz))


def expected(power: np.ndarray) -> np.ndarray:
    level = np.full(len(power), np.nan, np.float32)
    for k in range(63, len(power)):
        recent = power[max(0, k - 511) : k + 1]
        level[k] = power[k] - np.percentile(recent, 10, method="lower")
    return level


def test_the_level_is_that_over_the_quietest_tenth_of_the_last_512():
    power = powers(1500)
    np.testing.assert_array_equal(push(NoiseFloor(), power), expected(power))


@settings(max_examples=30)
@given(edges=st.lists(st.integers(0, 1300), max_size=40), seed=st.integers(0, 9))
def test_any_split_gives_the_same_bits(edges, seed):
    power, floor = powers(1300, seed), NoiseFloor()
    cuts = itertools.pairwise([0, *sorted(edges), 1300])
    parts = [push(floor, power[a:b]) for a, b in cuts]
    assert np.concatenate(parts).tobytes() == push(NoiseFloor(), power).tobytes()


def test_the_level_is_not_known_before_the_64th_window():
    assert (FIRST_WINDOWS, HISTORY_WINDOWS) == (64, 512)
    level = push(NoiseFloor(), powers(65))
    assert np.isnan(level).tolist() == [True] * 63 + [False] * 2


def test_a_retune_begins_anew_and_the_way_back_too():
    power = powers(600)
    floor = NoiseFloor()
    center_hz = np.repeat([1e8, 2e8, 1e8], 200)
    level = floor.push(power, center_hz, np.full(600, 1e6))
    np.testing.assert_array_equal(
        level, np.concatenate([expected(power[k : k + 200]) for k in (0, 200, 400)])
    )


def test_another_rate_begins_anew():
    floor = NoiseFloor()
    push(floor, powers(100))
    assert np.isnan(push(floor, powers(63), rate_hz=2e6)).all()


def test_a_tuning_that_is_not_known_goes_on():
    floor, power = NoiseFloor(), powers(200)
    first = push(floor, power[:100], math.nan, math.nan)
    second = push(floor, power[100:], math.nan, math.nan)
    np.testing.assert_array_equal(np.concatenate([first, second]), expected(power))


def test_no_windows_give_no_levels():
    assert push(NoiseFloor(), powers(0)).shape == (0,)


def test_a_window_costs_microseconds_in_any_batch():
    """A pass over the history at every call would take a hundred times as long."""
    for batch in (1, 128):
        floor, power = NoiseFloor(), powers(2048)
        began_s = time.process_time()
        for k in range(0, 2048, batch):
            push(floor, power[k : k + batch])
        assert (time.process_time() - began_s) / 2048 < 200e-6
