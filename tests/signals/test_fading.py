"""Fading: its statistics and how fast it changes."""

from __future__ import annotations

import numpy as np
import pytest

from liveclf.signals.fading import fade, fading_paths


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_mean_power_is_one() -> None:
    assert np.mean(np.abs(fade(rng(), 4000, 64)) ** 2) == pytest.approx(1, abs=0.04)


def test_some_rows_fade_deeply_and_some_hardly() -> None:
    """Rayleigh rows fall below a tenth of their mean power a tenth of the time."""
    power = np.abs(fade(rng(), 1000, 2048, doppler=(5e-3, 1e-2))) ** 2
    deep = np.mean(power < 0.1, axis=1)
    assert 0.15 < np.mean(deep > 0.05) < 0.5
    assert np.mean(deep == 0) > 0.3


@pytest.mark.parametrize("doppler", [1e-4, 1e-3, 1e-2])
def test_no_gain_changes_faster_than_the_doppler_shift(doppler: float) -> None:
    gain = fade(rng(), 100, 8192, doppler=(doppler, doppler * 1.001))
    spectrum = np.abs(np.fft.fft(gain * np.hanning(8192), axis=1)) ** 2
    f = np.abs(np.fft.fftfreq(8192))
    beyond = spectrum[:, f > doppler + 4 / 8192].sum() / spectrum.sum()
    assert beyond < 1e-3
    if doppler > 1e-3:  # and some comes near to it
        near = (f > 0.7 * doppler) & (f < doppler + 4 / 8192)
        assert spectrum[:, near].sum() / spectrum.sum() > 0.1


def test_paths_fade_apart_so_that_notches_move() -> None:
    x = np.zeros((400, 2048), np.complex64)
    x[:, ::64] = 1  # a comb: sixty-four lines over the band, equally strong
    y = fading_paths(np.fft.fft(x, axis=1), rng())

    def notches(part: slice) -> np.ndarray:
        lines = np.abs(np.fft.fft(y[:, part], axis=1))[:, ::16]
        return np.asarray(lines / lines.mean(axis=1, keepdims=True))

    early, late = notches(slice(0, 1024)), notches(slice(1024, 2048))
    ripple = early.std(axis=1)
    assert 0.3 < np.mean(ripple > 0.1) < 0.7  # about half have several paths
    moved = np.abs(early - late).mean(axis=1)[ripple > 0.1]
    assert np.mean(moved > 0.05) > 0.3
