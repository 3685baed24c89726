"""Records to a real MQTT broker: they arrive, or they are counted."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from liveclf.cli import main
from liveclf.errors import UsageError
from liveclf.sinks import parse_outputs
from liveclf.sinks.broker import broker_of
from liveclf.sinks.mqtt import MqttSink
from liveclf.sinks.worker import FanOut, SinkReport, Worker

pytest.importorskip("paho", reason="paho-mqtt is not installed")

from mosquitto import LIMIT_S, PROGRAM, Mosquitto, Subscriber, until

needs_broker = pytest.mark.skipif(PROGRAM is None, reason="mosquitto is not installed")
LIGHT = ("--batch", "8", "--threads", "1", "-q", "-n", "40000")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Nobody waits a second for the next try, and no login is set."""
    monkeypatch.setattr("liveclf.sinks.mqtt._RETRY_S", (0.1, 0.2))
    monkeypatch.delenv("MQTT_USERNAME", raising=False)
    monkeypatch.delenv("MQTT_PASSWORD", raising=False)


@pytest.fixture
def broker(tmp_path):
    """Return what starts a broker."""
    started = []

    def start(*settings: str) -> Mosquitto:
        started.append(Mosquitto(tmp_path, *settings))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.fixture
def subscribe():
    """Return what subscribes to a broker."""
    opened = []

    def open_one(port: int, **login: str) -> Subscriber:
        opened.append(Subscriber(port, **login))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def nobody() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def worker_to(target: str, scheme: str = "mqtt", *, is_live: bool = True, **settings) -> Worker:
    sink = MqttSink(broker_of(scheme, target))
    return Worker(sink._broker.name, sink, is_live=is_live, **settings)


def ended(worker: Worker, limit_s: float = LIMIT_S) -> SinkReport:
    worker.finish({})
    return worker.join(limit_s)


# -- addresses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "target", "host", "port", "topic", "username"),
    [
        ("mqtt", "pi", "pi", 1883, None, ""),
        ("mqtt", "//pi", "pi", 1883, None, ""),
        ("mqtts", "pi", "pi", 8883, None, ""),
        ("mqtt", "pi:1884/roof", "pi", 1884, "roof", ""),
        ("mqtt", "//ann@pi/roof/north/", "pi", 1883, "roof/north", "ann"),
        ("mqtt", "[::1]:1884", "::1", 1884, None, ""),
        ("mqtt", "a%40b@pi/x%20y@z:1", "pi", 1883, "x y@z:1", "a@b"),
    ],
)
def test_an_address_is_understood(scheme, target, host, port, topic, username):
    found = broker_of(scheme, target, {})
    default = f"liveclf/{socket.gethostname().split('.')[0]}"
    assert (found.host, found.port, found.topic) == (host, port, topic or default)
    assert (found.name, found.username) == (f"{scheme}:{target}", username)
    assert (found.tls is not None) == (scheme == "mqtts")


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("mqtt://", "mqtt:HOST:PORT"),
        ("mqtt:/roof", "mqtt:HOST:PORT"),
        ("mqtt:pi:port", "mqtt:HOST:PORT"),
        ("mqtt:pi:0", "mqtt:HOST:PORT"),
        ("mqtt:pi:99999", "mqtt:HOST:PORT"),
        ("mqtt:a b", "mqtt:HOST:PORT"),
        ("mqtt:a..b", "mqtt:HOST:PORT"),
        ("mqtt:pi/roof/#", "'roof/#' is no topic"),
        ("mqtt:pi/+/x", "'[+]/x' is no topic"),
        ("mqtt:pi/$SYS", "is no topic"),
        ("mqtt:pi/%00", "is no topic"),
        ("mqtt:pi?ca=x", "nothing may stand behind the [?] without TLS"),
        ("mqtts:pi?qos=1", "qos is not known behind the [?], there are ca, cert, key"),
        ("mqtts:pi?ca=/no/such", "ca cannot be used: No such file or directory"),
        ("mqtts:pi?ca=/dev/null", "ca cannot be used: it is no such PEM file"),
        ("mqtts:pi?cert=/dev/null", "cert cannot be used: it is no such PEM file"),
        ("mqtts:pi?key=x", "key is of no use without cert"),
    ],
)
def test_a_wrong_address_is_told_before_anything_is_opened(output, said):
    with pytest.raises(UsageError, match=f"--output mqtts?:.*{said}"):
        parse_outputs([output])


