"""Symbol rates: what modulators that are told a rate send, and what has none.

Each piece comes as the finder makes it: noise, the band measured, cut out by the extractor at
three times that band.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from liveclf.dsp.detect.band import occupied_band
from liveclf.dsp.extract import Extractor
from liveclf.dsp.symbol_rate import symbol_rate
from liveclf.signals.analog import am
from liveclf.signals.angle import fm, keyed_frequency, lora
from liveclf.signals.constellations import CONSTELLATIONS
from liveclf.signals.line_codes import LINE_CODES
from liveclf.signals.linear import keyed
from liveclf.signals.others import ofdm, white

Complex = NDArray[np.complex64]
Draw = Callable[[np.random.Generator, int], tuple[NDArray[np.complexfloating], float | None]]

OVERSAMPLING = 3
CHUNK = 8192


def piece(iq: np.ndarray, snr_db: float, n: int, rng: np.random.Generator) -> tuple[Complex, ...]:
    """Return samples of an emission in noise, its bandwidth, and samples out per sample in."""
    power = np.mean(np.abs(iq) ** 2)
    low, high = occupied_band(iq.astype(np.complex64), 1e-9 * power)
    density = power / (high - low) / 10 ** (snr_db / 10)
    iq = (iq + white(rng, iq.shape) * math.sqrt(density)).astype(np.complex64)
    return cut_out(iq, *occupied_band(iq, density), n)


def cut_out(iq: Complex, low: float, high: float, n: int) -> tuple[Complex, float, float]:
    def read(start: int, stop: int) -> Complex:
        before, behind = max(0, -start), max(0, stop - len(iq))
        return np.pad(iq[max(0, start) : stop], (before, behind))

    extractor = Extractor(CHUNK, read)
    tuning = extractor.tuning((low + high) / 2, min(1.0, OVERSAMPLING * (high - low)))
    rate = extractor.rate(tuning)
    y, _ = extractor.cut(0, len(iq), len(iq), tuning)
    return y[:n], (high - low) / rate, rate


def shaped(name: str) -> Draw:
    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, float]:
        make, order = CONSTELLATIONS[name]
        sps = rng.uniform(5, 12)
        length = int(n * sps / 2.5) + 1024
        symbols = make(order, rng)[rng.integers(order, size=round(length / sps))]
        rolloff = rng.uniform(0.15, 0.5)
        iq = keyed(symbols, length, rolloff, delay=rng.random(), staggered=name == "OQPSK")
        return iq, len(symbols) / length

    return draw


def held(name: str) -> Draw:
    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, float]:
        make, order = CONSTELLATIONS[name]
        length = 2 * n + 1024
        symbols = make(order, rng)[rng.integers(order, size=round(length / rng.uniform(16, 40)))]
        return keyed(symbols, length, None, delay=rng.random()), len(symbols) / length

    return draw


def units(code: str, variant: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return a line code of random bits, at least n units."""
    bits = rng.integers(2, size=n)
    return np.concatenate([LINE_CODES[code][variant][bit] for bit in bits])


def on_off(code: str, variant: int = 0) -> Draw:
    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, float]:
        length = int(2.5 * n) + 1024
        keys = units(code, variant, 200, rng)[: round(length / rng.uniform(24, 96))]
        keys = np.resize(keys, max(48, round(length / rng.uniform(24, 96))))
        return keyed(keys.astype(complex), length, None, delay=rng.random()), len(keys) / length

    return draw


def shifted(order: int, index: tuple[float, float], bt: float, code: str | None = None) -> Draw:
    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, float]:
        length, h = 4 * n + 1024, rng.uniform(*index)
        sps = rng.uniform(6, 12) * max(1, h * (order - 1) / 1.5)
        keys = units(code, 0, length, rng) if code else rng.integers(order, size=length)
        levels = (2 * keys - (order - 1)).astype(np.int64)[None, :]
        given = (np.array([value]) for value in (sps, h, bt))
        return keyed_frequency(levels, length, *given, rng.random((1, 1)))[0], 1 / sps

    return draw


# The share that has to be found at 15 dB or more.
SENDERS: dict[str, tuple[Draw, float]] = {
    **{name: (shaped(name), 0.8) for name in ("BPSK", "QPSK", "8PSK", "16APSK", "16QAM", "256QAM")},
    **{name: (shaped(name), 0.6) for name in ("4ASK", "OQPSK", "OOK")},
    "QPSK, held": (held("QPSK"), 0.8),
    "BPSK, held": (held("BPSK"), 0.8),
    "OOK, NRZ": (on_off("NRZ"), 0.8),
    "OOK, Manchester": (on_off("Manchester"), 0.8),
    "OOK, PWM 1:2": (on_off("PWM", 0), 0.8),
    "OOK, PWM 1:3": (on_off("PWM", 1), 0.8),
    "OOK, PPM": (on_off("PPM", 0), 0.8),
    "OOK, PPM 1:4": (on_off("PPM", 1), 0.8),
    "GMSK": (shifted(2, (0.5, 0.5), 0.3), 0.8),
    "2FSK": (shifted(2, (0.6, 2.5), np.inf), 0.8),
    "2FSK, Gaussian": (shifted(2, (0.6, 2.5), 0.5), 0.6),
    "2FSK, Manchester": (shifted(2, (1.0, 8.0), np.inf, "Manchester"), 0.8),
    "4FSK": (shifted(4, (0.3, 1.0), np.inf), 0.6),
}


