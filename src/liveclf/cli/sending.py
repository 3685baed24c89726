"""`liveclf publish --metrics`: the monitor of `run`, of what is sent instead of labelled."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from liveclf import __version__
from liveclf.cli.monitor import Served
from liveclf.config import MetricsSettings
from liveclf.dsp.framer import Framer
from liveclf.live.pipeline import Stream
from liveclf.live.stats import Stats
from liveclf.model.bundle import WINDOW_SAMPLES
from liveclf.monitor.snapshot import SentState, Snapshot
from liveclf.protocols import Source
from liveclf.records import Block
from liveclf.sources.zeromq.sender import Sender


class SendMonitor(Served):
    """Metrics and health beside a publisher; served from the beginning until `close`."""

    def __init__(self, settings: MetricsSettings, source: Source, sender: Sender) -> None:
        """Begin to serve; raises as `Served` does.

        Args:
            settings: Where, and what is unwell.
            source: Of the samples.
            sender: Of them.
        """
        self._stats, self._sender = Stats({}), sender
        self._began_s = time.monotonic()
        self._framer = Framer(WINDOW_SAMPLES)  # which gets nothing to cut
        stream = Stream(source, [], self._framer, self._stats)
        super().__init__(settings, [stream], [source.info])
        self.on_turn()

    def counting(self, blocks: Iterator[Block]) -> Iterator[Block]:
        """Pass blocks on as the source delivers them, counted."""
        return self._stats.counting(blocks)

    def on_turn(self) -> None:
        """Note that the loop turns, and leave a snapshot now and then."""
        self._turn(self._snapshot)

    def _snapshot(self) -> Snapshot:
        about: dict[str, Any] = {"failure": None, "when_slow": "", "labelled": ""}
        wall_s = time.monotonic() - self._began_s
        sender = self._sender
        return Snapshot(
            version=__version__,
            model="",
            engine="",
            streams=(self._state(0, about | self._stats.summary(self._framer, wall_s)),),
            outputs=(),
            sent=SentState(
                sender.name, sender.samples, sender.messages, sender.n_receivers, sender.is_held
            ),
        )
