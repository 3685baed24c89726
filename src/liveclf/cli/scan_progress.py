"""What the user sees of a scan: a bar on a terminal, else a line now and then; the summary."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from liveclf.cli.messages import Every, say
from liveclf.config import ScanWorkSettings

if TYPE_CHECKING:
    from liveclf.scan.results import FileResult

_MOST_FAILURES = 20  # told one by one; all are in the results


@dataclass
class Totals:
    """Counts of a scan.

    Attributes:
        n_files: Recordings in all.
        kept: Of these, done by an earlier scan.
        done: Done now, with those that failed.
        failed: Not read, or not to the end.
        windows: Classified.
        samples: Read.
        signal_s: Time that they span where a rate is known.
    """

    n_files: int
    kept: int = 0
    done: int = 0
    failed: int = 0
    windows: int = 0
    samples: int = 0
    signal_s: float = 0.0
    _began_s: float = field(default_factory=time.monotonic)

    def count(self, result: FileResult) -> None:
        """Add a recording."""
        self.done += 1
        self.failed += result.error is not None
        self.windows += result.classified
        self.samples += result.samples
        self.signal_s += result.signal_s or 0.0

    def speed(self) -> str:
        """Return windows per second and times real time, by the clock on the wall."""
        wall_s = max(time.monotonic() - self._began_s, 1e-9)
        factor = f", {self.signal_s / wall_s:,.1f} x real time" if self.signal_s else ""
        return f"{self.windows / wall_s:,.0f} windows/s{factor}"

    def line(self) -> str:
        """Return how far it is."""
        failed = f", {self.failed:,} failed" if self.failed else ""
        return f"{self.kept + self.done:,} of {self.n_files:,} recordings{failed}; {self.speed()}"

    def summary(self, n_others: int, output: Path) -> str:
        """Return the figures of the whole scan.

        Args:
            n_others: Results of earlier scans for other paths.
            output: Folder of the results.
        """
        others = f"; results of {n_others:,} others are kept" if n_others else ""
        left = self.n_files - self.kept - self.done
        return (
            f"{self.done - self.failed:,} recordings done, {self.failed:,} failed, "
            f"{self.kept:,} done before, {left:,} left; {self.samples:,} samples, "
            f"{self.signal_s / 3600:,.3g} hours of signal, {self.windows:,} windows, "
            f"{self.speed()}; in {output}{others}"
        )


@contextmanager
def shown(totals: Totals, settings: ScanWorkSettings) -> Iterator[Callable[[FileResult], None]]:
    """Yield what is called after each recording, to show the progress and say what failed."""
    if settings.quiet:
        yield lambda _: None
        return
    stderr = sys.stderr
    if stderr is None or not stderr.isatty():
        every = Every(settings.stats_s, lambda: say(totals.line()))
        yield _telling(totals, say, every)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    # What others say meanwhile is printed above the bar: it takes sys.stderr over.
    with Progress(*columns, console=Console(stderr=True, markup=False), transient=True) as bar:
        task = bar.add_task(totals.line(), total=totals.n_files, completed=totals.kept)

        def move() -> None:
            n_done = totals.kept + totals.done
            bar.update(task, completed=n_done, description=totals.line())

        yield _telling(totals, bar.console.print, move)


def _telling(
    totals: Totals, tell: Callable[[str], None], show: Callable[[], None]
) -> Callable[[FileResult], None]:
    def told(result: FileResult) -> None:
        if result.error is not None and totals.failed <= _MOST_FAILURES:
            more = "; the others that fail are told in the results" * (
                totals.failed == _MOST_FAILURES
            )
            tell(f"{result.path}: {result.error}{more}")
        show()

    return told
