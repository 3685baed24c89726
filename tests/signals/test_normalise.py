"""The normalisation that training and the live path share."""

from __future__ import annotations

import numpy as np
import pytest

from liveclf.dsp.normalise import unit_power


def windows(n: int = 20, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, 2, 1024)).astype(np.float32)


@pytest.mark.parametrize("scale", [1e-6, 1e-2, 1.0, 127.5, 1e6])
def test_windows_of_any_scale_come_out_the_same(scale: float) -> None:
    plain, _ = unit_power(windows())
    scaled, power = unit_power(windows() * np.float32(scale))
    assert np.allclose(scaled, plain, rtol=1e-5, atol=1e-6)
    assert power == pytest.approx(
        2 * scale**2 * np.mean(windows().astype(np.float64) ** 2, axis=(1, 2)), rel=1e-4
    )


def test_the_mean_of_i_squared_plus_q_squared_is_one() -> None:
    x, _ = unit_power(windows() * np.geomspace(1e-4, 1e4, 20, dtype=np.float32)[:, None, None])
    power = np.mean(x[:, 0].astype(np.float64) ** 2 + x[:, 1].astype(np.float64) ** 2, axis=1)
    assert power == pytest.approx(np.ones(20), abs=1e-5)


def test_no_mean_is_removed() -> None:
    """A carrier is a feature: its direction and its share stay."""
    x = windows() * np.float32(0.1)
    x[:, 0] += 3
    out, _ = unit_power(x)
    assert out[:, 0].mean(axis=1) == pytest.approx(np.ones(20), abs=0.01)


def test_the_array_is_scaled_in_place() -> None:
    x = windows()
    out, power = unit_power(x)
    assert out is x
    assert out.dtype == power.dtype == np.float32


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf, -np.inf, 1e30])
def test_unusable_windows_are_left_as_they_are_and_do_not_touch_the_others(bad: float) -> None:
    """Zero, not finite, or so large that the power overflows: the caller skips them."""
    x = windows()
    x[7] = bad
    out, power = unit_power(x.copy())
    assert np.array_equal(out[7], x[7], equal_nan=True)
    assert not (np.isfinite(power[7]) and power[7] > 0)
    rest = np.arange(20) != 7
    good, _ = unit_power(windows())
    assert np.array_equal(out[rest], good[rest])


def test_one_bad_sample_spoils_its_window_only() -> None:
    x = windows()
    x[3, 1, 500] = np.nan
    out, power = unit_power(x.copy())
    assert np.isnan(power[3])
    assert np.array_equal(out[3], x[3], equal_nan=True)
    assert np.all(np.isfinite(power[[0, 1, 2, 4]]))


def test_a_transposed_array_is_scaled_as_well() -> None:
    """Its rows are not contiguous; it must not come back as it was."""
    turned = np.ascontiguousarray(windows().transpose(0, 2, 1)).transpose(0, 2, 1) * 5
    assert not turned.flags.c_contiguous
    assert np.allclose(unit_power(turned)[0], unit_power(windows())[0], atol=1e-6)


def test_no_windows_are_no_trouble() -> None:
    out, power = unit_power(np.empty((0, 2, 1024), np.float32))
    assert out.shape == (0, 2, 1024)
    assert power.shape == (0,)
