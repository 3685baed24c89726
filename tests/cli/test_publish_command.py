"""`liveclf publish`: what it sends, to whom, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from subprocess import PIPE

import numpy as np
import pytest
from command_line import LIMIT_S, iq_bytes, record, run, start

from liveclf.cli import main
from liveclf.config import RadioSettings, SourceSettings
from liveclf.errors import SourceError
from liveclf.sources.zeromq import gnuradio_tags as gnuradio_tags

zmq = pytest.importorskip("zmq", reason="pyzmq is not installed")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="ipc sockets are those of POSIX")

N = 150_000
MESSAGES = 3  # of at most 65,536 samples


@pytest.fixture
def receiver(tmp_path):
    """Return what opens a socket that listens to `address`, from the test's own ZeroMQ."""
    context, kept = zmq.Context(), []

    def listen(kind: int = zmq.SUB, key: bytes = b"") -> zmq.Socket:
        listening = context.socket(kind)
        listening.setsockopt(zmq.RCVTIMEO, LIMIT_S * 1000)
        if kind == zmq.SUB:
            listening.setsockopt(zmq.SUBSCRIBE, key)
        listening.connect(address(tmp_path))
        kept.append(listening)  # else it is closed before the test ends
        return listening

    yield listen
    context.destroy(linger=0)


def address(folder: Path) -> str:
    return f"ipc://{folder}/iq"


def ended(program: subprocess.Popen, code: int = 0) -> str:
    said = program.stderr.read().decode()
    assert program.wait(LIMIT_S) == code, said
    assert "Traceback" not in said
    return said


def received(listening: zmq.Socket, n: int = MESSAGES) -> list[list[bytes]]:
    return [listening.recv_multipart() for _ in range(n)]


@pytest.mark.parametrize("kind", ["pub", "push"])
@pytest.mark.parametrize("name", ["cu8", "cs16", "cf32"])
def test_a_recording_waits_for_a_listener_and_comes_whole_as_cf32(kind, name, receiver, tmp_path):
    path = record(tmp_path / f"x_433.92M_1000k.{name}", N)
    command = ("publish", path, "--to", address(tmp_path), "--socket", kind)
    with start(*command, stderr=PIPE) as program:
        messages = received(receiver(zmq.SUB if kind == "pub" else zmq.PULL))
        said = ended(program)
    headed = [gnuradio_tags.parse(message) for (message,) in messages]
    assert [h.offset for h in headed] == [0, 65_536, 131_072]
    for h in headed:
        assert {(tag.offset, tag.key, tag.value) for tag in h.tags} == {
            (h.offset, "rx_rate", 1e6), (h.offset, "rx_freq", 433.92e6)
        }  # fmt: skip
    values = np.frombuffer(b"".join(bytes(h.payload) for h in headed), np.float32)
    raw = np.frombuffer(path.read_bytes(), {"cu8": "u1", "cs16": "<i2", "cf32": "<f4"}[name])
    offset, scale = {"cu8": (127.5, 127.5), "cs16": (0, 32768), "cf32": (0, 1)}[name]
    np.testing.assert_allclose(values, (raw.astype(np.float64) - offset) / scale, atol=1e-7)
    assert f"{N:,} samples sent in 3 messages; 0 samples lost before" in said
    assert "Nothing is sent before somebody listens" in said


def test_native_without_tags_are_the_very_bytes_of_the_recording(receiver, tmp_path):
    path = record(tmp_path / "x.cs16", N)
    command = ("publish", path, "--to", address(tmp_path), "--native", "--no-tags", "--key", "iq")
    with start(*command, stderr=PIPE) as program:
        messages = received(receiver(key=b"iq"))
        said = ended(program)
    assert [message[0] for message in messages] == [b"iq"] * MESSAGES
    assert b"".join(message[1] for message in messages) == path.read_bytes()
    assert "PUB" in said
    assert "no tag headers, key iq, cs16" in said


def test_our_own_receiver_gets_the_samples_and_counts_none_as_lost(tmp_path, monkeypatch):
    """Over PUSH, which waits: PUB leaves out what a receiver is too slow for."""
    from liveclf.sources import zeromq
    from liveclf.sources.zeromq import open_driver

    monkeypatch.setattr(zeromq, "_FIRST_S", LIMIT_S)
    path = record(tmp_path / "x_433.92M_1000k.cu8", N)
    command = ("publish", path, "--to", address(tmp_path), "--native", "--socket", "push")
    with start(*command, stderr=PIPE) as program:
        assert b"1 MS/s" in program.stderr.readline()  # it is ready to send
        radio = RadioSettings(device=f"zmq+pull:{address(tmp_path)}")
        driver = open_driver(SourceSettings(format="cu8"), radio)
        tape = Tape()
        with pytest.raises(SourceError, match="has gone"):
            driver.stream(tape)
        driver.close()
        ended(program)
    assert (driver.opened.sample_rate_hz, driver.opened.center_hz) == (1e6, 433.92e6)
    assert tape.data == path.read_bytes()
    assert tape.lost == tape.breaks == 0


class Tape:
    """Keeps what is written; a loop's joint counts as a break."""

    def __init__(self) -> None:
        self.data, self.lost, self.breaks = b"", 0, 0

    def write(self, data, *, lost=0, estimated=0) -> None:
        self.data += bytes(data)
        self.lost += lost

    def retune(self, sample_rate_hz, center_hz) -> None:
        self.breaks += 1


