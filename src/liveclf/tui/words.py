"""What the screen says in words: title, figures, one emission, keys."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from liveclf.emissions import Emission
from liveclf.records import StreamInfo
from liveclf.sinks.layout import duration_text, khz_text, mhz_text, number_text, time_text
from liveclf.tui.listing import Item
from liveclf.tui.looks import ACCENT, BAD, DIM, GOOD, TEXT, WARN, Looks
from liveclf.tui.plane import plane

_BAR_CELLS, _NAME_CELLS = 14, 9
_PLANE_LINES, _PLANE_CELLS = 11, 22
_LATE_MS = 1000.0
_LEAST_COVERAGE = 0.9  # as the page has it
_PACE_S = 3.0

Figures = Mapping[str, Any]


def title(info: StreamInfo, about: str, state: Mapping[str, Any], said: str, looks: Looks) -> Text:
    """Return the first line: what is heard, by which network, how it goes.

    Args:
        info: Of the stream.
        about: Of the network.
        state: Of its source, as `view.controls` tells it.
        said: How the run is, empty while it goes on.
        looks: Of the terminal.
    """
    dot = looks.pick(" · ", " | ")
    parts = [looks.plain(info.name)]
    if math.isfinite(info.center_hz):
        parts.append(f"{info.center_hz / 1e6:g} MHz")
    parts += [f"{_si(info.sample_rate_hz)}S/s", info.format]
    text = Text.assemble(("liveclf", looks.style(ACCENT, bold=True)), "  ")
    text.append_text(_transport(state, said, looks)).append("  ")
    text.append(dot.join(parts), looks.style(TEXT))
    return text.append(dot + looks.plain(about), looks.style(DIM))


def _transport(state: Mapping[str, Any], said: str, looks: Looks) -> Text:
    if said:
        return Text(said, looks.style(WARN, bold=True))
    if state.get("is_paused"):
        text = Text(looks.pick("⏸ paused", "paused"), looks.style(WARN, bold=True))
    else:
        text = Text(looks.pick("● live", "live"), looks.style(GOOD, bold=True))
    position, length = state.get("position_s"), state.get("length_s")
    if position is not None and length is not None and math.isfinite(position + length):
        text.append(f" {position:.1f} of {length:.1f} s", looks.style(TEXT))
    if state.get("can_hurry") and state.get("speed", 1.0) != 1.0:
        text.append(f" {state['speed']:g}x", looks.style(WARN))
    return text


class Pace:
    """How many samples come in a second, of the newest figures."""

    def __init__(self) -> None:
        """Begin with none."""
        self._seen: deque[tuple[float, int]] = deque()

    def push(self, figures: Figures) -> None:
        """Take the figures of a moment."""
        now_s, samples = float(figures["wall_s"]), int(figures["samples"])
        self._seen.append((now_s, samples))
        while len(self._seen) > 2 and now_s - self._seen[0][0] > _PACE_S:
            self._seen.popleft()

    @property
    def samples_per_s(self) -> float:
        """Over the last seconds, NaN before there are two."""
        if len(self._seen) < 2:
            return math.nan
        (first_s, first), (last_s, last) = self._seen[0], self._seen[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s else math.nan


def counters(figures: Figures, pace: Pace, n_open: int, looks: Looks) -> Text:
    """Return the line of figures; red is what was lost."""
    if not figures:
        return Text("waiting for samples", looks.style(DIM))
    lost, coverage = figures["samples_lost"], figures["coverage"]
    p50_ms, p99_ms = figures["latency_p50_ms"], figures["latency_p99_ms"]
    queued = sum((figures.get("queues") or {}).values()) + figures["unclassified"]
    left_out = sum(figures["left_out"].values()) + figures["noise"]
    not_shown = figures.get("screen", {}).get("not_shown", 0)
    by = ", ".join(f"{n:,} {cause}" for cause, n in figures["lost_by"].items())
    fields = [
        (f"{_si(pace.samples_per_s)}S/s", "", False),
        (
            f"{figures['emissions'] + n_open:,}",
            f"emissions, {n_open:,} open, {figures['unknown']:,} unknown, {left_out:,} left out",
            False,
        ),
        (
            "-" if coverage is None else f"{coverage:.1%}",
            "coverage",
            coverage is not None and coverage < _LEAST_COVERAGE,
        ),
        (f"{lost:,}", f"lost ({looks.plain(by)})" if by else "lost", lost > 0),
        (
            f"{number_text(p50_ms, ',.0f')}/{number_text(p99_ms, ',.0f')} ms",
            "latency",
            (p99_ms or 0) > _LATE_MS,
        ),
        (f"{queued:,}", "queued", False),
    ]
    if not_shown:
        fields.append((f"{not_shown:,}", "not drawn", True))
    text = Text()
    for value, name, is_bad in fields:
        text.append("  " if text else "")
        text.append(value, looks.style(BAD if is_bad else TEXT, bold=True))
        text.append(f" {name}" if name else "", looks.style(BAD if is_bad else DIM))
    return text


def bands(found: Sequence[tuple[str, int, bool]], looks: Looks) -> Text:
    """Return where the radio stands in turn, and how much was heard there."""
    text = Text()
    for name, n, is_open in found:
        dot = looks.pick("●", "*") if is_open else looks.pick("○", "o")
        text.append(f"{dot} ", looks.style(GOOD if is_open else DIM))
        text.append(looks.plain(name), looks.style(TEXT))
        text.append(f" {n:,}   ", looks.style(DIM))
    return text


def details(
    item: Item | None, clip: Mapping[str, Any] | str, unit: str, looks: Looks
) -> list[Text]:
    """Return what is known of an emission, line by line.

    Args:
        item: The emission, None if there is none.
        clip: Of its samples, as `view.clips.drawn` makes it; else why there is none.
        unit: Of its time.
        looks: Of the terminal.
    """
    if item is None:
        return [Text("no emission chosen", looks.style(DIM))]
    e, dim = item.emission, looks.style(DIM)
    family = looks.style(e.family, bold=True)
    label = Text(looks.plain(item.label), family)
    if item.corrected:
        label.append(f" corrected from {looks.plain(e.label)}", dim)
    else:
        label.append(f" {looks.plain(e.family)} {e.family_probability:.0%}", dim)
    label.append("  open" if item.is_open else "", looks.style(GOOD))
    lines = [label]
    lines += [_known(name, value, looks) for name, value in _facts(e, unit, looks) if value]
    lines += [Text(), *(_guess(name, share, looks, e.family) for name, share in e.top)]
    return [*lines, Text(), *_samples(e, clip, looks)]


def _facts(e: Emission, unit: str, looks: Looks) -> list[tuple[str, str]]:
    duration = "" if e.duration_s is None else duration_text(e.duration_s)
    symbols = "" if e.symbol_rate_hz is None else f"{khz_text(e.symbol_rate_hz)} kBd"
    return [
        ("at", f"{mhz_text(e)} MHz, {khz_text(e.bandwidth_hz)} kHz wide"),
        ("from", f"{time_text(e, unit)}, for {duration}"),
        ("SNR", f"{e.snr_db:.1f} dB, {e.power_dbfs:.1f} dBFS"),
        ("symbols", symbols),
        ("windows", f"{e.n_windows:,}, told after {e.latency_s * 1e3:,.0f} ms"),
        ("truth", looks.plain(e.truth or "")),
        ("note", looks.plain(e.note or "")),
        ("of", looks.plain(e.source)),
    ]


def _known(name: str, value: str, looks: Looks) -> Text:
    return Text.assemble((f"{name:<8}", looks.style(DIM)), (value, looks.style(TEXT)))


def _guess(name: str, share: float, looks: Looks, family: str) -> Text:
    cells = round(share * _BAR_CELLS)
    return Text.assemble(
        (f"{looks.plain(name)[:_NAME_CELLS]:<{_NAME_CELLS}}", looks.style(TEXT)),
        (looks.pick("━", "#") * cells, looks.style(family)),
        (looks.pick("─", ".") * (_BAR_CELLS - cells), looks.style(DIM)),
        (f" {share:4.0%}", looks.style(TEXT)),
    )


def _samples(e: Emission, clip: Mapping[str, Any] | str, looks: Looks) -> list[Text]:
    if isinstance(clip, str):
        return [Text(clip, looks.style(DIM))]
    what = "symbols" if clip["symbol_rate_hz"] else "samples"
    about = f"{len(clip['points']):,} {what} of {clip['clip_samples']:,} samples"
    drawn = plane(clip["points"], _PLANE_LINES, _PLANE_CELLS, ascii_only=looks.ascii_only)
    style = looks.style(e.family)
    return [*(Text(line, style) for line in drawn), Text(about, looks.style(DIM))]


def keys(known: Sequence[tuple[str, str]], looks: Looks) -> Text:
    """Return the keys and what they do, on one line."""
    text = Text()
    for key, what in known:
        text.append(f" {key} ", looks.style(ACCENT, bold=True))
        text.append(f"{what} ", looks.style(DIM))
    return text


def _si(value: float) -> str:
    if not math.isfinite(value):
        return "- "
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g} {unit}"
    return f"{value:.0f} "
