"""Snapshots that the tests of metrics and health make up."""

from __future__ import annotations

from collections import Counter
from typing import Any

from liveclf.live.stats import Cut, Stats
from liveclf.monitor.snapshot import RadioState, Snapshot, StreamState
from liveclf.sinks.worker import SinkState

WELL = RadioState(0, 0, 0.0)
FAMILY_OF = {"BPSK": "PSK", "2FSK": "FSK"}


def stats(**counts: Any) -> Stats:
    """Return some with these attributes."""
    made = Stats(FAMILY_OF)
    for name, value in counts.items():
        assert hasattr(made, name), name
        setattr(made, name, value)
    return made


def stream(
    of: Stats | None = None,
    *,
    name: str = "fake radio 7",
    windows: int = 0,
    skipped: dict[str, int] | None = None,
    left_out: dict[str, int] | None = None,
    failure: str | None = None,
    radio: RadioState | None = WELL,
) -> StreamState:
    """Return the state of a stream that was counted like this."""
    counted = of or stats()
    cut = Cut(windows, Counter(skipped or {}), 0, Counter(left_out or {}))
    about = {"failure": failure, "when_slow": "stride", "labelled": "emissions"}
    return StreamState(
        name, "cs16", 1e6, about | counted.summary(cut, 1.0), counted.latencies, 0.0, radio
    )


def output(name: str = "jsonl", **other: Any) -> SinkState:
    """Return the state of an output that does well but for some fields."""
    well = {
        "n_records": 0, "n_dropped": 0, "n_waiting": 0, "n_room": 64, "state": "ok",
        "is_connected": True, "message": "",
    }  # fmt: skip
    return SinkState(name, **(well | other))


def snapshot(*streams: StreamState, outputs: tuple[SinkState, ...] = ()) -> Snapshot:
    """Return one of a run."""
    return Snapshot("0.1.0", "vgg16-slim", "onnx int8, 2 threads", streams, outputs)
