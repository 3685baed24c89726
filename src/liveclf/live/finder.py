"""Signals instead of the whole band: blocks in, windows of each emission out.

    blocks --+--> Detector --Found--.
             '--> samples kept ------+--> Extractor --> windows of one emission

A burst is cut when it has ended, a longer signal piece by piece while it lasts. In place of
the framer: where that cuts the band, this cuts what is in it.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from liveclf.config import DetectSettings
from liveclf.dsp.detect.band import occupied_band
from liveclf.dsp.detect.detector import Detector, Found
from liveclf.dsp.detect.resolution import NOMINAL_RATE_HZ, Resolution
from liveclf.dsp.extract import Extractor, Tuning
from liveclf.dsp.formats import as_complex
from liveclf.dsp.normalise import unit_power
from liveclf.dsp.spacing import EvenChoice
from liveclf.dsp.symbol_rate import SymbolRate, symbol_rate
from liveclf.emissions import Heard
from liveclf.records import Block, Windows

Complex = NDArray[np.complex64]

_PIECE_S = 0.25  # of a signal that lasts, cut at a time
_LEAST_PIECE_ROWS = 64
_FEW_WINDOWS, _MOST_WINDOWS = 4, 16  # of a piece: more say nothing new
# Samples per hertz of the occupied band. Of a linear modulation that is 2 to 3 samples a symbol.
_OVERSAMPLING = 3.0
MOST_OVERSAMPLING = 10.0
"""Of a burst that is shorter than a window, up to this, so as to fill it."""
_RETUNED = 1.5  # a band that has grown by so much is cut anew
_PAUSE_RATIO = 0.1  # a window so much weaker than the strongest lies between bursts
# A band of fewer bins than this is measured again, on so many times its width.
_COARSE_BINS, _CLOSE_UP, _CLOSE_UP_BINS = 24, 2.0, 128
_CHUNK_S, _LEAST_CHUNK = 0.025, 4096


class Finds(Protocol):
    """What finds the emissions of one stretch, as a `Detector` does."""

    left_out: Counter[str]

    @property
    def seen_samples(self) -> int:
        """Samples of the stretch up to which all signals are known."""
        ...

    def push(self, iq: Complex) -> list[Found]:
        """Take samples; return the signals that have ended."""
        ...

    def lasting(self, least_samples: int) -> list[Found]:
        """Return the signals that have not ended, and have lasted for so long."""
        ...

    def flush(self) -> list[Found]:
        """End the stretch; return what had not ended."""
        ...


# Called with the first block of a stretch.
BeginDetector = Callable[[Block, Resolution], Finds]


@dataclass(slots=True)
class _Cut:
    """How far an emission has been cut."""

    id: int
    next_sample: int
    tuning: Tuning
    width: float
    band: tuple[float, float] = (0.0, 0.0)
    n_windows: int = 0
    note: str | None = None
    symbol_rate: SymbolRate | None = None  # per sample of the stretch

    def learn_symbol_rate(self, y: Complex, rate: float) -> None:
        """Look for the symbol rate in a piece, and keep the clearest."""
        found = symbol_rate(y, (self.band[1] - self.band[0]) / rate)
        if found and (self.symbol_rate is None or found.strength > self.symbol_rate.strength):
            self.symbol_rate = SymbolRate(found.per_sample * rate, found.strength)


class Finder:
    """Finds emissions and cuts windows of them; the place of a `Framer`.

    Attributes:
        windows: Windows given out.
        skipped: Windows cut and not given out, by reason: "late", "stride" and "zero power".
        short_samples: None here: what fills no window has its surroundings in it.
        emissions: Found so far, told or not.
        left_out: What was found and is not told, by reason.
        min_snr_db: Weaker ones are left out; may be set at any time, from any thread.
    """

    def __init__(
        self,
        window_samples: int,
        settings: DetectSettings,
        stream_id: int = 0,
        begin: BeginDetector | None = None,
    ) -> None:
        """Set what is looked for.

        Args:
            window_samples: Length of a window.
            settings: What counts as an emission.
            stream_id: Number of the stream, for the windows.
            begin: Gives what finds the emissions of each stretch; None: a `Detector`.
        """
        self._window, self._settings, self._stream_id = window_samples, settings, stream_id
        self.min_snr_db = settings.min_snr_db
        self._begin = begin or _detector
        self._stretch: _Stretch | None = None
        self._block: Block | None = None  # the newest
        self._choice = EvenChoice()
        self._heard: list[Heard] = []
        self.windows = self.short_samples = self.emissions = 0
        self.skipped = Counter({"late": 0, "stride": 0, "zero power": 0})
        self.left_out: Counter[str] = Counter()

    def push(self, block: Block, *, is_late: bool = False, share: float = 1.0) -> Iterator[Windows]:
        """Take a block and yield the windows of what is found by now.

        Args:
            block: The next one.
            is_late: Leave the windows out, and count them; what is found is told all the same.
            share: Of the windows to give out, evenly spaced; the others are counted.
        """
        last = self._block
        if last is not None and (
            block.stretch != last.stretch or block.start_sample != last.start_sample + len(last.iq)
        ):
            yield from self.flush()
        self._block = block
        if self._stretch is None:
            self._stretch = _Stretch(block, self._settings, self._begin)
        found = self._stretch.push(block)
        yield from self._cut_all(found, is_late=is_late, share=share)

    def flush(self) -> Iterator[Windows]:
        """End the stretch, and yield the windows of what had not ended."""
        if self._stretch is not None:
            found = self._stretch.flush()
            yield from self._cut_all(found, is_late=False, share=1.0)
        self._stretch = self._block = None

    def heard(self) -> list[Heard]:
        """Return what is new of emissions since the last call, in the order of their ends."""
        heard, self._heard = self._heard, []
        return heard

    def _cut_all(self, found: list[Found], *, is_late: bool, share: float) -> Iterator[Windows]:
        assert self._stretch is not None
        self.left_out.update(self._stretch.detector.left_out)
        self._stretch.detector.left_out.clear()
        for one in found:
            is_weak = 10 * math.log10(max(one.snr, 1e-9)) < self.min_snr_db
            if is_weak and one.number not in self._stretch.cuts:  # else its end is told
                self.left_out["too weak"] += one.has_ended
                continue
            yield from self._cut(one, is_late=is_late, share=share)

    def _cut(self, found: Found, *, is_late: bool, share: float) -> Iterator[Windows]:
        stretch, block = self._stretch, self._block
        assert stretch is not None
        assert block is not None
        cut = stretch.cuts.get(found.number)
        if cut is None:
            self.emissions += 1
            cut = stretch.begin(found, self.emissions, self._window)
        elif (found.high - found.low) > _RETUNED * cut.width:
            stretch.tune(cut, found, self._window)
        y, starts = stretch.samples(cut, found, self._window)
        if len(starts):
            windows = self._windows(y, starts, cut, stretch, block)
            n, taken = len(windows), np.ones(len(windows), bool)
            if is_late:
                taken[:] = False
                self.skipped["late"] += n
            elif share < 1:
                taken = self._choice.take(n, share)
                self.skipped["stride"] += n - int(taken.sum())
            windows = windows[taken]
            cut.n_windows += len(windows)
            self.windows += len(windows)
            if len(windows):
                yield windows
        if len(starts) or found.has_ended:
            self._heard.append(_heard(found, cut, stretch, block))
        if found.has_ended:
            del stretch.cuts[found.number]

    def _windows(
        self, y: Complex, starts: NDArray[np.float64], cut: _Cut, stretch: _Stretch, block: Block
    ) -> Windows:
        rate = stretch.extractor.rate(cut.tuning)
        x, power = unit_power(np.stack([y.real, y.imag], axis=1).astype(np.float32))
        n = len(x)
        center = cut.tuning.center_bin / stretch.chunk_samples * block.sample_rate_hz
        usable = power > 0
        windows = Windows(
            x=x,
            stream_id=np.full(n, self._stream_id),
            emission_id=np.full(n, cut.id),
            start_sample=stretch.start_sample + np.round(starts).astype(np.int64),
            gap_before=np.zeros(n, np.int64),
            power_dbfs=10 * np.log10(np.maximum(power, np.float32(1e-20))),
            sample_rate_hz=np.full(n, block.sample_rate_hz * rate),
            center_hz=np.full(n, block.center_hz + center),
            epoch_s=np.full(n, block.epoch_s),
            received_s=np.full(n, block.received_s),
        )
        self.skipped["zero power"] += n - int(usable.sum())
        return windows[usable]


class _Stretch:
    """Samples without a gap, and what is found in them."""

    def __init__(self, block: Block, settings: DetectSettings, begin: BeginDetector) -> None:
        rate_hz = block.sample_rate_hz if block.sample_rate_hz > 0 else NOMINAL_RATE_HZ
        self.resolution = resolution = Resolution.at(rate_hz, settings.gap_s)
        hop = resolution.hop_samples
        self.start_sample = block.start_sample
        self.detector = begin(block, resolution)
        self.chunk_samples = max(_LEAST_CHUNK, 2 ** math.ceil(math.log2(rate_hz * _CHUNK_S)))
        self.extractor = Extractor(self.chunk_samples, self._read)
        self.cuts: dict[int, _Cut] = {}
        self._piece = max(round(_PIECE_S * rate_hz), _LEAST_PIECE_ROWS * hop)
        self._samples = _Newest(
            resolution.memory_rows * hop + 2 * self._piece + 2 * self.chunk_samples
        )

    def push(self, block: Block) -> list[Found]:
        iq = as_complex(block.iq, block.format)
        if not np.isfinite(iq.view(np.float32)).all():
            iq = np.nan_to_num(iq, nan=0.0, posinf=0.0, neginf=0.0)
        self._samples.push(iq)
        ended = self.detector.push(iq)
        return ended + [f for f in self.detector.lasting(self._piece) if self._is_due(f)]

    def flush(self) -> list[Found]:
        return self.detector.flush()

    def begin(self, found: Found, number: int, window: int) -> _Cut:
        cut = _Cut(number, found.start, Tuning(0, 0), 0.0)
        self.tune(cut, found, window)
        self.cuts[found.number] = cut
        return cut

    def tune(self, cut: _Cut, found: Found, window: int) -> None:
        """Choose where an emission is brought to 0 Hz, and at which rate."""
        cut.width = found.high - found.low
        cut.band = low, high = self._band(found)
        # Of AM, the carrier alone may have 99 % of the power: one bin leaves room for the rest.
        width = max(high - low, 1 / self.resolution.n_bins)
        filling = window / found.active
        rate = min(max(_OVERSAMPLING * width, filling), MOST_OVERSAMPLING * width, 1.0)
        cut.tuning = self.extractor.tuning((low + high) / 2, rate)
        filled = found.active * self.extractor.rate(cut.tuning) / window
        cut.note = None
        if _OVERSAMPLING * width > 1.5:
            cut.note = f"fills {width:.0%} of the band: fewer samples a symbol than wanted"
        elif found.has_ended and filled < 0.25:
            cut.note = f"fills {filled:.0%} of a window"

    def _band(self, found: Found) -> tuple[float, float]:
        """Return the occupied band, looked at closely where the detector's bins are too wide."""
        if not found.noise:
            return found.low, found.high  # told, not measured
        width, middle = found.high - found.low, (found.low + found.high) / 2
        tuning = self.extractor.tuning(middle, min(1.0, _CLOSE_UP * width))
        rate = self.extractor.rate(tuning)
        last = min(found.stop, self._samples.stop)
        first = max(found.start, self._samples.start, last - self._piece)
        if width * self.resolution.n_bins > _COARSE_BINS or (last - first) * rate < _CLOSE_UP_BINS:
            return found.low, found.high
        y, _ = self.extractor.cut(first, last, self._samples.stop, tuning)
        low, high = occupied_band(y, found.noise * rate)
        center = tuning.center_bin / self.chunk_samples
        return center + low * rate, center + high * rate

    def samples(self, cut: _Cut, found: Found, window: int) -> tuple[Complex, NDArray[np.float64]]:
        """Return windows of what has not been cut yet, and where in the stretch they begin."""
        rate = self.extractor.rate(cut.tuning)
        known = self._samples.stop
        first = max(cut.next_sample, self._samples.start)
        last = found.stop if found.has_ended else min(found.stop, self.detector.seen_samples)
        whole = math.ceil(window / rate) + 1
        nothing = np.empty((0, window), np.complex64), np.empty(0)
        if last - first < whole:
            if cut.n_windows or not found.has_ended:
                return nothing
            first = max(0, (found.start + found.stop - whole) // 2)
            last = first + whole
        cut.next_sample = last
        y, start = self.extractor.cut(first, last, known, cut.tuning)
        cut.learn_symbol_rate(y, rate)
        places = _places(y, window)
        views = np.stack([y[k : k + window] for k in places]) if len(places) else nothing[0]
        return views, start + places / rate

    def _is_due(self, found: Found) -> bool:
        cut = self.cuts.get(found.number)
        return cut is None or found.stop - cut.next_sample >= self._piece

    def _read(self, start: int, stop: int) -> Complex:
        return self._samples.between(start, stop)


class _Newest:
    """The newest samples of a stretch."""

    def __init__(self, limit: int) -> None:
        self._limit, self._parts, self.start, self.stop = limit, deque[Complex](), 0, 0

    def push(self, iq: Complex) -> None:
        """Append samples, and forget those that are too old."""
        if not len(iq):
            return
        self._parts.append(iq)
        self.stop += len(iq)
        while self.stop - self.start - len(self._parts[0]) >= self._limit:
            self.start += len(self._parts.popleft())

    def between(self, start: int, stop: int) -> Complex:
        """Return samples [start, stop); those that there are not are 0."""
        iq = np.zeros(stop - start, np.complex64)
        place = self.start
        for part in self._parts:
            low, high = max(start, place), min(stop, place + len(part))
            if low < high:
                iq[low - start : high - start] = part[low - place : high - place]
            place += len(part)
        return iq


def _places(y: Complex, window: int) -> NDArray[np.int64]:
    """Return where windows begin: spread out over much, where the power is in little.

    Windows that are much weaker than the strongest lie between bursts, and are left out.
    """
    n = len(y)
    if n < window:
        return np.empty(0, np.int64)
    energy = np.concatenate([[0.0], np.cumsum(np.abs(y) ** 2, dtype=np.float64)])
    count = n // window
    if count > _FEW_WINDOWS:
        places = np.linspace(0, n - window, min(count, _MOST_WINDOWS)).astype(np.int64)
    else:
        places = np.arange(0, n - window + 1, window // 8)
    power = energy[places + window] - energy[places]
    strong = power >= _PAUSE_RATIO * power.max()
    if count > _FEW_WINDOWS:
        return np.asarray(places[strong])
    chosen: list[int] = []
    for k in places[strong][np.argsort(-power[strong], kind="stable")].tolist():
        if all(abs(k - other) >= window * 3 // 4 for other in chosen):
            chosen.append(k)
    return np.sort(np.array(chosen, np.int64))


def _detector(block: Block, resolution: Resolution) -> Finds:
    return Detector(resolution, _rounding_noise(block))


def _rounding_noise(block: Block) -> float:
    """Return the power of the rounding to integers, a sixth of a step squared, full scale 1."""
    if block.format.dtype.kind == "f":
        return 1e-12
    return 1 / 6 / block.format.full_scale**2


def _heard(found: Found, cut: _Cut, stretch: _Stretch, block: Block) -> Heard:
    return Heard(
        id=cut.id,
        has_ended=found.has_ended,
        start_sample=stretch.start_sample + found.start,
        stop_sample=stretch.start_sample + found.stop,
        low=cut.band[0],
        high=cut.band[1],
        snr=found.snr,
        power=found.power,
        symbol_rate=cut.symbol_rate.per_sample if cut.symbol_rate else None,
        n_windows=cut.n_windows,
        note=cut.note,
        sample_rate_hz=block.sample_rate_hz,
        center_hz=block.center_hz,
        epoch_s=block.epoch_s,
        received_s=block.received_s,
    )
