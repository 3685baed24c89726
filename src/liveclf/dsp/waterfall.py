"""Blocks in, rows of a spectrogram out, as many as a picture or a screen can show.

A row covers so many samples of the stream, counted from absolute sample 0. Of the spectra
whose middle lies in them it keeps the mean and the maximum of each bin, so that a burst much
shorter than a row is still seen. No spectrum reaches over a gap or a retune, and a row
that no spectrum lies in does not come: a gap in the stream is a gap in the rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal

from liveclf.dsp.formats import as_complex
from liveclf.records import Block, FloatArray

# Spectra made at once: their samples fit into a core's second-level cache.
_GROUP = 64
NOISE_BANDWIDTH_BINS = 1.5
"""Of the Hann window: noise of one bin reads as if it were that wide. Source: F. J. Harris,
On the use of windows for harmonic analysis with the DFT, 1978, table 1."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a spectrogram, in the order of time.

    Attributes:
        start_sample: Absolute index of the first sample that each covers, (n,) int64.
        row_samples: How many samples each covers.
        peak: Highest power in each bin, (n, n_bins) float32; a complex tone of full scale
            in the middle of a bin is 1. Bin k is at (k - n_bins // 2) / n_bins cycles per
            sample.
        mean: Mean power, likewise.
        n_spectra: How many spectra each is made of, (n,) int64.
        sample_rate_hz: NaN if unknown.
        center_hz: NaN if unknown.
        epoch_s: UNIX time of absolute sample 0, NaN if unknown.
    """

    start_sample: NDArray[np.int64]
    row_samples: int
    peak: FloatArray
    mean: FloatArray
    n_spectra: NDArray[np.int64]
    sample_rate_hz: float
    center_hz: float
    epoch_s: float

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.start_sample)

    @property
    def peak_dbfs(self) -> FloatArray:
        """`peak` in dB full scale, -inf for nothing."""
        return decibels(self.peak)

    @property
    def mean_dbfs(self) -> FloatArray:
        """`mean` in dB full scale, -inf for nothing."""
        return decibels(self.mean)


def decibels(power: FloatArray) -> FloatArray:
    """Return powers in dB, -inf for zero."""
    with np.errstate(divide="ignore"):
        return np.asarray(10 * np.log10(power), np.float32)


def samples_per_row(sample_rate_hz: float, rows_per_s: float) -> int:
    """Return the length of a row for a display that takes so many a second."""
    return max(1, round(sample_rate_hz / rows_per_s))


@dataclass(slots=True)
class _Row:
    """The row that is being filled."""

    index: int
    peak: FloatArray
    total: NDArray[np.float64]
    n_spectra: int

    def add(self, peak: FloatArray, total: FloatArray, n_spectra: int) -> None:
        np.maximum(self.peak, peak, out=self.peak)
        self.total += total
        self.n_spectra += n_spectra


class Waterfall:
    """Makes spectra and gathers them into rows; holds one row and less than one spectrum.

    Spectra have a Hann window and begin at every `hop`-th sample of a stretch.

    Attributes:
        short_samples: Samples at the ends of stretches that fill no spectrum.
        skipped: Spectra left out for a NaN or an infinity in them.
    """

    def __init__(self, n_bins: int, row_samples: int, hop_samples: int | None = None) -> None:
        """Set the resolution.

        Args:
            n_bins: Length of a spectrum, in samples and in bins.
            row_samples: Samples that a row covers.
            hop_samples: From the start of one spectrum to the next; None for half their
                length, with which each sample counts about the same. More than the length
                leaves samples out, for a display that has to be cheap.
        """
        self._n_bins, self._hop = n_bins, hop_samples or max(1, n_bins // 2)
        self._row_samples = row_samples
        window = signal.get_window("hann", n_bins).astype(np.float32)
        self._window = window / window.sum()
        self._last: Block | None = None  # the newest of the stretch
        self._tail: NDArray[Any] = np.empty(0, np.complex64)
        self._stretch_start = 0  # absolute sample
        self._next = 0  # the one at which the next spectrum begins
        self._row: _Row | None = None
        self._tells: Block | None = None  # whose rate and centre the row has
        self.short_samples = self.skipped = 0

    @property
    def row_samples(self) -> int:
        """Samples that a row covers; may be set to a multiple at any time."""
        return self._row_samples

    @row_samples.setter
    def row_samples(self, row_samples: int) -> None:
        if row_samples % self._row_samples:
            raise ValueError(f"{row_samples} is no multiple of {self._row_samples}")
        if self._row:
            self._row.index //= row_samples // self._row_samples
        self._row_samples = row_samples

    def push(self, block: Block) -> Iterator[Rows]:
        """Take one block and yield the rows that have ended.

        The iterator has to be used up before the next push.
        """
        if not len(block.iq):
            return
        if not self._continues(block):
            self._end_stretch()
            if self._tells and _tuning(block) != _tuning(self._tells):
                yield from self.flush()
            self._next = self._stretch_start = block.start_sample
        self._last = self._tells = block
        # A spectrum can begin beyond this block when the hop is longer than a spectrum.
        skip = min(max(0, self._next - block.start_sample), len(block.iq))
        fresh = as_complex(block.iq[skip:], block.format)
        iq = np.concatenate([self._tail, fresh]) if len(self._tail) else fresh
        n = max(0, (len(iq) - self._n_bins) // self._hop + 1)
        for first in range(0, n, _GROUP):
            count = min(_GROUP, n - first)
            middles = self._next + self._n_bins // 2 + self._hop * np.arange(count)
            power = self._spectra(iq[first * self._hop :], count)
            self._next += count * self._hop
            yield from self._gather(middles, power)
        self._tail = iq[n * self._hop :].copy()

    def flush(self) -> Iterator[Rows]:
        """Yield the row that is being filled, and end the stretch."""
        self._end_stretch()
        if self._row:
            yield self._told([self._row])
        self._row = None

    def _continues(self, block: Block) -> bool:
        last = self._last
        return last is not None and (
            block.stretch == last.stretch and block.start_sample == last.start_sample + len(last.iq)
        )

    def _end_stretch(self) -> None:
        if self._last is not None:
            # The spectrum before, if there is one, has the beginning of the tail.
            is_first = self._next == self._stretch_start
            seen = 0 if is_first else max(0, self._n_bins - self._hop)
            self.short_samples += max(0, len(self._tail) - seen)
        self._last, self._tail = None, self._tail[:0]

    def _spectra(self, iq: NDArray[Any], n: int) -> FloatArray:
        """Return the powers of the first `n` spectra, (n, n_bins), from 0 Hz on."""
        (step,) = iq.strides
        framed = np.lib.stride_tricks.as_strided(
            iq, (n, self._n_bins), (self._hop * step, step), writeable=False
        )
        bins = fft.fft(framed * self._window, axis=1, overwrite_x=True)
        power: FloatArray = bins.real**2
        power += bins.imag**2
        return power

    def _gather(self, middles: NDArray[np.int64], power: FloatArray) -> Iterator[Rows]:
        """Add spectra to rows, and yield those that others follow."""
        usable = np.isfinite(power.sum(axis=1))
        if not usable.all():
            self.skipped += int(np.sum(~usable))
            middles, power = middles[usable], power[usable]
            if not len(middles):
                return
        rows = middles // self._row_samples
        first = np.flatnonzero(rows[1:] != rows[:-1]) + 1
        ended = []
        for start, stop in pairwise([0, *first.tolist(), len(rows)]):
            # Slices, as reduceat takes ten times as long as the transform.
            index, some = int(rows[start]), power[start:stop]
            peak, total = some.max(axis=0), some.sum(axis=0)
            if self._row and self._row.index == index:
                self._row.add(peak, total, len(some))
                continue
            if self._row:
                ended.append(self._row)
            self._row = _Row(index, peak, total.astype(np.float64), len(some))
        if ended:
            yield self._told(ended)

    def _told(self, rows: list[_Row]) -> Rows:
        assert self._tells is not None
        n_spectra = np.array([row.n_spectra for row in rows], np.int64)
        peak = np.array([row.peak for row in rows])
        mean = np.array([row.total / row.n_spectra for row in rows]).astype(np.float32)
        return Rows(
            start_sample=np.array([row.index for row in rows], np.int64) * self._row_samples,
            row_samples=self._row_samples,
            peak=fft.fftshift(peak, axes=1),
            mean=fft.fftshift(mean, axes=1),
            n_spectra=n_spectra,
            sample_rate_hz=self._tells.sample_rate_hz,
            center_hz=self._tells.center_hz,
            epoch_s=self._tells.epoch_s,
        )


def _tuning(block: Block) -> tuple[float | None, ...]:
    """What all spectra of a row have in common, None for what is unknown."""
    numbers = (block.sample_rate_hz, block.center_hz, block.epoch_s)
    return tuple(None if math.isnan(number) else number for number in numbers)
