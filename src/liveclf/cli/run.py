"""`liveclf run`: settings -> sources, engine, outputs -> the loop -> summary."""

from __future__ import annotations

import argparse
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING, Any

from liveclf.cli.assembly import Run, assemble
from liveclf.cli.beside import Tell
from liveclf.cli.messages import Every, say, silent, speak
from liveclf.cli.options import add_settings, resolve
from liveclf.cli.run_report import broke, line, statistics, summarise
from liveclf.cli.stopping import stopped_by_signals
from liveclf.config import PictureSettings, RunSettings, to_toml
from liveclf.errors import UsageError
from liveclf.live import pipeline
from liveclf.live.shedding import Stride

if TYPE_CHECKING:
    from liveclf.monitor.notify import Notifier
    from liveclf.sinks import SinkReport


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    add_settings(parser, RunSettings)


def execute(arguments: argparse.Namespace) -> int:
    """Classify one stream, or several, and return the exit code."""
    settings = resolve(arguments, RunSettings)
    _refuse_conflicts(settings)
    if arguments.show_config:
        print(to_toml(settings), end="")
        return 0
    speak(settings.output.log_format)
    return classify(settings)


def _refuse_conflicts(settings: RunSettings) -> None:
    """Refuse what is of windows of the whole band where none are cut.

    Not before file and flags are merged: one may set the hop and the other --no-detect.
    """
    if settings.detect.wanted and settings.window.hop is not None:
        raise UsageError(
            f"Configuration: window.hop = {settings.window.hop} (--hop) cuts windows of the whole"
            " band, and emissions are looked for (--detect); give --no-detect with it."
        )


def classify(settings: RunSettings, look: PictureSettings | None = None) -> int:
    """Build what the loop needs, run it, and report.

    Args:
        settings: What to run.
        look: Of the picture, if one is asked for.

    Returns:
        0; 1 if an output failed or lost records; 130 or 143 if a signal ended it.

    Raises:
        LiveclfError: Something could not be opened, or the source broke; in the latter
            case everything before it was written and the summary printed.
    """
    from liveclf.monitor.notify import Notifier

    service = Notifier.of_service()
    tell = silent if settings.output.quiet else say
    run = assemble(settings, look or PictureSettings(), tell)
    beside = run.beside

    @cache
    def finish() -> tuple[dict[str, Any], tuple[SinkReport, ...]]:
        run.close_sources()
        figures = run.figures()
        return figures, run.output.close(figures)

    def loop() -> None:
        try:
            _loop(run, settings, tell, service)
        finally:
            finish()  # at once, however long somebody looks at the screen

    end = (run.close_sources, run.output.stop_waiting)
    with stopped_by_signals(*end) as signals, closing(beside):
        service.ready()
        try:
            if beside.tui:
                beside.tui.show(loop, end, lambda: bool(signals))
            else:
                loop()
        finally:
            service.stopping()
            figures, reports = finish()
            if beside.monitor:
                beside.monitor.end(figures, run.output)
            if not settings.output.quiet:
                summarise(figures, beside.outputs(reports))
            beside.end(figures, reports, tell)
        was_stopped = bool(signals)
        if beside.web and not beside.tui and not was_stopped:
            beside.web.stay(lambda: bool(signals))
    if was_stopped:
        return 128 + signals[0]
    return int(any(_lost_records(report) for report in reports))


def _loop(run: Run, settings: RunSettings, tell: Tell, service: Notifier) -> None:
    """Run the loop, and tell those that watch how it goes."""
    every = Every(settings.output.stats_s, lambda: tell(statistics(run.figures())))

    def on_block() -> None:
        every()
        service.beat(lambda: line(run.figures()))
        run.beside.on_block(run.figures, run.output)

    pipeline.run(
        run.streams, run.batcher, run.engine, run.decider, run.told,
        max_late_s=float(settings.model.max_late_s),
        stride=Stride(settings.model.max_age_s) if run.strides else None,
        on_block=on_block,
        on_failure=lambda stream: tell(broke(stream)),
    )  # fmt: skip


def _lost_records(report: SinkReport) -> bool:
    """Tell a failure from a reader that had seen enough."""
    return report.state == "failed" or (report.n_dropped > 0 and report.state != "closed")
