"""The detector: samples of one stretch in, signals out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveclf.dsp.detect import cells
from liveclf.dsp.detect.band import edges
from liveclf.dsp.detect.floor import Floor
from liveclf.dsp.detect.relations import sort_out
from liveclf.dsp.detect.resolution import HOLD_ROWS, Resolution
from liveclf.dsp.detect.spectrogram import Spectrogram
from liveclf.dsp.detect.tracks import Track, Tracks
from liveclf.records import FloatArray

_EQUIVALENT = 0.6  # rows that overlap by half are worth so many independent ones
_SHORTEST_ROWS = 3  # less than this is a crackle


@dataclass(frozen=True, slots=True)
class Found:
    """One signal, or as much as has been seen of it.

    Attributes:
        number: Of the signal in its stretch, from 1.
        start: First sample of the stretch with anything of it.
        stop: Behind the last.
        active: Samples between the two in which it was there.
        low: Lower edge of the occupied band, cycles per sample, -1/2 to 1/2.
        high: Upper edge.
        snr: Power over noise power inside the occupied band, a ratio.
        noise: Density of the noise there, full scale squared per cycle per sample; 0 where the
            edges were told, not measured.
        power: Mean while it was there, over the noise, full scale 1.
        has_ended: Whether this is all of it.
    """

    number: int
    start: int
    stop: int
    active: int
    low: float
    high: float
    snr: float
    noise: float
    power: float
    has_ended: bool


class Detector:
    """Finds signals in a stretch without gaps; a `push`/`flush` object.

    Attributes:
        left_out: What was found and is not told, by reason.
    """

    def __init__(self, resolution: Resolution, least_noise: float) -> None:
        """Begin.

        Args:
            resolution: How fine to look.
            least_noise: Noise power per sample that no receiver is below, full scale 1.
        """
        self._r = resolution
        self._spectrogram = Spectrogram(resolution.n_bins, resolution.hop_samples)
        self._floor = Floor(least_noise)
        self._tracks = Tracks(resolution.gap_rows)
        self._held: list[Track] = []
        self._around = cells.CONTEXT_ROWS
        self._rows: list[FloatArray] = [np.zeros((self._around, resolution.n_bins), np.float32)]
        self._n_rows = self._around
        self._next_row = 0  # first not looked at
        self._count = 0
        self.left_out: Counter[str] = Counter()

    def push(self, iq: NDArray[np.complex64]) -> list[Found]:
        """Take samples; return the signals that have ended."""
        self._append(self._spectrogram.push(iq))
        return self._look(0)

    def flush(self) -> list[Found]:
        """End the stretch; return what had not ended."""
        self._append(np.zeros((self._around, self._r.n_bins), np.float32))
        found = self._look(1)
        rest, self._tracks.open = self._tracks.open, []
        return found + self._told(self._held + rest, [])

    @property
    def seen_samples(self) -> int:
        """Samples of the stretch up to which all signals are known."""
        return self._next_row * self._r.hop_samples

    def lasting(self, least_samples: int) -> list[Found]:
        """Return the signals that have not ended, and have lasted for so long."""
        least_rows = least_samples // self._r.hop_samples
        ripe = [t for t in self._tracks.open if t.stop_row - t.first_row >= least_rows]
        fresh = [t for t in ripe if not t.number and t.is_sure]
        if fresh:
            told = [t for t in ripe if t.number]
            sorted_out = sort_out(fresh, told)
            for track in sorted_out.signals:
                self._name(track)
            gone = [t for t in fresh if t not in sorted_out.signals and t not in sorted_out.spurs]
            self._tracks.open = [t for t in self._tracks.open if t not in gone]
        return [self._found(t, has_ended=False) for t in ripe if t.number]

    def _append(self, rows: FloatArray) -> None:
        self._rows.append(rows)
        self._n_rows += len(rows)

    def _look(self, least_rows: int) -> list[Found]:
        """Look at whole chunks; at what is left too if `least_rows` is 1."""
        found: list[Found] = []
        around = self._around
        wanted = least_rows or self._r.chunk_rows
        if not self._floor.is_known and not self._learn(is_last=bool(least_rows)):
            return found
        if self._n_rows < wanted + 2 * around:
            return found
        rows = np.concatenate(self._rows)
        start = 0
        while len(rows) - start >= wanted + 2 * around:
            n = min(self._r.chunk_rows, len(rows) - start - 2 * around)
            found += self._look_at(rows[start : start + n + 2 * around])
            start += n
        self._rows = [rows[start:].copy()]
        self._n_rows = len(rows) - start
        return found

    def _learn(self, *, is_last: bool) -> bool:
        """Learn the floor as soon as there are enough rows, or no more; return whether it is known.

        Rows of zeros, as before a radio has started, say nothing of it and are passed over.
        """
        if self._n_rows - self._around < self._r.floor_rows and not is_last:
            return False
        rows, chunk, start = np.concatenate(self._rows), self._r.chunk_rows, 0
        while (silent := rows[start + self._around :][:chunk]).size and not silent.any():
            start += len(silent)
        self._rows, self._n_rows = [rows[start:]], len(rows) - start
        self._next_row += start
        there = self._rows[0][self._around :]
        if len(there) >= self._r.floor_rows or is_last:
            self._floor.learn(there[: self._r.floor_rows])
        return self._floor.is_known

    def _look_at(self, rows: FloatArray) -> list[Found]:
        around = self._around
        inner = rows[around:-around]
        goes_on = bool(self._tracks.open)
        boxes, is_taken, n_more = cells.find(rows, self._floor.level, around, goes_on=goes_on)
        self.left_out["too many at once"] += n_more + self._tracks.n_over
        self._tracks.n_over = 0
        if self._floor.follow(inner, ~is_taken):
            boxes, _, _ = cells.find(rows, self._floor.level, around, goes_on=goes_on)
        self._tracks.push(boxes, self._next_row)
        for track in self._tracks.open:
            if track.number:
                track.forget()
        self._next_row += len(inner)
        self._held += self._tracks.ended(self._next_row)
        ripe = [t for t in self._held if self._next_row - t.stop_row > HOLD_ROWS]
        if not ripe:
            return []
        chosen = self._held if len(ripe) == len(self._held) else ripe
        self._held = [t for t in self._held if t not in chosen]
        return self._told(chosen, self._held + self._tracks.open)

    def _told(self, ended: list[Track], among: list[Track]) -> list[Found]:
        sure = [t for t in ended if t.is_sure and (t.number or t.rows >= _SHORTEST_ROWS)]
        self.left_out["too short"] += sum(t.is_sure for t in ended) - len(sure)
        sorted_out = sort_out(sure, among)
        self.left_out["image or leakage of a stronger one"] += len(sorted_out.spurs)
        told = [t for t in sorted_out.spurs if t.number]  # once told, its end is told too
        signals = sorted(sorted_out.signals + told, key=lambda t: t.stop_row)
        for track in signals:
            if not track.number:
                track.trim()
            self._name(track)
        return [self._found(track, has_ended=True) for track in signals]

    def _name(self, track: Track) -> None:
        if not track.number:
            self._count += 1
            track.number = self._count

    def _found(self, track: Track, *, has_ended: bool) -> Found:
        n, hop = self._r.n_bins, self._r.hop_samples
        rows = max(1, track.rows)
        level = self._floor.level
        low, high = edges(track.profile / rows, level, _EQUIVALENT * rows)
        bins = slice(int(low), int(np.ceil(high)))
        # The median: a spike at 0 Hz is no noise that a signal over it would have to beat.
        noise = float(np.median(level[bins])) * (bins.stop - bins.start)
        signal = float(track.profile[bins].sum()) / rows
        return Found(
            number=track.number,
            start=track.first_row * hop,
            stop=(track.stop_row - 1) * hop + n,
            active=rows * hop,
            # A bin is centred on its frequency, so its edges lie half a bin to either side.
            low=(low - 0.5) / n - 0.5,
            high=(high - 0.5) / n - 0.5,
            snr=signal / noise,
            noise=noise / max(1, bins.stop - bins.start),
            power=signal / n,
            has_ended=has_ended,
        )
