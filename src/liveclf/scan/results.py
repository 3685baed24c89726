"""results.jsonl: one line per recording, which survives a kill at any moment.

While work goes on, lines are appended as recordings are done; at the end they are sorted by
path into a new file, which then takes the place of the old one. Nothing in a line depends on
when, by whom or in which order the work was done.
"""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from liveclf.errors import SinkError
from liveclf.scan.listing import Found


class FileResult(msgspec.Struct, frozen=True, kw_only=True):
    """One line.

    Attributes:
        path: Absolute; bytes that are no UTF-8 are written with a backslash and x.
        path_base64: The path as it is, only where `path` cannot say it.
        bytes: Of its files together.
        modified_ns: When each of its files was last changed, UNIX time.
        samples: Read of it.
        sample_rate_hz: None if unknown.
        center_hz: Of its first sample, None if unknown.
        signal_s: Time that the samples span, None where no rate is known.
        windows: In the samples.
        classified: Of these; the others could not be normalised.
        coverage: Their share, None without a window.
        skipped: Windows that were not classified, by reason.
        samples_lost: Missing in the recording, by what it says itself.
        label: What most windows are labelled, None without a window.
        family: The same of families.
        label_shares: Share of the windows by label, the largest first; "unknown" is one.
        family_shares: The same of families.
        top: The most probable classes, and the mean over all windows of their probability.
        level_db_median: Of the windows' power over the running noise floor, None where that
            is not known.
        details: File of the records, below the folder of the results; None if not written.
        error: Why it could not be read, or not to its end; None if it was.
    """

    path: str
    path_base64: str | msgspec.UnsetType = msgspec.UNSET
    bytes: int
    modified_ns: tuple[int, ...]
    samples: int = 0
    sample_rate_hz: float | None = None
    center_hz: float | None = None
    signal_s: float | None = None
    windows: int = 0
    classified: int = 0
    coverage: float | None = None
    skipped: dict[str, int] = {}
    samples_lost: int = 0
    label: str | None = None
    family: str | None = None
    label_shares: dict[str, float] = {}
    family_shares: dict[str, float] = {}
    top: list[tuple[str, float]] = []
    level_db_median: float | None = None
    details: str | None = None
    error: str | None = None

    @classmethod
    def of(cls, found: Found, **figures: Any) -> FileResult:
        """Write down a recording and what is known of it."""
        raw = os.fsencode(found.path)
        shown = raw.decode("utf-8", "backslashreplace")
        exact = base64.b64encode(raw).decode() if shown.encode() != raw else msgspec.UNSET
        return cls(
            path=shown, path_base64=exact, bytes=found.bytes, modified_ns=found.modified_ns,
            **figures,
        )  # fmt: skip

    @property
    def found(self) -> Found:
        """The recording that it is about."""
        exact = self.path_base64
        raw = (
            self.path.encode() if isinstance(exact, msgspec.UnsetType) else base64.b64decode(exact)
        )
        return Found(os.fsdecode(raw), self.bytes, self.modified_ns)


class ResultsFile:
    """The lines so far; in memory is only where each of them begins."""

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        """Open the file and find its lines.

        Args:
            path: Of results.jsonl, which need not be there.
            tell: Told of a line that a crash cut short.

        Raises:
            SinkError: It cannot be opened, or a line is damaged.
        """
        self._path = path
        self._places: dict[str, int] = {}  # byte at which the line of a path begins
        try:
            self._file = open(path, "a+b", buffering=0)  # noqa: SIM115  closed by `close`
        except OSError as error:
            raise SinkError(f"Results {path} cannot be opened: {error.strerror}.") from None
        end = 0
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    tell(f"The last line of {path} was cut short; that recording is done again.")
                    break
                self._places[self._decoded(line, number).found.path] = end
                end += len(line)
        self._file.truncate(end)
        self._end = end

    def __len__(self) -> int:
        """Return the number of recordings."""
        return len(self._places)

    def find(self, path: str) -> FileResult | None:
        """Return the latest line of a recording."""
        place = self._places.get(path)
        return None if place is None else self._decoded(self._line_at(place), None)

    def add(self, result: FileResult) -> None:
        """Append a line, in one piece.

        Raises:
            SinkError: It cannot be written.
        """
        line = msgspec.json.encode(result) + b"\n"
        try:
            written = self._file.write(line)
        except OSError as error:
            raise SinkError(f"Results {self._path} cannot be written: {error.strerror}.") from None
        if written != len(line):
            raise SinkError(f"Results {self._path} cannot be written: the disk is full.")
        self._places[result.found.path] = self._end
        self._end += len(line)

    def sort(self) -> None:
        """Put the latest line of each recording in the order of the paths, all at once.

        Raises:
            SinkError: It cannot be written; the lines are still there, as they were.
        """
        new = self._path.with_name(f".{self._path.name}.tmp")
        try:
            with open(new, "wb") as file:
                for path in sorted(self._places, key=os.fsencode):
                    file.write(self._line_at(self._places[path]))
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, self._path)
        except OSError as error:
            raise SinkError(f"Results {self._path} cannot be sorted: {error.strerror}.") from None

    def close(self) -> None:
        """Close the file; what was added is in it."""
        with contextlib.suppress(OSError):
            self._file.close()

    def _line_at(self, place: int) -> bytes:
        with open(self._path, "rb") as file:
            file.seek(place)
            return file.readline()

    def _decoded(self, line: bytes, number: int | None) -> FileResult:
        try:
            return msgspec.json.decode(line, type=FileResult)
        except msgspec.MsgspecError as error:
            raise SinkError(
                f"Results {self._path}, line {number}: {error}; mend it, or give --overwrite."
            ) from None
