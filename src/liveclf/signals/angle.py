"""Modulation of the angle: FM by audio, GMSK, 2FSK, 4FSK, and LoRa's chirps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from liveclf.signals.audio import audio
from liveclf.signals.line_codes import line_coded
from liveclf.signals.linear import (
    SLOWEST_SPS,
    WORK,
    ComplexArray,
    draw_sps,
    keyed,
    longest_run,
    phasor,
)

_VOICE_SHARE = 1 / 3  # of 4FSK


def fm(
    rng: np.random.Generator,
    n: int,
    length: int = WORK,
    band: tuple[float, float] = (0.01, 0.1),
) -> ComplexArray:
    """Frequency modulation by audio, deviation 0.5 to 8 times the audio bandwidth.

    Args:
        rng: Source of all randomness.
        n: Signals.
        length: Samples of each.
        band: Smallest and largest bandwidth of the audio, cycles per sample.

    Returns:
        Shape (n, length) complex64, unit power.
    """
    message, bandwidth = audio(rng, n, length, *band)
    index = np.exp(rng.uniform(np.log(0.5), np.log(8), n))
    # Carson: 2 (deviation + bandwidth) has to stay inside the sampled band.
    deviation = np.minimum(index * bandwidth, 0.4 - bandwidth)
    return _from_frequency(message * deviation[:, None])


def fsk(name: str, rng: np.random.Generator, n: int, length: int = WORK) -> ComplexArray:
    """Frequency shift keying with continuous phase.

    GMSK: modulation index 0.5, Gaussian filter of BT 0.2 to 0.5 (GSM 0.3, GNU Radio
    0.35). 2FSK and 4FSK: index 0.2 to 2.5 or, keyed slowly, any deviation that fits the
    band; unfiltered or Gaussian of BT 0.5 to 1. Half of what is keyed slowly with two
    tones is in a line code. A third of 4FSK is shaped by a root raised cosine, as digital
    voice is: DMR, NXDN, P25 (Source: ETSI TS 102 361-1, 10.2).

    Returns:
        Shape (n, length) complex64, unit power.
    """
    order = 4 if name == "4FSK" else 2
    sps = draw_sps(rng, n)
    if name == "GMSK":
        index, bt = np.full(n, 0.5), rng.uniform(0.2, 0.5, n)
    else:
        slow = rng.random(n) < 0.4  # telemetry keys slowly against its deviation
        sps = np.maximum(sps, 2.0 if order == 2 else 2.5)
        low, high = (0.3, 2.5) if order == 2 else (0.2, 0.9)
        index = low * (high / low) ** rng.random(n)
        sps = np.where(slow, draw_sps(rng, n, SLOWEST_SPS, 4.0), sps)
        deviation = np.exp(rng.uniform(np.log(0.01), np.log(0.4), n))  # of the outer tones
        index = np.where(slow, np.maximum(2 * deviation * sps / (order - 1), low), index)
        bt = np.where(rng.random(n) < 0.5, rng.uniform(0.5, 1.0, n), np.inf)
        bt[(index > 0.4) & (index < 0.6) & (order == 2)] = np.inf  # else it were GMSK
    index = np.minimum(index, 0.8 * sps / (order - 1))  # outer tones within +-0.4 of the rate
    levels = 2 * rng.integers(order, size=(n, length)) - (order - 1)
    if name == "2FSK":
        for row in np.flatnonzero(slow & (rng.random(n) < 0.5)):
            levels[row] = 2 * line_coded(rng, length, longest_run(sps[row])) - 1
    made = keyed_frequency(levels, length, sps, index, bt, rng.random((n, 1)))
    for row in np.flatnonzero((order == 4) & (rng.random(n) < _VOICE_SHARE)):
        made[row] = _voice(rng, levels[row], length)
    return made


def _voice(rng: np.random.Generator, levels: NDArray[np.int64], length: int) -> ComplexArray:
    """Send four levels as digital voice does, (length,); a third as a receiver's filter leaves it.

    Spacing of the tones over the symbol rate: P25 0.25, DMR 0.27, NXDN 0.29 to 0.33.
    """
    sps, index = float(draw_sps(rng, 1)[0]), rng.uniform(0.24, 0.36)
    matched = rng.random() < 1 / 3
    symbols = levels[: round(length / sps)].astype(np.complex128)
    shaped = keyed(symbols, length, rng.uniform(0.18, 0.25), matched=matched, delay=rng.random())
    return phasor(np.cumsum(shaped.real * (index / (2 * sps))))


def keyed_frequency(
    levels: NDArray[np.int64],
    length: int,
    sps: NDArray[np.float64],
    index: NDArray[np.float64],
    bt: NDArray[np.float64],
    delay: NDArray[np.float64],
) -> ComplexArray:
    """Key the frequency, with continuous phase.

    Args:
        levels: Odd integers around 0, enough of them, shape (n, n_symbols).
        length: Samples of each signal.
        sps: Samples per symbol, shape (n,).
        index: Modulation index, the spacing of the tones over the symbol rate, shape (n,).
        bt: 3 dB bandwidth of the Gaussian filter times the symbol's length, shape (n,);
            infinite for none.
        delay: Part of the first symbol that is left out, shape (n, 1).

    Returns:
        Shape (n, length) complex64, unit power.
    """
    position = (np.arange(length)[None, :] / sps[:, None] + delay).astype(int)
    keyed = np.take_along_axis(levels, position, axis=1) * (index / (2 * sps))[:, None]
    return _from_frequency(_gaussian(keyed, bt / sps))


def lora(
    rng: np.random.Generator,
    n: int,
    length: int = WORK,
    band: tuple[float, float] = (0.1, 0.9),
) -> ComplexArray:
    """Chirp spread spectrum: up-chirps that start at one of 2^SF frequencies.

    Spreading factors 5 to 12, as long as at least half a chirp fits a window (a shorter
    part is a bare carrier).

    Source: Semtech AN1200.22, section 4.

    Args:
        rng: Source of all randomness.
        n: Signals.
        length: Samples of each.
        band: Smallest and largest bandwidth, cycles per sample.

    Returns:
        Shape (n, length) complex64, unit power.
    """
    bandwidth = np.exp(rng.uniform(np.log(band[0]), np.log(band[1]), n))
    widest = np.minimum(12, np.floor(np.log2(WORK * bandwidth)))
    chips = 2.0 ** np.floor(rng.uniform(5, widest + 1))
    position = np.arange(length)[None, :] * (bandwidth / chips)[:, None] + rng.random((n, 1))
    starts = np.floor(rng.random((n, length)) * chips[:, None]) / chips[:, None]
    start = np.take_along_axis(starts, position.astype(int), axis=1)
    return _from_frequency(bandwidth[:, None] * ((position + start) % 1 - 0.5))


def _from_frequency(cycles_per_sample: NDArray[np.float64]) -> ComplexArray:
    return phasor(np.cumsum(cycles_per_sample, axis=1))


def _gaussian(x: NDArray[np.float64], bandwidth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Filter rows by exp(-ln 2 / 2 (f / B)^2), B the 3 dB bandwidth in cycles per sample.

    Source: ETSI TS 145 004, 2.5 (its Fourier transform).
    """
    f = np.fft.rfftfreq(x.shape[1])[None, :]
    response = np.exp(-np.log(2) / 2 * (f / bandwidth[:, None]) ** 2)
    return np.fft.irfft(np.fft.rfft(x, axis=1) * response, x.shape[1], axis=1)
