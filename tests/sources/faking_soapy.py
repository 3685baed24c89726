"""A radio that is not there: the real SoapySDR with a driver module of our own.

Every run is a process of its own, as in the program: a module is loaded once and for all,
and some faults take the process with them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

HERE = Path(__file__).parent
SOURCE = HERE / "fake_soapy_module" / "fake_radio.cpp"
HEADER = "#include <SoapySDR/Device.hpp>\n"


@pytest.fixture(scope="session")
def soapy_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the compiled module."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++ to compile the stand-in for a radio (apt: g++)")
    has_headers = subprocess.run(
        [compiler, "-E", "-x", "c++", "-"], input=HEADER, capture_output=True, text=True, timeout=60
    )
    if has_headers.returncode:
        pytest.skip("no headers of SoapySDR (apt: libsoapysdr-dev)")
    can_import = "from liveclf.sources.soapy.binding import load; load()"
    binding = subprocess.run(
        [sys.executable, "-c", can_import], capture_output=True, text=True, timeout=60
    )
    if binding.returncode:
        pytest.skip(binding.stderr.strip().splitlines()[-1])
    folder = tmp_path_factory.mktemp("soapy_module")
    line = [compiler, "-O2", "-std=c++14", "-shared", "-fPIC", str(SOURCE)]
    line += ["-o", str(folder / "libfakeradio.so"), "-lSoapySDR"]
    subprocess.run(line, check=True, timeout=240)
    return folder


@dataclass(frozen=True)
class Outcome:
    """What a run of the driver came to.

    Attributes:
        opened: `Opened` as a dictionary, None if it did not get so far.
        error: Name of the exception's class and its message, None if there was none.
        events: ["write", samples, lost] and ["overflow"], in order.
        received: The samples, (n, 2).
        closed_s: How long closing took.
        answers: Of what else was asked for.
        log: What the module noted, as (what, value).
        printed: On stdout and stderr of the process.
    """

    opened: dict[str, Any] | None
    error: tuple[str, str] | None
    events: list[list[Any]]
    received: NDArray[Any]
    closed_s: float
    answers: dict[str, Any]
    log: list[tuple[str, str]]
    printed: str

    @property
    def lost(self) -> int:
        return sum(event[2] for event in self.events if event[0] == "write")

    @property
    def noted(self) -> dict[str, str]:
        """What the module noted last of each."""
        return dict(self.log)

    @property
    def positions(self) -> NDArray[np.int64]:
        """Where each received sample was in the stream, by what was told as lost."""
        parts, at = [np.empty(0, np.int64)], 0
        for event in self.events:
            if event[0] == "write":
                at += event[2]
                parts.append(np.arange(at, at + event[1]))
                at += event[1]
        return np.concatenate(parts)


@dataclass
class FakeSoapy:
    """Runs the driver against the module."""

    folder: Path
    scratch: Path

    def environment(self, **arguments: Any) -> dict[str, str]:
        """Where SoapySDR finds the module, and the module its arguments."""
        fakes = {f"FAKE_SOAPY_{key.upper()}": str(value) for key, value in arguments.items()}
        return {**os.environ, "SOAPY_SDR_PLUGIN_PATH": str(self.folder), **fakes}

    def run(self, job: dict[str, Any], timeout_s: float = 120, **arguments: Any) -> Outcome:
        """Do what `soapy_subject.py` is told by `job`, with a radio of these arguments."""
        received, log = self.scratch / "received.npy", self.scratch / "log"
        log.unlink(missing_ok=True)
        job = {"received": str(received), "radio": {}, "settings": {}} | job
        job["radio"] = {"device": "soapy:driver=fakeradio"} | job["radio"]
        done = subprocess.run(
            [sys.executable, str(HERE / "soapy_subject.py"), json.dumps(job)],
            env=self.environment(log=log, **arguments),
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        *printed, last = done.stdout.splitlines() or [""]
        assert last.startswith("{"), f"{done.returncode}: {done.stderr}"
        told = json.loads(last)
        lines = log.read_text().splitlines() if log.exists() else []
        return Outcome(
            opened=told["opened"],
            error=tuple(told["error"]) if told["error"] else None,
            events=told["events"],
            received=np.load(received) if told["events"] else np.empty((0, 2)),
            closed_s=told["closed_s"],
            answers=told["answers"],
            log=[(what, value) for what, _, value in (line.rpartition(" ") for line in lines)],
            printed="\n".join([*printed, done.stderr]),
        )

    def recording(self, dtype: str, n: int = 10_007) -> tuple[Path, NDArray[Any]]:
        """Write a recording of noise, of a length that no buffer divides."""
        rng = np.random.default_rng(4)
        if dtype == "f4":
            iq = rng.standard_normal((n, 2)).astype(dtype)
        else:
            iq = rng.integers(-120, 120, (n, 2)).astype(dtype)
        path = self.scratch / f"recording.{dtype}"
        path.write_bytes(iq.tobytes())
        return path, iq


@pytest.fixture
def soapy(soapy_module: Path, tmp_path: Path) -> FakeSoapy:
    """A radio of this test."""
    return FakeSoapy(soapy_module, tmp_path)
