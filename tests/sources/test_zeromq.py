"""Samples over real ZeroMQ sockets: bytes, losses, restarts, and senders that mean harm."""

from __future__ import annotations

import contextlib
import math
import socket
import struct
import sys
import threading
import time
from itertools import pairwise

import numpy as np
import pytest

zmq = pytest.importorskip("zmq", reason="pyzmq is not installed")

from fake_publisher import Publisher, publishing, receiving  # noqa: E402
from fake_tape import streaming  # noqa: E402

from liveclf.config import Hertz, RadioSettings, SourceSettings  # noqa: E402
from liveclf.errors import MissingExtraError, SourceError, UsageError  # noqa: E402
from liveclf.sources import zeromq  # noqa: E402
from liveclf.sources.zeromq import receiver as zeromq_receiver  # noqa: E402
from liveclf.sources.zeromq.address import Endpoint, endpoint_of  # noqa: E402
from liveclf.sources.zeromq.gnuradio_tags import Tag, build  # noqa: E402

RNG = np.random.default_rng(11)
IQ = RNG.standard_normal(20_000).astype("<f4").tobytes()  # 10,000 samples
CUTS = [0, 1, 8, 1000, 1001, 5000, 10_000]


def pieces(headed: bool, key: bytes | None = None, skip: tuple[int, ...] = ()) -> list:
    """Return the recording as messages, without those of the numbers in `skip`."""
    made = []
    for k, (first, stop) in enumerate(pairwise(CUTS)):
        tags = [Tag(first, "rx_rate", 1e6), Tag(first, "rx_freq", 433e6)]
        data = (build(first, tags) if headed else b"") + IQ[first * 8 : stop * 8]
        if k not in skip:
            made.append(data if key is None else [key, data])
    return made


# -- bytes and losses ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pub", "push"])
@pytest.mark.parametrize("headed", [True, False], ids=["headers", "no headers"])
@pytest.mark.parametrize("key", [None, b"iq"])
def test_the_samples_come_through_and_what_is_known_is_said(kind, headed, key):
    with publishing(kind) as publisher:
        publisher.send(*pieces(headed, key))
        with streaming(receiving(publisher.device)) as stream:
            stream.tape.wait_for(len(IQ))
    told = stream.driver.opened
    assert stream.tape.data == IQ
    assert (stream.tape.lost, stream.tape.retunes) == (0, [])
    assert told.format.name == "cf32"
    assert (told.has_clock, told.tells_losses, told.stall_s) == (False, headed, None)
    notes = " ".join(told.notes)
    assert ("counted exactly" in notes) == headed
    assert ("cannot be seen" in notes) != headed
    assert ("key b'iq'" in notes) == (key is not None)
    expected = (1e6, 433e6) if headed else (math.nan, math.nan)
    np.testing.assert_equal((told.sample_rate_hz, told.center_hz), expected)


def test_messages_that_are_missing_are_counted_exactly_where_they_are():
    with publishing() as publisher:
        publisher.send(*pieces(True, skip=(2, 4)))
        with streaming(receiving(publisher.device)) as stream:
            stream.tape.wait_for(len(IQ) - (992 + 3999) * 8)
    writes = [(call[1], call[2]) for call in stream.tape.calls]
    assert [lost for _, lost in writes] == [0, 0, 992, 3999]
    assert [data for data, _ in writes] == [IQ[:8], IQ[8:64], IQ[8000:8008], IQ[40_000:]]


