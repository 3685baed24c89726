"""A live table for a person at a terminal; on anything else, its final state."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import IO, Any, Generic, Protocol, cast

from rich.console import Console, ConsoleOptions, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from liveclf.protocols import ReportT
from liveclf.records import StreamInfo
from liveclf.sinks.layout import title
from liveclf.sinks.stream import ByteStream
from liveclf.sinks.terminal import HonestConsole, TextOutput

ROWS = 14
# Drawing costs about 6 ms of a core.
REFRESH_S = 0.2
# Title, header, rule, counters and the line of the cursor.
LINES_BESIDE_ROWS = 5


class Rows(Protocol[ReportT]):
    """What is shown of reports of one kind; bounded, however long the run.

    Attributes:
        waiting: What stands in place of the table while there is nothing to show.
    """

    waiting: str

    def add(self, report: ReportT, now_s: float, /) -> None:
        """Take in one batch that comes at this time."""
        ...

    def table(self, n_rows: int, options: ConsoleOptions) -> Table | None:
        """Return at most so many rows, None before the first."""
        ...

    def counters(self) -> str:
        """Return the figures below the table, on one line."""
        ...


class TableSink(Generic[ReportT]):
    """Shows what was told last, no more often than a person can read."""

    def __init__(
        self,
        console: Console,
        info: StreamInfo,
        rows: Rows[ReportT],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing is shown before the first batch or `redraw`.

        Args:
            console: Where the table goes.
            info: The stream, for the title.
            rows: What is shown.
            clock: Seconds; decides how often the table is drawn.
        """
        self._console = console
        self._info = info
        self._clock = clock
        self._rows = rows
        self._live: Live | None = None
        self._drawn_s = -math.inf
        self._is_stale = True

    def write(self, report: ReportT) -> None:
        """Take in one batch, and show it unless the last drawing is too recent."""
        self._rows.add(report, self._clock())
        self._is_stale = True
        self.redraw()

    def redraw(self) -> None:
        """Show what changed, unless the last drawing is too recent."""
        now_s = self._clock()
        if not self._is_stale or now_s - self._drawn_s < REFRESH_S:
            return
        self._drawn_s, self._is_stale = now_s, False
        if self._console.is_terminal:
            self._shown().update(self.render(), refresh=True)

    def close(self, summary: dict[str, Any]) -> None:
        """Leave the final state on the screen, or in the file."""
        if not self._console.is_terminal:
            self._console.print(self.render())
            return
        live = self._shown()
        live.update(self.render())
        live.stop()

    def render(self) -> Group:
        """Return the table and its counters as they are now."""
        n_rows = ROWS
        if self._console.is_terminal:
            n_rows = max(1, min(ROWS, self._console.height - LINES_BESIDE_ROWS))
        heading = Text(title(self._info), style="bold", no_wrap=True, overflow="ellipsis")
        table = self._rows.table(n_rows, self._console.options)
        if table is None:
            return Group(heading, Text(self._rows.waiting, style="dim"))
        counters = Text(self._rows.counters(), style="dim", no_wrap=True, overflow="ellipsis")
        return Group(heading, table, counters)

    def _shown(self) -> Live:
        if self._live is None:
            self._live = _live(self._console)
            self._live.start()
        return self._live


def open_table(
    stream: ByteStream, info: StreamInfo, rows: Callable[[int], Rows[ReportT]]
) -> TableSink[ReportT]:
    """Make the table that is shown on a stream.

    Args:
        stream: Standard output.
        info: What is shown.
        rows: Makes the rows, of which so many are kept.
    """
    console = HonestConsole(file=cast("IO[str]", TextOutput(stream)))
    return TableSink(console, info, rows(ROWS))


def _live(console: Console) -> Live:
    # Lines that the program prints to a terminal meanwhile go above the table.
    redirect_stderr = sys.stderr is not None and sys.stderr.isatty()
    return Live(
        console=console,
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=redirect_stderr,
    )
