"""The layer before the convolutions: against NumPy, and by what they are for."""

from __future__ import annotations

import numpy as np
import pytest
from frontend_by_hand import matched_by_hand
from numpy.typing import NDArray

from liveclf.model.fourier import Fourier
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
    re, im = rng().standard_normal((2, 5, 3, samples)).astype(np.float32)
    fourier = Fourier(3, samples)
    found = fourier.forward(re, im)
    wanted = np.fft.fft(re + 1j * im)
    assert np.asarray(found[0]) == pytest.approx(wanted.real, abs=1e-3)
    assert np.asarray(found[1]) == pytest.approx(wanted.imag, abs=1e-3)
    back = fourier.backward(*found)
    assert np.asarray(back[0]) / samples == pytest.approx(re, abs=1e-5)
    assert np.asarray(back[1]) / samples == pytest.approx(im, abs=1e-5)


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
