"""What the tests of the page share: a page without a run behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fake_source import FakeSource
from liveclf.dsp.formats import FORMATS
from liveclf.emissions import Emission, Emissions
from liveclf.live.history import History
from liveclf.records import Block, Gain, GainStage

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
    truth="<script>alert(1)</script>",
    stream=0,
    source="<img src=x onerror=alert(1)>.cu8",
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


def radio() -> FakeSource:
    """Return a source that is tuned, and has two stages of gain."""
    stages = (GainStage("LNA", 0, 40, 1, 20.0), GainStage("VGA", 0, 62, 2, 8.0))
    gain = Gain(is_auto=False, has_auto=True, stages=stages)
    return FakeSource(can_pause=False, can_tune=True, gain=gain)


def thresholds() -> Any:
    """Return those of a run that tells emissions from 3 dB on, labels from 30 %."""
    from liveclf.config import DetectSettings
    from liveclf.live.emission_decider import EmissionDecider, Rules
    from liveclf.live.finder import Finder
    from liveclf.live.thresholds import Thresholds

    rules = Rules(("AM", "FM"), {"AM": "AM", "FM": "FM"}, 1.0, 2, 0.3, 1.0)
    finders = [Finder(1024, DetectSettings(), number) for number in range(2)]
    return Thresholds(finders, EmissionDecider(rules, [FakeSource().info] * 2))


def page(folder: Path | None = None, **other: Any) -> Any:
    """Return a page that knows EMISSION and its samples."""
    from liveclf.web.access import Access
    from liveclf.web.app import Page
    from liveclf.web.controls import Controls
    from liveclf.web.hub import Hub
    from liveclf.web.recordings import Relabelled
    from liveclf.web.told import Told

    hub = other.pop("hub", None) or Hub(2)
    told = Told([history(), history()], hub, 10_000_000)
    told.write(Emissions((EMISSION,)))
    known = dict(
        about={"streams": []}, hub=hub, told=told, controls=Controls([FakeSource()]),
        relabelled=Relabelled(folder) if folder else None, access=Access(),
    )  # fmt: skip
    return Page(**(known | other))


@contextmanager
def served(made: Any) -> Iterator[str]:
    """Serve a page on a free port of loopback; its host and port."""
    from liveclf.endpoints import Address, listen
    from liveclf.web.server import Server

    listener, address = listen(Address("127.0.0.1", 0))
    server = Server(made, listener)
    try:
        yield f"127.0.0.1:{address.port}"
    finally:
        server.close()


@contextmanager
def connected(host: str) -> Iterator[Any]:
    """Open the live connection as the page does."""
    from websockets.sync.client import connect

    with connect(f"ws://{host}/live", origin=f"http://{host}", close_timeout=1) as live:
        yield live


def answer_to(live: Any, kind: str, **request: Any) -> dict[str, Any]:
    """Send a request; return the next message of a kind."""
    live.send(json.dumps(request))
    while True:
        message = live.recv(timeout=10)
        if isinstance(message, str) and (read := json.loads(message))["type"] == kind:
            return dict(read)
