"""What the tests of the screen share: a run that is made up, and a screen that shows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fake_source import FakeSource
from liveclf.dsp.waterfall import Rows
from liveclf.emissions import Emission, Emissions
from liveclf.records import StreamInfo
from liveclf.tui.behind import Behind
from liveclf.tui.looks import Looks
from liveclf.tui.screen import RunScreen
from liveclf.view.controls import Controls
from liveclf.view.hub import Hub, Posted
from liveclf.view.recordings import Relabelled
from liveclf.view.told import Told
from liveclf.view.wire import row_message, text
from made_up import CENTER_HZ, EPOCH_S, RATE_HZ, history

NOISE_DBFS, N_BINS = -60.0, 1024
MANY = Looks()

FIGURES = {
    "samples": 1_000_000, "wall_s": 1.0, "emissions": 3, "unknown": 1, "noise": 0, "left_out": {},
    "coverage": 1.0, "samples_lost": 0, "lost_by": {}, "latency_p50_ms": 50.0,
    "latency_p99_ms": 90.0, "unclassified": 0, "queues": {"jsonl": 2},
}  # fmt: skip


def row(k: int = 0, signal: slice | None = None, **other: Any) -> bytes:
    """Return the message of the k-th row: noise, and in some bins 30 dB more."""
    power = np.full((1, N_BINS), 10 ** (NOISE_DBFS / 10), np.float32)
    if signal:
        power[0, signal] *= 1000
    known = {"sample_rate_hz": RATE_HZ, "center_hz": CENTER_HZ, "epoch_s": EPOCH_S} | other
    rows = Rows(np.array([50_000 * k]), 50_000, power, power, np.array([90]), **known)
    return row_message(rows, 0, np.full(N_BINS, NOISE_DBFS, np.float32), 0)


class Watched:
    """A run that is made up.

    Attributes:
        source: What it reads.
        ended: Whether it has ended; `fails` makes that an error.
        asked_to_end: How often it was.
    """

    def __init__(self, folder: Path | None = None, **source: Any) -> None:
        info = StreamInfo("fake.cu8", "cu8", RATE_HZ, CENTER_HZ, None, False)
        self.source = FakeSource(**{"info": info, "position_s": 5.0, "length_s": 20.0} | source)
        self.hub = Hub(1)
        self.told = Told([history()], self.hub, 10_000_000)
        self.ended = self.failed = self.interrupted = False
        self.asked_to_end = 0
        self.behind = Behind(
            hub=self.hub, told=self.told, controls=Controls([self.source]),
            relabelled=Relabelled(folder) if folder else None, seen=[self.source.info],
            about="net, engine", has_ended=lambda: self.ended, has_failed=lambda: self.failed,
            is_interrupted=lambda: self.interrupted, end=self._end,
        )  # fmt: skip

    def _end(self) -> None:
        self.asked_to_end += 1
        self.ended = True

    def tell(self, *emissions: Emission) -> None:
        self.told.write(Emissions(emissions))

    def figures(self, **other: Any) -> None:
        figures = FIGURES | other
        self.hub.post(Posted(text("figures", figures=figures), key="figures"))

    def rows(self, n: int, signal: slice | None = None) -> None:
        for k in range(n):
            self.hub.post(Posted(row(k, signal), 0))

    @asynccontextmanager
    async def shown(
        self, width: int = 130, height: int = 40, looks: Looks = MANY
    ) -> AsyncIterator[Any]:
        """Show it; the pilot."""
        app = RunScreen(self.behind, looks=looks)
        async with app.run_test(size=(width, height)) as pilot:
            await pilot.pause()
            yield pilot


def seen(pilot: Any) -> str:
    """Return the text on the screen."""
    lines = pilot.app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line) for line in lines)


def listed(pilot: Any) -> list[str]:
    """Return the lines of the list."""
    widget = pilot.app.query_one("#list")
    lines = [widget.render_line(y).text for y in range(1, widget.size.height)]
    return [line for line in lines if line.strip()]


async def until(pilot: Any, text: str, limit_s: float = 10.0) -> str:
    """Wait until a text is seen; the screen."""
    async with asyncio.timeout(limit_s):
        while text not in (screen := seen(pilot)):
            await pilot.pause(0.02)
    return screen
