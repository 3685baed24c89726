"""The statistics of the symbols: against NumPy, and by what they are for."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from symbols_by_hand import constellation_by_hand, equalised_by_hand

from liveclf.model.frontend import MatchedFilter
from liveclf.model.symbols import RINGS, Constellation, equalise, inverted
from liveclf.signals.channel import add_noise
from liveclf.signals.generator import make_chunk, to_rows
from liveclf.signals.linear import linear

Real = NDArray[np.float32]
LINES = {"QPSK": 3 + 75, "8PSK": 4 + 75, "16PSK": 5 + 75}  # behind the equaliser


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def received(name: str, snr_db: float, sps: float = 5.0, n: int = 60, echo: float = 0.0) -> Real:
    """Return signals behind the matched filter, with an echo two samples late if asked."""
    x = linear(name, rng(), n, 2048, sps=(sps, sps * 1.01))
    x = (x + echo * np.exp(1j * rng(3).uniform(0, 7, (n, 1))) * np.roll(x, 2, 1))[:, 512:1536]
    x = x / np.sqrt(np.mean(np.abs(x) ** 2, axis=1, keepdims=True))
    noisy = add_noise(x.astype(np.complex64), np.full(n, snr_db), rng(2))
    return np.asarray(MatchedFilter()(to_rows(noisy)))


def statistics(y: Real) -> Real:
    return np.asarray(Constellation()(y))


def ordered(higher: Real, lower: Real) -> float:
    """Return how often one of the first is above one of the second."""
    return float(np.mean(higher[:, None] > lower[None, :]))


def test_the_statistics_are_what_their_description_says() -> None:
    """In single precision another of two lines alike may be the taller: in few windows."""
    y = np.asarray(MatchedFilter()(make_chunk(2, 0, (0.0, 30.0)).x[:90].astype(np.float32)))
    found, wanted = statistics(y), constellation_by_hand(y)
    assert found.shape == wanted.shape == (90, 153)
    assert Constellation().compute_output_shape((None, 2, 1024)) == (None, 153)
    alike = np.all(np.abs(found - wanted) < 5e-3, axis=1)
    assert alike.mean() > 0.95


def test_matrices_are_inverted() -> None:
    a = rng().standard_normal((4, 18, 40))
    a = a @ a.transpose(0, 2, 1) / 40 + 0.05 * np.eye(18)
    found = np.asarray(inverted(a.astype(np.float32)))
    assert found == pytest.approx(np.linalg.inv(a), abs=1e-3)


@pytest.mark.parametrize("sps", [2.5, 5.0, 10.0])
def test_the_symbol_rate_is_found(sps: float) -> None:
    rate = np.exp(statistics(received("8PSK", 20.0, sps))[:, 1])
    assert np.mean(np.abs(rate - 1024 / sps) < 0.01 * 1024 / sps + 1.5) > 0.7


@pytest.mark.parametrize(
    ("name", "higher", "snr_db"),
    [("QPSK", "8PSK", 10.0), ("8PSK", "16PSK", 10.0), ("16PSK", "32PSK", 20.0)],
)
def test_each_order_of_psk_has_its_line_in_its_power(name: str, higher: str, snr_db: float) -> None:
    k = LINES[name]
    one, other = (statistics(received(n, snr_db))[:, k] for n in (name, higher))
    assert ordered(one, other) > 0.9


def test_the_rings_of_16apsk_are_where_they_are() -> None:
    """Four points on the inner and twelve on the outer one, 2.57 to 3.15 times as far out."""
    shares = statistics(received("16APSK", 25.0))[:, -3 * RINGS : -2 * RINGS]
    rings = np.median(shares, axis=0)
    outer = np.argmax(rings) * 2.2 / (RINGS - 1)
    assert outer == pytest.approx(1.13, abs=0.1)
    assert rings[2:6].sum() == pytest.approx(0.25, abs=0.08)
    assert shares.sum(axis=1) == pytest.approx(1.0, abs=0.02)


def test_an_echo_is_undone() -> None:
    """Symbols of one modulus have it again."""

    def spread(z: tuple[Real, Real], weight: Real) -> float:
        power = np.asarray(z[0]) ** 2 + np.asarray(z[1]) ** 2
        return float(np.median(np.sum(weight * power**2, axis=2) - 1))

    y = received("QPSK", 25.0, 4.0, echo=0.5)
    layer = Constellation()
    layer.build(y.shape)
    weight, rate, _ = (np.asarray(a) for a in layer._timing(y))
    scale = 1 / np.sqrt(np.sum(weight * np.sum(y**2, axis=1, keepdims=True), axis=2, keepdims=True))
    before = y[:, :1] * scale, y[:, 1:] * scale
    after = equalise(before, weight, 25 / rate)
    assert spread(after, weight) < 0.7 * spread(before, weight)
    by_hand = equalised_by_hand((before[0] + 1j * before[1])[0, 0], weight[0, 0], 25 / rate[0, 0])
    assert np.asarray(after[0])[0, 0] == pytest.approx(by_hand.real, abs=1e-3)


def test_silence_and_a_bare_carrier_stay_finite() -> None:
    """Windows of zeros reach the network as the filling of a batch."""
    y = np.zeros((2, 2, 1024), np.float32)
    y[1, 0] = 1
    assert np.all(np.isfinite(statistics(y)))


def test_the_carrier_phase_does_not_matter() -> None:
    y = received("16QAM", 20.0, n=20)
    turned = np.stack([-y[:, 1], y[:, 0]], axis=1)
    assert statistics(turned) == pytest.approx(statistics(y), abs=1e-3)
