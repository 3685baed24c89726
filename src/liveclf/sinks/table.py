"""A live table for a person at a terminal; on anything else, its final state."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import IO, Any, cast

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from liveclf.records import Detections, StreamInfo
from liveclf.sinks.layout import layout, title
from liveclf.sinks.spans import Spans
from liveclf.sinks.stream import ByteStream
from liveclf.sinks.terminal import HonestConsole, TextOutput

ROWS = 14
# Drawing costs about 6 ms of a core.
REFRESH_S = 0.2
RATE_OVER_S = 1.0
# Title, header, rule, counters and the line of the cursor.
LINES_BESIDE_ROWS = 5


class TableSink:
    """Shows the labels last seen, one row for consecutive windows of a label."""

    def __init__(
        self,
        console: Console,
        info: StreamInfo,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing is shown before the first batch or `redraw`.

        Args:
            console: Where the table goes.
            info: The stream, for the title.
            clock: Seconds; decides how often the table is drawn.
        """
        self._console = console
        self._info = info
        self._clock = clock
        self._spans = Spans(ROWS)
        self._counters = _Counters()
        self._live: Live | None = None
        self._drawn_s = -math.inf
        self._is_stale = True

    def write(self, detections: Detections) -> None:
        """Take in one batch, and show it unless the last drawing is too recent."""
        self._spans.add(detections)
        self._counters.add(detections, self._clock())
        self._is_stale = True
        self.redraw()

    def redraw(self) -> None:
        """Show what changed, unless the last drawing is too recent."""
        now_s = self._clock()
        if not self._is_stale or now_s - self._drawn_s < REFRESH_S:
            return
        self._drawn_s, self._is_stale = now_s, False
        if self._live is None:
            self._live = _live(self._console)
            self._live.start()
        if self._console.is_terminal:
            self._live.update(self.render(), refresh=True)

    def close(self, summary: dict[str, Any]) -> None:
        """Leave the final state on the screen."""
        if self._live is None:
            self._live = _live(self._console)
            self._live.start()
        self._live.update(self.render())
        self._live.stop()

    def render(self) -> Group:
        """Return the table and its counters as they are now."""
        n_rows = ROWS
        if self._console.is_terminal:
            n_rows = max(1, min(ROWS, self._console.height - LINES_BESIDE_ROWS))
        spans = self._spans.latest(n_rows)
        heading = Text(title(self._info), style="bold", no_wrap=True, overflow="ellipsis")
        counters = Text(self._counters.line(), style="dim", no_wrap=True, overflow="ellipsis")
        if not spans:
            return Group(heading, Text("waiting for the first window", style="dim"))
        return Group(heading, layout(spans, self._console.options), counters)


class _Counters:
    """The figures below the table."""

    def __init__(self) -> None:
        self._n_windows = 0
        self._n_lost = 0
        self._latency_s = 0.0
        self._rate: float | None = None
        self._mark: tuple[float, int] | None = None

    def add(self, detections: Detections, now_s: float) -> None:
        """Count one batch."""
        self._n_windows += len(detections)
        self._n_lost += int(detections.gap_before.sum())
        self._latency_s = float(detections.latency_s[-1])
        if self._mark is None:
            self._mark = now_s, self._n_windows
        elif now_s - self._mark[0] >= RATE_OVER_S:
            self._rate = (self._n_windows - self._mark[1]) / (now_s - self._mark[0])
            self._mark = now_s, self._n_windows

    def line(self) -> str:
        """Return them as text."""
        rate = "" if self._rate is None else f", {self._rate:,.0f}/s"
        return (
            f"{self._n_windows:,} windows{rate}, {self._n_lost:,} samples lost, "
            f"latency {self._latency_s * 1e3:,.0f} ms"
        )


def open_table(stream: ByteStream, info: StreamInfo) -> TableSink:
    """Make the table that is shown on a stream.

    Args:
        stream: Standard output.
        info: What is shown.
    """
    return TableSink(HonestConsole(file=cast("IO[str]", TextOutput(stream))), info)


def _live(console: Console) -> Live:
    # Lines that the program prints to a terminal meanwhile go above the table.
    redirect_stderr = sys.stderr is not None and sys.stderr.isatty()
    return Live(
        console=console,
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=redirect_stderr,
    )
