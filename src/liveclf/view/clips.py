"""The samples of one emission: cut out of the band, at a rate of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.dsp.extract import Complex, Extractor
from liveclf.dsp.formats import FORMATS, as_complex
from liveclf.emissions import Emission
from liveclf.live.history import History
from liveclf.records import Block

_OVERSAMPLING = 3.0  # as the network gets it, see `live.finder`
_MOST_SAMPLES = 1 << 18  # of a clip, 2 MB; of a longer emission it is the end
_MOST_READ = 1 << 23  # of the band, for one clip: some hundred transforms
_CHUNK_S, _LEAST_CHUNK = 0.025, 4096
_POINTS, _TRACE = 512, 256  # of what is drawn


@dataclass(frozen=True, slots=True)
class Clip:
    """An emission at baseband.

    Attributes:
        iq: (n,) complex64.
        sample_rate_hz: Of these.
        offset_hz: Of its 0 Hz from the centre of the band.
        start_s: Of the first sample, from sample 0 of the stream.
        epoch_s: UNIX time of sample 0 of the stream, NaN if unknown.
        center_hz: Of the band, NaN if unknown.
        is_whole: Whether it is all of the emission so far.
    """

    iq: Complex
    sample_rate_hz: float
    offset_hz: float
    start_s: float
    epoch_s: float
    center_hz: float
    is_whole: bool


def cut_clip(emission: Emission, history: History) -> Clip | None:
    """Cut an emission out of the newest samples; None if they are no longer there.

    Args:
        emission: With a known rate.
        history: Of its stream.
    """
    start, stop = emission.sample, emission.sample + emission.n_samples
    found = history.between(max(start, stop - _MOST_READ), stop)
    if not found or emission.offset_hz is None or emission.bandwidth_hz is None:
        return None
    blocks = [b for b in found if b.stretch == found[-1].stretch]
    first, rate_hz = blocks[0].start_sample, blocks[0].sample_rate_hz
    chunk = max(_LEAST_CHUNK, 2 ** math.ceil(math.log2(rate_hz * _CHUNK_S)))
    extractor = Extractor(chunk, lambda low, high: _read(blocks, low, high))
    wanted = min(1.0, _OVERSAMPLING * emission.bandwidth_hz / rate_hz)
    tuning = extractor.tuning(emission.offset_hz / rate_hz, wanted)
    rate = extractor.rate(tuning)
    first = max(first, stop - math.ceil(_MOST_SAMPLES / rate))
    iq, at_sample = extractor.cut(first, stop, stop, tuning)
    return Clip(
        iq=iq,
        sample_rate_hz=rate_hz * rate,
        offset_hz=tuning.center_bin / chunk * rate_hz,
        start_s=at_sample / rate_hz,
        epoch_s=blocks[0].epoch_s,
        center_hz=blocks[0].center_hz,
        is_whole=first == start,
    )


def block_of(clip: Clip) -> Block:
    """Return the samples as a block, of a stream that begins with them."""
    iq = np.ascontiguousarray(clip.iq).view(np.float32).reshape(-1, 2)
    return Block(
        iq=iq,
        format=FORMATS["cf32"],
        start_sample=0,
        segment=0,
        sample_rate_hz=clip.sample_rate_hz,
        center_hz=clip.center_hz + clip.offset_hz,
        epoch_s=clip.epoch_s + clip.start_s,
        received_s=0.0,
    )


def drawn(clip: Clip) -> dict[str, Any]:
    """Return what is drawn of a clip: symbols or samples in the plane, and a window.

    Both are of the strongest part, scaled to unit mean power.
    """
    y = _strongest(clip.iq, 8192)
    power = float(np.mean(np.abs(y) ** 2)) if len(y) else 0.0
    y = y / math.sqrt(power) if power > 0 else y
    points, period = _symbols(y)
    trace = _strongest(y, _TRACE)
    return {
        "points": _pairs(points[:_POINTS]),
        "symbol_rate_hz": clip.sample_rate_hz / period if period else None,
        "trace": _pairs(trace),
        "trace_s": len(trace) / clip.sample_rate_hz,
        "clip_samples": len(clip.iq),
        "clip_rate_hz": clip.sample_rate_hz,
        "is_whole": clip.is_whole,
    }


def _read(blocks: Sequence[Block], start: int, stop: int) -> Complex:
    """Return samples [start, stop); those that there are not are 0."""
    iq = np.zeros(stop - start, np.complex64)
    for block in blocks:
        low = max(start, block.start_sample)
        high = min(stop, block.start_sample + len(block.iq))
        if low < high:
            part = block.iq[low - block.start_sample : high - block.start_sample]
            iq[low - start : high - start] = as_complex(part, block.format)
    return np.asarray(np.nan_to_num(iq, nan=0.0, posinf=0.0, neginf=0.0))


def _strongest(iq: Complex, n: int) -> Complex:
    """Return so many samples in a row, where the power is."""
    if len(iq) <= n:
        return iq
    energy = np.concatenate([[0.0], np.cumsum(np.abs(iq) ** 2, dtype=np.float64)])
    starts = np.arange(0, len(iq) - n + 1, max(1, n // 4))
    best = starts[int(np.argmax(energy[starts + n] - energy[starts]))]
    return iq[best : best + n]


_CLEAR = 6.0  # a line over the median of its surroundings, as a ratio of magnitudes
_PERIODS = (2.0, 12.0)  # samples per symbol that are looked for
_FINER = 8


def _symbols(y: Complex) -> tuple[Complex, float | None]:
    """Return samples in the middle of the symbols, and the samples per symbol.

    The symbol rate is a line in the spectrum of the squared magnitude, and its phase the timing
    (M. Oerder and H. Meyr, Digital filter and square timing recovery, IEEE Trans. Commun.
    36(5), 1988). A carrier that is a line of the fourth power is turned back. Where there is
    no line all samples are returned, and no period.
    """
    if len(y) < 256:
        return y, None
    n = len(y)
    squared = np.abs(y) ** 2
    line = np.fft.rfft((squared - squared.mean()) * np.hanning(n), _FINER * n)
    low, high = int(_FINER * n / _PERIODS[1]), int(_FINER * n / _PERIODS[0])
    peak = low + int(np.argmax(np.abs(line[low:high])))
    if np.abs(line[peak]) < _CLEAR * np.median(np.abs(line[low:high])):
        return y, None
    period = _FINER * n / peak
    phase = np.angle(np.sum(squared * np.exp(-2j * np.pi * np.arange(n) / period)))
    first = (-phase / (2 * np.pi)) % 1 * period
    at = np.arange(first, n - 1, period)
    points = np.interp(at, np.arange(n), y.real) + 1j * np.interp(at, np.arange(n), y.imag)
    return _turned_back(points.astype(np.complex64)), period


def _turned_back(points: Complex) -> Complex:
    """Take out the rest of a carrier, where the fourth power has a line."""
    n = len(points)
    spectrum = np.fft.fft(points**4, _FINER * n)
    peak = int(np.argmax(np.abs(spectrum)))
    if np.abs(spectrum[peak]) < _CLEAR * np.median(np.abs(spectrum)):
        return points
    step = np.fft.fftfreq(_FINER * n)[peak] / 4
    turned = points * np.exp(-2j * np.pi * step * np.arange(n))
    turn = np.angle(np.sum(turned**4)) / 4 - np.pi / 4
    return np.asarray(turned * np.exp(-1j * turn), np.complex64)


def _pairs(iq: NDArray[Any]) -> list[list[float]]:
    parts = np.stack([iq.real, iq.imag], axis=1).astype(np.float64)
    pairs: list[list[float]] = parts.round(3).tolist()
    return pairs