def test_a_receiver_that_is_too_slow_counts_what_the_publisher_dropped(monkeypatch):
    """Each sample is its own number, so that its place is known whatever the headers say."""
    monkeypatch.setattr(zeromq, "_FIRST_S", 0.05)
    n, size = 4000, 1000
    numbers = np.arange(n * size, dtype="<u8").reshape(n, size)
    messages = [build(k * size) + row.tobytes() for k, row in enumerate(numbers)]
    with publishing() as publisher:
        driver = receiving(publisher.device)
        publisher.send(*messages[:-1])  # while nobody reads
        publisher.join()
        with streaming(driver) as stream:
            stream.tape.wait_for(1000 * size)
            while not stream.tape.lost:  # what it has room for again is not known to us
                publisher.send(messages[-1], listened=True)
                publisher.join()
            publisher.close()
            assert isinstance(stream.ended(), SourceError)
    at = 0
    for _, data, lost, _ in (call for call in stream.tape.calls if call[0] == "write"):
        if data == messages[-1][19:] and at == n * size:
            continue  # sent more than once
        at += lost
        found = np.frombuffer(data, "<u8")
        np.testing.assert_array_equal(found, np.arange(at, at + len(found)))
        at += len(found)
    assert at == n * size


@pytest.mark.parametrize(("name", "size"), [("cu8", 2), ("cs8", 2), ("cs16", 4), ("cf64", 16)])
@pytest.mark.parametrize("headed", [True, False])
def test_other_formats_come_as_they_are(name, size, headed):
    data = RNG.bytes(size * 500)
    with publishing("push") as publisher:
        publisher.send((build(0) if headed else b"") + data)
        driver = receiving(publisher.device, format=name, rate_hz=Hertz(250e3))
        with streaming(driver) as stream:
            stream.tape.wait_for(len(data))
    assert stream.tape.data == data
    assert driver.opened.tells_losses == headed
    assert driver.opened.sample_rate_hz == 250e3


def test_a_retune_within_the_stream_is_passed_on():
    first, second = build(0, [Tag(0, "rx_rate", 1e6)]), build(5, [Tag(7, "rx_freq", 868e6)])
    with publishing("push") as publisher:
        publisher.send(first + IQ[:40], second + IQ[40:80])
        with streaming(receiving(publisher.device)) as stream:
            stream.tape.wait_for(80)
    assert [call[0] for call in stream.tape.calls] == ["write", "write", "retune", "write"]
    assert [len(call[1]) for call in stream.tape.calls if call[0] == "write"] == [40, 16, 24]
    assert stream.tape.retunes == [(1e6, 868e6)]


def test_flags_go_over_tags_and_that_is_said():
    with publishing("push") as publisher:
        publisher.send(*pieces(True))
        flags = {"rate_hz": Hertz(2e6), "center_hz": (Hertz(1e9),)}
        driver = receiving(publisher.device, **flags)
        driver.close()
    assert (driver.opened.sample_rate_hz, driver.opened.center_hz) == (2e6, 1e9)
    assert any("--rate 2000000 goes over" in note for note in driver.opened.notes)


def test_only_messages_of_the_key_are_taken():
    mine, others = pieces(True, b"iq"), pieces(True, b"iq2")
    mixed = [message for pair in zip(mine, others, strict=True) for message in pair]
    with publishing() as publisher:
        publisher.send(*mixed)
        with streaming(receiving(publisher.device + "?key=iq")) as stream:
            stream.tape.wait_for(len(IQ))
    assert stream.tape.data == IQ
    assert stream.tape.lost == 0


def test_a_receiver_may_be_the_one_that_waits(tmp_path):
    address = f"ipc://{tmp_path}/iq"
    context = zmq.Context()
    pusher = context.socket(zmq.PUSH)
    pusher.connect(address)
    for message in pieces(True):
        pusher.send(message)
    with streaming(receiving(f"zmq+pull:{address}?bind=1")) as stream:
        stream.tape.wait_for(len(IQ))
        assert stream.tape.data == IQ
        # The sender goes and another comes: the next stream, and no error.
        context.destroy(linger=0)
        context = zmq.Context()
        pusher = context.socket(zmq.PUSH)
        pusher.connect(address)
        for message in pieces(True):
            pusher.send(message)
        stream.tape.wait_for(2 * len(IQ))
        assert stream.tape.data == IQ + IQ
        assert stream.tape.retunes == [(1e6, 433e6)]
    context.destroy(linger=0)


