"""The symbol rate of one emission, where it shows one.

Two ways, and None where neither is sure:

- What is keyed between two levels, of the envelope (OOK, line codes) or of the frequency
  (FSK), changes at multiples of a unit, the shortest pulse. The times of the changes are the
  measurement; how well they fit is told by the length of their mean phasor.
- What is not keyed so plainly is cyclostationary: a nonlinearity of it has a line at the
  symbol rate. Looked at are the envelope of the edges of the band (linear modulation with a
  roll-off), the steps of the delayed product (rectangular pulses, FSK), and the square
  (GMSK, OQPSK).

Sources: W. A. Gardner, Exploitation of spectral redundancy in cyclostationary signals, IEEE
Signal Process. Mag. 8(2), 1991; L. E. Franks and J. P. Bubrouski, Statistical properties of
timing jitter in a PAM timing recovery scheme, IEEE Trans. Commun. 22(7), 1974 (why the edges
of the band); K. V. Mardia and P. E. Jupp, Directional Statistics, 2000, 6.3.1 (the Rayleigh
test).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Complex = NDArray[np.complex64]
Real = NDArray[np.floating[Any]]

MOST_SAMPLES = 8192  # more cost more than they tell
FEWEST_SAMPLES = 256
FALSE_ALARMS = 1e-4  # of each test, on noise

# Of the changes between two levels.
_BLUR = 0.62  # spread of two levels over their distance, at most
_HYSTERESIS = 0.25
_FEWEST_CHANGES = 12
_SHORT, _LONG = 0.75, 1.35  # the unit over the shorter runs
_COHERENCE = 0.8
_VARIED = 0.1  # of the runs, at least, have another length than most: tones have not

# Of the lines. Frequencies are over the occupied bandwidth.
_PASSED = 0.6
_EDGES = (0.3, 0.6)  # where the two ends of a band with roll-off overlap, shifted by the rate
_LINEAR_RATES = (0.5, 1.25)
_FEWEST_PERIODS = 24
_GUARD, _BESIDE = 4, 48  # bins: the line itself, and what it is compared with
_MOST_LINES, _MOST_DIVISOR = 12, 12
_LEAST_KNOWN = 13.0  # height of a line at a place that is known
_EXPLAINED = 0.8  # of the lines, by their heights, are multiples of the rate
_TONE = 30.0  # height
# Share of tones in the power: of what is periodic, so no data; and of a linear modulation.
_PERIODIC, _NO_TONES = 0.6, 0.1
# Share of the middle half of the band in the power: of a flat spectrum, and of a rounder one.
_FLAT, _ROUND = (0.47, 0.66), 0.9
_STEADY = 1.3  # fourth moment of what has a constant envelope and noise
_LIVELY = 2.4  # and of on-off keying; what is livelier is speech
_CHIRP = 1.1  # and of a chirp, whose spectrum is flat too


@dataclass(frozen=True, slots=True)
class SymbolRate:
    """What was found.

    Attributes:
        per_sample: Symbols per sample; of a line code units, the shortest pulses.
        strength: -ln of the probability that noise looks so.
    """

    per_sample: float
    strength: float


def symbol_rate(iq: Complex, bandwidth: float) -> SymbolRate | None:
    """Estimate the symbol rate of one emission.

    Args:
        iq: Samples, shape (n,), the emission around 0 Hz.
        bandwidth: That it occupies, cycles per sample.

    Returns:
        None where no rate is sure; so of noise, a carrier, speech, OFDM and LoRa.
    """
    iq = _strongest(iq)
    power = float(np.mean(np.abs(iq) ** 2)) if len(iq) else 0.0
    if len(iq) < FEWEST_SAMPLES or not 0 < power < math.inf:
        return None
    bands = _Bands(iq, bandwidth)
    return _keyed(bands.inside) or _cyclic(bands)


def _strongest(iq: Complex) -> Complex:
    """Return the part with the most energy, of a length that is quickly transformed."""
    n = min(len(iq), MOST_SAMPLES) // 64 * 64
    if n in (0, len(iq)):
        return iq
    energy = np.concatenate([[0.0], np.cumsum(np.abs(iq) ** 2, dtype=np.float64)])
    starts = np.arange(0, len(iq) - n + 1, max(1, n // 4))
    k = int(starts[np.argmax(energy[starts + n] - energy[starts])])
    return iq[k : k + n]


class _Bands:
    """An emission, and parts of its spectrum.

    Attributes:
        n: Samples.
        bandwidth: Occupied, in bins.
        inside: What is inside of the band, mean power 1.
    """

    def __init__(self, iq: Complex, bandwidth: float) -> None:
        self._iq, self.n = iq, len(iq)
        self.bandwidth = bandwidth * self.n
        self._spectrum: Complex = fft.fft(iq)
        self._f = np.abs(fft.fftfreq(self.n)).astype(np.float32) / np.float32(bandwidth)
        self.inside = self._between(0.0, _PASSED, 0.12)
        self.inside /= np.sqrt(np.mean(np.abs(self.inside) ** 2))

    def edges(self) -> Complex:
        """Return what is at the edges of the band."""
        return self._between(*_EDGES, 0.15)

    def _between(self, low: float, high: float, slope: float) -> Complex:
        gain = np.clip((high - self._f) / slope + 0.5, 0, 1)
        if low > 0:
            gain *= np.clip((self._f - low) / slope + 0.5, 0, 1)
        out: Complex = fft.ifft(self._spectrum * gain)
        return out

    def share_of_tones(self) -> float:
        """Return how much of the power, but for a carrier, is in lines."""
        lines = _Lines(self._iq)
        band = np.abs(np.arange(self.n) - self.n // 2) < _PASSED * self.bandwidth
        power, height = lines.power[band], lines.height[band]
        carrier = int(np.argmax(power))
        power[max(0, carrier - _GUARD) : carrier + _GUARD + 1] = 0
        return float(power[height > _TONE].sum() / max(power.sum(), 1e-30))

    def share_of_the_middle(self) -> float:
        """Return how much of the power, but for a carrier, is in the middle half of the band."""
        power = np.abs(self._spectrum) ** 2
        power[np.argmax(power)] = 0
        power[power > np.partition(power, -self.n // 512)[-self.n // 512]] = 0
        return float(power[self._f < 0.25].sum() / power[self._f < 0.5].sum())


# Changes between two levels.


def _keyed(inside: Complex) -> SymbolRate | None:
    """Look at the envelope, then at the frequency."""
    found = _unit_rate(np.abs(inside))
    if found is None:
        product = inside[1:] * inside[:-1].conj()
        # Weighted, because where a phase jumps the frequency has a spike and the amplitude a dip.
        frequency = np.angle(product) * np.minimum(np.abs(product), 1)
        found = _unit_rate(frequency) or _unit_rate(_smoothed(frequency, 3))
    return found


def _smoothed(x: Real, width: int) -> Real:
    total = np.concatenate([[0.0], np.cumsum(x, dtype=np.float64)])
    return (total[width:] - total[:-width]) / width


def _unit_rate(x: Real) -> SymbolRate | None:
    """Fit a unit of time to the changes between two levels."""
    times = _changes(x)
    if len(times) < _FEWEST_CHANGES:
        return None
    runs = np.diff(times)
    short = float(np.sort(runs)[len(runs) // 10])
    if short < 1.5:
        return None
    phasors, step = _phasors(times)
    low, high = int(1 / (_LONG * short * step)), int(1 / (_SHORT * short * step)) + 1
    k = low + int(np.argmax(phasors[low:high]))
    rate, coherence = _refined(times, k * step)
    strength = len(times) * coherence**2 - math.log(high - low)
    units = np.round(runs * rate).astype(int)
    varied = float(np.mean(units != np.bincount(units).argmax()))
    if coherence < _COHERENCE or strength < -math.log(FALSE_ALARMS) or varied < _VARIED:
        return None
    return SymbolRate(rate, strength)


def _changes(x: Real) -> Real:
    """Return when it crosses the middle between its two levels; nothing if it has not two."""
    some = x[:: max(1, len(x) // 512)]  # enough for levels
    middle = float(some.mean())
    for _ in range(3):  # two means
        above = some > middle
        if above.all() or not above.any():
            return np.empty(0)
        high, low = some[above], some[~above]
        middle = 0.5 * float(high.mean() + low.mean())
    apart = float(high.mean() - low.mean())
    if high.std() + low.std() > _BLUR * apart:
        return np.empty(0)
    clear = np.flatnonzero(np.abs(x - middle) > _HYSTERESIS * apart)
    side = x[clear] > middle
    at = np.flatnonzero(side[1:] != side[:-1])
    before, after = clear[at], clear[at + 1]
    a, b = x[before], x[after]
    return np.asarray(before + (middle - a) / (b - a) * (after - before), np.float64)


def _phasors(times: Real) -> tuple[Real, float]:
    """Return the spectrum of impulses at these times, and its step in cycles per sample."""
    fine = 2.0 * (times - times[0])  # half samples
    whole = fine.astype(int)
    n = int(whole[-1]) + 2
    comb = np.bincount(whole, whole + 1 - fine, n) + np.bincount(whole + 1, fine - whole, n)
    size = fft.next_fast_len(2 * n, real=True)
    return np.abs(fft.rfft(comb, size)), 2.0 / size


def _refined(times: Real, rate: float) -> tuple[float, float]:
    """Return the rate that fits best near one, and the length of the mean phasor there."""
    for _ in range(2):
        phase = np.angle(np.exp(2j * np.pi * rate * times).sum()) / (2 * np.pi)
        counts = np.round(rate * times - phase)
        counts -= counts.mean()
        rate = float(counts @ counts / (counts @ times))
    return rate, float(np.abs(np.exp(2j * np.pi * rate * times).mean()))


# Lines.


class _Lines:
    """The spectrum of something, with a Hann window, and how far each bin stands out."""

    def __init__(self, x: NDArray[Any]) -> None:
        x = (x - x.mean()) * _hann(len(x))
        spectrum = fft.fftshift(fft.fft(x)) if np.iscomplexobj(x) else fft.rfft(x)
        self.power = spectrum.real**2 + spectrum.imag**2
        self.height = _heights(self.power)

    def clear(self, low: int, high: int) -> list[tuple[float, float]]:
        """Return places, in bins, and heights of the lines between two bins, highest first."""
        height = self.height[low:high].copy()
        least = _least_height(high - low)
        found: list[tuple[float, float]] = []
        while len(found) < _MOST_LINES:
            k = int(np.argmax(height))
            if height[k] < least:
                break
            found.append((self._place(low + k), float(height[k])))
            height[max(0, k - 2 * _GUARD) : k + 2 * _GUARD + 1] = 0
        return found

    def is_known(self, place: float) -> bool:
        """Say whether there is a line at a place that is looked at for another reason."""
        k = round(place)
        return bool(self.height[k - 1 : k + 2].max() > _LEAST_KNOWN)

    def _place(self, k: int) -> float:
        """Return where a line is, with a fraction, by its neighbours."""
        a, b, c = np.sqrt(self.power[k - 1 : k + 2].astype(np.float64))
        bend = 2 * b - a - c
        return k + (float((c - a) / (2 * bend)) if bend > 0 else 0.0)


@lru_cache(maxsize=8)
def _hann(n: int) -> Real:
    return np.hanning(n).astype(np.float32)


def _heights(power: Real) -> Real:
    """Return each bin over the mean of those beside it, on the side where that is more."""
    n, width = len(power), _BESIDE - _GUARD
    total = np.concatenate([[0.0], np.cumsum(power, dtype=np.float64)])
    means = ((total[width:] - total[:-width]) / width).astype(power.dtype)  # from bin k on
    ground = np.zeros(n, power.dtype)
    ground[_BESIDE:] = means[: n - _BESIDE]
    right = means[_GUARD + 1 :]
    ground[: len(right)] = np.maximum(ground[: len(right)], right)
    return power / np.maximum(ground, np.float32(1e-30))


def _least_height(n_bins: int) -> float:
    """Return the height that noise exceeds in `FALSE_ALARMS` of the spectra.

    Its bins are exponentially distributed, and what they are compared with is a mean of some:
    the cell-averaging detector of a constant false-alarm rate.
    """
    m = _BESIDE - _GUARD
    return m * float((n_bins / FALSE_ALARMS) ** (1 / m) - 1)


def _strength(height: float, n_bins: int) -> float:
    m = _BESIDE - _GUARD
    return m * math.log1p(height / m) - math.log(n_bins)


def _cyclic(bands: _Bands) -> SymbolRate | None:
    """Look for lines of the rate and its multiples, and doubt them."""
    low, high = _FEWEST_PERIODS, min(int(_LINEAR_RATES[1] * bands.bandwidth), bands.n // 2 - 2)
    if high - low < 2 * _BESIDE:
        return None
    edges = _Lines(np.abs(bands.edges()) ** 2)
    steps = _Lines(_steps(bands.inside))
    lines = edges.clear(low, high) + steps.clear(low, high)
    if not lines:
        square = _rate_of_square(bands)
        return None if square is None or bands.share_of_tones() > _PERIODIC else square
    place = _fundamental(lines)
    tones = bands.share_of_tones()
    if place is None or tones > _PERIODIC:
        return None
    for divisor in range(min(_MOST_DIVISOR, int(place / low)), 1, -1):
        if steps.is_known(place / divisor):
            place /= divisor
            break
    fourth = float(np.mean(np.abs(bands.inside) ** 4))
    if place < _LINEAR_RATES[0] * bands.bandwidth:
        rungs = (2,) if fourth < _STEADY else (2, 3)
        is_sure = fourth < _LIVELY and all(
            edges.is_known(k * place) or steps.is_known(k * place) for k in rungs
        )
    else:
        is_sure = tones < _NO_TONES and _is_first(place, bands, steps, fourth)
    strongest = max(height for _, height in lines)
    return SymbolRate(place / bands.n, _strength(strongest, high - low)) if is_sure else None


def _steps(inside: Complex) -> Real:
    """Return how far the delayed product moves in two samples, squared, shape of the input."""
    product = inside[1:] * inside[:-1].conj()
    step = product[2:] - product[:-2]
    power = step.real**2 + step.imag**2
    return np.concatenate([power, np.full(3, power.mean(), power.dtype)])


def _fundamental(lines: list[tuple[float, float]]) -> float | None:
    """Return the lowest line that the others are multiples of."""
    places, heights = np.array(lines).T
    for place in np.sort(places):
        ratio = places / place
        fits = np.abs(ratio - np.round(ratio)) * place < 0.7 + 0.15 * ratio
        if heights[fits].sum() > _EXPLAINED * heights.sum():
            return float(place)
    return None


def _is_first(place: float, bands: _Bands, steps: _Lines, fourth: float) -> bool:
    """Doubt a line as high as the rate of a linear modulation: is it a multiple of another?"""
    middle = bands.share_of_the_middle()
    if _FLAT[0] < middle < _FLAT[1]:
        return fourth > _CHIRP
    if not _FLAT[1] <= middle < _ROUND:
        return False
    square = _rate_of_square(bands)
    if square is not None and abs(square.per_sample * bands.n - place) < 2:
        return True
    return fourth < _STEADY and steps.is_known(place)


def _rate_of_square(bands: _Bands) -> SymbolRate | None:
    """Look for two lines in the square: one rate apart, or if symbols are staggered two."""
    lines = _Lines(bands.inside * bands.inside)
    reach = int(1.2 * bands.bandwidth)
    low, high = max(1, bands.n // 2 - reach), min(bands.n - 2, bands.n // 2 + reach)
    clear = lines.clear(low, high)
    if len(clear) != 2:
        return None
    apart = abs(clear[0][0] - clear[1][0])
    rate = apart / 2 if apart > 1.4 * bands.bandwidth else apart
    if not _LINEAR_RATES[0] < rate / bands.bandwidth < _LINEAR_RATES[1]:
        return None
    return SymbolRate(rate / bands.n, _strength(clear[1][1], high - low))
