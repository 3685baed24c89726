"""GNU Radio itself at the other end: its ZeroMQ blocks send to us, and receive from us."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import threading
from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("zmq", reason="pyzmq is not installed")

from fake_publisher import receiving
from fake_tape import streaming

from liveclf.config import SendSettings
from liveclf.dsp.formats import FORMATS
from liveclf.records import Block
from liveclf.sources import zeromq
from liveclf.sources.zeromq.sender import Sender

pytestmark = pytest.mark.timeout(120)

FLOW = Path(__file__).parent / "gnuradio_flow.py"
N = 60_000
LIMIT_S = 60


@cache
def interpreter() -> str:
    """Return a Python that has GNU Radio's ZeroMQ blocks, empty if there is none."""
    for python in ("/usr/bin/python3", "python3"):
        try:
            done = subprocess.run(
                [python, "-c", "from gnuradio import zeromq"],
                capture_output=True, timeout=LIMIT_S, check=False,
            )  # fmt: skip
        except OSError:
            continue
        if not done.returncode:
            return python
    return ""


@pytest.fixture
def flow():
    """Return what starts a flowgraph; it is ended with the test."""
    if not interpreter():
        pytest.skip("GNU Radio is not installed (Debian: gnuradio)")
    running = []

    def start(*arguments: object) -> subprocess.Popen:
        command = [interpreter(), str(FLOW), *map(str, arguments)]
        running.append(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        return running[-1]

    yield start
    for program in running:
        with program:
            program.kill()


def samples() -> np.ndarray:
    k = np.arange(N)
    return (k + 1j * (N - k)).astype(np.complex64)


@pytest.mark.parametrize("tags", ["tags", "plain"])
@pytest.mark.parametrize(("kind", "key"), [("pub", ""), ("pub", "iq"), ("push", "")])
def test_what_gnuradio_sends_is_received(kind, key, tags, flow, tmp_path, monkeypatch):
    monkeypatch.setattr(zeromq, "_FIRST_S", 0.2)
    address = f"ipc://{tmp_path}/iq"
    program = flow("send", kind, address, tags, key, N)
    assert program.stdout.readline() == "ready\n"
    device = {"pub": "zmq", "push": "zmq+pull"}[kind] + ":" + address
    driver = receiving(device + (f"?key={key}" if key else ""))
    with streaming(driver) as stream:
        program.stdin.write("go\n")
        program.stdin.flush()
        assert program.stdout.readline() == "sent\n"
        stream.tape.wait_for(8 * N)
    np.testing.assert_array_equal(np.frombuffer(stream.tape.data, np.complex64), samples())
    assert stream.tape.lost == (5000 if tags == "tags" else 0)
    expected = [(1e6, 433e6), (1e6, 868e6)] if tags == "tags" else []
    assert stream.tape.retunes == expected
    if tags == "tags":
        calls = [call[0] for call in stream.tape.calls]
        last = len(calls) - 1 - calls[::-1].index("retune")
        before = sum(len(call[1]) for call in stream.tape.calls[:last] if call[0] == "write")
        assert before == 8 * N // 2
        begun_s = 1_700_000_000.25
        clocks = [call[1] for call in stream.tape.calls if call[0] == "clock"]
        assert clocks[0] == begun_s
        assert clocks[-1] == pytest.approx(begun_s + N / 2 / 1e6, abs=1e-6)
        holes = [call for call in stream.tape.calls if call[0] == "write" and call[2]]
        after = stream.tape.calls[stream.tape.calls.index(holes[0]) :]
        assert sum(len(call[1]) for call in after if call[0] == "write") == 8 * N // 4


def blocks() -> list[Block]:
    """Return the samples as blocks, with a hole of 1000, a break and a retune.

    And as many again: the flowgraph ends only once its source has more than it wants.
    """
    iq = np.tile(samples().view(np.float32).reshape(-1, 2), (2, 1))
    cuts = [
        (0, 20_000, 0, 0, 1e8), (20_000, 30_000, 1000, 0, 1e8),
        (30_000, 40_000, 1000, 1, 1e8), (40_000, N, 1000, 2, 2e8), (N, 2 * N, 1000, 2, 2e8),
    ]  # fmt: skip
    return [
        Block(iq[a:b], FORMATS["cf32"], a + shift, segment, 1e6, hz, 1_700_000_000.25, math.nan)
        for a, b, shift, segment, hz in cuts
    ]


@pytest.mark.parametrize("tags", ["tags", "plain"])
@pytest.mark.parametrize(("kind", "key"), [("pub", ""), ("pub", "iq"), ("push", "")])
def test_what_is_published_is_received_by_gnuradio(kind, key, tags, flow, tmp_path):
    address = f"ipc://{tmp_path}/iq"
    sender = Sender(SendSettings(to=address, socket=kind, key=key, tags=tags == "tags"))
    sender.wait_for_receivers()
    sending = threading.Thread(target=lambda: [sender.send(b) for b in blocks()], daemon=True)
    sending.start()
    program = flow("receive", {"pub": "sub", "push": "pull"}[kind], address, tags, key, N)
    found = json.loads(program.communicate(timeout=LIMIT_S)[0])
    sending.join(LIMIT_S)
    sender.stop()
    assert sender.close(5)
    assert found["bytes"] == 8 * N
    assert found["sha256"] == hashlib.sha256(samples().tobytes()).hexdigest()
    assert (sender.samples, sender.messages, sender.lost) == (2 * N, 5, 1000)
    told = {(offset, key): value for offset, key, value in found["tags"]}
    if tags == "plain":
        assert not told
        return
    # GNU Radio counts what it received, and so knows nothing of the hole.
    assert told[0, "rx_rate"] == 1e6
    assert told[0, "rx_freq"] == 1e8
    assert told[40_000, "rx_freq"] == 2e8
    assert told[30_000, "new_segment"] is True
    assert (20_000, "new_segment") not in told
    assert told[0, "rx_time"] == [1_700_000_000, pytest.approx(0.25, abs=1e-9)]
    assert told[20_000, "rx_time"] == [1_700_000_000, pytest.approx(0.25 + 0.021, abs=1e-9)]
