"""Boxes of one chunk after the other, strung together to signals with a beginning and an end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liveclf.dsp.detect.cells import Box
from liveclf.records import FloatArray

_CORE = 0.01  # of the strongest bin: what lies below is skirt, and no reason to join
# What is so much stronger or weaker than before, at the same place, is another signal.
_OTHER_RATIO = 100.0
_FAINT, _MOSTLY = 0.02, 0.9
MOST_TRACKS = 256


@dataclass(slots=True, eq=False)
class Track:
    """A signal in the making.

    Attributes:
        first_row: Counted from the beginning of the stretch.
        stop_row: Behind the last row with anything of it.
        profile: Power over noise, summed over rows, shape (n_bins,).
        powers: Of its rows: the first of a box, and of each row of it the power over noise.
        is_sure: Whether any of its boxes touched the upper threshold.
        number: Given when it is first told, 0 before.
    """

    first_row: int
    stop_row: int
    profile: FloatArray
    powers: list[tuple[int, FloatArray]]
    is_sure: bool
    number: int = 0
    core: tuple[int, int] = (0, 0)
    rows_before: int = 0

    @property
    def rows(self) -> int:
        """Rows with anything of it."""
        return self.rows_before + sum(int(np.count_nonzero(power)) for _, power in self.powers)

    def forget(self) -> None:
        """Keep of the powers how many there were: it may last for hours."""
        self.rows_before, self.powers = self.rows, []

    @property
    def power(self) -> float:
        """Mean power over noise while it was there."""
        return float(self.profile.sum()) / max(1, self.rows)

    @property
    def peak(self) -> float:
        """Mean power over noise of its strongest bin while it was there."""
        return float(self.profile.max()) / max(1, self.rows)

    def trim(self) -> None:
        """Let it begin and end where it is not much weaker than it mostly is."""
        powers = np.concatenate([power for _, power in self.powers])
        rows = np.concatenate([first + np.arange(len(power)) for first, power in self.powers])
        strong = rows[powers > _FAINT * np.quantile(powers[powers > 0], _MOSTLY)]
        self.first_row, self.stop_row = int(strong.min()), int(strong.max()) + 1

    def take(self, other: Track) -> None:
        """Take in another one."""
        self.first_row = min(self.first_row, other.first_row)
        self.stop_row = max(self.stop_row, other.stop_row)
        self.profile = self.profile + other.profile
        self.powers = self.powers + other.powers
        self.rows_before += other.rows_before
        self.is_sure |= other.is_sure
        self.core = core_of(self.profile)


def core_of(profile: FloatArray) -> tuple[int, int]:
    """Return the first bin and the one behind the last that are not skirt."""
    bins = np.flatnonzero(profile > _CORE * profile.max())
    return (int(bins[0]), int(bins[-1]) + 1) if len(bins) else (0, 0)


class Tracks:
    """The signals that have not ended."""

    def __init__(self, gap_rows: int, gap_bins: int = 1) -> None:
        """Set what does not end a signal.

        Args:
            gap_rows: Longest pause.
            gap_bins: Widest gap in frequency.
        """
        self._gap_rows, self._gap_bins = gap_rows, gap_bins
        self.open: list[Track] = []
        self.n_over = 0  # that there was no room for

    def push(self, boxes: list[Box], first_row: int) -> None:
        """Take the boxes of a chunk.

        Args:
            boxes: Rows counted from the chunk's first.
            first_row: The chunk's first row, counted from the beginning.
        """
        for box in sorted(boxes, key=lambda box: box.first_row):
            track = Track(
                first_row + box.first_row,
                first_row + box.stop_row,
                box.profile,
                [(first_row + box.first_row, box.row_power)],
                box.is_sure,
                core=core_of(box.profile),
            )
            near = [other for other in self.open if self._continues(other, track)]
            if not near and not box.is_sure:
                continue
            if not near and len(self.open) >= MOST_TRACKS:
                self.n_over += 1
                continue
            if not near:
                self.open.append(track)
                continue
            first, *others = sorted(near, key=lambda t: (t.number == 0, t.first_row))
            first.take(track)
            for other in others:
                if not other.number:  # what has been told stays what it is
                    first.take(other)
                    self.open.remove(other)

    def ended(self, row: int) -> list[Track]:
        """Return those that have been silent for longer than a pause, and forget them."""
        over = [track for track in self.open if row - track.stop_row > self._gap_rows]
        self.open = [track for track in self.open if row - track.stop_row <= self._gap_rows]
        return over

    def _continues(self, track: Track, new: Track) -> bool:
        low, high = track.core
        new_low, new_high = new.core
        return (
            new.first_row - track.stop_row <= self._gap_rows
            and new_low < high + self._gap_bins
            and low < new_high + self._gap_bins
            and 1 / _OTHER_RATIO < new.power / track.power < _OTHER_RATIO
        )
