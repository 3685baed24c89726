"""What goes on beside the loop of a run: opened if asked for, told of the loop, closed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liveclf.cli.monitor import Monitor
from liveclf.cli.setup import Setup
from liveclf.config import PictureSettings
from liveclf.errors import UsageError
from liveclf.live.pipeline import Stream
from liveclf.records import StreamInfo

if TYPE_CHECKING:
    from liveclf.cli.saving import Saving
    from liveclf.cli.tui import Tui
    from liveclf.cli.watching import Watching
    from liveclf.cli.web import Web
    from liveclf.live.thresholds import Thresholds
    from liveclf.plot.run_plot import RunPlot
    from liveclf.sinks import FanOut, SinkReport

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Beside:
    """What goes on beside the loop; what is not asked for is None.

    Attributes:
        saving: Keeps the samples of what is unknown.
        watching: What page and screen show.
        web: The page.
        tui: The screen.
        monitor: Metrics and health.
        picture: Draws the run.
    """

    saving: Saving | None
    watching: Watching | None
    web: Web | None
    tui: Tui | None
    monitor: Monitor | None
    picture: RunPlot | None

    def join(self, first: Stream, output: FanOut, whole: StreamInfo) -> None:
        """Listen to a run that is about to begin.

        Args:
            first: Stream that is saved and drawn; the only one, if that is asked for.
            output: Of the run.
            whole: All streams together.
        """
        if self.saving:
            output.add_listener(self.saving.start(whole))
            first.stages.append(self.saving.history)
        if self.picture:
            first.stages.append(self.picture)
        if self.watching:
            output.add_listener(self.watching.start(whole.is_live))

    def on_block(self, figures: Callable[[], dict[str, Any]], output: FanOut) -> None:
        """Show how the run goes; called by the loop.

        Args:
            figures: Makes them.
            output: Of the run.
        """
        if self.monitor:
            self.monitor.on_block(figures, output)
        for part in (self.web, self.tui):
            if part:
                part.on_block(lambda: figures() | {"queues": output.waiting})

    def outputs(self, reports: Sequence[SinkReport]) -> list[SinkReport]:
        """Return the reports of outputs alone."""
        for part in (self.saving, self.watching):
            if part:
                reports = part.others(reports)
        return list(reports)

    def end(self, figures: dict[str, Any], reports: Sequence[SinkReport], tell: Tell) -> None:
        """Say what became of everything, and write the picture.

        Args:
            figures: Of the whole run.
            reports: Of all outputs.
            tell: Told a sentence of each.
        """
        for part in (self.saving, self.web, self.tui):
            if part:
                tell(part.told(reports))
        if self.picture:
            self.picture.close(figures)
            tell(self.picture.told())

    def close(self) -> None:
        """Serve and draw no more."""
        with ExitStack() as last_first:
            for part in (self.watching, self.web, self.monitor):
                if part:
                    last_first.callback(part.close)


def open_beside(
    setup: Setup, look: PictureSettings, thresholds: Thresholds | None, tell: Tell
) -> Beside:
    """Open what is asked for.

    Args:
        setup: Of the run.
        look: Of the picture.
        thresholds: What the page can set; None where windows of the whole band are told.
        tell: Told where something is served, and what is set from there.

    Raises:
        LiveclfError: Something cannot be had.
    """
    saving, watching = _saving(setup), _watching(setup)
    return Beside(
        saving=saving,
        watching=watching,
        web=_web(setup, watching, thresholds, tell),
        tui=_tui(setup, watching),
        monitor=_monitor(setup, tell),
        picture=_picture(setup, look),
    )


def _saving(setup: Setup) -> Saving | None:
    if not setup.settings.output.save_unknown:
        return None
    from liveclf.cli.saving import Saving

    return Saving(setup)


def _watching(setup: Setup) -> Watching | None:
    if not setup.settings.web.at and not setup.settings.tui.wanted:
        return None
    from liveclf.cli.watching import Watching

    return Watching(setup)


def _web(
    setup: Setup, watching: Watching | None, thresholds: Thresholds | None, tell: Tell
) -> Web | None:
    if not setup.settings.web.at or watching is None or thresholds is None:
        return None
    from liveclf.cli.web import Web

    return Web(setup, watching, thresholds, tell)


def _tui(setup: Setup, watching: Watching | None) -> Tui | None:
    if not setup.settings.tui.wanted or watching is None:
        return None
    from liveclf.cli.tui import Tui

    return Tui(setup, watching)


def _monitor(setup: Setup, tell: Tell) -> Monitor | None:
    if not setup.settings.metrics.at:
        return None
    monitor = Monitor(setup)
    monitor.introduce(tell)
    return monitor


def _picture(setup: Setup, look: PictureSettings) -> RunPlot | None:
    """Return what draws the run.

    Raises:
        UsageError: There are several streams, or it cannot be written there.
        MissingExtraError: matplotlib is not installed.
    """
    path = setup.settings.output.plot
    if not path:
        return None
    if len(setup.seen) > 1:
        raise UsageError(
            f"--plot {path} draws one stream, and {len(setup.seen)} are given; run each"
            " with a picture of its own."
        )
    from liveclf.plot.run_plot import RunPlot

    return RunPlot(Path(path).expanduser(), setup.seen[0], look)