def analogue(name: str) -> Draw:
    return lambda rng, n: (am(name, rng, 1, 3 * n + 1024, band=(0.01, 0.1))[0], None)


NO_RATE: dict[str, Draw] = {
    "FM": lambda rng, n: (fm(rng, 1, 4 * n, band=(0.004, 0.04))[0], None),
    "AM-DSB-WC": analogue("AM-DSB-WC"),
    "AM-DSB-SC": analogue("AM-DSB-SC"),
    "AM-SSB-WC": analogue("AM-SSB-WC"),
    "AM-SSB-SC": analogue("AM-SSB-SC"),
    "OFDM": lambda rng, n: (signal.resample(ofdm(rng, 1, n + 1024)[0], 3 * (n + 1024)), None),
    "LoRa": lambda rng, n: (lora(rng, 1, 4 * n, band=(0.1, 0.2))[0], None),
    "CW": lambda rng, n: (np.ones(4 * n, np.complex64), None),
}


def tried(draw: Draw, snr_db: float, n_tries: int, n: int = 4096) -> Counter[str]:
    rng = np.random.default_rng(7)
    results: Counter[str] = Counter()
    for _ in range(n_tries):
        iq, true = draw(rng, n)
        y, bandwidth, rate = piece(iq, snr_db, n, rng)
        found = symbol_rate(y, bandwidth)
        if found is None:
            results["none"] += 1
        elif true is not None and found.per_sample * rate == pytest.approx(true, rel=0.01):
            results["right"] += 1
        else:
            results["wrong"] += 1
    return results


@pytest.mark.parametrize("name", SENDERS)
def test_a_rate_is_found_within_a_hundredth(name: str) -> None:
    """15 and 20 dB in the band, 4096 samples."""
    draw, share = SENDERS[name]
    results = tried(draw, 15, 10) + tried(draw, 20, 10)
    assert results["right"] >= 20 * share, results
    assert results["wrong"] == 0, results


@pytest.mark.parametrize("name", SENDERS)
def test_what_is_weak_has_a_rate_or_none_but_not_another(name: str) -> None:
    results = tried(SENDERS[name][0], 8, 10)
    assert results["wrong"] <= 1, results


@pytest.mark.parametrize("name", NO_RATE)
@pytest.mark.parametrize("snr_db", [8, 20])
def test_what_has_no_symbols_has_no_rate(name: str, snr_db: float) -> None:
    results = tried(NO_RATE[name], snr_db, 12)
    assert results["wrong"] <= 1, results


@pytest.mark.parametrize("n", [512, 4096])
def test_noise_has_no_rate(n: int) -> None:
    """Noise in a band; 200 pieces, of which none may have one."""
    rng = np.random.default_rng(3)
    for _ in range(200):
        y, bandwidth, _ = cut_out(white(rng, (3 * n + 2048,)), -0.1, 0.1, n)
        assert symbol_rate(y, bandwidth) is None


def test_what_is_longer_is_looked_at_where_it_is_strongest() -> None:
    """A burst in a long silence is found as it is alone."""
    rng = np.random.default_rng(5)
    iq, true = shaped("QPSK")(rng, 4096)
    y, bandwidth, rate = piece(iq, 20, 4096, rng)
    silence = white(rng, (60_000,)) * 0.01
    found = symbol_rate(np.concatenate([silence, y, silence]), bandwidth)
    assert found is not None
    assert found.per_sample * rate == pytest.approx(true, rel=0.01)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_level_and_phase_change_nothing(scale: float) -> None:
    rng = np.random.default_rng(6)
    y, bandwidth, _ = piece(shaped("16QAM")(rng, 4096)[0], 20, 4096, rng)
    plain, other = symbol_rate(y, bandwidth), symbol_rate(y * np.complex64(1j * scale), bandwidth)
    assert plain is not None
    assert other is not None
    assert other.per_sample == pytest.approx(plain.per_sample, rel=1e-4)
    assert other.strength == pytest.approx(plain.strength, rel=1e-2)


@pytest.mark.parametrize(
    "iq",
    [
        np.empty(0, np.complex64),
        np.ones(10, np.complex64),
        np.zeros(4096, np.complex64),
        np.ones(4096, np.complex64),
        np.full(4096, np.nan, np.complex64),
        np.tile(np.array([1, 0], np.complex64), 2048),
    ],
)
@pytest.mark.parametrize("bandwidth", [1e-3, 1 / 3, 1.0])
def test_what_is_no_signal_has_no_rate(iq: Complex, bandwidth: float) -> None:
    assert symbol_rate(iq, bandwidth) is None
