"""The figures of a whole run, for a person, on standard error."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from liveclf.sinks.terminal import HonestConsole
from liveclf.sinks.worker import SinkReport

LABELS_SHOWN = 8
BAR_CELLS = 24


def print_summary(
    summary: Mapping[str, Any], reports: Sequence[SinkReport], file: TextIO | None = None
) -> None:
    """Print what a run did; a figure that is not given is left out.

    Args:
        summary: The figures: source, model, engine, labelled ("windows", or "emissions" where
            these are told; none: windows), samples, stream_s, wall_s,
            realtime_factor, windows, classified, unclassified, coverage (share
            of the signal that arrived), skipped {reason: windows}, emissions (told to their
            ends), noise (emissions that the network takes for it), left_out {reason:
            emissions}, samples_lost, lost_by {cause:
            samples}, samples_lost_estimated, samples_left_out, samples_short, unknown,
            latency_p50_ms, latency_p99_ms, labels {label: windows}, families {family:
            windows}, agreement {annotated, label_right, family_right}, and streams, a list of
            the same figures of each, with its number, name and failure.
        reports: What became of each output.
        file: Where to; none: standard error.
    """
    if file is None and sys.stderr is None:
        return
    console = HonestConsole(file=file, stderr=file is None, highlight=False)
    try:
        console.print(_figures(summary, reports, console))
    except OSError:
        return  # nobody can be told: what is read here was standard error


def _figures(summary: Mapping[str, Any], reports: Sequence[SinkReport], console: Console) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    lines: dict[str, Text | str] = {
        "source": str(summary.get("source") or ""),
        "streams": _streams(summary.get("streams") or []),
        "model": ", ".join(str(summary[k]) for k in ("model", "engine") if summary.get(k)),
        "stream": _stream(summary),
        "emissions": _emissions(summary),
        "windows": _windows(summary),
        "lost": _lost(summary),
        "latency": _latency(summary),
        "labels": _shares(summary.get("labels") or {}, console.options.ascii_only),
        "families": _inline_shares(summary.get("families") or {}),
        "annotated": _agreement(
            summary.get("agreement") or {}, str(summary.get("labelled") or "windows")
        ),
        "outputs": Text("\n").join(_output(report) for report in reports),
    }
    for name, text in lines.items():
        if text:
            grid.add_row(name, Text(text) if isinstance(text, str) else text)
    return grid


def _streams(streams: Sequence[Mapping[str, Any]]) -> Text:
    """Return a line for each of several streams."""
    if len(streams) < 2:
        return Text()
    return Text("\n").join(_one_of_several(figures) for figures in streams)


def _one_of_several(figures: Mapping[str, Any]) -> Text:
    text = Text(f"{figures['stream']} {figures['source']}: {figures['samples']:,} samples; ")
    if emissions := _emissions(figures):
        text.append(f"emissions {emissions}; ")
    text.append(f"windows {_windows(figures)}; lost ").append_text(_lost(figures))
    if figures["failure"]:
        text.append(" (broke)", style="bold red")
    return text


def _stream(summary: Mapping[str, Any]) -> str:
    parts = []
    if (samples := summary.get("samples")) is not None:
        parts.append(f"{samples:,} samples")
    stream_s, wall_s = summary.get("stream_s"), summary.get("wall_s")
    times = [] if stream_s is None else [f"{_seconds(stream_s)} of signal"]
    if wall_s is not None:
        times.append(f"in {_seconds(wall_s)}")
    if times:
        parts.append(" ".join(times))
    if (factor := summary.get("realtime_factor")) is not None:
        parts.append(f"{_figure(factor)} times real time")
    return ", ".join(parts)


def _tells_emissions(summary: Mapping[str, Any]) -> bool:
    return summary.get("labelled") == "emissions"


def _emissions(summary: Mapping[str, Any]) -> str:
    if not _tells_emissions(summary):
        return ""
    emissions = summary.get("emissions")
    parts = [] if emissions is None else [f"{emissions:,} told"]
    if unknown := summary.get("unknown"):
        parts.append(f"{unknown:,} unknown")
    reasons = Counter(summary.get("left_out") or {})
    reasons["taken for noise"] += summary.get("noise") or 0
    parts += [f"{n:,} left out ({reason})" for reason, n in reasons.items() if n]
    return ", ".join(parts)


def _windows(summary: Mapping[str, Any]) -> str:
    tells_emissions = _tells_emissions(summary)
    parts = []
    if (windows := summary.get("windows")) is not None:
        parts.append(f"{windows:,} cut out of them" if tells_emissions else f"{windows:,}")
    if (classified := summary.get("classified")) is not None:
        parts.append(f"{classified:,} classified")
    skipped = summary.get("skipped") or {}
    parts += [f"{n:,} skipped ({reason})" for reason, n in skipped.items() if n]
    if (coverage := summary.get("coverage")) is not None:
        parts.append(f"coverage {coverage:.1%}")
    if unclassified := summary.get("unclassified"):
        parts.append(f"{unclassified:,} not classified")
    if (unknown := summary.get("unknown")) and not tells_emissions:
        parts.append(f"{unknown:,} unknown")
    return ", ".join(parts)


def _lost(summary: Mapping[str, Any]) -> Text:
    text = Text()
    if (lost := summary.get("samples_lost")) is not None:
        text.append(f"{lost:,} samples", style="bold red" if lost else "")
    if causes := summary.get("lost_by"):
        text.append(f" ({', '.join(f'{n:,} {cause}' for cause, n in causes.items())})")
    if estimated := summary.get("samples_lost_estimated"):
        text.append(f", of which about {estimated:,} by the clock")
    if left_out := summary.get("samples_left_out"):
        text.append(f"{', ' if text else ''}{left_out:,} left out while tuners settled")
    if short := summary.get("samples_short"):
        text.append(f"{', ' if text else ''}{short:,} left over, too few for a window")
    return text


def _latency(summary: Mapping[str, Any]) -> str:
    p50_ms, p99_ms = summary.get("latency_p50_ms"), summary.get("latency_p99_ms")
    parts = [] if p50_ms is None else [f"median {_figure(p50_ms)} ms"]
    return ", ".join(parts if p99_ms is None else [*parts, f"99 % within {_figure(p99_ms)} ms"])


def _shares(counts: Mapping[str, int], ascii_only: bool) -> Text:
    total = sum(counts.values())
    if not total:
        return Text()
    ranked = _ranked(counts)
    shown, rest = ranked[:LABELS_SHOWN], ranked[LABELS_SHOWN:]
    if rest:
        shown.append((f"{len(rest)} more", sum(n for _, n in rest)))
    label_cells = max(len(label) for label, _ in shown)
    count_cells = max(len(f"{n:,}") for _, n in shown)
    glyph = "#" if ascii_only else "━"
    lines = []
    for label, n in shown:
        figures = f"{label:<{label_cells}}  {n:>{count_cells},}  {n / total:>6.1%}  "
        lines.append(Text.assemble(figures, (glyph * round(n / total * BAR_CELLS), "cyan")))
    return Text("\n").join(lines)


def _inline_shares(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    return ", ".join(f"{name} {n / total:.1%}" for name, n in _ranked(counts))


def _ranked(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(((name, n) for name, n in counts.items() if n), key=lambda item: -item[1])


def _agreement(agreement: Mapping[str, int], labelled: str) -> str:
    annotated = agreement.get("annotated")
    if not annotated:
        return ""
    parts = [f"{annotated:,} {labelled}"]
    for key, what in (("label_right", "label"), ("family_right", "family")):
        if (right := agreement.get(key)) is not None:
            parts.append(f"{what} agrees in {right / annotated:.1%}")
    return ", ".join(parts)


def _output(report: SinkReport) -> Text:
    text = Text(f"{report.message or report.name + ':'} {report.n_written:,} records written")
    # What a reader that closed the output did not take was not lost.
    if report.n_dropped and report.state != "closed":
        text.append(f", {report.n_dropped:,} dropped", style="bold red")
    return text


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _seconds(seconds: float) -> str:
    if seconds < 600:
        return f"{_figure(seconds)} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{_figure(seconds / 3600)} h"
