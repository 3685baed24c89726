"""The real rtl_tcp program at the other end, over a librtlsdr without a radio."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from fake_radio import PREFIX, library_folder
from fake_tape import streaming

from liveclf.config import Hertz, RadioSettings, SourceSettings
from liveclf.errors import SourceError
from liveclf.sources import rtltcp

LIMIT_S = 60
RECORDING = np.random.default_rng(4).integers(0, 256, 2_000_000, np.uint8).tobytes()


@pytest.fixture
def server(tmp_path):
    """Return the port of a running rtl_tcp and the file that its library writes calls to."""
    program = shutil.which("rtl_tcp")
    if program is None:
        pytest.skip("rtl_tcp is not installed (Debian: rtl-sdr)")
    (tmp_path / "librtlsdr.so.0").symlink_to(library_folder() / "librtlsdr.so")
    recording, log = tmp_path / "x.cu8", tmp_path / "log"
    recording.write_bytes(RECORDING)
    told = {"FILE": recording, "LOOP": 1, "SPEED": 0.5, "LOG": log}
    environment = {"LD_LIBRARY_PATH": str(tmp_path)}
    environment |= {f"{PREFIX}{name}": str(value) for name, value in told.items()}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    running = subprocess.Popen(
        [program, "-a", "127.0.0.1", "-p", str(port)],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    yield port, log
    running.kill()
    running.wait(LIMIT_S)


def opened(port: int, source: SourceSettings, **radio):
    """Open the driver, as soon as the server listens."""
    until_s = time.monotonic() + LIMIT_S
    while True:
        try:
            device = f"rtltcp://127.0.0.1:{port}"
            return rtltcp.open_driver(source, RadioSettings(device=device, **radio))
        except SourceError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.05)


def calls(log: Path, last: str) -> list[str]:
    """Return the settings that the radio's library got, once the last is there."""
    until_s = time.monotonic() + LIMIT_S
    while last not in (lines := log.read_text().splitlines()):
        assert time.monotonic() < until_s, lines
        time.sleep(0.05)
    return lines


def ours(lines: list[str]) -> list[str]:
    """Leave out what rtl_tcp did by itself, before it listened and for its stream."""
    first = max(k for k, line in enumerate(lines) if line.startswith("set_sample_rate"))
    return [line for line in lines[first:] if line.startswith("set_")]


def test_every_setting_reaches_the_radio_and_every_byte_comes_back(server):
    port, log = server
    settings = SourceSettings(rate_hz=Hertz(1e6), center_hz=(Hertz(433.92e6),))
    radio = {"gain": "20.7", "ppm": 3, "bias_tee": True, "direct_sampling": "q"}
    driver = opened(port, settings, **radio, options=("agc=1", "offset_tuning=1"))
    assert driver.opened.name == f"rtl_tcp 127.0.0.1:{port} (R820T)"
    with streaming(driver) as stream:
        stream.tape.wait_for(1_000_000)
        assert driver.tune(100_000_001) == 100_000_001
        got = ours(calls(log, "set_center_freq 100000001"))
    at = RECORDING.find(stream.tape.data[:4096])
    assert at >= 0
    assert stream.tape.data == (3 * RECORDING)[at : at + len(stream.tape.data)]
    assert got == [
        "set_sample_rate 1000000",
        "set_freq_correction 3",
        "set_direct_sampling 2",
        "set_agc_mode 1",
        "set_offset_tuning 1",
        "set_center_freq 433920000",
        "set_tuner_gain_mode 1",
        "set_tuner_gain 207",
        "set_bias_tee 1",
        "set_center_freq 100000001",
    ]


def test_what_was_not_asked_for_is_left_alone(server):
    port, log = server
    driver = opened(port, SourceSettings(center_hz=(Hertz(868e6),)))
    driver.tune(868e6 + 1)  # comes last
    got = ours(calls(log, "set_center_freq 868000001"))
    driver.close()
    assert got == [
        "set_sample_rate 2400000",
        "set_center_freq 868000000",
        "set_tuner_gain_mode 0",
        "set_center_freq 868000001",
    ]
