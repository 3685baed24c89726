"""What one transmitter sends: a burst at its own rate, as wide as its kind is in the air.

Symbol rates and bandwidths are drawn as they are met: half of the digital ones are narrow
(2 to 25 kHz), some take up to 300 kHz, a few up to 1 MHz; speech, broadcast, remote
controls and LoRa have the widths of their services.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from liveclf.signals.analog import am
from liveclf.signals.angle import fm, keyed_frequency, lora
from liveclf.signals.classes import CLASSES
from liveclf.signals.constellations import CONSTELLATIONS
from liveclf.signals.line_codes import line_coded
from liveclf.signals.linear import ComplexArray, keyed, phasor
from liveclf.signals.others import ofdm

SENDABLE: tuple[str, ...] = tuple(name for name in CLASSES if name != "noise")
"""The classes that somebody sends."""

NARROWEST_HZ = 2e3
# Shares of the digital emissions, and the bandwidths that each reaches from and to.
_SIZES = ((0.5, NARROWEST_HZ, 25e3), (0.4, 25e3, 300e3), (0.1, 300e3, 1e6))
_FEWEST_SYMBOLS = 64  # a packet has so many; of fewer nobody could tell how they are keyed
_RAMP_S = 50e-6
_NOISY_SHARE = 0.3  # of the transmitters whose phase wanders
_PHASE_STEP = 2e-4  # cycles per sample and root, at most
_PAD = 64  # silent samples at either end, so that resampling wraps around nothing


@dataclass(frozen=True)
class Sending:
    """One burst, at its own rate.

    Attributes:
        iq: Silence, the burst, silence; shape (n,) complex64.
        rate_hz: Samples per second.
        symbol_rate_hz: None where there are no symbols, or no fixed time for one.
    """

    iq: ComplexArray
    rate_hz: float
    symbol_rate_hz: float | None = None


def send(name: str, rng: np.random.Generator, duration_s: float, widest_hz: float) -> Sending:
    """Make one burst.

    Args:
        name: One of `SENDABLE`.
        rng: Source of all randomness.
        duration_s: How long; made longer where fewer than 64 symbols would fit.
        widest_hz: About the largest bandwidth; what its service makes wider is made narrower.
    """
    sending = SENDERS[name](rng, duration_s, widest_hz)
    iq = sending.iq
    if rng.random() < _NOISY_SHARE:
        steps = rng.standard_normal(len(iq)) * rng.uniform(0, _PHASE_STEP)
        iq = iq * phasor(np.cumsum(steps))
    ramp = max(_RAMP_S, 1 / sending.rate_hz) * sending.rate_hz
    t = np.arange(len(iq)) + 0.5
    edge = np.clip(np.minimum(t, len(iq) - t) / ramp, 0, 1)
    gated = iq * (0.5 - 0.5 * np.cos(np.pi * edge)).astype(np.float32)
    power = float(np.mean(np.abs(gated) ** 2))
    padded = np.pad(gated / np.sqrt(power), _PAD).astype(np.complex64)
    return Sending(padded, sending.rate_hz, sending.symbol_rate_hz)


def _width_hz(rng: np.random.Generator, widest_hz: float) -> float:
    sizes = [(share, low, high) for share, low, high in _SIZES if low < widest_hz]
    shares = np.array([share for share, _, _ in sizes])
    _, low, high = sizes[rng.choice(len(sizes), p=shares / shares.sum())]
    return _between(rng, low, min(high, widest_hz))


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw log-uniformly."""
    return float(np.exp(rng.uniform(math.log(low), math.log(high))))


def _linear(name: str, rng: np.random.Generator, duration_s: float, widest_hz: float) -> Sending:
    """Symbols of a constellation, most through a root raised cosine."""
    make, order = CONSTELLATIONS[name]
    kind = rng.random()
    rolloff = None if kind < 0.15 else float(rng.uniform(0.15, 0.5))
    wide = 5.0 if rolloff is None else 1 + rolloff  # bandwidth over the symbol rate
    symbol_rate_hz = _width_hz(rng, widest_hz) / wide
    sps = float(rng.uniform(6, 8)) if rolloff is None else 3.0
    n_symbols = max(_FEWEST_SYMBOLS, round(duration_s * symbol_rate_hz))
    length = round(n_symbols * sps)
    iq = keyed(
        make(order, rng)[rng.integers(order, size=n_symbols)],
        length,
        rolloff,
        matched=kind > 0.9,
        delay=float(rng.random()),
        staggered=name == "OQPSK",
    )
    return Sending(iq.astype(np.complex64), symbol_rate_hz * length / n_symbols, symbol_rate_hz)


def _ook(rng: np.random.Generator, duration_s: float, widest_hz: float) -> Sending:
    """A remote control's line code in chips of 0.1 to 1 ms, or shaped symbols."""
    if rng.random() < 0.3:
        return _linear("OOK", rng, duration_s, widest_hz)
    chip_s, sps = _between(rng, 1e-4, 1e-3), round(float(rng.uniform(12, 24)))
    n_chips = max(_FEWEST_SYMBOLS, round(duration_s / chip_s))
    chips = line_coded(rng, n_chips, longest_run=8)
    chips[[0, -1]] = 1  # it begins and ends with what can be heard
    return Sending(np.repeat(chips, sps).astype(np.complex64), sps / chip_s, 1 / chip_s)