@pytest.mark.parametrize("output", ["mqtt:ann:secret@pi", "mqtt://:secret@pi/x"])
def test_a_password_on_the_command_line_is_refused_and_not_repeated(output, capfd):
    assert main(["run", "-o", output]) == 2
    out, said = capfd.readouterr()
    assert "set MQTT_PASSWORD in the environment" in said
    assert "secret" not in out + said


def test_user_and_password_come_from_the_environment():
    environment = {"MQTT_USERNAME": "ann", "MQTT_PASSWORD": "secret"}
    assert broker_of("mqtt", "pi", environment).username == "ann"
    found = broker_of("mqtt", "bob@pi", environment)
    assert found.username == "bob"
    assert "secret" not in repr(found)
    with pytest.raises(UsageError, match="MQTT_PASSWORD is set, but no user") as caught:
        broker_of("mqtt", "pi", {"MQTT_PASSWORD": "secret"})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("output", ["mqtt:pi", "mqtts:pi"])
def test_a_missing_package_is_named_with_the_line_that_installs_it(monkeypatch, capfd, output):
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    assert main(["run", "-o", output, *LIGHT]) == 3
    out, said = capfd.readouterr()
    assert (out, said) == (
        "",
        'liveclf: Records over MQTT need paho-mqtt 2; install it with: pip install "liveclf[mqtt]"\n',
    )


# -- what arrives ------------------------------------------------------------------------------


@needs_broker
def test_records_arrive_under_their_topics_and_are_not_retained(broker, subscribe, make):
    port = broker().port
    subscriber = subscribe(port)
    worker = worker_to(f"127.0.0.1:{port}/roof")
    names = ("RTL-SDR #1/a+b", "Höhe.cu8")
    windows = make(60, stream_names=names, stream_id=[k % 2 for k in range(60)])
    worker.submit(windows)
    until(lambda: worker._n_written == 60 and not worker._sink._count_unconfirmed())
    assert worker._sink._confirmed == set()  # no number is left that a record may have later
    report = ended(worker)
    assert (report.n_written, report.n_dropped, report.state, report.message) == (60, 0, "ok", "")
    until(lambda: len(subscriber.records()) == 60)
    sources = ("RTL-SDR__1_a_b", "Höhe.cu8")
    for message, row in zip(subscriber.records(), windows.rows(), strict=True):
        assert message.topic == f"roof/{sources[row.stream]}/{row.family}"
        assert message.payload == msgspec.json.encode(row)
    until(lambda: subscriber.statuses()[-1:] == ["offline"])
    assert subscriber.statuses() == ["online", "offline"]
    late = subscribe(port, name="late")
    until(late.statuses)
    assert late.statuses() == ["offline"]  # that is retained
    assert late.records() == []


@needs_broker
def test_a_program_that_is_killed_is_said_to_be_offline(broker, subscribe):
    port = broker().port
    subscriber = subscribe(port)
    program = (
        "import sys; from liveclf.sinks.mqtt import MqttSink;"
        "from liveclf.sinks.broker import broker_of;"
        "sink = MqttSink(broker_of('mqtt', sys.argv[1])); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, f"127.0.0.1:{port}/roof"], stdin=subprocess.PIPE
    ) as started:
        until(lambda: subscriber.statuses() == ["online"])
        started.kill()
    until(lambda: subscriber.statuses() == ["online", "offline"])


@needs_broker
def test_the_program_sends_what_it_writes(broker, subscribe, tmp_path):
    port, lines = broker().port, tmp_path / "labels.jsonl"
    subscriber = subscribe(port)
    output = f"mqtt://127.0.0.1:{port}/roof"
    assert main(["run", "-o", output, "-o", f"jsonl:{lines}", *LIGHT]) == 0
    written = lines.read_bytes().splitlines()
    assert len(written) > 0
    until(lambda: len(subscriber.records()) == len(written))
    assert [message.payload for message in subscriber.records()] == written


# -- a broker that is slow, away, or gone ------------------------------------------------------


def samples_of(subscriber: Subscriber) -> list[int]:
    return [json.loads(message.payload)["sample"] for message in subscriber.records()]


