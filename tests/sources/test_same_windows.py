"""One recording through every source: the windows are the same to the last bit."""

from __future__ import annotations

import math
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import fake_radio
import numpy as np
import pytest
from fake_publisher import publishing
from fake_rtl_tcp import HEADER, FakeServer, serving
from faking_soapy import FakeSoapy
from numpy.typing import NDArray

from liveclf.config import Count, Hertz, RadioSettings, Seconds, SourceSettings
from liveclf.dsp.framer import Framer
from liveclf.protocols import Source
from liveclf.sources import open_source

WINDOW, N_SAMPLES, RATE_HZ = 1024, 250_007, 1e6
LIMIT_S = 60.0
FLAGS: dict[str, Any] = {"rate_hz": Hertz(RATE_HZ), "center_hz": (Hertz(100e6),)}


@pytest.fixture(scope="module")
def samples() -> NDArray[np.uint8]:
    return np.random.default_rng(8).integers(0, 256, (N_SAMPLES, 2)).astype(np.uint8)


@pytest.fixture(scope="module")
def recording(samples: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("same") / "recording.cu8"
    path.write_bytes(samples.tobytes())
    return path


@pytest.fixture(scope="module")
def from_file(recording: Path) -> NDArray[np.float32]:
    return windows_of(open_source(SourceSettings(path=str(recording), rate_hz=Hertz(RATE_HZ))))


def windows_of(source: Source) -> NDArray[np.float32]:
    framer, found, until_s = Framer(WINDOW), [], time.monotonic() + LIMIT_S
    expected = 0
    for block in source.blocks():
        assert block.start_sample == expected, block.losses
        expected += len(block.iq)
        found += [windows.x for windows in framer.push(block)]
        assert time.monotonic() < until_s
    assert expected == N_SAMPLES
    return np.concatenate(found)


def live(device: str, **settings: Any) -> NDArray[np.float32]:
    radio = RadioSettings(device=device, buffer_s=Seconds(10))
    return windows_of(
        open_source(SourceSettings(samples=Count(N_SAMPLES), **(FLAGS | settings)), radio)
    )


def test_rtlsdr(
    recording: Path, from_file: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in fake_radio.environment(file=recording, loop=1).items():
        monkeypatch.setenv(name, value)
    assert np.array_equal(live("rtlsdr"), from_file)


def test_rtl_tcp(samples: NDArray[np.uint8], from_file: NDArray[np.float32]) -> None:
    def script(server: FakeServer) -> None:
        server.send(HEADER)
        server.send(samples.tobytes())
        server.done.wait(LIMIT_S)

    with serving(script) as server:
        assert np.array_equal(live(f"rtltcp://127.0.0.1:{server.port}"), from_file)


def test_zmq(samples: NDArray[np.uint8], from_file: NDArray[np.float32]) -> None:
    edges = [*range(0, 2 * N_SAMPLES, 2 * 7001), 2 * N_SAMPLES]
    data = samples.tobytes()
    with publishing("push") as publisher:
        publisher.send(*(data[a:b] for a, b in pairwise(edges)))
        assert np.array_equal(live(publisher.device, format="cu8"), from_file)


def test_soapy(
    soapy: FakeSoapy,
    samples: NDArray[np.uint8],
    from_file: NDArray[np.float32],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As 16 bits, exactly twice as much: a power of two goes out when windows are normalised."""
    wide = tmp_path / "recording.cs16"
    wide.write_bytes((2 * samples.astype(np.int16) - 255).tobytes())
    for name, value in soapy.environment(file=wide, pace="real", format="CS16").items():
        monkeypatch.setenv(name, value)
    assert np.array_equal(live("soapy:driver=fakeradio"), from_file)


def test_the_windows_are_what_was_written(from_file: NDArray[np.float32]) -> None:
    assert from_file.shape == (N_SAMPLES // WINDOW, 2, WINDOW)
    assert math.isclose(float(np.mean(from_file**2)) * 2, 1.0, rel_tol=1e-3)
