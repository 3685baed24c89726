"""What the tests of the screen share: a run that is made up, and a screen that shows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fake_source import FakeSource
from liveclf.dsp.formats import FORMATS
from liveclf.dsp.waterfall import Rows
from liveclf.emissions import Emission, Emissions
from liveclf.live.history import History
from liveclf.records import Block, StreamInfo
from liveclf.tui.looks import Looks
from liveclf.tui.screen import Behind, RunScreen
from liveclf.web.controls import Controls
from liveclf.web.hub import Hub, Posted
from liveclf.web.recordings import Relabelled
from liveclf.web.told import Told
from liveclf.web.wire import row_message, text

RATE_HZ, CENTER_HZ, EPOCH_S = 1e6, 433.92e6, 1_700_000_000.0
NOISE_DBFS, N_BINS = -60.0, 1024
MANY = Looks()

EMISSION = Emission(
    id=7, state="closed", time="2023-11-14T22:13:20.020000Z", elapsed_s=0.02, sample=20_000,
    n_samples=30_000, duration_s=0.03, center_hz=434.02e6, offset_hz=100e3, bandwidth_hz=40e3,
    snr_db=20.5, power_dbfs=-10.0, label="OOK", family="ASK", probability=0.9,
    family_probability=0.92, top=[("OOK", 0.9), ("CW", 0.05)], symbol_rate_hz=None, n_windows=4,
    note=None, latency_s=0.05, truth=None, stream=0, source="fake.cu8",
)  # fmt: skip

FIGURES = {
    "samples": 1_000_000, "wall_s": 1.0, "emissions": 3, "unknown": 1, "noise": 0, "left_out": {},
    "coverage": 1.0, "samples_lost": 0, "lost_by": {}, "latency_p50_ms": 50.0,
    "latency_p99_ms": 90.0, "unclassified": 0, "queues": {"jsonl": 2},
}  # fmt: skip


def emission(**other: Any) -> Emission:
    """Return an emission like EMISSION but for some fields."""
    return replace(EMISSION, **other)


def history() -> History:
    """Return the samples of EMISSION: a tone in noise."""
    rng = np.random.default_rng(1)
    iq = 0.01 * (rng.standard_normal(100_000) + 1j * rng.standard_normal(100_000))
    k = np.arange(EMISSION.sample, EMISSION.sample + EMISSION.n_samples)
    iq[k] += 0.5 * np.exp(2j * np.pi * (100e3 / RATE_HZ) * k)
    native = iq.astype(np.complex64).view(np.float32).reshape(-1, 2)
    kept = History(1_000_000)
    kept.keep(Block(native, FORMATS["cf32"], 0, 0, RATE_HZ, CENTER_HZ, EPOCH_S, 0.0))
    return kept


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
