"""`liveclf run`: settings -> sources, engine, outputs -> the loop -> summary."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liveclf.cli.messages import is_json, say, speak
from liveclf.cli.options import add_settings, resolve
from liveclf.cli.stopping import stopped_by_signals
from liveclf.cli.streams import (
    all_of,
    figures_of,
    introduce,
    lay_out,
    open_sources,
    wanted_streams,
)
from liveclf.config import PictureSettings, RunSettings, to_toml
from liveclf.dsp.framer import Framer
from liveclf.dsp.normalise import NativeWindows, Normaliser, normalised
from liveclf.emissions import Emissions
from liveclf.errors import UsageError
from liveclf.live import pipeline
from liveclf.live.batcher import Batcher
from liveclf.live.pipeline import Cutter, Stream
from liveclf.live.shedding import Stride
from liveclf.notes import Note
from liveclf.protocols import DeviceEngine, Engine
from liveclf.records import Detections, StreamInfo

if TYPE_CHECKING:
    from liveclf.cli.monitor import Monitor
    from liveclf.cli.saving import Saving
    from liveclf.cli.tui import Tui
    from liveclf.cli.watching import Watching
    from liveclf.cli.web import Web
    from liveclf.live.thresholds import Thresholds
    from liveclf.model.bundle import BundleInfo
    from liveclf.monitor.notify import Notifier
    from liveclf.plot.run_plot import RunPlot
    from liveclf.sinks import FanOut, SinkReport


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


@dataclass(frozen=True)
class _Run:
    """What the loop needs, put together."""

    streams: list[Stream]
    batcher: Batcher
    engine: Engine
    decider: pipeline.Decider[Any]
    output: FanOut
    labelled: str
    model: str
    began_s: float
    saving: Saving | None
    watching: Watching | None
    web: Web | None
    tui: Tui | None
    monitor: Monitor | None
    picture: RunPlot | None

    @property
    def beside(self) -> list[Saving | Watching]:
        """What listens besides the outputs."""
        return [part for part in (self.saving, self.watching) if part]

    @property
    def told_by(self) -> list[Saving | Web | Tui]:
        """What has something to say of itself at the end."""
        return [part for part in (self.saving, self.web, self.tui) if part]

    @property
    def told(self) -> pipeline.Output[Any]:
        """What the loop tells."""
        return WithPicture(self.output, self.picture) if self.picture else self.output

    def figures(self) -> dict[str, Any]:
        """Return every figure of the run so far."""
        about = {"model": self.model, "engine": self.engine.name}
        wall_s = time.monotonic() - self.began_s
        return about | figures_of(self.streams, self.labelled, wall_s)

    @property
    def strides(self) -> bool:
        """Whether windows of any stream may be left out evenly."""
        return any(stream.policy == "stride" for stream in self.streams)

    def close_sources(self) -> None:
        """End every stream; safe in a signal handler."""
        for stream in self.streams:
            stream.source.close()


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
    run = _assemble(settings, look or PictureSettings(), tell)

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
    with (
        stopped_by_signals(*end) as signals,
        closing(run.watching) if run.watching else nullcontext(),
        closing(run.web) if run.web else nullcontext(),
        closing(run.monitor) if run.monitor else nullcontext(),
    ):
        service.ready()
        try:
            if run.tui:
                run.tui.show(loop, end, lambda: bool(signals))
            else:
                loop()
        finally:
            service.stopping()
            figures, reports = finish()
            if run.monitor:
                run.monitor.end(figures, run.output)
            if not settings.output.quiet:
                _summarise(figures, _outputs(run, reports))
            for part in run.told_by:
                tell(part.told(reports))
            if run.picture:
                run.picture.close(figures)
                tell(run.picture.told())
        was_stopped = bool(signals)
        if run.web and not run.tui and not was_stopped:
            tell(
                Note(f"The run has ended; its page stays at {run.web.url} until Ctrl-C.", "page",
                     url=run.web.url)
            )  # fmt: skip
            run.web.stay(lambda: bool(signals))
    if was_stopped:
        return 128 + signals[0]
    return int(any(_lost_records(report) for report in reports))


def _loop(run: _Run, settings: RunSettings, tell: Callable[[str], None], service: Notifier) -> None:
    """Run the loop, and tell those that watch how it goes."""
    every = Every(settings.output.stats_s, lambda: tell(_statistics(run.figures())))

    def on_block() -> None:
        every()
        service.beat(lambda: _line(run.figures()))
        if run.monitor:
            run.monitor.on_block(run.figures, run.output)
        for part in (run.web, run.tui):
            if part:
                part.on_block(lambda: run.figures() | {"queues": run.output.waiting})

    pipeline.run(
        run.streams, run.batcher, run.engine, run.decider, run.told,
        max_late_s=float(settings.model.max_late_s),
        stride=Stride(settings.model.max_age_s) if run.strides else None,
        on_block=on_block,
        on_failure=lambda stream: tell(_broke(stream)),
    )  # fmt: skip


def _assemble(settings: RunSettings, look: PictureSettings, tell: Callable[[str], None]) -> _Run:
    """Open everything; outputs last, so that nothing is overwritten in vain."""
    # Imported here: `--help` and `--show-config` need neither ONNX Runtime nor rich.
    from liveclf.model.bundle import load_bundle
    from liveclf.model.engines import open_engine
    from liveclf.sinks import open_sinks, parse_outputs

    outputs = _beside_the_screen(settings)  # wrong use is said before anything is opened
    parse_outputs(outputs)
    wanted = wanted_streams(settings)
    sources = open_sources(wanted, tell)
    bundle = load_bundle(settings.model.bundle)
    engine, precision = open_engine(bundle, settings.model, tell)
    info = bundle.info
    cutters = [_cutter(settings, info, engine, number) for number in range(len(sources))]
    waits_alone = not any(source.info.is_live for source in sources)
    laid_out = [
        # Beside a radio a recording waits, whatever the radio does.
        lay_out(
            source,
            of_stream,
            info,
            cutter,
            settings.model.when_slow if source.info.is_live or waits_alone else "auto",
        )
        for source, of_stream, cutter in zip(sources, wanted, cutters, strict=True)
    ]
    streams, seen = [stream for stream, _ in laid_out], [info for _, info in laid_out]
    whole = all_of(seen)
    saving = _saving(settings, info, seen[0])
    watching = _watching(settings, streams, seen)
    decider = _decider(settings, info, precision, seen)
    limits = _thresholds(cutters, decider)
    web = _web(settings, watching, streams, seen, info, engine, limits, tell)
    tui = _tui(settings, watching, streams, seen, info, engine)
    monitor = _monitor(settings, streams, seen, info, engine, tell)
    reports = Emissions if settings.detect.wanted else Detections
    picture = _picture(settings, look, seen)
    output = open_sinks(outputs, is_live=whole.is_live, info=whole, reports=reports)
    introduce([source.info for source in sources], f"{info.name}, {engine.name}", tell)
    if saving:
        decider = saving.beside(decider)
        output.add_listener(saving.start(whole))
        streams[0].stages.append(saving.history)
    if picture:
        streams[0].stages.append(picture)
    if watching:
        output.add_listener(watching.start(whole.is_live))
    if web:
        tell(Note(f"Page: {web.url}", "page", url=web.url))
    return _Run(
        streams=streams,
        batcher=Batcher(engine.batch_size, settings.model.max_age_s),
        engine=engine,
        decider=decider,
        output=output,
        labelled="emissions" if settings.detect.wanted else "windows",
        model=info.name,
        began_s=time.monotonic(),
        saving=saving,
        watching=watching,
        web=web,
        tui=tui,
        monitor=monitor,
        picture=picture,
    )


def _cutter(settings: RunSettings, info: BundleInfo, engine: Engine, number: int) -> Cutter:
    if settings.detect.wanted:
        from liveclf.live.finder import Finder  # SciPy: as in `_decider`

        return Finder(info.window_samples, settings.detect, number)
    return Framer(info.window_samples, settings.window.hop, number, _normaliser(engine))


def _decider(
    settings: RunSettings, info: BundleInfo, precision: str, streams: list[StreamInfo]
) -> pipeline.Decider[Any]:
    # SciPy's softmax, which a `--help` can do without, as a press of TAB can.
    from liveclf.live.decider import Decider
    from liveclf.live.emission_decider import EmissionDecider, Rules

    asked = settings.output.min_probability
    least = info.threshold(precision) if asked is None else asked
    top_k, temperature = settings.output.top_k, info.temperature[precision]
    if settings.detect.wanted:
        report_s = settings.detect.report_s
        rules = Rules(info.classes, info.families, temperature, top_k, least, report_s)
        return EmissionDecider(rules, streams)
    return Decider(
        info.classes,
        info.families,
        temperature,
        top_k=top_k,
        min_probability=least,
        streams=streams,
    )


def _thresholds(cutters: Sequence[Cutter], decider: pipeline.Decider[Any]) -> Thresholds | None:
    """Return what can be set while it runs; None where windows of the whole band are told."""
    from liveclf.live.emission_decider import EmissionDecider
    from liveclf.live.finder import Finder
    from liveclf.live.thresholds import Thresholds

    finders = [cutter for cutter in cutters if isinstance(cutter, Finder)]
    return Thresholds(finders, decider) if isinstance(decider, EmissionDecider) else None


def _normaliser(engine: Engine) -> Normaliser:
    """Leave the samples as they are for an engine that normalises them on its device."""
    return NativeWindows(engine.accept) if isinstance(engine, DeviceEngine) else normalised


def _picture(
    settings: RunSettings, look: PictureSettings, infos: list[StreamInfo]
) -> RunPlot | None:
    """Return what draws the run, if asked for.

    Raises:
        UsageError: There are several streams, or it cannot be written there.
        MissingExtraError: matplotlib is not installed.
    """
    if not settings.output.plot:
        return None
    if len(infos) > 1:
        raise UsageError(
            f"--plot {settings.output.plot} draws one stream, and {len(infos)} are given; run each"
            " with a picture of its own."
        )
    from liveclf.plot.run_plot import RunPlot

    return RunPlot(Path(settings.output.plot).expanduser(), infos[0], look)


class WithPicture:
    """Tells a picture what outputs are told."""

    def __init__(self, output: FanOut, picture: RunPlot) -> None:
        self._output, self._picture = output, picture

    @property
    def all_closed(self) -> bool:
        """Whether no output takes records any more."""
        return self._output.all_closed

    def write(self, report: Detections | Emissions) -> None:
        """Hand over one batch; windows get no box."""
        self._output.write(report)
        if isinstance(report, Emissions):
            self._picture.write(report)


def _saving(settings: RunSettings, info: BundleInfo, stream: StreamInfo) -> Saving | None:
    """Return what keeps the samples of what is unknown, if asked for."""
    if not settings.output.save_unknown:
        return None
    from liveclf.cli.saving import Saving

    return Saving(settings, info.window_samples, info.name, stream)


def _watching(
    settings: RunSettings, streams: Sequence[Stream], seen: Sequence[StreamInfo]
) -> Watching | None:
    """Return what is watched, if anybody does."""
    if not settings.web.at and not settings.tui.wanted:
        return None
    from liveclf.cli.watching import watching_of

    return watching_of(settings, streams, seen)


def _web(
    settings: RunSettings,
    watching: Watching | None,
    streams: Sequence[Stream],
    seen: Sequence[StreamInfo],
    info: BundleInfo,
    engine: Engine,
    thresholds: Thresholds | None,
    tell: Callable[[str], None],
) -> Web | None:
    """Return the page, if asked for."""
    if not settings.web.at or watching is None or thresholds is None:
        return None
    from liveclf.cli.web import Web

    return Web(settings.web, watching, streams, seen, info, engine.name, thresholds, tell)


def _beside_the_screen(settings: RunSettings) -> tuple[str, ...]:
    """Return the outputs, without what would be drawn where the screen is.

    Raises:
        MissingExtraError: There is no screen without something to install.
        UsageError: There is no terminal, or an output writes to it.
    """
    if not settings.tui.wanted:
        return settings.output.to
    from liveclf.cli.tui import check_terminal, outputs_beside

    check_terminal()
    return outputs_beside(settings.output.to)


def _tui(
    settings: RunSettings,
    watching: Watching | None,
    streams: Sequence[Stream],
    seen: Sequence[StreamInfo],
    info: BundleInfo,
    engine: Engine,
) -> Tui | None:
    """Return the screen, if asked for."""
    if not settings.tui.wanted or watching is None:
        return None
    from liveclf.cli.tui import Tui

    return Tui(settings.web.relabelled, watching, streams, seen, info, engine.name)


def _monitor(
    settings: RunSettings,
    streams: Sequence[Stream],
    seen: Sequence[StreamInfo],
    info: BundleInfo,
    engine: Engine,
    tell: Callable[[str], None],
) -> Monitor | None:
    """Return metrics and health, if asked for."""
    if not settings.metrics.at:
        return None
    from liveclf.cli.monitor import Monitor

    monitor = Monitor(settings.metrics, streams, seen, info.name, engine.name)
    tell(Note(f"Metrics: {monitor.url}", "metrics", url=monitor.url))
    if monitor.is_open:
        tell(Note("They are open to every machine that gets there, without a password.",
                  "metrics_open", "warning", url=monitor.url))  # fmt: skip
    return monitor


def _summarise(figures: dict[str, Any], reports: Sequence[SinkReport]) -> None:
    """Print what the run did."""
    if is_json():
        say(Note("The run has ended.", "summary", **figures, outputs=list(map(asdict, reports))))
        return
    from liveclf.sinks.summary import print_summary

    print_summary(figures, reports)


def _statistics(figures: dict[str, Any]) -> Note:
    return Note(_line(figures), "statistics", **figures)


def _outputs(run: _Run, reports: Sequence[SinkReport]) -> list[SinkReport]:
    """Return the reports of outputs alone."""
    for part in run.beside:
        reports = part.others(reports)
    return list(reports)


def _lost_records(report: SinkReport) -> bool:
    """Tell a failure from a reader that had seen enough."""
    return report.state == "failed" or (report.n_dropped > 0 and report.state != "closed")


def _broke(stream: Stream) -> Note:
    name = stream.source.info.name
    return Note(f"{name} has ended: {stream.failure}", "source_failed", "error", source=name)


class Every:
    """Calls something no more often than every so many seconds; 0 for never."""

    def __init__(self, interval_s: float, call: Callable[[], None]) -> None:
        self._interval_s, self._call = interval_s, call
        self._next_s = time.monotonic() + interval_s

    def __call__(self) -> None:
        """Call it, if it is time."""
        if self._interval_s and time.monotonic() >= self._next_s:
            self._next_s += self._interval_s
            self._call()


def _line(figures: dict[str, Any]) -> str:
    factor = figures["realtime_factor"]
    p99, coverage = figures["latency_p99_ms"], figures["coverage"]
    parts = [
        f"{figures['samples']:,} samples",
        _emissions(figures) if figures["labelled"] == "emissions" else "",
        f"{figures['classified']:,} of {figures['windows']:,} windows classified",
        f"{sum(figures['skipped'].values()):,} skipped",
        f"coverage {coverage:.1%}" if coverage is not None else "",
        _lost(figures),
        f"{factor:.2f} x real time" if factor else "",
        f"p99 latency {p99:.1f} ms" if p99 is not None else "",
    ]
    return "; ".join(part for part in parts if part)


def _emissions(figures: dict[str, Any]) -> str:
    told, unknown = figures["emissions"], figures["unknown"]
    left_out = sum(figures["left_out"].values()) + figures["noise"]
    return f"{told:,} emissions told, {unknown:,} unknown, {left_out:,} left out"


def _lost(figures: dict[str, Any]) -> str:
    lost, estimated = figures["samples_lost"], figures["samples_lost_estimated"]
    by_clock = f" (about {estimated:,} of them by the clock)" if estimated else ""
    return f"{lost:,} samples lost{by_clock}"


def silent(message: str) -> None:
    """Say nothing."""