# -- coming and going ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pub", "push"])
def test_a_publisher_that_goes_ends_the_stream_once_all_was_received(kind):
    publisher = Publisher(kind)
    publisher.send(*pieces(True))
    with streaming(receiving(publisher.device)) as stream:
        publisher.close()
        error = stream.ended()
    assert isinstance(error, SourceError)
    assert publisher.address in str(error)
    assert "has gone" in str(error)
    assert stream.tape.data == IQ


@pytest.mark.parametrize("kind", ["pub", "push"])
def test_what_a_publisher_sent_is_read_even_long_after_it_has_gone(kind):
    publisher = Publisher(kind)
    publisher.send(*pieces(True))
    driver = receiving(publisher.device)
    publisher.close()
    time.sleep(0.3)  # the end of the connection is known by now, and most is not read yet
    with streaming(driver) as stream:
        assert isinstance(stream.ended(), SourceError)
    assert stream.tape.data == IQ


def test_a_publisher_that_begins_again_is_another_stream():
    publisher = Publisher()
    publisher.send(*pieces(True))
    with streaming(receiving(publisher.device)) as stream:
        publisher.close()
        assert isinstance(stream.ended(), SourceError)
    with publishing(address=publisher.address) as again:
        again.send(*pieces(True))
        with streaming(receiving(again.device)) as stream:
            stream.tape.wait_for(len(IQ))
    assert stream.tape.data == IQ
    assert stream.tape.lost == 0


def test_offsets_that_begin_again_on_the_same_connection_are_another_stream():
    with publishing("push") as publisher:
        publisher.send(*pieces(True), *pieces(True))
        with streaming(receiving(publisher.device)) as stream:
            stream.tape.wait_for(2 * len(IQ))
    assert (stream.tape.lost, stream.tape.retunes) == (0, [(1e6, 433e6)])


@pytest.mark.parametrize("device", ["zmq:tcp://127.0.0.1:{port}", "zmq:ipc:///nowhere/at-all"])
def test_nobody_there_is_said_with_the_address(device):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    device = device.format(port=port)
    with pytest.raises(SourceError, match="Nobody publishes") as caught:
        receiving(device)
    assert device.removeprefix("zmq:") in str(caught.value)


def test_another_kind_of_socket_is_said():
    with (
        publishing("push") as publisher,
        pytest.raises(SourceError, match="check host, port and kind"),
    ):
        receiving(f"zmq:{publisher.address}")


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(4096)])
def test_a_server_that_is_no_zeromq_is_an_error_and_no_hang(answer, monkeypatch):
    monkeypatch.setattr(zeromq, "_ANSWER_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as client, contextlib.suppress(OSError):
                client.sendall(answer)
                client.recv(99)
                ended.wait(20)

        ended = threading.Event()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(SourceError, match="Nobody publishes"):
            receiving(f"zmq://127.0.0.1:{server.getsockname()[1]}")
        ended.set()
        thread.join(20)


def test_an_address_that_is_taken_is_said():
    with (
        publishing() as publisher,
        pytest.raises(SourceError, match="cannot be bound: address already in use"),
    ):
        receiving(f"zmq:{publisher.address}?bind=1")


def test_a_publisher_that_pauses_is_no_fault(monkeypatch):
    monkeypatch.setattr(zeromq, "_FIRST_S", 0.05)
    with publishing() as publisher:
        driver = receiving(publisher.device)
        assert any("Nothing came in 0.05 s" in note for note in driver.opened.notes)
        assert math.isnan(driver.opened.sample_rate_hz)
        with streaming(driver) as stream:
            publisher.send(*pieces(True))
            stream.tape.wait_for(len(IQ))
    assert stream.tape.data == IQ
    assert stream.tape.retunes == [(1e6, 433e6)]  # as `opened` could not tell


def test_a_stop_ends_a_stream_that_waits_and_may_come_twice():
    with publishing() as publisher:
        publisher.send(*pieces(True))
        with streaming(receiving(publisher.device)) as stream:
            stream.driver.stop()
            stream.driver.stop()
            assert stream.ended() is None


def test_a_publisher_cannot_be_tuned():
    with publishing("push") as publisher:
        publisher.send(*pieces(True))
        driver = receiving(publisher.device)
        publisher.join()  # once nobody listens, sending would wait
        with pytest.raises(SourceError, match="cannot be tuned"):
            driver.tune(1e9)
        driver.close()


# -- senders that mean harm ----------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        bytes(7),
        build(0, [Tag(0, "k", 1)])[:-1],
        [b"a", b"b", b"c"],
        build(0) + bytes(7),
    ],
    ids=["a rest", "a header cut off", "three parts", "a rest behind a header"],
)
@pytest.mark.parametrize("first", [True, False], ids=["at once", "later"])
def test_what_are_no_samples_is_an_error_and_what_came_before_stays(message, first):
    with publishing("push") as publisher:
        publisher.send(*([] if first else pieces(True)), message)
        if first:
            with pytest.raises(SourceError, match="--format"):
                receiving(publisher.device)
            return
        with streaming(receiving(publisher.device)) as stream:
            error = stream.ended()
    assert isinstance(error, SourceError)
    assert "check that it sends cf32, or give --format" in str(error)
    assert stream.tape.data == IQ