@needs_broker
def test_a_broker_is_killed_and_comes_back_and_the_counts_add_up(
    broker, subscribe, make, monkeypatch, caplog
):
    """Each record has arrived or is counted, though nobody waits for the broker."""
    monkeypatch.setattr("liveclf.sinks.mqtt._MOST_UNCONFIRMED", 50)
    mosquitto = broker()
    subscriber = subscribe(mosquitto.port)
    worker = worker_to(f"127.0.0.1:{mosquitto.port}", depth_batches=4)
    n_submitted = 0

    def submit(n_batches: int, *, at_leisure: bool = True) -> None:
        nonlocal n_submitted
        for _ in range(n_batches):
            worker.submit(make(10, start=n_submitted * 1024))
            n_submitted += 10
            if at_leisure:
                until(worker._queue.empty)

    submit(20)
    until(lambda: len(subscriber.records()) == worker._n_written == 200)
    assert worker.current.is_connected
    mosquitto.kill()
    until(lambda: "cannot be reached" in worker._sink.trouble)
    assert not worker.current.is_connected
    assert "cannot be reached" in worker.current.message
    began_s = time.monotonic()
    submit(40, at_leisure=False)  # 50 may be on their way, four batches in the queue, one in hand
    assert time.monotonic() - began_s < 2
    mosquitto.start()
    until(lambda: "is connected now" in caplog.text)
    until(worker._queue.empty)
    submit(20)
    report = ended(worker)
    until(lambda: len(set(samples_of(subscriber))) == report.n_written)
    assert report.n_written + report.n_dropped == n_submitted == 800
    assert 290 <= report.n_dropped <= 360
    assert report.state == "ok"
    assert report.message.endswith(" was away once.")
    arrived = set(samples_of(subscriber))
    assert arrived <= {1024 * k for k in range(800)}
    assert arrived >= {1024 * k for k in [*range(200), *range(600, 800)]}
    assert caplog.text.count("cannot be reached") == 1
    assert "some records were dropped" in caplog.text


@needs_broker
def test_a_broker_that_comes_later_gets_what_waited_for_it(broker, subscribe, make):
    mosquitto = broker()
    subscriber = subscribe(mosquitto.port)
    mosquitto.stop()
    worker = worker_to(f"127.0.0.1:{mosquitto.port}")
    until(lambda: "connection refused" in worker._sink.trouble)
    for k in range(30):
        worker.submit(make(10, start=k * 10 * 1024))
    mosquitto.start()
    report = ended(worker)
    assert (report.n_written, report.n_dropped, report.message) == (300, 0, "")
    until(lambda: len(subscriber.records()) >= 300)
    assert sorted(set(samples_of(subscriber))) == [1024 * k for k in range(300)]


@pytest.mark.parametrize("is_live", [True, False])
def test_a_broker_that_is_not_there_ends_within_limits_and_all_is_counted(make, is_live, caplog):
    port = nobody()
    worker = worker_to(f"127.0.0.1:{port}", is_live=is_live)
    for _ in range(10):
        worker.submit(make(10))
    began_s = time.monotonic()
    report = ended(worker, 0.3)
    assert time.monotonic() - began_s < 3
    assert (report.n_written, report.n_dropped, report.state) == (0, 100, "ok")
    assert report.message == f"mqtt:127.0.0.1:{port} cannot be reached: connection refused."
    assert [m for m in caplog.messages if "trying again" in m] == [
        f"mqtt:127.0.0.1:{port} cannot be reached: connection refused; trying again."
    ]
    assert "Records not delivered: 100." in caplog.text


def test_one_that_accepts_and_says_nothing_stops_nothing(make):
    with socket.create_server(("127.0.0.1", 0)) as server:
        worker = worker_to(f"127.0.0.1:{server.getsockname()[1]}")
        began_s = time.monotonic()
        for _ in range(500):
            worker.submit(make(10))
        report = ended(worker, 0.3)
        assert time.monotonic() - began_s < 8
    assert (report.n_written, report.n_dropped, report.state) == (0, 5000, "ok")
    assert "cannot be reached: no answer yet" in report.message


