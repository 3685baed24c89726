"""The server of metrics and health, and clients that mean no good."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from liveclf.endpoints import Address, listen
from liveclf.monitor.server import MOST_CONNECTIONS, Answer, Server

LIMIT_S = 20
LARGE = b"x" * 50_000


@contextmanager
def serving(*, is_loopback: bool = True, longest_s: float = 5.0) -> Iterator[tuple[Server, int]]:
    listener, address = listen(Address("127.0.0.1", 0), "--metrics")
    routes = {
        "/a": lambda accept: Answer(200, "text/plain", f"for {accept}".encode()),
        "/large": lambda _: Answer(200, "text/plain", LARGE),
        "/bad": lambda _: 1 / 0,
    }
    server = Server(listener, routes, is_loopback=is_loopback, longest_s=longest_s)
    try:
        yield server, address.port
    finally:
        server.close()


@pytest.fixture
def port() -> Iterator[int]:
    with serving() as (_, at):
        yield at


def ask(port: int, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    connection.request(method, path, headers=headers)
    return connection.getresponse()


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S)


def everything(connection: socket.socket) -> bytes:
    got = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65_536):
            got += part
    return got


def test_what_there_is_is_answered(port):
    answer = ask(port, "/a?x=1", Accept="text/plain")
    assert (answer.status, answer.read()) == (200, b"for text/plain")
    assert answer.getheader("Server") == "liveclf"
    assert answer.getheader("Cache-Control") == "no-store"
    assert ask(port, "/large").read() == LARGE
    head = ask(port, "/large", "HEAD")
    assert (head.getheader("Content-Length"), head.read()) == ("50000", b"")


def test_what_there_is_not_is_refused(port):
    assert ask(port, "/").status == 404
    assert ask(port, "/a", "POST").status == 501
    assert ask(port, "/../../etc/passwd").status == 404


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:9433", 200),
        ("[::1]:9433", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("[", 421),
    ],
)
def test_on_loopback_only_a_name_of_loopback_is_answered(host, status, port):
    assert ask(port, "/a", Host=host).status == status


def test_elsewhere_any_name_is_answered():
    with serving(is_loopback=False) as (_, port):
        assert ask(port, "/a", Host="receiver.local:9433").status == 200


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET /a HTTP/1.1\r\n" + b"x: y\r\n" * 1000 + b"\r\n", b"431"),
        (b"GET /a HTTP/1.1\r\nx: " + b"y" * 100_000 + b"\r\n\r\n", b"431"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"GET /a HTTP/9.9\r\n\r\n", b"505"),
    ],
    ids=["path", "headers", "header", "TLS", "version"],
)
def test_a_request_that_is_too_much_is_refused_and_the_next_one_answered(request_, status, port):
    with connected(port) as connection:
        # It may be refused, and the connection reset, before all is sent.
        with contextlib.suppress(OSError):
            connection.sendall(request_)
            connection.shutdown(socket.SHUT_WR)
        got = everything(connection)
    assert not got or status in got.splitlines()[0]
    assert b"<" not in got
    assert ask(port, "/a").status == 200


def test_a_slow_client_is_cut_off_whatever_it_sends():
    with serving(longest_s=0.5) as (_, port), connected(port) as connection:
        began_s = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began_s < LIMIT_S:  # always a byte before any time-out
                connection.sendall(b"G")
                time.sleep(0.05)
        assert 0.4 < time.monotonic() - began_s < LIMIT_S / 2
        assert ask(port, "/a").status == 200


def test_a_client_that_does_not_read_keeps_nothing():
    with serving(longest_s=0.5) as (_, port), ExitStack() as stack:
        for _k in range(MOST_CONNECTIONS):
            connection = stack.enter_context(connected(port))
            connection.sendall(b"GET /large HTTP/1.1\r\n\r\n" * 50)
        until_s = time.monotonic() + LIMIT_S
        while True:
            try:
                assert ask(port, "/a").status == 200
                break
            except (ConnectionError, http.client.HTTPException):
                assert time.monotonic() < until_s
                time.sleep(0.05)


def test_too_many_at_a_time_are_refused_and_counted():
    with serving(longest_s=1.0) as (server, port):
        threads_before = threading.active_count()
        with ExitStack() as stack:
            silent = [stack.enter_context(connected(port)) for _ in range(MOST_CONNECTIONS + 5)]
            until_s = time.monotonic() + LIMIT_S
            while server.n_refused < 5:
                assert time.monotonic() < until_s
                time.sleep(0.01)
            assert threading.active_count() <= threads_before + 2 * MOST_CONNECTIONS
            assert [everything(s) for s in silent] == [b""] * len(silent)  # all are cut off
        assert server.n_refused == 5
        assert ask(port, "/a").status == 200


def test_a_fault_in_an_answer_ends_its_connection_alone_and_is_logged(port, caplog):
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        ask(port, "/bad")
    assert ask(port, "/a").status == 200
    assert "ZeroDivisionError" in caplog.text


def test_after_the_end_nobody_answers():
    with serving() as (_, port):
        pass
    with pytest.raises(ConnectionError):
        ask(port, "/a")
