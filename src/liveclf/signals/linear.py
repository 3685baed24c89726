"""Linear modulation: symbols of a constellation through a pulse.

The spectrum of a periodic symbol sequence is periodic, so N samples with S symbols
are S-point FFT -> tile -> pulse response -> N-point inverse FFT, for any ratio N / S of
samples per symbol, without resampling.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.signals.constellations import CONSTELLATIONS
from liveclf.signals.line_codes import line_coded

SLOWEST_SPS = 128.0  # of OOK and FSK: remote controls and telemetry key slowly
_PULLED_SHARE = 0.3  # of remote controls
WORK = 2048  # samples made per window; the middle is cut out after the channel
ComplexArray = NDArray[np.complex64]


def phasor(cycles: NDArray[np.floating[Any]]) -> ComplexArray:
    """Return exp(j 2 pi cycles) in single precision, wrapped first so that none is lost.

    Sine and cosine of float32 are vectorised in NumPy, the complex exponential is not.
    """
    angle = ((cycles - np.rint(cycles)) * (2 * np.pi)).astype(np.float32)
    out = np.empty(angle.shape, np.complex64)
    np.cos(angle, out=out.real)
    np.sin(angle, out=out.imag)
    return out


def draw_sps(
    rng: np.random.Generator, n: int, high: float = 16.0, low: float = 2.0
) -> NDArray[np.float64]:
    """Draw samples per symbol, log-uniform from `low` to `high`, shape (n,)."""
    return np.exp(rng.uniform(np.log(low), np.log(high), n))


def longest_run(sps: float) -> int:
    """Return how many symbols may be alike so that a window shows a change."""
    return max(2, int(0.4 * WORK / 2 / sps))


def root_raised_cosine(f: NDArray[np.float64], rolloff: float) -> NDArray[np.float64]:
    """Frequency response of the pulse, 1 in the pass band.

    Source: Proakis, Digital Communications, 9.2-27, its square root.

    Args:
        f: Frequency in units of the symbol rate, any shape.
        rolloff: Excess bandwidth, 0 to 1.
    """
    edge = (np.abs(f) - (1 - rolloff) / 2) / rolloff
    return np.cos(np.pi / 2 * np.clip(edge, 0, 1))


def linear(
    name: str,
    rng: np.random.Generator,
    n: int,
    length: int = WORK,
    sps: tuple[float, float] = (2.0, 16.0),
) -> ComplexArray:
    """Modulate random symbols; on-off keying also bits in a line code, slowly.

    Args:
        name: A key of `CONSTELLATIONS`.
        rng: Source of all randomness.
        n: Signals.
        length: Samples of each.
        sps: Fewest and most samples per symbol.

    Returns:
        Shape (n, length) complex64, mean power about 1, symbol rate and pulse of each
        drawn: RRC (roll-off 0.1 to 0.5), raised cosine, or rectangular.
    """
    make, order = CONSTELLATIONS[name]
    remote = (rng.random(n) < 0.5) if name == "OOK" else np.zeros(n, bool)
    drawn = np.where(remote, draw_sps(rng, n, SLOWEST_SPS), draw_sps(rng, n, sps[1], sps[0]))
    kind = rng.random(n)
    out = np.empty((n, length), np.complex64)
    for row in range(n):
        n_symbols = round(length / drawn[row])
        if remote[row]:
            keys = line_coded(rng, n_symbols, longest_run(drawn[row]))
        else:
            keys = rng.integers(order, size=n_symbols)
        symbols = make(order, rng)[keys]
        staggered = name == "OQPSK"
        is_held = kind[row] < (0.8 if remote[row] else 0.15)
        rolloff = None if is_held else rng.uniform(0.1, 0.5)
        matched = kind[row] > 0.9  # a receiver's matched filter is included
        out[row] = keyed(
            symbols, length, rolloff, matched=matched, delay=rng.random(), staggered=staggered
        )
        if remote[row] and rng.random() < _PULLED_SHARE:
            out[row] *= pulled(rng, np.abs(out[row]) > 0.5 * np.abs(symbols).max())
    return out


def pulled(rng: np.random.Generator, is_on: NDArray[np.bool_]) -> ComplexArray:
    """Return the phasor of a simple transmitter, which begins each pulse off its frequency.

    Keyed oscillators without a crystal, as in cheap remote controls, settle exponentially
    after every key-on (radio amateurs call it chirp), and drift as they warm up.

    Args:
        rng: Draws by how much (up to 0.15 cycles per sample), how fast, and the drift.
        is_on: When it sends, shape (n,).

    Returns:
        Shape (n,) complex64.
    """
    n = len(is_on)
    samples = np.arange(n)
    starts = np.where(is_on & ~np.concatenate([[False], is_on[:-1]]), samples, 0)
    since_on = samples - np.maximum.accumulate(starts)
    first, settling = rng.uniform(-0.15, 0.15), np.exp(rng.uniform(np.log(10), np.log(1500)))
    drift = rng.uniform(-0.05, 0.05) / n
    return phasor(np.cumsum(first * np.exp(-since_on / settling) + drift * samples))


def keyed(
    symbols: NDArray[np.complex128],
    length: int,
    rolloff: float | None,
    *,
    matched: bool = False,
    delay: float = 0.0,
    staggered: bool = False,
) -> NDArray[np.complex128]:
    """Send symbols through a pulse, once and evenly over `length` samples.

    Args:
        symbols: One period, shape (n_symbols,).
        length: Samples that they take.
        rolloff: Of the root raised cosine; None holds each symbol until the next.
        matched: Shape twice, as behind a receiver's matched filter.
        delay: Of all symbols, in symbols.
        staggered: Q half a symbol late.

    Returns:
        Shape (length,), periodic, of the power of the symbols.
    """
    if rolloff is None:
        return _rectangular(symbols, length, delay, staggered)
    spectrum = _shaped(symbols, rolloff, matched, delay, staggered)
    return _synthesise(spectrum, length) * (length / len(symbols))


def _shaped(
    symbols: NDArray[np.complex128], rolloff: float, matched: bool, delay: float, staggered: bool
) -> NDArray[np.complex128]:
    """Return the occupied bins, -last to last, of symbols shaped by a root raised cosine.

    Args:
        symbols: One period.
        rolloff: Of the pulse.
        matched: Shape twice.
        delay: Of all symbols, in symbols.
        staggered: Q half a symbol late.
    """
    n_symbols = len(symbols)
    last = int(n_symbols * (1 + rolloff) / 2)
    k = np.arange(-last, last + 1)
    f = k / n_symbols  # in symbol rates
    if staggered:
        i, q = np.fft.fft(symbols.real), np.fft.fft(symbols.imag)
        tiled = i[k % n_symbols] + 1j * np.exp(-1j * np.pi * f) * q[k % n_symbols]
    else:
        tiled = np.fft.fft(symbols)[k % n_symbols]
    response = root_raised_cosine(f, rolloff)
    pulse = response**2 if matched else response
    bins: NDArray[np.complex128] = tiled * pulse * np.exp(-2j * np.pi * f * delay)
    return bins


def _synthesise(bins: NDArray[np.complex128], length: int) -> NDArray[np.complex128]:
    """Turn the bins -last to last into samples; what the rate cannot hold is cut off."""
    last = min(len(bins) // 2, length // 2 - 1)
    middle = len(bins) // 2
    spectrum = np.zeros(length, np.complex128)
    spectrum[np.arange(-last, last + 1)] = bins[middle - last : middle + last + 1]
    return np.fft.ifft(spectrum)


def _rectangular(
    symbols: NDArray[np.complex128], length: int, delay: float, staggered: bool
) -> NDArray[np.complex128]:
    """Hold each symbol until the next."""
    position = np.arange(length) * (len(symbols) / length) + delay
    held: NDArray[np.complex128] = symbols[position.astype(int) % len(symbols)]
    if staggered:
        held = held.real + 1j * symbols[(position + 0.5).astype(int) % len(symbols)].imag
    return held
