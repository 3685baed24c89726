"""Records over ZeroMQ: who subscribes gets them, who is late, slow or gone is accounted for."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import msgspec
import pytest

from liveclf.cli import main
from liveclf.emissions import Emission, Emissions
from liveclf.errors import SinkError, UsageError
from liveclf.sinks import parse_outputs
from liveclf.sinks.worker import FanOut, Worker
from liveclf.sinks.zeromq import Endpoint, ZeroMqSink, endpoint_of

zmq = pytest.importorskip("zmq", reason="pyzmq is not installed")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="ipc sockets are those of POSIX")

LIMIT_S = 30.0
ROOT = Path(__file__).parents[2]
LIGHT = ("--batch", "8", "--threads", "1", "-q", "-n", "40000")


@pytest.fixture
def address(tmp_path) -> str:
    return f"ipc://{tmp_path}/out"


class Subscriber:
    """A real subscriber, from the test's own ZeroMQ."""

    def __init__(self, context: zmq.Context) -> None:
        self.socket = context.socket(zmq.SUB)
        self.socket.setsockopt(zmq.RCVTIMEO, int(LIMIT_S * 1000))

    def messages(self, n: int) -> list[tuple[str, dict]]:
        """Wait for so many."""
        received = [self.socket.recv_multipart() for _ in range(n)]
        return [(topic.decode(), json.loads(record)) for topic, record in received]

    def rest(self, wait_ms: int = 300) -> list[dict]:
        """Return what is still there or on its way."""
        records = []
        while self.socket.poll(wait_ms):
            records.append(json.loads(self.socket.recv_multipart()[1]))
        return records


@pytest.fixture
def subscribe(address):
    """Return what opens a subscriber to some topics."""
    context, kept = zmq.Context(), []

    def open_one(*topics: str, at: str = "", most: int = 0, bind: bool = False) -> Subscriber:
        subscriber = Subscriber(context)
        kept.append(subscriber)  # else it is closed before the test ends
        subscriber.socket.setsockopt(zmq.RCVHWM, most)
        for topic in topics or ("",):
            subscriber.socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
        attach = subscriber.socket.bind if bind else subscriber.socket.connect
        attach(at or address)
        return subscriber

    yield open_one
    context.destroy(linger=0)


@pytest.fixture
def sink(address, monkeypatch):
    """Return what opens the sink, with a short queue; each is closed after the test."""
    monkeypatch.setattr("liveclf.sinks.zeromq._MOST_MESSAGES", 1000)
    opened = []

    def open_one(target: str = "", **settings) -> ZeroMqSink:
        settings = {"waits": False} | settings
        opened.append(ZeroMqSink(endpoint_of(target or address), **settings))
        return opened[-1]

    yield open_one
    for one in opened:
        one.give_up()
        one.close({})


def until(done: Callable[[], object]) -> None:
    give_up_s = time.monotonic() + LIMIT_S
    while not done():
        assert time.monotonic() < give_up_s
        time.sleep(0.005)


def heard(sink: ZeroMqSink, n_topics: int) -> None:
    """Wait until the sink knows of so many topics."""
    until(lambda: sink.attend() or sink._n_topics == n_topics)


def emission(number: int, family: str = "ASK", stream: int = 0) -> Emission:
    return Emission(
        id=number, state="closed", time=None, elapsed_s=None, sample=number, n_samples=10,
        duration_s=None, center_hz=None, offset_hz=None, bandwidth_hz=None, snr_db=18.0,
        power_dbfs=-20.0, label="OOK", family=family, probability=0.97, family_probability=0.98,
        top=[("OOK", 0.97)], symbol_rate_hz=None, n_windows=3, note=None, latency_s=0.01,
        truth=None, stream=stream, source="a radio",
    )  # fmt: skip


