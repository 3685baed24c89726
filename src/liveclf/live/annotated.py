"""Windows of emissions that annotations tell of, cut as those that are found.

    blocks --around an annotation--> Finder, the annotation in the detector's place --> windows

So that a network is trained on what it is going to see.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from liveclf.config import DetectSettings
from liveclf.dsp.detect.detector import Found
from liveclf.dsp.detect.resolution import NOMINAL_RATE_HZ, Resolution
from liveclf.dsp.formats import FORMATS, as_complex
from liveclf.live.finder import MOST_OVERSAMPLING, Finder
from liveclf.records import Annotation, Block, FloatArray, Windows

MOST_WINDOWS = 256
"""Of one emission: more of it say little that is new."""

TOO_SHORT = "too short"
OUTSIDE = "outside the band"

# So much around an emission is given to the finder: one that is shorter than a window has its
# surroundings in that, too.
_MARGIN_S = 0.3
_LEAST_FILLED = 0.25  # of a window


@dataclass(frozen=True, slots=True)
class CutEmission:
    """The windows of one annotated emission.

    Attributes:
        annotation: What tells of it.
        x: Shape (n, 2, window) float32, unit mean power.
        why_none: Why there is no window of it, empty where there are some: `TOO_SHORT` (it
            fills less than a quarter of one, or that reaches beyond the recording) or
            `OUTSIDE`.
        n_left_out: Windows beyond `MOST_WINDOWS`, left out evenly.
        first_s: UNIX time of its first sample, NaN if unknown.
        last_s: The same, behind its last.
    """

    annotation: Annotation
    x: FloatArray
    why_none: str
    n_left_out: int
    first_s: float
    last_s: float


def cut_annotated(
    blocks: Iterable[Block], annotations: Sequence[Annotation], n_samples: int, window: int
) -> Iterator[CutEmission]:
    """Cut what annotations tell of, in the order of their ends.

    Args:
        blocks: Of one recording, in order.
        annotations: Of the emissions wanted.
        n_samples: Length of the recording.
        window: Samples of a window.
    """
    if len(annotations) == 1 and n_samples < window:
        blocks, annotations = _filling(list(blocks), annotations[0], n_samples, window)
    waiting = sorted(annotations, key=lambda a: a.start_sample)
    begun: list[_Cutter] = []
    for block in blocks:
        end = block.start_sample + len(block.iq)
        margin = round(_MARGIN_S * _rate_hz(block))
        while waiting and waiting[0].start_sample - margin < end:
            begun.append(_Cutter(waiting.pop(0), window))
        for cutter in begun:
            cutter.push(block, margin)
        for cutter in [c for c in begun if end >= c.annotation.stop_sample + margin]:
            begun.remove(cutter)
            yield cutter.end()
    yield from (cutter.end() for cutter in begun)


class _Cutter:
    """Cuts one emission."""

    def __init__(self, annotation: Annotation, window: int) -> None:
        self.annotation, self._window = annotation, window
        # One that stands in an annotation is not too weak.
        self._finder = Finder(window, DetectSettings(), begin=self._begin)
        self._kept = _Thinned(MOST_WINDOWS)
        self._told: _Told | None = None
        self._block: Block | None = None  # the newest, of what was given to the finder
        self._first_sample = 0  # of its stretch

    def push(self, block: Block, margin: int) -> None:
        """Take what of a block lies within a margin around the emission."""
        a = self.annotation
        low = max(0, a.start_sample - margin - block.start_sample)
        high = min(len(block.iq), a.stop_sample + margin - block.start_sample)
        if low >= high:
            return
        start, rate_hz = block.start_sample + low, _rate_hz(block)
        part = replace(block, iq=block.iq[low:high], start_sample=start, sample_rate_hz=rate_hz)
        # By hand, as the windows of the end are checked against the stretch that has ended.
        if self._block is not None and not _continues(self._block, part):
            self._flush()
        self._block = part
        self._keep(self._finder.push(part))

    def end(self) -> CutEmission:
        """Return the windows."""
        self._flush()
        block, a = self._block, self.annotation
        outside = self._told is not None and self._told.is_outside
        epoch_s = block.epoch_s if block else math.nan
        rate_hz = block.sample_rate_hz if block else math.nan
        return CutEmission(
            annotation=a,
            x=self._kept.all(self._window),
            why_none="" if len(self._kept) else OUTSIDE if outside else TOO_SHORT,
            n_left_out=self._kept.n_left_out,
            first_s=epoch_s + a.start_sample / rate_hz,
            last_s=epoch_s + a.stop_sample / rate_hz,
        )

    def _begin(self, block: Block, resolution: Resolution) -> _Told:
        self._first_sample = block.start_sample
        self._told = _Told(self.annotation, block)
        return self._told

    def _flush(self) -> None:
        self._keep(self._finder.flush())

    def _keep(self, cut: Iterable[Windows]) -> None:
        """Keep the windows that are filled and lie inside the stretch."""
        for windows in cut:
            assert self._block is not None
            end = self._block.start_sample + len(self._block.iq)
            a, per_sample = self.annotation, self._block.sample_rate_hz / windows.sample_rate_hz
            length = self._window * per_sample
            inside = (windows.start_sample >= self._first_sample) & (
                windows.start_sample + length <= end + per_sample
            )
            filled = (a.stop_sample - a.start_sample) / length
            self._kept.add(windows.x[inside & (filled >= _LEAST_FILLED)])


class _Told:
    """What an annotation says of one stretch, in the place of a `Detector`."""

    def __init__(self, annotation: Annotation, block: Block) -> None:
        self.left_out: Counter[str] = Counter()
        self.seen_samples = 0
        self._start = max(0, annotation.start_sample - block.start_sample)
        self._stop = annotation.stop_sample - block.start_sample
        self._low, self._high = _edges(annotation, block)
        self.is_outside = self._low >= self._high

    def push(self, iq: NDArray[np.complex64]) -> list[Found]:
        """Count samples; it is told to have ended when what comes after it is known, too."""
        self.seen_samples += len(iq)
        return []

    def lasting(self, least_samples: int) -> list[Found]:
        """Return it, if it goes on."""
        is_there = self._start + least_samples <= self.seen_samples < self._stop
        return self._so_far(has_ended=False) if is_there else []

    def flush(self) -> list[Found]:
        """Return it."""
        return self._so_far(has_ended=True)

    def _so_far(self, *, has_ended: bool) -> list[Found]:
        stop = min(self._stop, self.seen_samples)
        if self.is_outside or stop <= self._start:
            return []
        found = Found(
            number=1,
            start=self._start,
            stop=stop,
            active=stop - self._start,
            low=self._low,
            high=self._high,
            snr=1e9,  # nothing that is told is too weak
            noise=0.0,
            power=1.0,
            has_ended=has_ended,
        )
        return [found]


class _Thinned:
    """Windows, of more than a limit every second, every fourth, and so on."""

    def __init__(self, limit: int) -> None:
        self._limit, self._every, self._n = limit, 1, 0
        self._kept: list[FloatArray] = []

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def n_left_out(self) -> int:
        """How many there were beyond those kept."""
        return self._n - len(self._kept)

    def add(self, x: FloatArray) -> None:
        """Take more of them."""
        for window in x:
            if self._n % self._every == 0:
                self._kept.append(window.copy())
            self._n += 1
            if len(self._kept) > self._limit:
                self._kept, self._every = self._kept[::2], 2 * self._every

    def all(self, window: int) -> FloatArray:
        """Return those kept, shape (n, 2, window)."""
        return np.stack(self._kept) if self._kept else np.empty((0, 2, window), np.float32)


def _edges(annotation: Annotation, block: Block) -> tuple[float, float]:
    """Return the edges of the band, cycles per sample; without any, those of all of it."""
    lower, upper = annotation.lower_hz, annotation.upper_hz
    if lower is None or upper is None:
        return -0.5, 0.5
    center = 0.0 if math.isnan(block.center_hz) else block.center_hz
    low, high = ((edge - center) / block.sample_rate_hz for edge in (lower, upper))
    return max(low, -0.5), min(high, 0.5)


def _filling(
    blocks: list[Block], annotation: Annotation, n_samples: int, window: int
) -> tuple[list[Block], list[Annotation]]:
    """Interpolate an emission that was cut out of the band, so that it fills a window.

    A run brings a short one to a higher rate. What has its surroundings in it is left as it is.
    """
    covered = annotation.stop_sample - annotation.start_sample
    # Without edges nothing tells that there is room for more.
    has_edges = bool(blocks) and annotation.lower_hz is not None
    low, high = _edges(annotation, blocks[0]) if has_edges else (0.0, 0.0)
    n_wanted = min(window + 1, int(MOST_OVERSAMPLING * (high - low) * n_samples))
    if covered < n_samples or n_wanted <= n_samples or len({b.stretch for b in blocks}) > 1:
        return blocks, [annotation]
    first = blocks[0]
    iq = signal.resample(np.concatenate([as_complex(b.iq, b.format) for b in blocks]), n_wanted)
    filled = replace(
        first,
        iq=iq.astype(np.complex64).view(np.float32).reshape(-1, 2),
        format=FORMATS["cf32"],
        start_sample=0,
        sample_rate_hz=first.sample_rate_hz * n_wanted / n_samples,
        epoch_s=first.epoch_s + first.start_sample / first.sample_rate_hz,
    )
    return [filled], [replace(annotation, start_sample=0, stop_sample=n_wanted)]


def _continues(block: Block, following: Block) -> bool:
    is_next = block.start_sample + len(block.iq) == following.start_sample
    return is_next and block.stretch == following.stretch


def _rate_hz(block: Block) -> float:
    return block.sample_rate_hz if block.sample_rate_hz > 0 else NOMINAL_RATE_HZ
