"""Everything that a run needs, opened and put together."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from liveclf.cli.beside import Beside, Tell, open_beside
from liveclf.cli.monitor import metrics_address
from liveclf.cli.setup import Setup
from liveclf.cli.streams import (
    all_of,
    figures_of,
    introduce,
    lay_out,
    open_sources,
    wanted_streams,
)
from liveclf.config import PictureSettings, RunSettings, StreamSettings
from liveclf.dsp.framer import Framer
from liveclf.dsp.normalise import NativeWindows, Normaliser, normalised
from liveclf.emissions import Emissions
from liveclf.endpoints import parse_address
from liveclf.live import pipeline
from liveclf.live.batcher import Batcher
from liveclf.live.pipeline import Cutter, Stream
from liveclf.notes import Note
from liveclf.protocols import DeviceEngine, Engine, Source
from liveclf.records import Detections, StreamInfo

if TYPE_CHECKING:
    from liveclf.live.thresholds import Thresholds
    from liveclf.model.bundle import BundleInfo
    from liveclf.plot.run_plot import RunPlot
    from liveclf.sinks import FanOut


@dataclass(frozen=True)
class Run:
    """What the loop needs, put together.

    Attributes:
        streams: In the order of their numbers.
        batcher: Of the windows of all.
        engine: Runs the network.
        decider: Of what the network says.
        output: All outputs.
        labelled: What is told, "windows" or "emissions".
        model: Name of the bundle.
        began_s: Monotonic time.
        beside: What goes on beside the loop.
    """

    streams: Sequence[Stream]
    batcher: Batcher
    engine: Engine
    decider: pipeline.Decider[Any]
    output: FanOut
    labelled: str
    model: str
    began_s: float
    beside: Beside

    @property
    def told(self) -> pipeline.Output[Any]:
        """What the loop tells."""
        picture = self.beside.picture
        return _WithPicture(self.output, picture) if picture else self.output

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


def assemble(settings: RunSettings, look: PictureSettings, tell: Tell) -> Run:
    """Open everything; outputs last, so that nothing is overwritten in vain.

    Args:
        settings: What to run.
        look: Of the picture, if one is asked for.
        tell: Told what is read, and where something is served.

    Raises:
        LiveclfError: Something cannot be opened.
    """
    # Imported here: `--help` and `--show-config` need neither ONNX Runtime nor rich.
    from liveclf.model.engines import find_bundle, open_engine
    from liveclf.sinks import open_sinks, parse_outputs

    outputs = _beside_the_screen(settings)  # wrong use is said before anything is opened
    parse_outputs(outputs)
    _check_addresses(settings)
    wanted = wanted_streams(settings)
    sources = open_sources(wanted, tell)
    bundle = find_bundle(settings.model)
    engine, precision = open_engine(bundle, settings.model, tell)
    info = bundle.info
    cutters = [_cutter(settings, info, engine, number) for number in range(len(sources))]
    laid_out = _laid_out(sources, wanted, cutters, info, settings.model.when_slow)
    streams, seen = [stream for stream, _ in laid_out], [info for _, info in laid_out]
    setup = Setup(settings, streams, seen, info, engine.name)
    decider = _decider(setup, precision)
    beside = open_beside(setup, look, _thresholds(cutters, decider), tell)
    whole = all_of(seen)
    reports = Emissions if settings.detect.wanted else Detections
    output = open_sinks(outputs, is_live=whole.is_live, info=whole, reports=reports)
    introduce([source.info for source in sources], setup.network, tell)
    beside.join(streams[0], output, whole)
    if beside.web:
        tell(Note(f"Page: {beside.web.url}", "page", url=beside.web.url))
    return Run(
        streams=streams,
        batcher=Batcher(engine.batch_size, settings.model.max_age_s),
        engine=engine,
        decider=beside.saving.beside(decider) if beside.saving else decider,
        output=output,
        labelled="emissions" if settings.detect.wanted else "windows",
        model=info.name,
        began_s=time.monotonic(),
        beside=beside,
    )


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


def _laid_out(
    sources: Sequence[Source],
    wanted: Sequence[StreamSettings],
    cutters: Sequence[Cutter],
    info: BundleInfo,
    when_slow: str,
) -> list[tuple[Stream, StreamInfo]]:
    """Return every stream, and what is known of it as its cutter sees it."""
    waits_alone = not any(source.info.is_live for source in sources)
    return [
        # Beside a radio a recording waits, whatever the radio does.
        lay_out(
            source, settings, info, cutter,
            when_slow if source.info.is_live or waits_alone else "auto",
        )
        for source, settings, cutter in zip(sources, wanted, cutters, strict=True)
    ]  # fmt: skip


def _check_addresses(settings: RunSettings) -> None:
    """Refuse what is no address of a page or of metrics."""
    if settings.web.at:
        parse_address(settings.web.at)
    if settings.metrics.at:
        metrics_address(settings.metrics.at)


def _cutter(settings: RunSettings, info: BundleInfo, engine: Engine, number: int) -> Cutter:
    if settings.detect.wanted:
        from liveclf.live.finder import Finder  # SciPy: as in `_decider`

        return Finder(info.window_samples, settings.detect, number)
    return Framer(info.window_samples, settings.window.hop, number, _normaliser(engine))


def _normaliser(engine: Engine) -> Normaliser:
    """Leave the samples as they are for an engine that normalises them on its device."""
    return NativeWindows(engine.accept) if isinstance(engine, DeviceEngine) else normalised


def _decider(setup: Setup, precision: str) -> pipeline.Decider[Any]:
    # SciPy's softmax, which a `--help` can do without, as a press of TAB can.
    from liveclf.live.decider import Decider
    from liveclf.live.emission_decider import EmissionDecider, Rules

    settings, info, streams = setup.settings, setup.model, setup.seen
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


class _WithPicture:
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
