"""A radio here and the network there, over ZeroMQ on loopback, as docs/headless.md has it.

A recording has the radio's place: what is found in it directly is found over the wire too.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest
from command_line import LIGHT, LIMIT_S, start

from liveclf.cli import main
from liveclf.sources import DEMO

pytest.importorskip("zmq", reason="pyzmq is not installed")
N = 286_720
# Nothing may be late here: what arrives is the question.
PATIENT = ("--when-slow", "drop-oldest", "--max-late", "60s", "--buffer", "20s")


def found(lines: str) -> list[tuple[object, ...]]:
    """Return where each emission is, and what it is called, as far as it has ended."""
    keys = ("sample", "n_samples", "center_hz", "label", "symbol_rate_hz")
    records = map(json.loads, lines.splitlines())
    return sorted(tuple(r[k] for k in keys) for r in records if r["state"] == "closed")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def test_what_is_published_here_is_labelled_there(capfd):
    assert main(["run", "-q", "-o", "jsonl", *LIGHT]) == 0
    directly = found(capfd.readouterr().out)
    assert len(directly) >= 10

    address = f"tcp://127.0.0.1:{free_port()}"
    flags = ("--native", "--to", address, "--log-format", "json")  # it waits for a listener
    with start("publish", DEMO, *flags, stderr=subprocess.PIPE) as here:
        assert here.stderr
        assert json.loads(here.stderr.readline())["event"] == "start"  # it listens
        there = subprocess.run(
            [
                *(sys.executable, "-m", "liveclf", "run", address.replace("tcp", "zmq")),
                *("--format", "cu8", "-n", str(N), "-o", "jsonl", "--log-format", "json"),
                *(*PATIENT, *LIGHT),
            ],
            capture_output=True, text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip
        said = [json.loads(line) for line in here.stderr]
        assert here.wait(LIMIT_S) == 0
    assert there.returncode == 0, there.stderr
    told = {note["event"]: note for note in map(json.loads, there.stderr.splitlines())}
    assert told["start"]["sample_rate_hz"] == 250e3
    assert told["start"]["center_hz"] == 433.92e6
    assert told["summary"]["samples"] == said[-1]["samples"] == N
    assert told["summary"]["samples_lost"] == said[-1]["samples_lost"] == 0
    assert told["summary"]["coverage"] == 1
    assert found(there.stdout) == directly