def test_one_that_is_no_broker_is_told_from_one_that_is_slow(make):
    """A server that closes each connection, as one of another protocol may."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        worker = worker_to(f"127.0.0.1:{server.getsockname()[1]}")
        server.accept()[0].close()
        until(lambda: worker._sink._why)
        worker.submit(make(3))
        report = ended(worker, 0.2)
    assert report.n_dropped == 3
    assert report.message.endswith("cannot be reached: it closed the connection.")


def test_the_program_tells_of_a_broker_that_is_not_there(monkeypatch, capfd, tmp_path):
    monkeypatch.setattr(FanOut.close, "__defaults__", (0.3,))
    lines = tmp_path / "labels.jsonl"
    output = f"mqtt:127.0.0.1:{nobody()}"
    options = [option for option in LIGHT if option != "-q"]
    assert main(["run", "-o", output, "-o", f"jsonl:{lines}", *options]) == 1
    n_records = len(lines.read_text().splitlines())
    said = " ".join(capfd.readouterr().err.split())
    assert f"{output} cannot be reached: connection refused." in said
    assert f"0 records written, {n_records} dropped" in said
    assert f"{n_records} records written" in said


# -- who may in --------------------------------------------------------------------------------


@pytest.fixture
def closed_broker(broker, tmp_path):
    """A broker that only lets `ann` in, with the password `se:cr@t`."""
    if PROGRAM is None:
        pytest.skip("mosquitto is not installed")
    passwords = tmp_path / "passwords"
    subprocess.run(
        [str(Path(PROGRAM).parent / "mosquitto_passwd"), "-c", "-b", passwords, "ann", "se:cr@t"]
        if (Path(PROGRAM).parent / "mosquitto_passwd").exists()
        else ["mosquitto_passwd", "-c", "-b", passwords, "ann", "se:cr@t"],
        check=True,
        capture_output=True,
    )
    return broker("allow_anonymous false", f"password_file {passwords}")


@pytest.mark.parametrize("user", ["ann@", ""])
def test_who_has_the_password_is_let_in(closed_broker, subscribe, monkeypatch, capfd, user):
    monkeypatch.setenv("MQTT_PASSWORD", "se:cr@t")
    monkeypatch.setenv("MQTT_USERNAME", "nobody" if user else "ann")
    subscriber = subscribe(closed_broker.port, username="ann", password="se:cr@t")
    assert main(["run", "-o", f"mqtt:{user}127.0.0.1:{closed_broker.port}", *LIGHT]) == 0
    until(lambda: subscriber.records() and subscriber.statuses()[-1] == "offline")
    assert "se:cr@t" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("password", ["wrong", None])
def test_who_has_not_is_told_so_and_the_output_has_failed(
    closed_broker, make, monkeypatch, caplog, password
):
    if password:
        monkeypatch.setenv("MQTT_PASSWORD", password)
    worker = worker_to(f"ann@127.0.0.1:{closed_broker.port}")
    until(lambda: worker.state == "failed")  # without a record
    worker.submit(make(5))
    report = ended(worker)
    assert (report.n_written, report.n_dropped, report.state) == (0, 5, "failed")
    assert report.message == (
        f"mqtt:ann@127.0.0.1:{closed_broker.port} cannot be used: it answers 'not authorized';"
        " check MQTT_USERNAME and MQTT_PASSWORD."
    )
    assert caplog.messages == [report.message]


def test_a_broker_that_forgets_a_password_is_tried_again(closed_broker, make, monkeypatch):
    """Who was let in once is not refused for good: the broker may be being set up anew."""
    monkeypatch.setenv("MQTT_PASSWORD", "se:cr@t")
    worker = worker_to(f"ann@127.0.0.1:{closed_broker.port}")
    until(lambda: worker._sink._is_connected)
    closed_broker.kill()
    passwords = closed_broker._folder / "passwords"
    kept = passwords.read_text()
    passwords.write_text("")
    closed_broker.start()
    until(lambda: "not authorized" in worker._sink.trouble)
    closed_broker.kill()
    passwords.write_text(kept)
    closed_broker.start()
    worker.submit(make(5))
    report = ended(worker)
    assert (report.n_written, report.state) == (5, "ok")


def certificate(folder: Path, name: str, *signed: str) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"],
        check=True, capture_output=True,
    )  # fmt: skip


@pytest.fixture
def tls_broker(broker, tmp_path):
    """A broker with a certificate that it made itself, which asks its clients for theirs."""
    if PROGRAM is None:
        pytest.skip("mosquitto is not installed")
    try:
        certificate(tmp_path, "server")
        certificate(tmp_path, "client")
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return broker(
        f"certfile {tmp_path}/server.pem", f"keyfile {tmp_path}/server.key",
        f"cafile {tmp_path}/client.pem", "require_certificate true",
    )  # fmt: skip


def test_over_tls_each_side_knows_the_other(tls_broker, tmp_path, make):
    files = f"ca={tmp_path}/server.pem&cert={tmp_path}/client.pem&key={tmp_path}/client.key"
    worker = worker_to(f"127.0.0.1:{tls_broker.port}?{files}", "mqtts")
    worker.submit(make(20))
    report = ended(worker)
    assert (report.n_written, report.n_dropped, report.message) == (20, 0, "")


def test_a_certificate_that_is_not_trusted_is_refused(tls_broker, make):
    worker = worker_to(f"127.0.0.1:{tls_broker.port}", "mqtts")
    until(lambda: worker.state == "failed")
    report = ended(worker)
    assert "its certificate is not trusted, self-signed certificate; give ca=FILE." in (
        report.message.replace("self signed", "self-signed")
    )