def test_a_message_without_the_key_that_was_asked_for_is_an_error():
    with publishing("push") as publisher:
        publisher.send(*pieces(True))
        with pytest.raises(SourceError, match="1 parts, not a key and samples"):
            receiving(publisher.device + "?key=iq")


def test_a_message_beyond_all_size_is_not_taken(monkeypatch):
    monkeypatch.setattr(zeromq_receiver, "_MOST_BYTES", 1 << 20)
    with publishing("push") as publisher:
        publisher.send(*pieces(True), bytes((1 << 20) + 8))
        with streaming(receiving(publisher.device)) as stream:
            error = stream.ended()
    assert isinstance(error, SourceError)
    assert "over 1 MiB" in str(error)
    assert stream.tape.data == IQ


def test_any_bytes_are_samples_or_an_error():
    """Each message is the first of its own connection and meets all decisions."""
    rng = np.random.default_rng(5)
    for k in range(40):
        start = build(int(rng.integers(2**40)), [Tag(1, "rx_time", (1, 0.5))] * (k % 3))
        data = bytes(start[: int(rng.integers(len(start) + 1))]) + rng.bytes(int(rng.integers(64)))
        with publishing("push") as publisher:
            publisher.send(data)
            try:
                driver = receiving(publisher.device, format="cu8")
            except SourceError:
                continue
            driver.close()
            assert sum(len(s.data) for s in driver._first) <= len(data)


def pushing_raw(server: socket.socket, data: bytes, times: int = 1) -> None:
    """Greet as a PUSH socket does, by ZMTP 3.0 (RFC 23), and send what no library would."""
    with server.accept()[0] as client, contextlib.suppress(OSError):
        client.settimeout(20)
        client.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16 + 1 + 31))
        ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", 4) + b"PUSH"
        client.sendall(b"\x04" + bytes([len(ready)]) + ready)
        answer = b""
        while b"PULL" not in answer:
            answer += client.recv(4096)
        for _ in range(times):
            client.sendall(data)
        client.recv(1 << 16)
        client.recv(1 << 16)  # until the receiver has gone