# -- addresses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "address", "connect", "topic"),
    [
        ("tcp://127.0.0.1:5556", "tcp://127.0.0.1:5556", False, "liveclf"),
        ("//0.0.0.0:5556", "tcp://0.0.0.0:5556", False, "liveclf"),
        ("tcp://[::1]:5556?connect=1", "tcp://[::1]:5556", True, "liveclf"),
        ("ipc:///run/a?topic=roof&connect=0", "ipc:///run/a", False, "roof"),
    ],
)
def test_an_address_is_understood(target, address, connect, topic):
    assert endpoint_of(target) == Endpoint(f"zmq:{target}", address, connect, topic)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("tcp://127.0.0.1", "zmq:tcp://HOST:PORT"),
        ("127.0.0.1:5556", "zmq:tcp://HOST:PORT"),
        ("tcp://127.0.0.1:65536", "zmq:tcp://HOST:PORT"),
        ("tcp://127.0.0.1:0", "zmq:tcp://HOST:PORT"),
        ("udp://127.0.0.1:5556", "zmq:tcp://HOST:PORT"),
        ("tcp://pi:5556?bind=1", "bind is not known.*connect, topic"),
        ("tcp://pi:5556?connect=yes", "connect must be 0 or 1, not 'yes'"),
        ("tcp://*:5556?connect=1", "name the one to connect to"),
        ("tcp://pi:5556?topic=", "topic must be a name"),
        ("tcp://pi:5556?topic=%00", "topic must be a name"),
    ],
)
def test_a_wrong_address_is_told_before_anything_is_opened(target, said):
    with pytest.raises(UsageError, match=f"--output zmq:.*{said}"):
        parse_outputs([f"zmq:{target}"])


def test_an_address_that_cannot_be_had_is_one_sentence(subscribe):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SinkError, match="cannot be bound: address already in use; check host"):
            ZeroMqSink(endpoint_of(f"tcp://127.0.0.1:{port}"), waits=False)
    with pytest.raises(SinkError, match="cannot be bound: cannot assign requested address; check"):
        ZeroMqSink(endpoint_of("tcp://192.0.2.1:5556"), waits=False)


def test_a_missing_package_is_named_with_the_line_that_installs_it(monkeypatch, address, capfd):
    monkeypatch.setitem(sys.modules, "zmq", None)
    assert main(["run", "-o", f"zmq:{address}", *LIGHT]) == 3
    out, said = capfd.readouterr()
    assert (out, said) == (
        "",
        'liveclf: Records over ZeroMQ need pyzmq; install it with: pip install "liveclf[zeromq]"\n',
    )


# -- what arrives ------------------------------------------------------------------------------


def test_a_message_is_the_topic_and_the_line_of_jsonl(sink, subscribe, make):
    out, subscriber = sink(), subscribe()
    heard(out, 1)
    windows = make(50, stream_names=("a", "b"), stream_id=[k % 2 for k in range(50)])
    out.write(windows)
    for (topic, record), row in zip(subscriber.messages(50), windows.rows(), strict=True):
        assert topic == f"liveclf.{row.stream}.{row.family}"
        assert record == json.loads(msgspec.json.encode(row))
    out.write(Emissions((emission(1), emission(2, stream=3))))
    (first, one), (second, _) = subscriber.messages(2)
    assert (first, second) == ("liveclf.0.ASK", "liveclf.3.ASK")
    assert one == json.loads(json.dumps(asdict(emission(1))))
    assert (out.n_lost, out.trouble) == (0, "")


def test_a_subscriber_gets_the_topics_that_it_asks_for(sink, subscribe):
    out, fsk, second = sink(), subscribe("liveclf.0.FSK"), subscribe("liveclf.1.")
    heard(out, 2)
    families = ["FSK", "PSK", "FSK", "ASK"]
    out.write(Emissions(tuple(emission(k, f) for k, f in enumerate(families))))
    out.write(Emissions((emission(9, "PSK", stream=1),)))
    assert [record["id"] for _, record in fsk.messages(2)] == [0, 2]
    assert [record["id"] for _, record in second.messages(1)] == [9]
    assert fsk.rest() == second.rest() == []
    assert (out.n_lost, out.trouble) == (0, "")


def test_what_topics_begin_with_can_be_chosen(sink, subscribe, address):
    out, subscriber = sink(f"{address}?topic=roof"), subscribe("roof.")
    heard(out, 1)
    out.write(Emissions((emission(1),)))
    assert [topic for topic, _ in subscriber.messages(1)] == ["roof.0.ASK"]


