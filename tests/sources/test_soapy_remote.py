"""The SoapySDR source through the real SoapyRemote server, on the loopback interface."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faking_soapy import HERE, FakeSoapy

from liveclf.config import RadioSettings, SourceSettings
from liveclf.sources import open_source
from liveclf.sources.capture.timeline import AWAY

START_LIMIT_S = 60
RETURN_LIMIT_S = 120


@pytest.fixture(scope="module")
def no_avahi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stands in for the daemon without which the server ends by itself."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no gcc to compile what SoapySDRServer is started with (apt: gcc)")
    path = tmp_path_factory.mktemp("no_avahi") / "no_avahi.so"
    source = HERE / "fake_soapy_module" / "no_avahi.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", path, source], check=True, timeout=120)
    return path


class Server:
    """Serves a radio that is not there on a port of its own."""

    def __init__(self, soapy: FakeSoapy, preload: Path) -> None:
        program = shutil.which("SoapySDRServer")
        if program is None:
            pytest.skip("no SoapySDRServer (apt: soapyremote-server)")
        self._program, self._soapy, self._preload = program, soapy, preload
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.device = f"soapy:driver=remote,remote=tcp://127.0.0.1:{self.port}"
        self.log = soapy.scratch / "server_log"

    @contextmanager
    def running(self, **arguments: Any) -> Iterator[subprocess.Popen[bytes]]:
        environment = self._soapy.environment(log=self.log, **arguments)
        process = subprocess.Popen(
            [self._program, f"--bind=tcp://127.0.0.1:{self.port}"],
            env={**environment, "LD_PRELOAD": str(self._preload)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._await(process)
            yield process
        finally:
            process.kill()
            process.wait(timeout=60)

    def _await(self, process: subprocess.Popen[bytes]) -> None:
        limit_s = time.monotonic() + START_LIMIT_S
        while time.monotonic() < limit_s and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        pytest.fail(f"SoapySDRServer does not listen (exit code {process.poll()})")

    def noted(self) -> dict[str, str]:
        lines = self.log.read_text().splitlines()
        return {what: value for what, _, value in (line.rpartition(" ") for line in lines)}


@pytest.fixture
def server(soapy: FakeSoapy, no_avahi: Path) -> Server:
    listed = subprocess.run(
        ["SoapySDRUtil", "--info"] if shutil.which("SoapySDRUtil") else ["true"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if listed.stdout and "remote" not in listed.stdout:
        pytest.skip("SoapySDR has no module for servers (apt: soapysdr-module-remote)")
    return Server(soapy, no_avahi)


@pytest.mark.parametrize("stamps", ["none", "samples"])
def test_samples_pass_the_network_as_they_are(
    soapy: FakeSoapy, server: Server, stamps: str
) -> None:
    path, iq = soapy.recording("i2")
    job = {"until": 500_000, "radio": {"device": server.device}}
    with server.running(file=path, full_scale=2048, stamps=stamps):
        got = soapy.run(job)
    assert got.error is None
    assert got.opened is not None
    assert got.opened["format"] == ["cs16", "int16", 0.0, 2048.0]
    assert got.opened["tells_losses"] == (stamps == "samples")
    assert len(got.received) >= 500_000
    np.testing.assert_array_equal(got.received, iq[np.arange(len(got.received)) % len(iq)])
    assert {event[0] for event in got.events} == {"write"}


def test_what_the_server_drops_is_told_by_time_stamps(soapy: FakeSoapy, server: Server) -> None:
    path, iq = soapy.recording("i2")
    job = {"until": 500_000, "radio": {"device": server.device}}
    faults = "50000/overflow/1234;200000/overflow/70000;300001/overflow/9"
    with server.running(file=path, stamps="samples", faults=faults):
        got = soapy.run(job)
    # The server forwards an overflow in place of what it had read just before: that is lost
    # too, and the stamps tell it.
    assert got.lost >= 1234 + 70_000 + 9
    np.testing.assert_array_equal(got.received, iq[got.positions % len(iq)])


def test_settings_and_refusals_pass_the_network(soapy: FakeSoapy, server: Server) -> None:
    path, _ = soapy.recording("i2")
    with server.running(file=path):
        radio = {"device": server.device, "gain": "LNA=20", "options": ["level=-3"]}
        got = soapy.run({"radio": radio, "settings": {"center_hz": [433_920_049.0]}})
        assert got.error is None
        assert got.opened is not None
        assert got.opened["center_hz"] == 433_920_000.0
        noted = server.noted()
        assert (noted["gain"], noted["level"], noted["freq"]) == ("LNA=20", "-3", "433920049")
        got = soapy.run({"radio": {"device": server.device, "gain": "LNA=41"}})
    assert got.error == ("UsageError", "--gain LNA 41: this radio has 0 to 40 dB.")


def test_a_server_that_dies_and_comes_back_is_found_again(
    soapy: FakeSoapy, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where SoapyRemote's client never returns: half a datagram keeps it for ever."""
    path, iq = soapy.recording("i2")
    for name, value in soapy.environment().items():
        monkeypatch.setenv(name, value)
    limit_s = time.monotonic() + RETURN_LIMIT_S
    with server.running(file=path, pace="real", faults="500000/crash"):
        source = open_source(SourceSettings(), RadioSettings(device=server.device))
        blocks = source.blocks()
        for block in blocks:
            assert time.monotonic() < limit_s
            at = np.arange(len(block.iq)) + block.start_sample
            np.testing.assert_array_equal(block.iq, iq[at % len(iq)])
            if block.start_sample > 100_000:
                break
    with server.running(file=path, pace="real"):
        back = None
        for block in blocks:
            assert time.monotonic() < limit_s
            if any(loss.cause == AWAY for loss in block.losses):
                back = block
                break
        source.close()
        for _ in blocks:
            pass
    assert back is not None
    np.testing.assert_array_equal(back.iq, iq[np.arange(len(back.iq)) % len(iq)])


def test_a_server_that_is_not_there_is_said(soapy: FakeSoapy, server: Server) -> None:
    got = soapy.run({"radio": {"device": server.device}})
    assert got.error is not None
    assert got.error[0] == "SourceError"
    assert f"127.0.0.1:{server.port}" in got.error[1]