FRAMES = {
    "a size beyond all memory": b"\x02" + b"\x7f" + b"\xff" * 7,
    "a negative size": b"\x02" + b"\xff" * 8,
    "unknown flags": b"\xf8\x05hello",
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames_that_no_library_sends_end_the_stream(name):
    samples = b"\x00\x50" + IQ[:80]
    with socket.create_server(("127.0.0.1", 0)) as server:
        arguments = (server, samples + FRAMES[name])
        thread = threading.Thread(target=pushing_raw, args=arguments, daemon=True)
        thread.start()
        driver = receiving(f"zmq+pull://127.0.0.1:{server.getsockname()[1]}")
        with streaming(driver) as stream:
            error = stream.ended()
        thread.join(20)
    assert isinstance(error, SourceError)
    assert stream.tape.data == IQ[:80]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is told by Linux's /proc")
def test_a_message_without_an_end_does_not_take_all_memory(monkeypatch):
    limit = 64 << 20
    monkeypatch.setattr(zeromq_receiver, "_MOST_GROWTH_BYTES", limit)
    part = b"\x03" + struct.pack(">Q", 1 << 20) + b"x" * (1 << 20)  # and more to come
    with socket.create_server(("127.0.0.1", 0)) as server:
        arguments = (server, part, 256)
        thread = threading.Thread(target=pushing_raw, args=arguments, daemon=True)
        thread.start()
        with pytest.raises(SourceError, match="messages without an end"):
            receiving(f"zmq+pull://127.0.0.1:{server.getsockname()[1]}")
        thread.join(20)
        assert not thread.is_alive()


# -- what the user says --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "endpoint"),
    [
        ("zmq://pi:5555", Endpoint("SUB", "tcp://pi:5555")),
        ("ZMQ+sub://pi:5555", Endpoint("SUB", "tcp://pi:5555")),
        ("zmq+pull://[::1]:5555", Endpoint("PULL", "tcp://[::1]:5555")),
        ("zmq:tcp://pi:5555", Endpoint("SUB", "tcp://pi:5555")),
        ("zmq+pull:ipc:///run/iq", Endpoint("PULL", "ipc:///run/iq")),
        ("zmq://*:5555?bind=1", Endpoint("SUB", "tcp://*:5555", bind=True)),
        ("zmq://pi:5555?key=a%20b&tags=0", Endpoint("SUB", "tcp://pi:5555", key="a b", headed=False)),
    ],
)  # fmt: skip
def test_an_address_is_read_in_every_form(device, endpoint):
    assert endpoint_of(device) == endpoint


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("zmq://pi", "zmq://HOST:PORT"),
        ("zmq", "zmq://HOST:PORT"),
        ("zmq://pi:port", "zmq://HOST:PORT"),
        ("zmq:inproc://a", "zmq://HOST:PORT"),
        ("zmq://a b:1", "zmq://HOST:PORT"),
        ("zmq://pi:5555?rate=1", "rate is not known.*key, bind, tags"),
        ("zmq://pi:5555?bind=yes", "bind must be 0 or 1, not 'yes'"),
    ],
)
def test_what_is_no_address_is_refused(device, message):
    with pytest.raises(UsageError, match=message):
        endpoint_of(device)


@pytest.mark.parametrize(
    ("source", "radio", "message"),
    [
        ({}, {"gain": "20"}, "--gain cannot be kept"),
        ({}, {"ppm": 1.0}, "--ppm cannot be kept"),
        ({}, {"offset_hz": Hertz(1e5)}, "--offset cannot be kept"),
        ({}, {"bias_tee": True}, "--bias-tee cannot be kept"),
        ({"center_hz": (Hertz(1e6), Hertz(2e6))}, {}, "--freq is given 2 times"),
        ({"format": "cs24"}, {}, "--format cs24 cannot be kept"),
        ({"format": "wav"}, {}, "'wav' is not known"),
        ({"rate_hz": Hertz(0)}, {}, "--rate must be above 0"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_anything_is_opened(source, radio, message):
    with pytest.raises(UsageError, match=message):
        receiving("zmq://127.0.0.1:1", radio, **source)


def test_without_pyzmq_the_line_that_installs_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "zmq", None)
    with pytest.raises(MissingExtraError, match=r'pip install "liveclf\[zeromq\]"'):
        zeromq.open_driver(SourceSettings(), RadioSettings(device="zmq://127.0.0.1:1"))
