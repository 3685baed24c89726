"""An emission that is made up, and the samples that it is in: for page and screen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from liveclf.dsp.formats import FORMATS
from liveclf.emissions import Emission
from liveclf.live.history import History
from liveclf.records import Block

RATE_HZ, CENTER_HZ = 1e6, 433.92e6
EPOCH_S = 1_700_000_000.0

EMISSION = Emission(
    id=7,
    state="closed",
    time="2023-11-14T22:13:20.020000Z",
    elapsed_s=0.02,
    sample=20_000,
    n_samples=30_000,
    duration_s=0.03,
    center_hz=434.02e6,
    offset_hz=100e3,
    bandwidth_hz=40e3,
    snr_db=20.5,
    power_dbfs=-10.0,
    label="OOK",
    family="ASK",
    probability=0.9,
    family_probability=0.92,
    top=[("OOK", 0.9), ("CW", 0.05)],
    symbol_rate_hz=None,
    n_windows=4,
    note=None,
    latency_s=0.05,
    truth=None,
    stream=0,
    source="fake.cu8",
)


def emission(**other: Any) -> Emission:
    """Return an emission like EMISSION but for some fields."""
    return replace(EMISSION, **other)


def block(iq: np.ndarray, start_sample: int = 0, **other: Any) -> Block:
    """Return complex samples as a block of cf32."""
    native = np.ascontiguousarray(iq.astype(np.complex64)).view(np.float32).reshape(-1, 2)
    known = dict(
        format=FORMATS["cf32"], segment=0, sample_rate_hz=RATE_HZ, center_hz=CENTER_HZ,
        epoch_s=EPOCH_S, received_s=0.0,
    )  # fmt: skip
    return Block(iq=native, start_sample=start_sample, **(known | other))


def band(n: int = 100_000, seed: int = 1) -> np.ndarray:
    """Return noise, and in it the tone that is EMISSION."""
    rng = np.random.default_rng(seed)
    iq = 0.01 * (rng.standard_normal(n) + 1j * rng.standard_normal(n))
    k = np.arange(EMISSION.sample, EMISSION.sample + EMISSION.n_samples)
    iq[k] += 0.5 * np.exp(2j * np.pi * (EMISSION.offset_hz / RATE_HZ) * k)
    return iq


def history(iq: np.ndarray | None = None, limit: int = 1_000_000) -> History:
    """Return one that has these samples."""
    made = History(limit)
    made.keep(block(band() if iq is None else iq))
    return made
