"""Keeps the IQ of what was not recognised, so that it can be labelled and trained on.

    loop --Block--> History
    loop --Detections--> [queue] --> UnknownSaver --between--> History, --Block--> SigmfFile

One SigMF recording per stretch of adjacent unknown windows, of the samples as they were cut
into windows. Nothing is ever removed: when the folder is full no more is kept, counted and
said, as what was kept first may be what somebody is labelling.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from liveclf.dsp.sigmf_terms import stored_format
from liveclf.errors import SinkError
from liveclf.live.history import History
from liveclf.live.sigmf_file import SigmfFile
from liveclf.records import Block, Detections, FloatArray

_NUMBERED = re.compile(r"g(\d+)_.*\.sigmf-(?:meta|data)")
_GUESSES = 3
_METADATA_BYTES = 4096  # room for them, of the recording that is being written
_log = logging.getLogger(__name__)


class UnknownSaver:
    """Writes recordings of unknown windows into a folder; a `Sink`.

    Attributes:
        recordings: Written.
        kept: Windows whose samples were kept.
        not_kept: Unknown windows that were not, by reason: "full" (the folder has reached
            its limit) and "late" (their samples were no longer there).
        n_bytes: Size of all recordings in the folder.
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
        self._folder, self._history, self._limit_bytes = folder, history, limit_bytes
        self._about = {"core:description": f"Not recognised by {generator}."}
        self._generator = generator
        try:
            folder.mkdir(parents=True, exist_ok=True)
            there = [path for path in folder.iterdir() if _NUMBERED.fullmatch(path.name)]
            self.n_bytes = sum(path.stat().st_size for path in there)
        except OSError as error:
            raise SinkError(f"Folder {folder} cannot be used: {error.strerror}.") from None
        matches = (_NUMBERED.fullmatch(path.name) for path in there)
        self._number = max((int(match[1]) for match in matches if match), default=0)
        self.recordings = self.kept = 0
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

    def report(self) -> str:
        """Say what was kept, and what was not."""
        parts = [f"{self.kept:,} unknown windows kept in {self.recordings:,} recordings"]
        if self.not_kept["full"]:
            parts.append(
                f"{self.not_kept['full']:,} not kept, as {self._limit_bytes / 1e6:,g} MB are"
                " reached (--save-unknown-max)"
            )
        if self.not_kept["late"]:
            parts.append(f"{self.not_kept['late']:,} not kept, as the disk was too slow for them")
        return "; ".join(parts)

    def _keep(self, found: Detections, rows: range) -> None:
        stretch = self._stretch
        assert stretch is not None
        stop = int(found.start_sample[rows[-1]]) + found.window_samples
        blocks = self._history.between(stretch.next_sample, stop)
        n_wanted, n_there = stop - stretch.next_sample, sum(len(block.iq) for block in blocks)
        if n_there < n_wanted:
            self.not_kept["late"] += len(rows)
        elif self._is_full(blocks):
            self.not_kept["full"] += len(rows)
        else:
            for block in blocks:
                self._store(stretch, block)
            stretch.count(found, rows)
            self.kept += len(rows)
        stretch.next_sample = stop

    def _is_full(self, blocks: list[Block]) -> bool:
        if self.not_kept["full"]:
            return True
        sizes = (len(b.iq) * stored_format(b.format).bytes_per_sample for b in blocks)
        is_full = self.n_bytes + sum(sizes) + _METADATA_BYTES > self._limit_bytes
        if is_full:
            _log.warning("%s is full, no more unknown windows are kept.", self._folder)
        return is_full

    def _store(self, stretch: _Stretch, block: Block) -> None:
        if stretch.file is not None and stretch.file.format != stored_format(block.format):
            self._end_file(stretch)
        if stretch.file is None:
            self._number += 1
            path = self._folder / f"{_name(self._number, block)}.sigmf-meta"
            stretch.file = SigmfFile(path, block, self._about)
            self.recordings += 1
        n_before = stretch.file.n_bytes
        try:
            stretch.file.write(block)
        finally:
            self.n_bytes += stretch.file.n_bytes - n_before

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
        file.close()
        if file.path.exists():
            self.n_bytes += file.path.stat().st_size


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


def _name(number: int, block: Block) -> str:
    """Name a recording as rtl_433 does."""
    parts = [f"g{number:03}"]
    if not math.isnan(block.center_hz):
        parts.append(f"{block.center_hz / 1e6:.10g}M")
    if block.sample_rate_hz > 0:
        parts.append(f"{block.sample_rate_hz / 1e3:.10g}k")
    return "_".join(parts) if len(parts) > 1 else f"{parts[0]}_unknown"
