"""Whether this machine keeps up: a short measurement with the parts that `run` uses."""

from __future__ import annotations

import math

from liveclf.bench.network import open_network
from liveclf.bench.noise import RTL_RATE_HZ, NoiseSource
from liveclf.bench.rounds import Watch
from liveclf.bench.whole import measure_whole
from liveclf.config import ModelSettings
from liveclf.doctor.report import Finding
from liveclf.dsp.formats import FORMATS
from liveclf.model.bundle import WINDOW_SAMPLES
from liveclf.model.engines import tuning

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
    network = open_network(settings)
    found = measure_whole(
        network,
        lambda n: NoiseSource(FORMATS["cu8"], RTL_RATE_HZ, n, is_paced=False),
        ["null"],
        Watch(measure_s),
    )
    if found is None:
        return Finding("speed", "skipped", "Not measured.")
    windows_per_s = found.outputs[0].speed.windows_per_s
    return judge(windows_per_s, rate_hz, f"{network.name}, {network.engine.name}")


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
