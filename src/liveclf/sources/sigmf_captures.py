"""The captures and annotations of SigMF metadata, as absolute samples and seconds.

Source: SigMF specification 1.2.6. Indices in the metadata are those of the file
plus core:offset; core:global_index gives the place in the radio's own stream.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from liveclf.errors import SourceError
from liveclf.records import Annotation, Capture
from liveclf.sources.names import Hints
from liveclf.sources.sigmf_meta import Layout, index

_LABELS = ("core:label", "core:comment", "core:description")


def captures_of(
    meta: dict[str, Any], layout: Layout, flags: Hints, named: Hints
) -> tuple[Capture, ...]:
    """Translate the captures.

    core:global_index is the absolute index; a jump of it is a loss. Without one
    the count simply goes on, as it does where one would turn it back.

    Args:
        meta: The metadata.
        layout: Where the samples lie.
        flags: What goes before the metadata.
        named: What the file name tells where the metadata do not.
    """
    segments = _segments(meta, layout.offset)
    if any("core:frequency" in segment for segment in segments):
        named = replace(named, center_hz=math.nan)
    captures: list[Capture] = []
    epoch_s = math.nan
    for segment, start_sample in zip(segments, _absolute_starts(segments), strict=True):
        hints = flags.or_else(_told(meta, segment)).or_else(named)
        named = replace(named, start_time_s=math.nan)  # the name tells that of the first sample
        if not math.isnan(told_epoch_s := hints.epoch_s(start_sample)):
            epoch_s = told_epoch_s  # else the clock of the capture before goes on
        start = index(segment, "core:sample_start") - layout.offset
        captures.append(
            Capture(start, start_sample, hints.sample_rate_hz, hints.center_hz, epoch_s)
        )
    return tuple(captures)


def notes_on(meta: dict[str, Any], layout: Layout) -> tuple[str, ...]:
    """Return what the user should know of the metadata, each a sentence."""
    notes = [
        f"The recording says that it needs the SigMF extension {extension['name']!r},"
        " which is not looked at."
        for extension in meta["global"].get("core:extensions", ())
        if not extension["optional"]
    ]
    segments = _segments(meta, layout.offset)
    if any(
        index(segment, "core:global_index", start) != start
        for segment, start in zip(segments, _absolute_starts(segments), strict=True)
    ):
        notes.append("A core:global_index turns back; samples are counted on from where it does.")
    return tuple(notes)


def annotations_of(
    meta: dict[str, Any], layout: Layout, captures: tuple[Capture, ...], path: Path
) -> tuple[Annotation, ...]:
    """Translate the annotations that carry a label.

    One without a length lasts until its capture ends.

    Raises:
        SourceError: One lies outside the data.
    """
    starts = [capture.start for capture in captures]
    ends = [*starts[1:], layout.n_samples]
    found = []
    for number, annotation in enumerate(meta["annotations"], 1):
        start = index(annotation, "core:sample_start") - layout.offset
        within = max(0, bisect_right(starts, start) - 1)
        length = index(annotation, "core:sample_count", max(0, ends[within] - start))
        if not 0 <= start <= start + length <= layout.n_samples:
            raise SourceError(
                f"Recording {path} has {layout.n_samples} samples and its annotation {number}"
                f" covers {start} to {start + length}: the data are cut short, or the metadata"
                " belong to other data."
            )
        label = next((text for key in _LABELS if (text := annotation.get(key))), "")
        if label and length:
            last = captures[bisect_right(starts, start + length - 1) - 1]
            stop_sample = start + length - last.start + last.start_sample
            first = captures[within]
            start_sample = start - first.start + first.start_sample
            found.append(Annotation(start_sample, stop_sample, str(label), **_band(annotation)))
    return tuple(found)


def _band(annotation: dict[str, Any]) -> dict[str, float]:
    """Return what is said of the band and of the SNR in it; edges come in pairs."""
    lower = _finite(annotation.get("core:freq_lower_edge"))
    upper = _finite(annotation.get("core:freq_upper_edge"))
    told = {"lower_hz": lower, "upper_hz": upper} if lower < upper else {}
    snr_db = annotation.get("liveclf:snr_db")
    if isinstance(snr_db, int | float) and math.isfinite(snr_db):
        told["snr_db"] = float(snr_db)
    return told


def _segments(meta: dict[str, Any], offset: int) -> list[dict[str, Any]]:
    """Return the captures, with one for the samples before the first, if any."""
    segments: list[dict[str, Any]] = meta["captures"]
    if segments and index(segments[0], "core:sample_start") <= offset:
        return segments
    return [{"core:sample_start": offset}, *segments]


def _absolute_starts(segments: list[dict[str, Any]]) -> list[int]:
    first = index(segments[0], "core:sample_start")
    starts = [index(segments[0], "core:global_index", first)]
    for before, segment in pairwise(segments):
        length = index(segment, "core:sample_start") - index(before, "core:sample_start")
        counted = starts[-1] + length
        starts.append(max(counted, index(segment, "core:global_index", counted)))
    return starts


def _told(meta: dict[str, Any], segment: dict[str, Any]) -> Hints:
    return Hints(
        sample_rate_hz=_finite(meta["global"].get("core:sample_rate")),
        center_hz=_finite(segment.get("core:frequency")),
        start_time_s=_unix_time(segment.get("core:datetime", "")),
    )


def _finite(value: float | None) -> float:
    return math.nan if value is None or not math.isfinite(value) else float(value)


def _unix_time(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:  # none, or a leap second
        return math.nan
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
