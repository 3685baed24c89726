"""What is said of a run: now and then, of a stream that broke, and at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from liveclf.cli.messages import is_json, say
from liveclf.live.pipeline import Stream
from liveclf.notes import Note

if TYPE_CHECKING:
    from liveclf.sinks import SinkReport


def summarise(figures: dict[str, Any], reports: Sequence[SinkReport]) -> None:
    """Print what the run did.

    Args:
        figures: Of all of it.
        reports: Of its outputs.
    """
    if is_json():
        say(Note("The run has ended.", "summary", **figures, outputs=list(map(asdict, reports))))
        return
    from liveclf.sinks.summary import print_summary

    print_summary(figures, reports)


def statistics(figures: dict[str, Any]) -> Note:
    """Return what the run has done so far."""
    return Note(line(figures), "statistics", **figures)


def broke(stream: Stream) -> Note:
    """Return that a stream of several has ended, and why."""
    name = stream.source.info.name
    return Note(f"{name} has ended: {stream.failure}", "source_failed", "error", source=name)


def line(figures: dict[str, Any]) -> str:
    """Return what the run has done so far, on one line."""
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
