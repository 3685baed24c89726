"""Whether this machine keeps up: a short measurement with the parts that `run` uses."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from liveclf.config import ModelSettings
from liveclf.doctor.report import Finding
from liveclf.dsp.formats import FORMATS
from liveclf.dsp.framer import Framer
from liveclf.live.batcher import Batcher
from liveclf.model.bundle import WINDOW_SAMPLES, load_bundle
from liveclf.model.engines import open_engine, tuning
from liveclf.protocols import Engine
from liveclf.records import Block

RTL_RATE_HZ = 2.4e6
_BLOCK_SAMPLES = 65_536
_ALLOWANCE = 0.9  # what is left over when other programs also want the cores


def check_speed(settings: ModelSettings, measure_s: float, rate_hz: float) -> Finding:
    """Measure the network that `run` would take.

    Args:
        settings: Which network, and how it runs.
        measure_s: How long.
        rate_hz: The rate that has to be kept up with.
    """
    if not measure_s:
        return Finding("speed", "skipped", "Not measured, as asked for.")
    tuning.forget()  # measured while other programs ran, it may be wrong
    bundle = load_bundle(settings.bundle)
    engine, _ = open_engine(bundle, settings)
    windows_per_s = measure(engine, measure_s)
    return judge(windows_per_s, rate_hz, f"{bundle.info.name}, {engine.name}")


def measure(engine: Engine, measure_s: float, clock: Callable[[], float] = time.monotonic) -> float:
    """Return how many windows a second are cut from 8-bit samples and classified."""
    noise = np.random.default_rng(1).integers(0, 256, (_BLOCK_SAMPLES, 2), np.uint8)
    framer, batcher = Framer(WINDOW_SAMPLES), Batcher(engine.batch_size, 1.0)
    n_windows, n_blocks, began_s = 0, 0, clock()
    while (now_s := clock()) - began_s < measure_s or not n_windows:
        block = Block(
            iq=noise,
            format=FORMATS["cu8"],
            start_sample=n_blocks * _BLOCK_SAMPLES,
            segment=0,
            sample_rate_hz=RTL_RATE_HZ,
            center_hz=0.0,
            epoch_s=0.0,
            received_s=now_s,
        )
        for windows in framer.push(block):
            for batch in batcher.push(windows):
                n_windows += len(engine.predict(batch.x))
        n_blocks += 1
    return n_windows / max(clock() - began_s, 1e-9)


def judge(windows_per_s: float, rate_hz: float, model: str) -> Finding:
    """Say which rate that covers with every sample, and which share of the one asked for.

    Args:
        windows_per_s: As measured.
        rate_hz: The rate asked for.
        model: How messages call the network.
    """
    covered_hz = windows_per_s * WINDOW_SAMPLES
    share = covered_hz / rate_hz
    told = (
        f"{windows_per_s:,.0f} windows/s ({model}): every sample up to {covered_hz / 1e6:.2f} MS/s,"
        f" {min(share, 1):.0%} of {rate_hz / 1e6:g} MS/s."
    )
    hop = math.ceil(WINDOW_SAMPLES / (_ALLOWANCE * share))
    if share * _ALLOWANCE >= 1:
        return Finding("speed", "ok", told)
    if share >= 1:
        return Finding("speed", "warning", told, "little is left for other programs; end some")
    return Finding(
        "speed",
        "warning",
        told,
        f"a lower --rate, or --hop {hop} to leave samples out evenly",
    )