def test_many_that_connect_send_to_one_that_is_bound(sink, subscribe, address):
    subscriber = subscribe(bind=True)
    outs = [sink(f"{address}?connect=1&topic=s{k}") for k in range(3)]
    for out in outs:
        until(lambda out=out: (subscriber.socket.poll(1), out.attend()) and out._n_topics)
        out.write(Emissions((emission(1),)))
    assert {topic for topic, _ in subscriber.messages(3)} == {f"s{k}.0.ASK" for k in range(3)}


# -- who is late, slow or gone -----------------------------------------------------------------


def test_a_replay_waits_for_its_first_subscriber(sink, subscribe, make):
    out = Worker("zmq", sink(waits=True, wait_s=LIMIT_S), is_live=False)
    out.submit(make(20))
    time.sleep(0.2)
    subscriber = subscribe()
    assert [r["sample"] for _, r in subscriber.messages(20)] == [1024 * k for k in range(20)]
    out.finish({})
    report = out.join(LIMIT_S)
    assert (report.n_written, report.n_dropped, report.state, report.message) == (20, 0, "ok", "")


def test_a_replay_that_nobody_hears_has_lost_its_records(sink, make, caplog):
    out = Worker("zmq", sink(waits=True, wait_s=0.2), is_live=False)
    began_s = time.monotonic()
    for _ in range(5):
        out.submit(make(4))
    out.finish({})
    report = out.join(LIMIT_S)
    assert time.monotonic() - began_s < 0.2 * 5  # waited for once
    assert (report.n_written, report.n_dropped) == (0, 20)
    assert "20 records came while nobody subscribed." in report.message
    assert "has no subscriber; records are lost" in caplog.text
    assert "Records not delivered: 20" in caplog.text


def test_a_live_stream_waits_for_nobody_and_tells_how_much_nobody_heard(sink, subscribe, make):
    out = sink()
    worker = Worker("zmq", out, is_live=True)
    began_s = time.monotonic()
    for k in range(10):
        worker.submit(make(10, start=k))
    until(lambda: worker._n_written == 100)
    assert time.monotonic() - began_s < 2
    late = subscribe()
    until(lambda: out._n_topics)  # the worker looks while nothing comes
    worker.submit(make(10, start=10))
    worker.finish({})
    report = worker.join(LIMIT_S)
    assert [r["sample"] for _, r in late.messages(10)] == [10 + 1024 * k for k in range(10)]
    assert (report.n_written, report.n_dropped, report.state) == (110, 0, "ok")
    assert report.message.endswith("100 records came while nobody subscribed.")


class Reader(threading.Thread):
    """Reads all that comes to a subscriber until it is stopped."""

    def __init__(self, subscriber: Subscriber) -> None:
        super().__init__(daemon=True)
        self.records: list[dict] = []
        self._subscriber, self._stopped = subscriber, threading.Event()
        self.start()

    def run(self) -> None:
        while not self._stopped.is_set():
            self.records += self._subscriber.rest(20)

    def stop(self) -> list[dict]:
        self._stopped.set()
        self.join(LIMIT_S)
        return self.records


def test_who_is_too_slow_for_a_live_stream_misses_records_and_that_is_told(
    sink, subscribe, make, caplog
):
    out, slow, fast = sink(), subscribe("liveclf.", most=1), subscribe()
    heard(out, 2)
    reader, n = Reader(fast), 4000
    for k in range(0, n, 100):
        out.write(make(100, start=k * 1024))
        until(lambda k=k: len(reader.records) == k + 100)
    late = [r["sample"] for r in slow.rest()]
    assert [r["sample"] for r in reader.stop()] == [1024 * k for k in range(n)]  # misses none
    assert late == [1024 * k for k in range(len(late))]  # all up to where it was too slow
    assert 1 <= out.n_lost <= n - len(late)
    assert "a subscriber that was too slow missed 1 or more" in out.trouble
    assert caplog.text.count("has a subscriber that is too slow; records are lost") == 1
    out.write(make(1, start=n * 1024))  # it has room again
    assert [r["sample"] for _, r in slow.messages(1)] == [n * 1024]


