"""The folder of the results, held by one scan at a time.

results.jsonl   a line per recording
scan.json       model and settings that they were made with
scan.log        who did what when, and how long it took; grows with every scan
details/        records, if they are wanted
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TextIO

from liveclf.errors import SinkError, UsageError
from liveclf.scan import details, ticket
from liveclf.scan.labeller import Outcome
from liveclf.scan.listing import Found
from liveclf.scan.results import FileResult, ResultsFile

RESULTS, LOG = "results.jsonl", "scan.log"


class Folder:
    """Open results; a context manager."""

    def __init__(
        self, path: Path, made_with: dict[str, Any], overwrite: bool, tell: Callable[[str], None]
    ) -> None:
        """Make or open the folder, and see that what it holds fits.

        Args:
            path: Of the folder.
            made_with: Model and settings, see `ticket.ticket_of`.
            overwrite: Remove the results that it holds.
            tell: Told of what a crash left.

        Raises:
            UsageError: It holds results of another model or other settings.
            SinkError: It cannot be written, or another scan writes there.
        """
        self.path = path
        with ExitStack() as opened:  # what is refused leaves no file open, and no lock
            self._log = opened.enter_context(self._begin(overwrite))
            if (path / RESULTS).exists() and not (path / ticket.FILE).exists():
                raise UsageError(
                    f"{path} holds {RESULTS}, but no {ticket.FILE} that says how it was made; "
                    "give --overwrite, or another --output."
                )
            details.sweep(path / details.FOLDER)
            ticket.check_ticket(path, made_with)
            self.results = ResultsFile(path / RESULTS, tell)
            opened.pop_all()

    def _begin(self, overwrite: bool) -> TextIO:
        """Open the log, and keep others out."""
        try:
            (self.path / details.FOLDER).mkdir(parents=True, exist_ok=True)
            with ExitStack() as opened:
                log = opened.enter_context((self.path / LOG).open("a", encoding="utf-8"))
                _lock(log.fileno(), self.path)
                if overwrite:
                    _clear(self.path)
                opened.pop_all()
                return log
        except OSError as error:
            raise SinkError(f"Folder {self.path} cannot be written: {error.strerror}.") from None

    def has(self, wanted: Found) -> bool:
        """Tell whether a recording is done: read to its end, and not changed since."""
        known = self.results.find(wanted.path)
        return (
            known is not None
            and known.error is None
            and known.found == wanted
            and (known.details is None or (self.path / known.details).exists())
        )

    def log(self, outcome: Outcome, result: FileResult) -> None:
        """Write down who did what, and how long it took."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        what = result.error or f"{result.classified} windows"
        line = f"{now} process {outcome.process} {outcome.wall_s:.3f} s {result.path!r}: {what}"
        print(line, file=self._log, flush=True)

    def __enter__(self) -> Self:
        """Return the folder."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of it."""
        self.results.close()
        self._log.close()


def _lock(descriptor: int, path: Path) -> None:
    """Keep others out; the system lets go of the lock with the process, however it ends."""
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SinkError(f"Another scan writes to {path}; wait for it.") from None
    except OSError:  # a file system without locks
        return


def _clear(path: Path) -> None:
    # The results first: what a kill leaves is then no results, or none of another kind.
    for name in (RESULTS, ticket.FILE):
        (path / name).unlink(missing_ok=True)
    shutil.rmtree(path / details.FOLDER)
    os.mkdir(path / details.FOLDER)
