"""`liveclf run`: settings -> source, engine, outputs -> the loop -> summary."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from liveclf.cli.options import add_settings, resolve
from liveclf.config import RunSettings, to_toml
from liveclf.dsp.framer import Framer
from liveclf.live import pipeline
from liveclf.live.batcher import Batcher
from liveclf.live.decider import Decider
from liveclf.live.stats import Stats
from liveclf.protocols import Stage
from liveclf.records import StreamInfo


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


def classify(settings: RunSettings) -> int:
    """Build what the loop needs, run it, and report.

    Returns:
        0; 1 if an output failed or lost records; 130 or 143 if a signal ended it.

    Raises:
        LiveclfError: Something could not be opened, or the source broke; in the latter
            case everything before it was written and the summary printed.
    """
    # Imported here: `--help` and `--show-config` need neither ONNX Runtime nor rich.
    from liveclf.model.bundle import load_bundle
    from liveclf.model.engines import open_engine
    from liveclf.sinks import open_sinks, parse_outputs
    from liveclf.sinks.summary import print_summary
    from liveclf.sources import open_source

    say = _silent if settings.output.quiet else _say
    parse_outputs(settings.output.to)  # wrong use is said before anything is opened
    source = open_source(settings.source)
    bundle = load_bundle(settings.model.bundle)
    engine, precision = open_engine(bundle, settings.model)
    output = open_sinks(settings.output.to, is_live=source.info.is_live, info=source.info)
    _introduce(source.info, f"{bundle.info.name}, {engine.name}", say)
    framer = Framer(bundle.info.window_samples, settings.window.hop)
    decider = Decider(
        bundle.info.classes,
        bundle.info.families,
        bundle.info.temperature[precision],
        top_k=settings.output.top_k,
        min_probability=max(settings.output.min_probability, bundle.info.min_probability),
        annotations=source.info.annotations,
    )
    stats = Stats(bundle.info.families)
    batcher = Batcher(engine.batch_size, settings.model.max_age_s)
    began_s = time.monotonic()

    def summary() -> dict[str, Any]:
        about = {"source": source.info.name, "model": bundle.info.name, "engine": engine.name}
        return about | stats.summary(framer, time.monotonic() - began_s)

    every = _Every(settings.output.stats_s, lambda: say(_line(summary())))
    with _stopped_by_signals(source.close, output.stop_waiting) as signals:
        try:
            pipeline.run(
                source, _stages(settings), framer, batcher, engine, decider, output, stats,
                on_block=every,
            )  # fmt: skip
        finally:
            source.close()
            figures = summary()
            reports = output.close(figures)
            if not settings.output.quiet:
                print_summary(figures, reports)
    if signals:
        return 128 + signals[0]
    return int(any(report.n_dropped and report.state != "closed" or report.state == "failed" for report in reports))


def _stages(settings: RunSettings) -> list[Stage]:
    if settings.source.decimate == 1:
        return []
    from liveclf.dsp.decimate import Decimator

    return [Decimator(settings.source.decimate)]


def _introduce(info: StreamInfo, model: str, say: Callable[[str], None]) -> None:
    rate = f"{info.sample_rate_hz / 1e6:g} MS/s" if info.sample_rate_hz > 0 else "rate unknown"
    center = f", {info.center_hz / 1e6:g} MHz" if info.center_hz == info.center_hz else ""
    say(f"{info.name}: {info.format}, {rate}{center}; {model}")
    if not info.sample_rate_hz > 0:
        say("The sample rate is not known: positions are in samples; give --rate for times.")
    for note in info.notes:
        say(note)


@contextmanager
def _stopped_by_signals(*actions: Callable[[], None]) -> Iterator[list[int]]:
    """End the stream at the first signal, so that all that came before is classified.

    Args:
        actions: What ends it; they only set flags.

    Yields:
        The signals received. A second one raises KeyboardInterrupt at once.
    """
    received: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            raise KeyboardInterrupt
        for action in actions:
            action()

    watched = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, stop) for number in watched]
    try:
        yield received
    finally:
        for number, handler in zip(watched, before, strict=True):
            signal.signal(number, handler)


class _Every:
    """Calls something no more often than every so many seconds; 0 for never."""

    def __init__(self, interval_s: float, call: Callable[[], None]) -> None:
        self._interval_s, self._call = interval_s, call
        self._next_s = time.monotonic() + interval_s

    def __call__(self) -> None:
        if self._interval_s and time.monotonic() >= self._next_s:
            self._next_s += self._interval_s
            self._call()


def _line(figures: dict[str, Any]) -> str:
    factor = figures["realtime_factor"]
    p99 = figures["latency_p99_ms"]
    parts = [
        f"{figures['samples']:,} samples",
        f"{figures['classified']:,} of {figures['windows']:,} windows classified",
        f"{sum(figures['skipped'].values()):,} skipped",
        f"{figures['samples_lost']:,} samples lost",
        f"{factor:.2f} x real time" if factor else "",
        f"p99 latency {p99:.1f} ms" if p99 is not None else "",
    ]
    return "; ".join(part for part in parts if part)


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _silent(message: str) -> None:
    pass