def _fsk(name: str, rng: np.random.Generator, duration_s: float, widest_hz: float) -> Sending:
    """GMSK of index 0.5; 2FSK and 4FSK of any usual index, half of the former in a line code."""
    order = 4 if name == "4FSK" else 2
    low, high = {"GMSK": (0.5, 0.5), "2FSK": (0.6, 4.0), "4FSK": (0.25, 1.0)}[name]
    index = _between(rng, low, high)
    if name == "GMSK":
        bt = float(rng.uniform(0.25, 0.5))
    else:
        bt = float(rng.uniform(0.5, 1.0)) if rng.random() < 0.5 else math.inf
    wide = index * (order - 1) + (1.0 if bt <= 1 else 1.5)
    symbol_rate_hz = _width_hz(rng, min(widest_hz, 500e3)) / wide
    sps = max(4.0, 1.6 * wide)
    n_symbols = max(_FEWEST_SYMBOLS, round(duration_s * symbol_rate_hz))
    if name == "2FSK" and rng.random() < 0.5:
        keys = line_coded(rng, n_symbols + 2, longest_run=8).astype(np.int64)
    else:
        keys = rng.integers(order, size=n_symbols + 2)
    iq = keyed_frequency(
        (2 * keys - (order - 1))[None, :],
        round(n_symbols * sps),
        np.array([sps]),
        np.array([index]),
        np.array([bt]),
        rng.random((1, 1)),
    )
    return Sending(iq[0], sps * symbol_rate_hz, symbol_rate_hz)


def _am(name: str, rng: np.random.Generator, duration_s: float, widest_hz: float) -> Sending:
    """Speech or tones of 2.5 to 5 kHz."""
    rate_hz = min(float(rng.uniform(2.5e3, 5e3)), widest_hz / 2) / 0.125
    return Sending(am(name, rng, 1, _even(duration_s * rate_hz), (0.125, 0.125))[0], rate_hz)


def _fm(rng: np.random.Generator, duration_s: float, widest_hz: float) -> Sending:
    """Speech over a voice channel, or broadcast."""
    is_broadcast = rng.random() < 0.3 and widest_hz > 250e3
    audio_hz = rng.uniform(10e3, 15e3) if is_broadcast else rng.uniform(2.5e3, 3.5e3)
    audio_hz = min(audio_hz, widest_hz / 10)
    # Carson: within 0.36 of the rate to either side for the largest deviation there is.
    rate_hz = float(audio_hz) / 0.04
    return Sending(fm(rng, 1, _even(duration_s * rate_hz), (0.04, 0.04))[0], rate_hz)


def _lora(rng: np.random.Generator, duration_s: float, widest_hz: float) -> Sending:
    """Chirps over 125, 250 or 500 kHz."""
    able = [hz for hz in (125e3, 250e3, 500e3) if hz <= widest_hz] or [widest_hz]
    rate_hz = float(rng.choice(able)) / 0.5
    return Sending(lora(rng, 1, _even(duration_s * rate_hz), (0.5, 0.5))[0], rate_hz)


def _ofdm(rng: np.random.Generator, duration_s: float, widest_hz: float) -> Sending:
    """Many carriers; none is narrow, and the rate is that of its transform."""
    rate_hz = _between(rng, min(10e3, widest_hz / 4), widest_hz) / 0.9
    length = max(2048, _even(duration_s * rate_hz))
    return Sending(ofdm(rng, 1, length)[0], rate_hz)


def _carrier(_: np.random.Generator, duration_s: float, widest_hz: float) -> Sending:
    """An unmodulated carrier; it is put where it belongs by the receiver."""
    rate_hz = min(64e3, widest_hz)
    return Sending(np.ones(_even(duration_s * rate_hz), np.complex64), rate_hz)


def _even(length: float) -> int:
    return max(256, 2 * round(length / 2))


_Sender = Callable[[np.random.Generator, float, float], Sending]
SENDERS: dict[str, _Sender] = {
    **{name: partial(_linear, name) for name in CONSTELLATIONS if name in SENDABLE},
    **{name: partial(_am, name) for name in SENDABLE if name.startswith("AM-")},
    **{name: partial(_fsk, name) for name in ("GMSK", "2FSK", "4FSK")},
    "OOK": _ook,
    "FM": _fm,
    "LoRa": _lora,
    "OFDM": _ofdm,
    "CW": _carrier,
}


def band_of(name: str, sending: Sending) -> tuple[float, float]:
    """Return the occupied band of what is sent, Hz from the middle of its own.

    The carrier of AM, which may have more than 99 % of the power, is left out before it is
    measured: what it carries is as wide as the emission is.
    """
    iq = sending.iq
    if name.endswith("-WC"):
        silent = _PAD + math.ceil(_RAMP_S * sending.rate_hz)  # at either end, with the ramp
        iq = iq[silent:-silent]
        iq = iq - iq.mean()
    return occupied_band(iq, sending.rate_hz)


def occupied_band(
    iq: NDArray[np.complex64], rate_hz: float, share: float = 0.99, least_hz: float = NARROWEST_HZ
) -> tuple[float, float]:
    """Measure the occupied band: half of what is outside lies below it, half above.

    Source: ITU-R SM.328, occupied bandwidth, with 0.5 % of the power on either side.

    Args:
        iq: One burst without noise, shape (n,).
        rate_hz: Its rate.
        share: Of the power, inside.
        least_hz: A band that is narrower is widened to that around its middle: a carrier
            occupies none, and no receiver of the whole band resolves finer.

    Returns:
        Lower and upper edge, Hz from the middle of the sampled band.
    """
    power = np.abs(np.fft.fftshift(np.fft.fft(iq))).astype(np.float64) ** 2
    f = np.fft.fftshift(np.fft.fftfreq(len(iq), 1 / rate_hz))
    below = np.cumsum(power) / power.sum()
    rest = (1 - share) / 2
    lower, upper = np.interp([rest, 1 - rest], below, f + rate_hz / len(iq) / 2)
    wider = max(0.0, least_hz - (upper - lower)) / 2
    return float(lower - wider), float(upper + wider)
