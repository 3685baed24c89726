"""The state of a run at one moment, as metrics and health read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from liveclf.live.stats import Histogram
from liveclf.sinks.worker import SinkState


@dataclass(frozen=True, slots=True)
class RadioState:
    """What only a radio or a server has.

    Attributes:
        n_gone: How often it went.
        n_attempts: How often it was tried to open it again.
        buffer_fill: Share of the capture buffer that waits to be read.
    """

    n_gone: int
    n_attempts: int
    buffer_fill: float


@dataclass(frozen=True, slots=True)
class StreamState:
    """One stream.

    Attributes:
        name: Of its source.
        format: Of its samples.
        sample_rate_hz: NaN if unknown.
        figures: See `live.stats.Stats.summary`, and "failure" and "when_slow".
        latencies: How late what was told is.
        heard_s: UNIX time at which its last samples came, 0 before the first.
        radio: None of a recording.
    """

    name: str
    format: str
    sample_rate_hz: float
    figures: Mapping[str, Any]
    latencies: Histogram
    heard_s: float
    radio: RadioState | None


@dataclass(frozen=True, slots=True)
class SentState:
    """What `liveclf publish` sends.

    Attributes:
        name: Of the socket, in words.
        samples: Sent so far.
        messages: Likewise.
        n_receivers: Connections that are open.
        is_held: It waits for a receiver: for the first, or for a slow one.
    """

    name: str
    samples: int
    messages: int
    n_receivers: int
    is_held: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole run.

    Attributes:
        version: Of liveclf.
        model: Name of the bundle.
        engine: What runs it, in words.
        streams: In the order of their numbers.
        outputs: Listeners, such as the page, among them.
        sent: None where samples are labelled.
    """

    version: str
    model: str
    engine: str
    streams: tuple[StreamState, ...]
    outputs: tuple[SinkState, ...]
    sent: SentState | None = None
