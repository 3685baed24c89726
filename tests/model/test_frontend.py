"""The layer before the convolutions: against NumPy, and by what they are for."""

from __future__ import annotations

import numpy as np
import pytest
from frontend_by_hand import matched_by_hand
from numpy.typing import NDArray

from liveclf.model.fourier import Fourier, smooth
from liveclf.model.frontend import MatchedFilter
from liveclf.signals.channel import add_noise
from liveclf.signals.generator import make_chunk, to_rows
from liveclf.signals.linear import ComplexArray, linear

Real = NDArray[np.float32]


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def windows() -> Real:
    return make_chunk(2, 0, (-4.0, 30.0)).x[:90].astype(np.float32)


def matched(x: Real) -> Real:
    return np.asarray(MatchedFilter()(x))


@pytest.mark.parametrize("samples", [16, 64, 1024])
def test_the_transform_is_that_of_numpy_and_its_inverse_undoes_it(samples: int) -> None:
    x = rng().standard_normal((5, 3, 2, samples)).astype(np.float32)
    fourier = Fourier(samples)
    found = fourier.forward(x)
    wanted = np.fft.fft(x[:, :, 0] + 1j * x[:, :, 1])
    for part, of_numpy in zip(found, (wanted.real, wanted.imag), strict=True):
        assert np.asarray(fourier.in_order(part)) == pytest.approx(of_numpy, abs=1e-3)
        assert np.array_equal(fourier.as_grid(fourier.in_order(part)), part)
    assert np.asarray(fourier.backward(*found)) / samples == pytest.approx(x, abs=1e-5)


def test_the_transform_of_real_numbers_needs_no_imaginary_ones() -> None:
    x = rng().standard_normal((5, 1, 1, 64)).astype(np.float32)
    fourier = Fourier(64)
    both = fourier.forward(np.concatenate([x, 0 * x], axis=2))
    assert np.array(fourier.forward(x)) == pytest.approx(np.array(both), abs=1e-5)


@pytest.mark.parametrize("samples", [64, 1024])
def test_a_line_over_time_is_the_inverse_of_it_and_two_bins_beside_it(samples: int) -> None:
    x = rng().standard_normal((40, 1, 2, samples)).astype(np.float32)
    bins = rng(2).integers(0, samples, 40).astype(np.int32)
    bins[:4] = 0, 1, samples - 2, samples - 1  # the band is a circle
    fourier = Fourier(samples)
    spectrum = np.fft.fft(x[:, 0, 0] + 1j * x[:, 0, 1])
    away = (np.arange(samples) - bins[:, None] + samples // 2) % samples - samples // 2
    wanted = samples * np.fft.ifft(spectrum * (np.abs(away) <= 2))
    re, im = fourier.line(fourier.forward(x), bins)
    assert np.asarray(re)[:, 0] == pytest.approx(wanted.real, rel=1e-4, abs=2e-3)
    assert np.asarray(im)[:, 0] == pytest.approx(wanted.imag, rel=1e-4, abs=2e-3)


@pytest.mark.parametrize("bins", [2, 4, 8, 64])
def test_smoothing_is_a_mean_of_neighbours_in_a_circle(bins: int) -> None:
    x = rng().standard_normal((3, 2, 128)).astype(np.float32)
    wanted = np.mean([np.roll(x, k, -1) for k in range(1 - bins // 2, bins // 2 + 1)], axis=0)
    assert np.asarray(smooth(x, bins)) == pytest.approx(wanted, abs=1e-5)


def test_the_matched_filter_is_what_its_description_says(windows: Real) -> None:
    assert matched(windows) == pytest.approx(matched_by_hand(windows), abs=1e-4)


def received(name: str, snr_db: float, sps: float, n: int = 60) -> tuple[ComplexArray, Real]:
    """Return signals without and with noise."""
    x = linear(name, rng(), n, 2048, sps=(sps, sps * 1.01))[:, 512:1536]
    x = x / np.sqrt(np.mean(np.abs(x) ** 2, axis=1, keepdims=True))
    return x, to_rows(add_noise(x, np.full(n, snr_db), rng(2)))


def test_the_filter_takes_away_the_noise_outside_the_signal() -> None:
    """At 16 samples a symbol the signal has a sixteenth of the band."""
    clean, noisy = received("QPSK", 5.0, 16.0)
    y = matched(noisy)
    got = y[:, 0] + 1j * y[:, 1]

    def likeness(z: ComplexArray) -> float:
        product = np.abs(np.mean(z * clean.conj(), axis=1)) ** 2
        return float(np.median(product / np.mean(np.abs(z) ** 2, axis=1)))

    before = noisy[:, 0] + 1j * noisy[:, 1]
    assert likeness(before) == pytest.approx(10**0.5 / (1 + 10**0.5), abs=0.03)
    assert likeness(got) > 0.9


def test_silence_and_a_bare_carrier_stay_finite() -> None:
    """Windows of zeros reach the network as the filling of a batch."""
    x = np.zeros((2, 2, 1024), np.float32)
    x[1, 0] = 1
    assert np.all(np.isfinite(matched(x)))
