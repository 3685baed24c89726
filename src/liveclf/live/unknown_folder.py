"""The folder of what was not recognised: numbered recordings, up to a size.

Nothing is ever removed: when the folder is full no more is kept, counted and said, as what was
kept first may be what somebody is labelling.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Sequence
from pathlib import Path

from liveclf.dsp.sigmf_terms import stored_format
from liveclf.errors import SinkError
from liveclf.live.sigmf_file import SigmfFile
from liveclf.notes import event
from liveclf.records import Block

_NUMBERED = re.compile(r"g(\d+)_.*\.sigmf-(?:meta|data)")
_METADATA_BYTES = 4096  # room for them, of the recording that is being written
_log = logging.getLogger(__name__)


class UnknownFolder:
    """Where recordings go, and how much of it is left.

    Attributes:
        recordings: Begun.
        n_bytes: Size of all recordings in the folder.
    """

    def __init__(self, folder: Path, limit_bytes: int, what: str, generator: str) -> None:
        """Make the folder.

        Args:
            folder: Where it is.
            limit_bytes: Most that all recordings in it may take together.
            what: Is kept in it, for messages.
            generator: What gave the labels, for the recordings.

        Raises:
            SinkError: There is no such folder and it cannot be made.
        """
        self._folder, self._limit_bytes, self._what = folder, limit_bytes, what
        self._about = {"core:description": f"Not recognised by {generator}."}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            there = [path for path in folder.iterdir() if _NUMBERED.fullmatch(path.name)]
            self.n_bytes = sum(path.stat().st_size for path in there)
        except OSError as error:
            raise SinkError(f"Folder {folder} cannot be used: {error.strerror}.") from None
        matches = (_NUMBERED.fullmatch(path.name) for path in there)
        self._number = max((int(match[1]) for match in matches if match), default=0)
        self._is_full = False
        self.recordings = 0

    def has_room(self, blocks: Sequence[Block]) -> bool:
        """Return whether these can be kept; once one could not be, none can."""
        if self._is_full:
            return False
        sizes = (len(b.iq) * stored_format(b.format).bytes_per_sample for b in blocks)
        self._is_full = self.n_bytes + sum(sizes) + _METADATA_BYTES > self._limit_bytes
        if self._is_full:
            _log.warning(
                "%s is full, no more %s are kept.", self._folder, self._what,
                extra=event("folder_full"),
            )  # fmt: skip
        return not self._is_full

    def begin(self, block: Block) -> SigmfFile:
        """Open the next recording.

        Raises:
            SinkError: It cannot be created.
        """
        self._number += 1
        path = self._folder / f"{_name(self._number, block)}.sigmf-meta"
        file = SigmfFile(path, block, self._about)
        self.recordings += 1
        return file

    def store(self, file: SigmfFile, block: Block) -> None:
        """Append to a recording.

        Raises:
            SinkError: It cannot be written.
        """
        n_before = file.n_bytes
        try:
            file.write(block)
        finally:
            self.n_bytes += file.n_bytes - n_before

    def end(self, file: SigmfFile) -> None:
        """Close a recording.

        Raises:
            SinkError: It cannot be written.
        """
        file.close()
        if file.path.exists():
            self.n_bytes += file.path.stat().st_size

    def report(self, n_kept: int, n_full: int, n_late: int, why_late: str) -> str:
        """Say what was kept, and what was not."""
        parts = [f"{n_kept:,} {self._what} kept in {self.recordings:,} recordings"]
        if n_full:
            parts.append(
                f"{n_full:,} not kept, as {self._limit_bytes / 1e6:,g} MB are reached"
                " (--save-unknown-max)"
            )
        if n_late:
            parts.append(f"{n_late:,} not kept, {why_late}")
        return "; ".join(parts)


def _name(number: int, block: Block) -> str:
    """Name a recording as rtl_433 does."""
    parts = [f"g{number:03}"]
    if not math.isnan(block.center_hz):
        parts.append(f"{block.center_hz / 1e6:.10g}M")
    if block.sample_rate_hz > 0:
        parts.append(f"{block.sample_rate_hz / 1e3:.10g}k")
    return "_".join(parts) if len(parts) > 1 else f"{parts[0]}_unknown"
