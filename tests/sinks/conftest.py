"""Batches of detections to write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from liveclf.emissions import Emission
from liveclf.records import Detections, StreamInfo

CLASSES = ("BPSK", "QPSK", "2FSK", "AM-DSB-SC")
FAMILIES = ("PSK", "FSK", "AM")
WINDOW = 1024

Make = Callable[..., Detections]
Cut = Callable[[Detections, slice], Detections]


def make_detections(
    n: int,
    start: int = 0,
    seed: int = 1,
    stream_names: tuple[str, ...] = ("demo.cu8",),
    **columns: Any,
) -> Detections:
    """Make `n` consecutive windows; a column given as a scalar is repeated."""
    rng = np.random.default_rng(seed)
    top = rng.dirichlet(np.ones(3), n).astype(np.float32)
    values: dict[str, Any] = {
        "stream_id": 0,
        "start_sample": start + WINDOW * np.arange(n, dtype=np.int64),
        "gap_before": rng.integers(0, 3, n),
        "sample_rate_hz": 2.4e6,
        "center_hz": 433.92e6,
        "epoch_s": 1.7e9,
        "power_dbfs": rng.normal(-30, 3, n).astype(np.float32),
        "level_db": np.where(rng.random(n) < 0.3, np.nan, 9.5).astype(np.float32),
        "latency_s": rng.random(n),
        "label": rng.integers(-1, len(CLASSES), n),
        "family": rng.integers(-1, len(FAMILIES), n),
        "probability": top.max(axis=1),
        "family_probability": rng.random(n).astype(np.float32),
        "top_label": rng.integers(0, len(CLASSES), (n, 3)),
        "top_probability": top,
        "truth": rng.integers(-1, 2, n),
    }
    values |= columns
    values = {k: np.full(n, v) if np.ndim(v) == 0 else np.asarray(v) for k, v in values.items()}
    return Detections(
        **values,
        window_samples=WINDOW,
        class_names=CLASSES,
        family_names=FAMILIES,
        truth_names=("bpsk", "ook"),
        stream_names=stream_names,
    )


def make_emission(number: int = 1, **fields: Any) -> Emission:
    """Make one emission, a remote control's at 250 kS/s unless said otherwise."""
    sample = fields.get("sample", 25_000 * number)
    values: dict[str, Any] = {
        "id": number,
        "state": "closed",
        "time": "2026-11-23T12:03:04.123000Z",
        "elapsed_s": sample / 250e3,
        "sample": sample,
        "n_samples": 15_750,
        "duration_s": 0.063,
        "center_hz": 433.9504e6,
        "offset_hz": 30.4e3,
        "bandwidth_hz": 42e3,
        "snr_db": 18.25,
        "power_dbfs": -31.5,
        "label": "OOK",
        "family": "ASK",
        "probability": 0.97,
        "family_probability": 0.98,
        "top": [("OOK", 0.97), ("4ASK", 0.02)],
        "symbol_rate_hz": 2000.0,
        "n_windows": 3,
        "note": None,
        "latency_s": 0.052,
        "truth": None,
        "stream": 0,
        "source": "demo.cu8",
    }
    return Emission(**values | fields)


def cut_detections(detections: Detections, rows: slice) -> Detections:
    """Return some of the records."""
    arrays = [
        f.name for f in fields(detections) if isinstance(getattr(detections, f.name), np.ndarray)
    ]
    return replace(detections, **{name: getattr(detections, name)[rows] for name in arrays})


@pytest.fixture(scope="session")
def make() -> Make:
    return make_detections


@pytest.fixture(scope="session")
def emission() -> Callable[..., Emission]:
    return make_emission


@pytest.fixture(scope="session")
def cut() -> Cut:
    return cut_detections


@pytest.fixture(scope="session")
def info() -> StreamInfo:
    return StreamInfo("demo.cu8", "cu8", 2.4e6, 433.92e6, None, False)
