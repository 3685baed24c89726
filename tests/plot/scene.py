"""What the tests of pictures share: blocks, emissions, views."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from liveclf.dsp.formats import FORMATS
from liveclf.emissions import Emission
from liveclf.plot.geometry import Rect, View
from liveclf.plot.spectrogram import Spectrogram
from liveclf.records import Block

RATE_HZ, CENTER_HZ = 1e6, 100e6
EMISSION = Emission(
    id=1,
    state="closed",
    time=None,
    elapsed_s=0.001,
    sample=1000,
    n_samples=500,
    duration_s=0.0005,
    center_hz=CENTER_HZ + 100e3,
    offset_hz=100e3,
    bandwidth_hz=50e3,
    snr_db=18.4,
    power_dbfs=-20.0,
    label="OOK",
    family="ASK",
    probability=0.971,
    family_probability=0.98,
    top=[("OOK", 0.971)],
    symbol_rate_hz=None,
    n_windows=3,
    note=None,
    latency_s=0.1,
    truth=None,
    stream=0,
    source="rec.cf32",
)
VIEW = View(Rect(100, 50, 1100, 450), 0, 10_000, 99.5e6, 100.5e6, CENTER_HZ, True)


def emission(**fields: Any) -> Emission:
    return replace(EMISSION, **fields)


def block(iq: np.ndarray, start: int = 0, **fields: Any) -> Block:
    stored = iq.astype(np.complex64).view(np.float32).reshape(-1, 2)
    whole = Block(stored, FORMATS["cf32"], start, 0, RATE_HZ, CENTER_HZ, math.nan, 0.0)
    return replace(whole, **fields)


def noise(n: int, level_db: float = -60.0, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    iq = rng.standard_normal(n) + 1j * rng.standard_normal(n)
    return 10 ** (level_db / 20) * iq / math.sqrt(2)


def tone(offset_hz: float, n: int, level_db: float = 0.0) -> np.ndarray:
    return 10 ** (level_db / 20) * np.exp(2j * np.pi * offset_hz / RATE_HZ * np.arange(n))


def gathered(spectrogram: Spectrogram, *blocks: Block) -> Spectrogram:
    for each in blocks:
        spectrogram.take(each)
    spectrogram.end()
    return spectrogram