def test_a_replay_waits_for_a_subscriber_that_is_slow(sink, subscribe, make):
    out, slow = sink(waits=True, wait_s=LIMIT_S), subscribe(most=1)
    heard(out, 1)
    n = 4000
    writer = threading.Thread(target=lambda: out.write(make(n)))
    writer.start()
    time.sleep(0.3)  # what is on the way is full
    assert writer.is_alive()
    assert [r["sample"] for _, r in slow.messages(n)] == [1024 * k for k in range(n)]
    writer.join(LIMIT_S)
    assert (out.n_lost, out.trouble) == (0, "")


def test_who_reads_nothing_ends_neither_the_replay_nor_its_close(sink, subscribe, make):
    """It is waited for once; the other one gets all."""
    out, fast = sink(waits=True, wait_s=0.3), subscribe()
    subscribe("liveclf.", most=1)
    heard(out, 2)
    reader, n = Reader(fast), 5000
    began_s = time.monotonic()
    worker = Worker("zmq", out, is_live=False)
    for k in range(0, n, 100):
        worker.submit(make(100, start=k * 1024))
        until(lambda k=k: len(reader.records) == k + 100)
    worker.finish({})
    report = worker.join(LIMIT_S)
    assert time.monotonic() - began_s < LIMIT_S / 2
    assert [r["sample"] for r in reader.stop()] == [1024 * k for k in range(n)]
    assert report.n_written + report.n_dropped == n
    assert "1,000 or fewer were not taken when the run ended" in report.message


def test_a_subscriber_that_vanishes_stops_nothing_and_another_may_come(sink, subscribe, make):
    out, first = sink(), subscribe()
    heard(out, 1)
    out.write(make(3))
    assert len(first.messages(3)) == 3
    first.socket.close(linger=0)
    heard(out, 0)
    out.write(make(4))
    second = subscribe()
    heard(out, 1)
    out.write(make(5))
    assert len(second.messages(5)) == 5
    assert out.n_lost == 0
    assert out.trouble.endswith(": 4 records came while nobody subscribed.")


def test_a_flood_of_subscriptions_keeps_nobody_from_sending(sink, subscribe, make):
    """Topics that can never come do not count as heard."""
    out = sink()
    stranger = subscribe(*(f"other.{k}" for k in range(3000)))
    until(lambda: not out._n_topics and (out.attend() or not out._socket.poll(100)))
    began_s = time.monotonic()
    out.write(make(3))
    assert time.monotonic() - began_s < 2
    assert out.trouble.endswith(": 3 records came while nobody subscribed.")
    assert stranger.rest() == []


def test_giving_up_ends_a_wait_at_once_and_all_is_accounted_for(sink, make):
    out = FanOut([Worker("zmq", sink(waits=True, wait_s=LIMIT_S), is_live=False)])
    out.write(make(7))
    began_s = time.monotonic()
    (report,) = out.close({}, 0.2)
    assert time.monotonic() - began_s < LIMIT_S / 3
    assert (report.n_written, report.n_dropped, report.state) == (0, 7, "ok")


# -- the program -------------------------------------------------------------------------------


def test_the_program_sends_what_it_writes(tmp_path, address, subscribe):
    subscriber, lines = subscribe(), tmp_path / "labels.jsonl"
    assert main(["run", "-o", f"zmq:{address}", "-o", f"jsonl:{lines}", *LIGHT]) == 0
    written = [json.loads(line) for line in lines.read_text().splitlines()]
    assert len(written) > 0
    received = subscriber.messages(len(written))
    assert [record for _, record in received] == written
    assert [topic for topic, _ in received] == [f"liveclf.0.{r['family']}" for r in written]


def test_the_program_says_what_is_wrong(capfd):
    assert main(["run", "-o", "zmq:nowhere"]) == 2
    out, said = capfd.readouterr()
    assert out == ""
    assert said.count("\n") == 1
    assert "--output zmq:nowhere is no address" in said


def test_the_subscriber_of_the_documents_works(sink, make):
    text = (ROOT / "docs" / "network-outputs.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    program = code[1].replace("tcp://127.0.0.1:5556", address)
    assert program != code[1]
    out = sink(address)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as reader:
        heard(out, 1)
        out.write(Emissions((emission(1),)))
        line = reader.stdout.readline()
        reader.kill()
    assert line == b"liveclf.0.ASK OOK\n"
