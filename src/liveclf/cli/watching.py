"""What is watched of a run while it goes on: made once, for the page and for the screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liveclf.cli.setup import Setup
from liveclf.config import RunSettings
from liveclf.dsp.formats import FORMATS
from liveclf.errors import UsageError
from liveclf.live.history import History
from liveclf.records import StreamInfo

if TYPE_CHECKING:
    from liveclf.sinks import SinkReport
    from liveclf.sinks.worker import Worker
    from liveclf.view.hub import Hub
    from liveclf.view.recordings import Relabelled

_QUEUE_BATCHES = 64
_FIGURES_S = 0.5
_LONGEST_S = 60.0  # of the band that is kept
_WIDEST_BYTES = 16  # of a sample in a format that has no name


class Watching:
    """Taps in every stream, the emissions that are told, and a hub for each that watches.

    Attributes:
        hubs: What is new, by the flag of who watches: "--web", "--tui".
        taps: Of each stream.
        told: The emissions and their samples.
    """

    def __init__(self, setup: Setup) -> None:
        """Add a stage to every stream, and begin to draw.

        Args:
            setup: Of the run; page or screen are asked for.

        Raises:
            UsageError: A stream has no rate.
        """
        streams, seen, flags = setup.streams, setup.seen, _flags(setup.settings)
        _check(flags[0], seen)
        from liveclf.view.display import Display, Tap, waiting_blocks
        from liveclf.view.hub import Hub, Hubs
        from liveclf.view.told import Told

        self._name = ", ".join(flags)
        self.hubs = {flag: Hub(len(streams)) for flag in flags}
        hubs = Hubs(tuple(self.hubs.values()))
        half_bytes = setup.settings.web.keep_bytes // 2
        self.taps = [Tap(_history(i, half_bytes // len(seen)), waiting_blocks()) for i in seen]
        self.told = Told([tap.history for tap in self.taps], hubs, half_bytes)
        self._displays = [
            Display(tap, hubs, k, info.sample_rate_hz)
            for k, (tap, info) in enumerate(zip(self.taps, seen, strict=True))
        ]
        for stream, tap in zip(streams, self.taps, strict=True):
            stream.stages.append(tap)

    def start(self, is_live: bool) -> Worker:
        """Start the thread that takes what is told."""
        from liveclf.sinks.worker import Worker

        return Worker(self._name, self.told, is_live=is_live, depth_batches=_QUEUE_BATCHES)

    @property
    def not_drawn(self) -> int:
        """Blocks that the waterfalls lack."""
        return sum(tap.dropped for tap in self.taps)

    def close(self) -> None:
        """Draw no more."""
        for display in self._displays:
            display.close()

    def missed(self, reports: Sequence[SinkReport]) -> list[str]:
        """Say what those who watched were not shown."""
        mine = next(report for report in reports if report.name == self._name)
        parts = [mine.message.rstrip(".")] if mine.message else []
        return [*parts, f"{self.not_drawn:,} blocks not drawn"] if self.not_drawn else parts

    def others(self, reports: Sequence[SinkReport]) -> list[SinkReport]:
        """Return the reports of all other outputs."""
        return [report for report in reports if report.name != self._name]


class FiguresPosting:
    """Posts the figures of a run to those who watch, twice a second."""

    def __init__(self, hub: Hub, watcher: str) -> None:
        """Post nothing yet.

        Args:
            hub: Where to.
            watcher: Under which name its own figures stand beside the others.
        """
        self._hub, self._watcher, self._next_s = hub, watcher, 0.0

    def post(
        self, figures: Callable[[], Mapping[str, Any]], about: Callable[[], Mapping[str, int]]
    ) -> bool:
        """Post, if it is time, and return whether it was.

        Args:
            figures: Makes those of the run.
            about: Makes those of the watcher.
        """
        if (now_s := time.monotonic()) < self._next_s:
            return False
        self._next_s = now_s + _FIGURES_S
        from liveclf.view.hub import Posted
        from liveclf.view.wire import text

        message = text("figures", figures=dict(figures()) | {self._watcher: dict(about())})
        self._hub.post(Posted(message, key="figures"))
        return True


def relabelled_of(setup: Setup) -> Relabelled | None:
    """Return the folder of emissions with corrected labels, if one is asked for.

    Raises:
        SinkError: It cannot be made.
    """
    from liveclf.view.recordings import Relabelled

    folder = setup.settings.web.relabelled
    return Relabelled(Path(folder).expanduser()) if folder else None


def _flags(settings: RunSettings) -> list[str]:
    """Return those of who watches."""
    asked = (("--web", settings.web.at), ("--tui", settings.tui.wanted))
    return [flag for flag, is_asked in asked if is_asked]


def _check(flag: str, seen: Sequence[StreamInfo]) -> None:
    for info in seen:
        if not info.sample_rate_hz > 0:
            raise UsageError(
                f"{flag} draws time and frequency, and the sample rate of {info.name}"
                " is not known; give --rate."
            )


def _history(info: StreamInfo, limit_bytes: int) -> History:
    known = FORMATS.get(info.format)
    sample_bytes = known.bytes_per_sample if known else _WIDEST_BYTES
    return History(min(limit_bytes // sample_bytes, round(_LONGEST_S * info.sample_rate_hz)))