def test_the_joint_of_a_loop_is_marked(receiver, tmp_path):
    path = record(tmp_path / "x.cu8", 1000)
    command = ("publish", path, "--loop", "-n", "3000", "--to", address(tmp_path))
    with start(*command, stderr=PIPE) as program:
        headed = [gnuradio_tags.parse(m) for (m,) in received(receiver(), 3)]
        ended(program)
    assert [h.offset for h in headed] == [0, 1000, 2000]
    marks = [[(t.offset, t.key, t.value) for t in h.tags] for h in headed]
    assert marks == [[], [(1000, "new_segment", True)], [(2000, "new_segment", True)]]


def test_samples_that_a_recording_has_lost_are_a_jump_for_the_receiver(receiver, tmp_path):
    from command_line import sigmf

    captures = [
        {"core:sample_start": 0, "core:global_index": 0},
        {"core:sample_start": 4000, "core:global_index": 4500},
    ]
    path = sigmf(tmp_path, 10_000, captures=captures)
    with start("publish", path, "--to", address(tmp_path), stderr=PIPE) as program:
        headed = [gnuradio_tags.parse(m) for (m,) in received(receiver(), 2)]
        said = ended(program)
    assert [(h.offset, len(h.payload) // 8) for h in headed] == [(0, 4000), (4500, 6000)]
    assert "10,000 samples sent in 2 messages; 500 samples lost before" in said


def test_decimated_samples_are_counted_as_they_are_sent(receiver, tmp_path):
    path = record(tmp_path / "x_1000k.cu8", 40_000)
    command = ("publish", path, "--decimate", "4", "--native", "--to", address(tmp_path))
    with start(*command, stderr=PIPE) as program:
        (message,) = receiver().recv_multipart()
        said = ended(program)
    assert gnuradio_tags.parse(message).tags[0].value == 250e3
    assert "cf32" in said  # also --native: what was filtered is no cu8 any more
    assert "10,000 samples sent" in said
    assert "; 0 samples lost before" in said


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "kill"]
)
@pytest.mark.parametrize("listens", [True, False], ids=["listened to", "alone"])
@pytest.mark.parametrize("kind", ["pub", "push"])
def test_a_signal_ends_it_whoever_listens(number, code, listens, kind, receiver, tmp_path):
    path = record(tmp_path / "x_1000k.cu8", 30_000)
    command = ("publish", path, "--loop", "--to", address(tmp_path), "--socket", kind)
    with start(*command, stderr=PIPE) as program:
        said = program.stderr.readline() + program.stderr.readline()
        if listens:
            listening = receiver(zmq.SUB if kind == "pub" else zmq.PULL)
            received(listening, 20)
        program.send_signal(number)
        said += ended(program, code).encode()
    assert ("nobody listens" in said.decode()) != listens


def test_statistics_come_while_it_sends(receiver, tmp_path):
    path = record(tmp_path / "x_100k.cu8", 5000)
    command = (
        "publish",
        path,
        "--loop",
        "--realtime",
        "--stats",
        "0.05",
        "--to",
        address(tmp_path),
    )
    with start(*command, stderr=PIPE) as program:
        received(receiver(), 3)
        while b"samples sent in" not in program.stderr.readline():
            assert program.poll() is None
        program.send_signal(signal.SIGINT)
        ended(program, 130)


def test_quiet_says_nothing(receiver, tmp_path):
    path = record(tmp_path / "x_1000k.cu8", N)
    with start("publish", path, "-q", "--to", address(tmp_path), stderr=PIPE) as program:
        received(receiver())
        assert ended(program) == ""


def test_it_waits_on_this_machine_only_unless_told_otherwise(capfd):
    assert main(["publish", "--show-config"]) == 0
    assert 'to = "tcp://127.0.0.1:5555"' in capfd.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--to", "127.0.0.1:5555"], 2, "--to 127.0.0.1:5555 is no address"),
        (["--to", "tcp://127.0.0.1"], 2, "write it as tcp://HOST:PORT or ipc:///PATH"),
        (["--socket", "sub"], 2, "socket 'sub' is not known, choose one of pub, push"),
        (
            ["--to", "ipc:///nowhere/at/all"],
            1,
            "ipc:///nowhere/at/all cannot be bound: no such file",
        ),
    ],
)
def test_what_cannot_be_is_one_sentence(arguments, code, message, capfd):
    assert main(["publish", *arguments]) == code
    assert message in capfd.readouterr().err


def test_an_address_that_is_taken_is_one_sentence(tmp_path):
    context = zmq.Context()
    taken = context.socket(zmq.PUB)
    port = taken.bind_to_random_port("tcp://127.0.0.1")
    done = run("publish", "--to", f"tcp://127.0.0.1:{port}")
    context.destroy(linger=0)
    assert done.returncode == 1
    assert b"cannot be bound: address already in use; choose another with --to" in done.stderr


def test_a_pipe_is_sent_too(receiver, tmp_path):
    data = iq_bytes(4000, "cs16")
    command = ("publish", "-", "--format", "cs16", "--native", "--to", address(tmp_path))
    with start(*command, stdin=PIPE, stderr=PIPE) as program:
        program.stdin.write(data)
        program.stdin.close()
        got, listening = b"", receiver()
        while len(got) < len(data):
            got += bytes(gnuradio_tags.parse(listening.recv()).payload)
        ended(program)
    assert got == data
