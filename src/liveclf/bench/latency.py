"""How late records are, at the rate of a radio."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.bench.network import Network
from liveclf.bench.noise import NoiseSource
from liveclf.bench.results import Latency
from liveclf.bench.rounds import Watch
from liveclf.bench.whole import classify
from liveclf.config import ModelSettings
from liveclf.protocols import Sink
from liveclf.records import Detections, SampleFormat
from liveclf.sinks import SINKS, FanOut
from liveclf.sinks.worker import Worker


class Stopwatch:
    """A sink that writes to another, and notes how late each record then is.

    The latency of a record itself counts from the arrival of a block; this one from the last
    sample of the window, which waited for the rest of its block.
    """

    def __init__(
        self, sink: Sink[Detections], source: NoiseSource, clock: Callable[[], float]
    ) -> None:
        self._sink, self._source, self._clock = sink, source, clock
        self._late_s: list[NDArray[np.float64]] = []

    def write(self, detections: Detections) -> None:
        """Write one batch and look at the clock."""
        self._sink.write(detections)
        last_sample = detections.start_sample + detections.window_samples
        taken_s = self._source.began_s + last_sample / detections.sample_rate_hz
        self._late_s.append(self._clock() - taken_s)

    def close(self, summary: dict[str, Any]) -> None:
        """Close the sink behind it."""
        self._sink.close(summary)

    @property
    def late_s(self) -> NDArray[np.float64]:
        """Latencies so far, in the order of the records."""
        return np.concatenate([np.empty(0), *self._late_s])


def measure_latency(
    network: Network, fmt: SampleFormat, rate_hz: float, settings: ModelSettings, watch: Watch
) -> Latency | None:
    """Classify a stream that comes at its rate, into JSON lines.

    Args:
        network: Which engine, and which labels.
        fmt: Of the samples.
        rate_hz: At which they come.
        settings: How long windows wait, and how late they may be.
        watch: For how long.

    Returns:
        None if there was no record before the user ended it.
    """
    told_s = began_s = watch.clock()

    def is_over() -> bool:
        nonlocal told_s
        now_s = watch.clock()
        watch.on_step((now_s - told_s) / watch.part_s)
        told_s = now_s
        return watch.is_over()

    n_samples = max(1, round(watch.part_s * rate_hz))
    source = NoiseSource(fmt, rate_hz, n_samples, is_paced=True, is_over=is_over, clock=watch.clock)
    lines = SINKS["jsonl"].open(os.devnull, source.info, Detections)
    stopwatch = Stopwatch(lines, source, watch.clock)
    output = FanOut([Worker("jsonl", stopwatch, is_live=True)])
    began_s, cpu_s = watch.clock(), time.process_time()
    figures = classify(network, source, output, settings, clock=watch.clock)
    elapsed_s, cpu_s = watch.clock() - began_s, time.process_time() - cpu_s
    late_ms = 1e3 * stopwatch.late_s
    if not len(late_ms):
        return None
    p50_ms, p99_ms = np.percentile(late_ms, [50, 99])
    return Latency(
        rate_hz=rate_hz,
        policy=policy_of(network, settings),
        windows=len(late_ms),
        coverage=figures["coverage"],
        p50_ms=float(p50_ms),
        p99_ms=float(p99_ms),
        max_ms=float(late_ms.max()),
        cores=cpu_s / max(elapsed_s, 1e-9),
    )


def policy_of(network: Network, settings: ModelSettings) -> str:
    """Say how windows are put into batches."""
    return (
        f"batches of what is waiting, up to {network.engine.batch_size} windows, kept "
        f"{1e3 * settings.max_age_s:g} ms for more (--max-age); when that is too slow, evenly "
        f"spaced windows are left out, and those later than {settings.max_late_s:g} s (--max-late)"
    )
