"""A spectrogram of a stream of any length, kept in memory as far as a picture can show it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveclf.dsp.waterfall import Rows, Waterfall, decibels
from liveclf.records import Block, FloatArray

MOST_TUNINGS = 6
"""Centre frequencies that a picture has room for; what came at others is counted."""


@dataclass(slots=True)
class Cells:
    """Spectra of one centre frequency, gathered in cells of time.

    Attributes:
        center_hz: NaN if unknown.
        peak: Highest power, (n_cells, n_bins) float32, full scale 1.
        total: Sum of the powers, likewise.
        n_spectra: In each cell, (n_cells,) int64; 0 where nothing came.
    """

    center_hz: float
    peak: FloatArray
    total: FloatArray
    n_spectra: NDArray[np.int64]

    @classmethod
    def empty(cls, center_hz: float, n_cells: int, n_bins: int) -> Cells:
        """Make cells that nothing came in."""
        shape = n_cells, n_bins
        counts = np.zeros(n_cells, np.int64)
        return cls(center_hz, np.zeros(shape, np.float32), np.zeros(shape, np.float32), counts)

    def add(self, at: NDArray[np.int64], rows: Rows) -> None:
        """Add rows, in the order of time.

        Args:
            at: The cell of each, (n,).
            rows: As many.
        """
        first = np.flatnonzero(np.diff(at, prepend=-1))
        where = at[first]
        total = rows.mean * rows.n_spectra[:, None].astype(np.float32)
        self.peak[where] = np.maximum(self.peak[where], np.maximum.reduceat(rows.peak, first))
        self.total[where] += np.add.reduceat(total, first)
        self.n_spectra[where] += np.add.reduceat(rows.n_spectra, first)

    def fold(self, first: NDArray[np.int64]) -> Cells:
        """Return fewer cells, each made of those from one index to before the next.

        Args:
            first: Index of the first of each, ascending, (n,) with n at least 1.
        """
        return Cells(
            self.center_hz,
            np.maximum.reduceat(self.peak, first),
            np.add.reduceat(self.total, first),
            np.add.reduceat(self.n_spectra, first),
        )

    def level_dbfs(self) -> FloatArray:
        """Return what a picture shows, (n_cells, n_bins): NaN where nothing came.

        The mean, or the peak over what the peak of that much noise would be, whichever is
        more: noise is as dark in cells of many spectra as in those of few, a weak carrier
        stands out of it as in the mean, and a short burst as in the peak.

        Source: the largest of n exponential variables of mean 1, as the powers of noise
        are, is 1 + 1/2 + ... + 1/n on average.
        """
        n = self.n_spectra[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            return decibels(np.maximum(self.total / n, self.peak / _harmonic(n)))


def _harmonic(n: NDArray[np.int64]) -> FloatArray:
    """Return 1 + 1/2 + ... + 1/n, within a hundredth; of 0, NaN."""
    m = np.where(n > 0, n, np.nan).astype(np.float64)
    return np.asarray(np.log(m) + np.euler_gamma + 1 / (2 * m) - 1 / (12 * m**2), np.float32)


class Spectrogram:
    """Passes blocks on and gathers their spectra; a `Stage`.

    Cells begin as long as one spectrum is from the next, and become twice as long
    whenever there are too many of them: so memory is bounded whatever the stream's length.

    Attributes:
        n_bins: Of each spectrum.
        start_sample: Absolute index of the first sample, None before it.
        stop_sample: The one after the last.
        n_samples: How many came.
        n_lost: How many did not, between the first and the last.
        n_gaps: In how many pieces.
        n_elsewhere: How many are not in the picture, as they came at another rate or at
            too many centres.
        sample_rate_hz: NaN if unknown.
        epoch_s: UNIX time of sample 0, NaN if unknown.
    """

    def __init__(self, n_bins: int, hop_samples: int, capacity: int) -> None:
        """Set the resolution.

        Args:
            n_bins: Length of a spectrum.
            hop_samples: From the start of one to the next.
            capacity: Most cells; at the end there are more than half as many, unless the
                stream is shorter.
        """
        self.n_bins, self._capacity = n_bins, capacity
        self._waterfall = Waterfall(n_bins, hop_samples, hop_samples)
        self._tunings: dict[float | None, Cells] = {}
        self._cell_samples = hop_samples
        self._first_cell = 0  # which of all that the stream could have is the first of ours
        self.start_sample: int | None = None
        self.stop_sample = self.n_samples = self.n_lost = self.n_gaps = self.n_elsewhere = 0
        self.sample_rate_hz = self.epoch_s = math.nan

    @property
    def n_short(self) -> int:
        """Samples at the ends of stretches that fill no spectrum."""
        return self._waterfall.short_samples

    @property
    def n_skipped(self) -> int:
        """Spectra left out for a NaN or an infinity in them."""
        return self._waterfall.skipped

    @property
    def cell_samples(self) -> int:
        """How many samples a cell covers now."""
        return self._cell_samples

    @property
    def first_sample(self) -> int:
        """Absolute index of the first sample that the first cell covers."""
        return self._first_cell * self._cell_samples

    @property
    def n_cells(self) -> int:
        """How many cells there are, from the first to the last sample."""
        n_cells = -(-(self.stop_sample - self.first_sample) // self._cell_samples)
        return min(n_cells, self._capacity)

    @property
    def tunings(self) -> tuple[Cells, ...]:
        """The cells of each centre frequency, in the order in which they came."""
        return tuple(self._tunings.values())

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw: no spectrum was filled."""
        return not any(cells.n_spectra.any() for cells in self._tunings.values())

    def n_spectra_in(self, cells: Cells, start_sample: int, stop_sample: int) -> int:
        """Return how many spectra came at a centre frequency in a stretch of time."""
        first = max(0, start_sample // self._cell_samples - self._first_cell)
        last = max(0, (stop_sample - 1) // self._cell_samples - self._first_cell)
        return int(cells.n_spectra[first : last + 1].sum())

    def push(self, block: Block) -> Iterator[Block]:
        """Take one block and pass it on."""
        self.take(block)
        yield block

    def flush(self) -> Iterator[Block]:
        """End the last cell; nothing is held back."""
        self.end()
        return iter(())

    def take(self, block: Block) -> None:
        """Add one block."""
        if not len(block.iq):
            return
        if self.start_sample is None:
            self.start_sample = self.stop_sample = block.start_sample
            self.sample_rate_hz, self.epoch_s = block.sample_rate_hz, block.epoch_s
            self._first_cell = block.start_sample // self._cell_samples
        lost = max(0, block.start_sample - self.stop_sample)
        self.n_lost += lost
        self.n_gaps += lost > 0
        self.n_samples += len(block.iq)
        self.stop_sample = block.start_sample + len(block.iq)
        if not self._has_room(block):
            self.n_elsewhere += len(block.iq)
            return
        for rows in self._waterfall.push(block):
            self._add(rows)

    def end(self) -> None:
        """Add what has not filled a row. Twice is once."""
        for rows in self._waterfall.flush():
            self._add(rows)

    def _has_room(self, block: Block) -> bool:
        center = _known(block.center_hz)
        if _known(block.sample_rate_hz) != _known(self.sample_rate_hz):
            return False
        if center not in self._tunings:
            if len(self._tunings) == MOST_TUNINGS:
                return False
            self._tunings[center] = Cells.empty(block.center_hz, self._capacity, self.n_bins)
        return True

    def _add(self, rows: Rows) -> None:
        stop = int(rows.start_sample[-1]) // self._cell_samples + 1
        while stop - self._first_cell > self._capacity:
            self._double()
            stop = int(rows.start_sample[-1]) // self._cell_samples + 1
        cells = rows.start_sample // self._cell_samples - self._first_cell
        self._tunings[_known(rows.center_hz)].add(cells, rows)

    def _double(self) -> None:
        """Make two cells one; which two is told by where they lie in the stream."""
        odd = self._first_cell % 2
        first = np.arange(-odd, self._capacity, 2).clip(0)
        for center, cells in self._tunings.items():
            folded = cells.fold(first)
            grown = Cells.empty(cells.center_hz, self._capacity, self.n_bins)
            n = len(first)
            grown.peak[:n], grown.total[:n] = folded.peak, folded.total
            grown.n_spectra[:n] = folded.n_spectra
            self._tunings[center] = grown
        self._first_cell //= 2
        self._cell_samples *= 2
        self._waterfall.row_samples = self._cell_samples


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
