"""All parts of `liveclf bench`, in order."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path

from liveclf import __version__
from liveclf.bench.latency import measure_latency
from liveclf.bench.network import open_network
from liveclf.bench.noise import RTL_RATE_HZ, write_recording
from liveclf.bench.results import Coverage, Machine, Result
from liveclf.bench.rounds import Watch
from liveclf.bench.stages import measure_stages
from liveclf.bench.whole import OpenSource, measure_whole
from liveclf.config import BenchSettings, Count, Hertz, SourceSettings
from liveclf.dsp.formats import sample_format
from liveclf.protocols import Source
from liveclf.records import SampleFormat
from liveclf.sources import open_source

COVERED_RATES_HZ = (0.25e6, 2.4e6, 10e6, 20e6, 61.44e6)
OUTPUTS = ("null", f"jsonl:{os.devnull}")
_ALLOWANCE = 0.9  # of what the machine keeps up with: at all of it, nothing is ever in time

Progress = Callable[[str], Callable[[float], None]]
"""Told of each part by name; returns what is told of the steps, as shares of the part."""


def measure(
    settings: BenchSettings,
    progress: Progress = lambda name: lambda share: None,
    is_over: Callable[[], bool] = lambda: False,
) -> Result:
    """Measure everything, or what is reached until the user ends it.

    Args:
        settings: Which network, on which samples, for how long.
        progress: Told of what is done.
        is_over: Asked now and then: whether the user wants to end.

    Raises:
        LiveclfError: The network or the format is not one.
    """
    fmt, part_s = sample_format(settings.bench.format), float(settings.bench.part_s)
    machine = _machine()  # first, as the load is to be that of the others
    network = open_network(settings.model)
    rate_hz = float(settings.bench.paced_hz or RTL_RATE_HZ)

    def watch(name: str) -> Watch:
        return Watch(part_s, is_over, progress(name))

    stages = measure_stages(network, fmt, rate_hz, watch("each stage alone"))
    with tempfile.TemporaryDirectory() as folder:
        opened = _file_of_noise(Path(folder), fmt, rate_hz)
        end_to_end = measure_whole(network, opened, OUTPUTS, watch("file to labels"))
    sustained_hz = end_to_end.outputs[-1].samples_per_s if end_to_end else None
    latency = None
    if sustained_hz and not is_over():
        paced_hz = float(settings.bench.paced_hz or min(RTL_RATE_HZ, _ALLOWANCE * sustained_hz))
        latency = measure_latency(network, fmt, paced_hz, settings.model, watch("latency"))
    return Result(
        liveclf=__version__,
        machine=machine,
        model=network.name,
        engine=network.engine.name,
        precision=network.precision,
        batch=network.engine.batch_size,
        samples=fmt.name,
        part_s=part_s,
        interrupted=is_over(),
        stages=stages[0] if stages else None,
        copy_limit=stages[1] if stages else None,
        end_to_end=end_to_end,
        sustained_hz=sustained_hz,
        coverage=covered(sustained_hz) if sustained_hz else None,
        latency=latency,
    )


def covered(sustained_hz: float) -> list[Coverage]:
    """Return which share of the windows of streams of usual rates can be classified."""
    return [Coverage(rate_hz=r, share=min(1.0, sustained_hz / r)) for r in COVERED_RATES_HZ]


def _file_of_noise(folder: Path, fmt: SampleFormat, rate_hz: float) -> OpenSource:
    """Write a recording, short enough to stay in memory, that is read over and over."""
    path = folder / "noise"
    write_recording(path, fmt)

    def opened(n_samples: int) -> Source:
        return open_source(
            SourceSettings(
                path=str(path),
                format=fmt.name,
                rate_hz=Hertz(rate_hz),
                samples=Count(n_samples),
                loop=True,
            )
        )

    return opened


def _machine() -> Machine:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Machine(
        processor=_processor(),
        cores=cores or 1,
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        system=platform.platform(terse=True),
        python=platform.python_version(),
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
