"""Print the latency of labels from a radio that delivers at a rate, and the coverage.

    python tools/bench_latency.py [--rate 2.4M] [--seconds 10] [--model NAME] [--when-slow NAME]

The radio is the real pyrtlsdr over a librtlsdr without a radio (tests/sources), in its capture
process; behind it is the loop of `liveclf run`. Two latencies end when a record is handed to
the outputs: one begins when the window's last sample arrived in this program, as `latency_s`
does; the other when the radio took that sample, so the transfer that it waited in counts too.
The second is reckoned from the time of the first transfer: late by as much, it is short by
as much.

Before that one full batch is run again and again: how evenly the machine itself works. Where
a batch takes several times as long now and then, whatever the program does, no label of
those moments can be early.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "sources"))

from fake_radio import environment
from rich.console import Console
from rich.table import Table

from liveclf.config import Auto, Hertz, ModelSettings, RadioSettings, Seconds, SourceSettings
from liveclf.dsp.framer import Framer
from liveclf.live import pipeline
from liveclf.live.batcher import Batcher
from liveclf.live.decider import Decider
from liveclf.live.shedding import Stride, policy_of
from liveclf.live.stats import Stats
from liveclf.model.engines import find_bundle, open_engine
from liveclf.protocols import Engine
from liveclf.records import Detections
from liveclf.sources import open_source


class Noting:
    """An output that keeps both latencies of every window, and how many came at a time."""

    all_closed = False

    def __init__(self) -> None:
        self.arrived_s: list[float] = []
        self.taken_s: list[float] = []
        self.batches: list[int] = []

    def write(self, found: Detections) -> None:
        """Note a batch."""
        ends = found.start_sample + found.window_samples
        self.arrived_s += found.latency_s.tolist()
        self.taken_s += (time.time() - found.epoch_s - ends / found.sample_rate_hz).tolist()
        self.batches.append(len(found))


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rate", type=Hertz.parse, default=Hertz(2.4e6))
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--model", default="auto")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--batch", type=Auto.parse, default=ModelSettings().batch)
    parser.add_argument("--max-age", type=Seconds.parse, default=ModelSettings().max_age_s)
    parser.add_argument("--max-late", type=Seconds.parse, default=ModelSettings().max_late_s)
    parser.add_argument("--when-slow", default="auto")
    asked = parser.parse_args()
    model = ModelSettings(
        bundle=asked.model,
        engine=asked.engine,
        batch=asked.batch,
        max_age_s=asked.max_age,
        max_late_s=asked.max_late,
        when_slow=asked.when_slow,
    )
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "noise.cu8"
        noise = np.random.default_rng(1).normal(127.5, 20, 8_000_000)
        recording.write_bytes(noise.clip(0, 255).astype("u1").tobytes())
        os.environ |= environment(file=recording, loop=1)
        measure(float(asked.rate), asked.seconds, model)


def evenness(engine: Engine, seconds: float = 5.0) -> str:
    """Say how long one and the same batch takes, over and over."""
    x = np.random.default_rng(1).standard_normal((engine.batch_size, 2, 1024), np.float32)
    engine.predict(x)
    took_s: list[float] = []
    while sum(took_s) < seconds:
        began_s = time.perf_counter()
        engine.predict(x)
        took_s.append(time.perf_counter() - began_s)
    p50, p99, most = (1e3 * np.percentile(took_s, p) for p in (50, 99, 100))
    return (
        f"the machine: the same {len(x)} windows again and again, nothing else, take {p50:.1f} ms"
        f" (median), {p99:.1f} ms (p99), {most:.1f} ms at most"
    )


def measure(rate_hz: float, seconds: float, model: ModelSettings) -> None:
    """Listen for some seconds and print."""
    bundle = find_bundle(model)
    engine, precision = open_engine(bundle, model)
    print(evenness(engine))
    source = open_source(
        SourceSettings(
            rate_hz=Hertz(rate_hz), center_hz=(Hertz(100e6),), duration_s=Seconds(seconds)
        ),
        RadioSettings(device="rtlsdr"),
    )
    policy = policy_of(model.when_slow, source.info, can_wait=False)
    info = bundle.info
    framer, stats, output = Framer(info.window_samples), Stats(info.families), Noting()
    decider = Decider(
        info.classes, info.families, info.temperature[precision], top_k=1, min_probability=0.0
    )
    began_s = time.monotonic()
    pipeline.run(
        [pipeline.Stream(source, [], framer, stats, policy)],
        Batcher(engine.batch_size, model.max_age_s), engine, decider, output,
        max_late_s=model.max_late_s,
        stride=Stride(model.max_age_s) if policy == "stride" else None,
    )  # fmt: skip
    source.close()
    figures = stats.summary(framer, time.monotonic() - began_s)
    print(
        f"{source.info.name}, {rate_hz / 1e6:g} MS/s for {seconds:g} s; {info.name}, {engine.name}"
    )
    print(
        f"batch policy: what is waiting, at most {engine.batch_size}, kept {model.max_age_s:g} s"
        f" for more; when slow: {policy}, and what is later than {model.max_late_s:g} s is left"
        f" out; batches of {np.mean(output.batches):.0f} on average"
    )
    table = Table("latency, ms", "p50", "p99", "max")
    for name, latency_s in (("from arrival", output.arrived_s), ("from the air", output.taken_s)):
        shown = (f"{1e3 * np.percentile(latency_s, p):.1f}" for p in (50, 99, 100))
        table.add_row(name, *shown)
    Console().print(table)
    print(
        f"coverage {figures['coverage']:.1%} of {figures['windows']:,} windows; skipped"
        f" {dict(figures['skipped'])}; samples lost {figures['lost_by']}"
    )


if __name__ == "__main__":
    main()
