"""`liveclf publish --metrics`: what is sent, to how many, and when that is unwell."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator

import pytest
from command_line import LIMIT_S, iq_bytes, record

from liveclf.cli import main

pytest.importorskip("zmq", reason="pyzmq is not installed")
pytest.importorskip("prometheus_client.parser", reason='pip install "liveclf[metrics]"')

import zmq
from watched_program import watching

pytestmark = pytest.mark.skipif(os.name != "posix", reason="ipc sockets are those of POSIX")


@pytest.fixture
def listen(tmp_path) -> Iterator:
    """Return what opens a socket that receives what is published."""
    context, kept = zmq.Context(), []

    def opened(kind: int, most: int = 1000) -> zmq.Socket:
        socket = context.socket(kind)
        socket.setsockopt(zmq.RCVTIMEO, LIMIT_S * 1000)
        socket.setsockopt(zmq.RCVHWM, most)
        if kind == zmq.SUB:
            socket.setsockopt(zmq.SUBSCRIBE, b"")
        socket.connect(f"ipc://{tmp_path}/iq")
        kept.append(socket)  # else it is closed before the test ends, and lingers
        return socket

    yield opened
    context.destroy(linger=0)


def test_everything_that_is_known_is_scraped_while_it_sends(tmp_path, listen):
    path = record(tmp_path / "x_100k.cu8", 5000)
    command = ("publish", path, "--loop", "--realtime", "--to", f"ipc://{tmp_path}/iq")
    with watching(*command) as watched:
        assert watched.value("liveclf_receivers") == 0
        receivers = [listen(zmq.SUB) for _ in range(2)]
        for receiver in receivers:
            receiver.recv()
        watched.wait_for(lambda: watched.value("liveclf_receivers") == 2)
        watched.wait_for(lambda: watched.value("liveclf_sent_samples_total") > 10_000)
        found = watched.scrape()
        assert watched.health() == watched.health("/live") == (200, [])
        receivers[0].close(0)
        watched.wait_for(lambda: watched.value("liveclf_receivers") == 1)
        watched.process.send_signal(signal.SIGTERM)
        assert watched.process.wait(LIMIT_S) == 143
        watched.ended()
    names = {name for name, _ in found}
    assert not [name for name in names if "window" in name or "label" in name]
    zero = frozenset({("stream", "0")})
    assert found["liveclf_sample_rate_hertz", zero] == 100_000
    arrived = found["liveclf_samples_total", zero]
    assert found["liveclf_signal_seconds_total", zero] == pytest.approx(arrived / 100_000)
    sent = found["liveclf_sent_samples_total", frozenset()]
    assert arrived - 2_000 <= sent <= arrived  # the last block is under way
    assert found["liveclf_sent_messages_total", frozenset()] <= sent
    assert found["liveclf_sender_held", frozenset()] == 0
    (summary,) = watched.events("summary")
    assert summary["samples"] >= sent


def test_losses_of_the_source_are_told_by_cause(tmp_path, listen):
    from command_line import sigmf

    captures = [
        {"core:sample_start": 0, "core:global_index": 0},
        {"core:sample_start": 4000, "core:global_index": 4500},
    ]
    path = sigmf(tmp_path, 10_000, captures=captures)
    flags = ("--loop", "--realtime", "--rate", "100k")
    with watching("publish", path, *flags, "--to", f"ipc://{tmp_path}/iq") as watched:
        listen(zmq.SUB).recv()
        cause = {"stream": "0", "cause": "missing in the recording"}
        key = "liveclf_samples_lost_total", frozenset(cause.items())
        watched.wait_for(lambda: watched.scrape().get(key, 0) > 0)
        assert watched.scrape()[key] % 500 == 0


@pytest.mark.parametrize("kind", ["pub", "push"])
def test_that_nobody_listens_is_no_fault(kind, tmp_path):
    path = record(tmp_path / "x_1000k.cu8", 5000)
    flags = ("--to", f"ipc://{tmp_path}/iq", "--socket", kind, "--health-limit", "1")
    with watching("publish", path, *flags) as watched:
        watched.wait_for(lambda: watched.value("liveclf_sender_held") == 1)
        watched.stay(1.6)
        assert watched.health() == watched.health("/live") == (200, [])
        assert watched.value("liveclf_sent_samples_total") == 0


def test_a_receiver_that_takes_nothing_is_not_ready_but_alive(tmp_path, listen):
    path = record(tmp_path / "x_1000k.cs16", 400_000)
    to = f"ipc://{tmp_path}/iq"
    flags = ("--loop", "--to", to, "--socket", "push", "--health-limit", "1")
    with watching("publish", path, *flags) as watched:
        receiver = listen(zmq.PULL, most=1)
        watched.wait_for(lambda: watched.health()[0] == 503)
        (reason,) = watched.health()[1]
        assert re.fullmatch(r"PUSH ipc://.*: no receiver takes anything for \d+ s", reason)
        assert watched.health("/live") == (200, [])
        assert watched.value("liveclf_sender_held") == 1
        until = watched.value("liveclf_sent_messages_total") + 200
        while watched.value("liveclf_sent_messages_total") < until:
            receiver.recv()
        watched.wait_for(lambda: (receiver.recv(), watched.health()[0] == 200)[1])


def test_a_source_that_is_stuck_is_not_ready_but_alive(tmp_path, listen):
    flags = ("--format", "cu8", "--rate", "1M", "--health-limit", "1")
    with watching("publish", "-", *flags, "--to", f"ipc://{tmp_path}/iq") as watched:
        receiver = listen(zmq.SUB)
        assert watched.process.stdin
        write = watched.process.stdin.buffer
        write.write(iq_bytes(200_000))
        write.flush()
        receiver.recv()
        watched.wait_for(lambda: watched.health()[0] == 503)
        (reason,) = watched.health()[1]
        assert re.fullmatch(r"stream 0 \(.*\): no samples for \d+ s", reason)
        assert watched.health("/live") == (200, [])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--metrics", "99999"], 2, "--metrics 99999 is no [HOST:]PORT"),
        (["--metrics", "192.0.2.1:0"], 1, "--metrics 192.0.2.1:0 cannot be served"),
        (["--metrics", "--health-limit", "0.5"], 2, "less than 1 s"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_leaves_no_socket(
    arguments, code, said, capfd, tmp_path
):
    to = tmp_path / "iq"
    assert main(["publish", "--to", f"ipc://{to}", *arguments]) == code
    err = capfd.readouterr().err.splitlines()
    assert said in err[-1]
    context = zmq.Context()
    context.socket(zmq.PUB).bind(f"ipc://{to}")  # it is free again
    context.destroy(linger=0)
