"""What is counted, as Prometheus is told it: one table, one line a metric.

Names are those of https://prometheus.io/docs/practices/naming/: base units, `_total` on what
only grows. docs/headless.md has the same table for people, and a test compares them.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from liveclf.monitor.snapshot import Snapshot
from liveclf.sources.capture.timeline import CAUSES

_NOISE = "taken for noise"

Kind = Literal["counter", "gauge", "info", "histogram"]
Rows = Iterator[tuple[tuple[str, ...], Any]]


@dataclass(frozen=True, slots=True)
class Described:
    """One line of the table.

    Attributes:
        name: As it is scraped, but for what a histogram adds.
        kind: Of Prometheus.
        text: What it is.
        labels: Names of its labels; of an info, those that are not its content.
        rows: Yields values of the labels, and the value: a number, a `Histogram`, or a mapping
            where it is an info.
    """

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...]
    rows: Callable[[Snapshot], Rows]


def _of_streams(key: str) -> Callable[[Snapshot], Rows]:
    """Return what yields one figure of each stream, where it is known."""

    def rows(snapshot: Snapshot) -> Rows:
        for number, stream in enumerate(snapshot.streams):
            if (value := stream.figures[key]) is not None:
                yield (str(number),), value

    return rows


def _by(key: str) -> Callable[[Snapshot], Rows]:
    """Return what yields a figure of each stream that is counted by something."""

    def rows(snapshot: Snapshot) -> Rows:
        for number, stream in enumerate(snapshot.streams):
            for name, value in stream.figures[key].items():
                yield (str(number), name), value

    return rows


def _lost(snapshot: Snapshot) -> Rows:
    for number, stream in enumerate(snapshot.streams):
        # From zero on: of a series that begins with its first loss, no increase is seen.
        known = dict.fromkeys(CAUSES if stream.radio else (), 0)
        for cause, samples in (known | dict(stream.figures["lost_by"])).items():
            yield (str(number), cause), samples


def _left_out(snapshot: Snapshot) -> Rows:
    for number, stream in enumerate(snapshot.streams):
        yield (str(number), _NOISE), stream.figures["noise"]
        for reason, emissions in stream.figures["left_out"].items():
            yield (str(number), reason), emissions


def _agreeing(snapshot: Snapshot) -> Rows:
    for number, stream in enumerate(snapshot.streams):
        agreement = stream.figures["agreement"] or {}
        for what in ("label", "family"):
            yield (str(number), what), agreement.get(f"{what}_right", 0)


def _annotated(snapshot: Snapshot) -> Rows:
    for number, stream in enumerate(snapshot.streams):
        yield (str(number),), (stream.figures["agreement"] or {}).get("annotated", 0)


def _sample_rates(snapshot: Snapshot) -> Rows:
    for number, stream in enumerate(snapshot.streams):
        if stream.sample_rate_hz > 0:
            yield (str(number),), stream.sample_rate_hz


def _latencies(snapshot: Snapshot) -> Rows:
    for number, stream in enumerate(snapshot.streams):
        yield (str(number),), stream.latencies


def _heard(snapshot: Snapshot) -> Rows:
    for number, stream in enumerate(snapshot.streams):
        yield (str(number),), stream.heard_s


def _broken(snapshot: Snapshot) -> Rows:
    for number, stream in enumerate(snapshot.streams):
        yield (str(number),), float(stream.figures["failure"] is not None)


def _of_radios(name: str) -> Callable[[Snapshot], Rows]:
    def rows(snapshot: Snapshot) -> Rows:
        for number, stream in enumerate(snapshot.streams):
            if stream.radio:
                yield (str(number),), getattr(stream.radio, name)

    return rows


def _of_outputs(name: str) -> Callable[[Snapshot], Rows]:
    def rows(snapshot: Snapshot) -> Rows:
        for output in snapshot.outputs:
            yield (output.name,), getattr(output, name)

    return rows


def _outputs_up(snapshot: Snapshot) -> Rows:
    for output in snapshot.outputs:
        yield (output.name,), float(output.state == "ok" and output.is_connected)


def _build(snapshot: Snapshot) -> Rows:
    yield (), {"version": snapshot.version, "python": platform.python_version()}


def _model(snapshot: Snapshot) -> Rows:
    yield (), {"model": snapshot.model, "engine": snapshot.engine}


def _sources(snapshot: Snapshot) -> Rows:
    for number, stream in enumerate(snapshot.streams):
        yield (
            (str(number),),
            {
                "source": stream.name,
                "format": stream.format,
                "when_slow": stream.figures["when_slow"],
                "labelled": stream.figures["labelled"],
            },
        )


def _of_sender(name: str) -> Callable[[Snapshot], Rows]:
    def rows(snapshot: Snapshot) -> Rows:
        if snapshot.sent:
            yield (), float(getattr(snapshot.sent, name))

    return rows


_STREAM, _OUTPUT = ("stream",), ("output",)

# One metric a line reads as the table it is.
# fmt: off
TABLE: tuple[Described, ...] = (
    Described("liveclf_build_info", "info", "Version of liveclf and of Python.", (), _build),
    Described("liveclf_model_info", "info", "The network, and what runs it.", (), _model),
    Described("liveclf_stream_info", "info", "What is read, how windows give way, what is labelled.", _STREAM, _sources),
    Described("liveclf_sample_rate_hertz", "gauge", "Samples a second, where known.", _STREAM, _sample_rates),
    Described("liveclf_samples_total", "counter", "Samples that arrived.", _STREAM, _of_streams("samples")),
    Described("liveclf_signal_seconds_total", "counter", "Time that they span, where the rate is known.", _STREAM, _of_streams("stream_s")),
    Described("liveclf_last_samples_timestamp_seconds", "gauge", "UNIX time at which the last came; 0 before the first.", _STREAM, _heard),
    Described("liveclf_samples_lost_total", "counter", "Samples missing in the stream.", ("stream", "cause"), _lost),
    Described("liveclf_samples_lost_estimated_total", "counter", "Of these, how many are known from the clock only.", _STREAM, _of_streams("samples_lost_estimated")),
    Described("liveclf_samples_left_out_total", "counter", "Samples left out on purpose, while a tuner settled.", _STREAM, _of_streams("samples_left_out")),
    Described("liveclf_samples_short_total", "counter", "Samples left over, too few for a window.", _STREAM, _of_streams("samples_short")),
    Described("liveclf_windows_total", "counter", "Windows, skipped ones too.", _STREAM, _of_streams("windows")),
    Described("liveclf_windows_classified_total", "counter", "Windows that the network has seen.", _STREAM, _of_streams("classified")),
    Described("liveclf_windows_skipped_total", "counter", "Windows that it has not seen, as it was too slow.", ("stream", "reason"), _by("skipped")),
    Described("liveclf_windows_waiting", "gauge", "Windows on their way to the network.", _STREAM, _of_streams("unclassified")),
    Described("liveclf_coverage_ratio", "gauge", "Share of the signal that was classified, since the start.", _STREAM, _of_streams("coverage")),
    Described("liveclf_emissions_total", "counter", "Emissions told to their ends.", _STREAM, _of_streams("emissions")),
    Described("liveclf_emissions_suppressed_total", "counter", "Emissions found and not told.", ("stream", "reason"), _left_out),
    Described("liveclf_labels_total", "counter", "Emissions by label, or windows with --no-detect.", ("stream", "label"), _by("labels")),
    Described("liveclf_families_total", "counter", "The same by family.", ("stream", "family"), _by("families")),
    Described("liveclf_annotated_total", "counter", "Those that the recording itself names.", _STREAM, _annotated),
    Described("liveclf_annotated_agreeing_total", "counter", "Of these, how many are named alike.", ("stream", "what"), _agreeing),
    Described("liveclf_latency_seconds", "histogram", "From the last sample of what is told to its record.", _STREAM, _latencies),
    Described("liveclf_source_failed", "gauge", "1 where one of several streams has broken for good.", _STREAM, _broken),
    Described("liveclf_source_gone_total", "counter", "How often a radio or a server went.", _STREAM, _of_radios("n_gone")),
    Described("liveclf_source_retries_total", "counter", "How often it was tried to open it again.", _STREAM, _of_radios("n_attempts")),
    Described("liveclf_capture_buffer_ratio", "gauge", "Share of the capture buffer that waits to be read.", _STREAM, _of_radios("buffer_fill")),
    Described("liveclf_output_up", "gauge", "1 while an output takes records and has its connection.", _OUTPUT, _outputs_up),
    Described("liveclf_output_records_total", "counter", "Records handed to an output.", _OUTPUT, _of_outputs("n_records")),
    Described("liveclf_output_dropped_total", "counter", "Of these, how many it did not write or deliver.", _OUTPUT, _of_outputs("n_dropped")),
    Described("liveclf_output_queue_batches", "gauge", "Batches of records that wait for an output.", _OUTPUT, _of_outputs("n_waiting")),
    Described("liveclf_output_queue_limit_batches", "gauge", "Batches that its queue holds.", _OUTPUT, _of_outputs("n_room")),
)
SENT: tuple[Described, ...] = (
    Described("liveclf_sent_samples_total", "counter", "Samples that were sent.", (), _of_sender("samples")),
    Described("liveclf_sent_messages_total", "counter", "Messages that they were sent in.", (), _of_sender("messages")),
    Described("liveclf_receivers", "gauge", "Connections of receivers that are open.", (), _of_sender("n_receivers")),
    Described("liveclf_sender_held", "gauge", "1 while it waits for a receiver: for the first, or for a slow one.", (), _of_sender("is_held")),
)
# Of the server itself, at the time of the scrape.
READY = Described("liveclf_ready", "gauge", "1 if /health/ready says so.", (), lambda _: iter(()))
REFUSED = Described("liveclf_http_refused_total", "counter", "Connections refused, as too many were open.", (), lambda _: iter(()))
# fmt: on

_OF_SOURCES = (
    "build_info stream_info sample_rate_hertz samples_total signal_seconds_total"
    " last_samples_timestamp_seconds samples_lost_total samples_lost_estimated_total"
    " samples_left_out_total source_gone_total source_retries_total capture_buffer_ratio"
)
_SENDING = (
    *(d for d in TABLE if d.name.removeprefix("liveclf_") in _OF_SOURCES.split()),
    *SENT,
)


def table_of(snapshot: Snapshot) -> tuple[Described, ...]:
    """Return what is told of a run, or of a publisher."""
    return _SENDING if snapshot.sent else TABLE
