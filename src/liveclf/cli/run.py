"""`liveclf run`: settings -> source, engine, outputs -> the loop -> summary."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from liveclf.cli.messages import say
from liveclf.cli.options import add_settings, resolve
from liveclf.cli.stopping import stopped_by_signals
from liveclf.config import RunSettings, to_toml
from liveclf.dsp.framer import Framer
from liveclf.dsp.normalise import NativeWindows, Normaliser, normalised
from liveclf.live import pipeline
from liveclf.live.batcher import Batcher
from liveclf.live.decider import Decider
from liveclf.live.shedding import Stride, policy_of
from liveclf.live.stats import Stats
from liveclf.protocols import DeviceEngine, Engine, Source, Stage
from liveclf.records import StreamInfo

if TYPE_CHECKING:
    from liveclf.cli.saving import Saving
    from liveclf.model.bundle import BundleInfo
    from liveclf.sinks import FanOut, SinkReport


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    add_settings(parser, RunSettings)


def execute(arguments: argparse.Namespace) -> int:
    """Classify one stream and return the exit code."""
    settings = resolve(arguments, RunSettings)
    if arguments.show_config:
        print(to_toml(settings), end="")
        return 0
    return classify(settings)


@dataclass(frozen=True)
class _Run:
    """What the loop needs, put together."""

    source: Source
    stages: list[Stage]
    framer: Framer
    batcher: Batcher
    engine: Engine
    decider: Decider
    output: FanOut
    stats: Stats
    model: str
    policy: str
    began_s: float
    saving: Saving | None

    def figures(self) -> dict[str, Any]:
        """Return every figure of the run so far."""
        about = {
            "source": self.source.info.name,
            "model": self.model,
            "engine": self.engine.name,
            "when_slow": self.policy,
        }
        return about | self.stats.summary(self.framer, time.monotonic() - self.began_s)


def classify(settings: RunSettings) -> int:
    """Build what the loop needs, run it, and report.

    Returns:
        0; 1 if an output failed or lost records; 130 or 143 if a signal ended it.

    Raises:
        LiveclfError: Something could not be opened, or the source broke; in the latter
            case everything before it was written and the summary printed.
    """
    from liveclf.sinks.summary import print_summary

    tell = silent if settings.output.quiet else say
    run = _assemble(settings, tell)
    max_late_s = math.inf if run.policy == "block" else float(settings.model.max_late_s)
    stride = Stride(settings.model.max_age_s) if run.policy == "stride" else None
    every = Every(settings.output.stats_s, lambda: tell(_line(run.figures())))
    with stopped_by_signals(run.source.close, run.output.stop_waiting) as signals:
        try:
            pipeline.run(
                run.source, run.stages, run.framer, run.batcher, run.engine, run.decider,
                run.output, run.stats, max_late_s=max_late_s, stride=stride, on_block=every,
            )  # fmt: skip
        finally:
            run.source.close()
            figures = run.figures()
            reports = run.output.close(figures)
            if not settings.output.quiet:
                print_summary(figures, run.saving.others(reports) if run.saving else reports)
            if run.saving:
                tell(run.saving.told(reports))
    if signals:
        return 128 + signals[0]
    return int(any(_lost_records(report) for report in reports))


def _assemble(settings: RunSettings, tell: Callable[[str], None]) -> _Run:
    """Open everything; outputs last, so that nothing is overwritten in vain."""
    # Imported here: `--help` and `--show-config` need neither ONNX Runtime nor rich.
    from liveclf.dsp.decimate import Decimator
    from liveclf.dsp.shift import Shifter
    from liveclf.model.bundle import load_bundle
    from liveclf.model.engines import open_engine
    from liveclf.sinks import open_sinks, parse_outputs
    from liveclf.sources import open_source

    parse_outputs(settings.output.to)  # wrong use is said before anything is opened
    source = open_source(settings.source, settings.radio, tell)
    can_wait = settings.source.realtime or not source.info.is_live
    policy = policy_of(settings.model.when_slow, source.info, can_wait=can_wait)
    bundle = load_bundle(settings.model.bundle)
    engine, precision = open_engine(bundle, settings.model, tell)
    shifter = Shifter(float(settings.radio.offset_hz))
    decimator = Decimator(settings.source.decimate)
    seen = decimator.describe(shifter.describe(source.info))  # by the framer and all behind it
    saving = _saving(settings, bundle.info)
    output = open_sinks(settings.output.to, is_live=seen.is_live, info=seen)
    introduce(source.info, f"{bundle.info.name}, {engine.name}", tell)
    stages: list[Stage] = [
        *([shifter] if settings.radio.offset_hz else []),
        *([decimator] if settings.source.decimate > 1 else []),
    ]
    if saving:
        output.add_listener(saving.start(seen))
        stages.append(saving.history)
    info, least = bundle.info, settings.output.min_probability
    return _Run(
        source=source,
        stages=stages,
        framer=Framer(info.window_samples, settings.window.hop, _normaliser(engine)),
        batcher=Batcher(engine.batch_size, settings.model.max_age_s),
        engine=engine,
        decider=Decider(
            info.classes,
            info.families,
            info.temperature[precision],
            top_k=settings.output.top_k,
            min_probability=info.threshold(precision) if least is None else least,
            annotations=seen.annotations,
        ),
        output=output,
        stats=Stats(info.families),
        model=info.name,
        policy=policy,
        began_s=time.monotonic(),
        saving=saving,
    )


def _normaliser(engine: Engine) -> Normaliser:
    """Leave the samples as they are for an engine that normalises them on its device."""
    return NativeWindows(engine.accept) if isinstance(engine, DeviceEngine) else normalised


def _saving(settings: RunSettings, info: BundleInfo) -> Saving | None:
    """Return what keeps unknown windows, if asked for."""
    if not settings.output.save_unknown:
        return None
    from liveclf.cli.saving import Saving

    return Saving(settings, info.window_samples, info.name)


def _lost_records(report: SinkReport) -> bool:
    """Tell a failure from a reader that had seen enough."""
    return report.state == "failed" or (report.n_dropped > 0 and report.state != "closed")


def introduce(info: StreamInfo, model: str, tell: Callable[[str], None]) -> None:
    """Say what is read, and what does not go without saying."""
    rate = f"{info.sample_rate_hz / 1e6:g} MS/s" if info.sample_rate_hz > 0 else "rate unknown"
    center = f", {info.center_hz / 1e6:g} MHz" if info.center_hz == info.center_hz else ""
    tell(f"{info.name}: {info.format}, {rate}{center}; {model}")
    if not info.sample_rate_hz > 0:
        tell("The sample rate is not known: positions are in samples; give --rate for times.")
    for note in info.notes:
        tell(note)


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
        f"{figures['classified']:,} of {figures['windows']:,} windows classified",
        f"{sum(figures['skipped'].values()):,} skipped",
        f"coverage {coverage:.1%}" if coverage is not None else "",
        _lost(figures),
        f"{factor:.2f} x real time" if factor else "",
        f"p99 latency {p99:.1f} ms" if p99 is not None else "",
    ]
    return "; ".join(part for part in parts if part)


def _lost(figures: dict[str, Any]) -> str:
    lost, estimated = figures["samples_lost"], figures["samples_lost_estimated"]
    by_clock = f" (about {estimated:,} of them by the clock)" if estimated else ""
    return f"{lost:,} samples lost{by_clock}"


def silent(message: str) -> None:
    """Say nothing."""
