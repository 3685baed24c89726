"""Keeps the IQ of windows that were not recognised, so that it can be labelled and trained on.

    loop --Block--> History
    loop --Detections--> [queue] --> UnknownSaver --between--> History, --Block--> SigmfFile

One SigMF recording per stretch of adjacent unknown windows, of the samples as they were cut
into windows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from liveclf.dsp.sigmf_terms import stored_format
from liveclf.live.history import History
from liveclf.live.sigmf_file import SigmfFile
from liveclf.live.unknown_folder import UnknownFolder
from liveclf.records import Block, Detections, FloatArray

_GUESSES = 3


class UnknownSaver:
    """Writes recordings of unknown windows into a folder; a `Sink`.

    Attributes:
        kept: Windows whose samples were kept.
        not_kept: Unknown windows that were not, by reason: "full" (the folder has reached
            its limit) and "late" (their samples were no longer there).
    """

    def __init__(self, folder: Path, history: History, *, limit_bytes: int, generator: str) -> None:
        """Make the folder.

        Args:
            folder: Where the recordings go.
            history: Where the samples come from.
            limit_bytes: Most that all recordings in the folder may take together.
            generator: What gave the labels, for the annotations.

        Raises:
            SinkError: There is no such folder and it cannot be made.
        """
        self._folder = UnknownFolder(folder, limit_bytes, "unknown windows", generator)
        self._history, self._generator = history, generator
        self.kept = 0
        self.not_kept = {"full": 0, "late": 0}
        self._stretch: _Stretch | None = None

    def write(self, detections: Detections) -> None:
        """Keep the unknown windows of one batch.

        Raises:
            SinkError: They cannot be written.
        """
        for rows, continues in _runs(detections, self._stretch):
            if not continues:
                self._end()
                self._stretch = _Stretch(detections, rows.start)
            self._keep(detections, rows)
        if len(detections) and detections.label[-1] >= 0:
            self._end()

    def close(self, summary: dict[str, Any]) -> None:
        """End the recording that is being written."""
        self._end()

    @property
    def recordings(self) -> int:
        """Recordings begun."""
        return self._folder.recordings

    @property
    def n_bytes(self) -> int:
        """Size of all recordings in the folder."""
        return self._folder.n_bytes

    def report(self) -> str:
        """Say what was kept, and what was not."""
        full, late = self.not_kept["full"], self.not_kept["late"]
        return self._folder.report(self.kept, full, late, "as the disk was too slow for them")

    def _keep(self, found: Detections, rows: range) -> None:
        stretch = self._stretch
        assert stretch is not None
        stop = int(found.start_sample[rows[-1]]) + found.window_samples
        blocks = self._history.between(stretch.next_sample, stop)
        n_wanted, n_there = stop - stretch.next_sample, sum(len(block.iq) for block in blocks)
        if n_there < n_wanted:
            self.not_kept["late"] += len(rows)
        elif not self._folder.has_room(blocks):
            self.not_kept["full"] += len(rows)
        else:
            for block in blocks:
                self._store(stretch, block)
            stretch.count(found, rows)
            self.kept += len(rows)
        stretch.next_sample = stop

    def _store(self, stretch: _Stretch, block: Block) -> None:
        if stretch.file is not None and stretch.file.format != stored_format(block.format):
            self._end_file(stretch)
        if stretch.file is None:
            stretch.file = self._folder.begin(block)
        self._folder.store(stretch.file, block)

    def _end(self) -> None:
        if self._stretch is not None:
            self._end_file(self._stretch)
        self._stretch = None

    def _end_file(self, stretch: _Stretch) -> None:
        file, stretch.file = stretch.file, None
        if file is None:
            return
        first, last = stretch.first_sample, stretch.next_sample
        file.annotate(first, last, generator=self._generator, **stretch.words())
        self._folder.end(file)


class _Stretch:
    """Adjacent unknown windows, what was guessed of them, and the file they go to."""

    def __init__(self, found: Detections, row: int) -> None:
        self.first_sample = self.next_sample = int(found.start_sample[row])
        self.place = _place(found, row)
        self.center_hz = float(found.center_hz[row])
        self.rate_hz = float(found.sample_rate_hz[row])
        self.file: SigmfFile | None = None
        self._names = found.class_names
        self._sums: FloatArray = np.zeros(len(found.class_names), np.float32)
        self._n_windows = 0

    def count(self, found: Detections, rows: range) -> None:
        """Add what was guessed of some windows."""
        chosen = slice(rows.start, rows.stop)
        np.add.at(self._sums, found.top_label[chosen], found.top_probability[chosen])
        self._n_windows += len(rows)

    def words(self) -> dict[str, Any]:
        """Return what the annotation says."""
        best = np.argsort(-self._sums, kind="stable")[:_GUESSES]
        shares = [(self._names[k], self._sums[k] / max(1, self._n_windows)) for k in best]
        guesses = ", ".join(f"{name} {share:.0%}" for name, share in shares if share > 0)
        words: dict[str, Any] = {
            "label": "unknown",
            "comment": f"Guesses over {self._n_windows} windows: {guesses}.",
        }
        if not math.isnan(self.center_hz) and self.rate_hz > 0:
            words["freq_lower_edge"] = self.center_hz - self.rate_hz / 2
            words["freq_upper_edge"] = self.center_hz + self.rate_hz / 2
        return words


def _runs(found: Detections, last: _Stretch | None) -> Iterator[tuple[range, bool]]:
    """Yield runs of adjacent unknown windows, and whether each goes on from the one before.

    Args:
        found: A batch.
        last: What its first window may go on from.
    """
    is_unknown, start = found.label < 0, 0
    while start < len(found):
        if not is_unknown[start]:
            start += 1
            continue
        stop = start + 1
        while stop < len(found) and is_unknown[stop] and _is_next(found, stop):
            stop += 1
        continues = (
            start == 0
            and last is not None
            and found.start_sample[0] <= last.next_sample
            and _place(found, 0) == last.place
        )
        yield range(start, stop), continues
        start = stop


def _is_next(found: Detections, row: int) -> bool:
    """Tell whether a window begins within, or just behind, the one before, at the same place."""
    end = found.start_sample[row - 1] + found.window_samples
    return bool(found.start_sample[row] <= end) and _place(found, row) == _place(found, row - 1)


def _place(found: Detections, row: int) -> tuple[str, ...]:
    """Return rate, centre and clock, so that they can be compared: unknown equals unknown."""
    return tuple(
        repr(float(column[row]))
        for column in (found.sample_rate_hz, found.center_hz, found.epoch_s)
    )
