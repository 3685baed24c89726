"""What is told to systemd, heard on a real datagram socket."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from liveclf.monitor.notify import Notifier

pytestmark = pytest.mark.skipif(os.name != "posix", reason="systemd's sockets are those of Linux")


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """Return where a service manager listens, and its socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        address = str(tmp_path / "notify")
        listening.bind(address)
        listening.settimeout(60)
        yield address, listening


def heard(listening: socket.socket) -> list[str]:
    return listening.recv(4096).decode().splitlines()


def nothing_is_heard(listening: socket.socket) -> bool:
    listening.setblocking(False)
    try:
        listening.recv(4096)
    except BlockingIOError:
        return True
    return False


def test_start_life_and_end_are_told(manager):
    address, listening = manager
    notifier = Notifier.of_service({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000"})
    notifier.ready()
    assert heard(listening) == ["READY=1"]
    notifier.beat(lambda: "5 samples")
    assert heard(listening) == ["WATCHDOG=1", "STATUS=5 samples"]
    notifier.beat(lambda: pytest.fail("it is too soon for another"))
    notifier.stopping()
    assert heard(listening) == ["STOPPING=1"]
    assert nothing_is_heard(listening)


def test_it_is_told_twice_within_what_systemd_waits(manager):
    address, listening = manager
    notifier = Notifier.of_service({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "200000"})
    until_s = time.monotonic() + 0.35
    while time.monotonic() < until_s:
        notifier.beat(lambda: "")
        time.sleep(0.005)
    listening.setblocking(False)
    n = 0
    while not nothing_is_heard(listening):
        n += 1
    assert n == 4


def test_an_abstract_socket_is_reached():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        name = f"liveclf-test-{os.getpid()}"
        listening.bind(f"\0{name}")
        listening.settimeout(60)
        Notifier(f"@{name}").ready()
        assert heard(listening) == ["READY=1"]


def test_what_was_said_to_us_is_not_passed_on(manager):
    address, _ = manager
    environment = {
        "NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/",
    }  # fmt: skip
    Notifier.of_service(environment)
    assert environment == {"HOME": "/"}


def test_a_watchdog_that_is_meant_for_another_is_left_to_it(manager):
    address, listening = manager
    environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}
    Notifier.of_service(environment).beat(lambda: "5 samples")
    assert heard(listening) == ["STATUS=5 samples"]


def test_nobody_there_is_no_error(tmp_path):
    for notifier in (Notifier(), Notifier(str(tmp_path / "gone")), Notifier("x" * 200)):
        notifier.ready()
        notifier.beat(lambda: "")
        notifier.stopping()


def test_a_manager_that_does_not_listen_stops_nothing(manager):
    address, _ = manager
    notifier = Notifier(address)
    began_s = time.monotonic()
    for _ in range(2000):  # more than the socket holds
        notifier.ready()
    assert time.monotonic() - began_s < 20


@pytest.mark.parametrize("how", ["run", "publish"])
def test_a_command_tells_its_whole_life(how, manager, tmp_path):
    if how == "publish":
        pytest.importorskip("zmq", reason="pyzmq is not installed")
    address, listening = manager
    flags = {
        "run": ("--loop", "--realtime", "-o", "null", "--batch", "8", "--threads", "1"),
        "publish": ("--loop", "--socket", "pub", "--to", f"ipc://{tmp_path}/iq"),
    }[how]
    environment = os.environ | {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "600000"}
    command = [sys.executable, "-m", "liveclf", how, *flags, "-q"]
    if how == "publish":  # a recording waits for somebody who listens
        import zmq

        subscriber = zmq.Context.instance().socket(zmq.SUB)
        subscriber.setsockopt(zmq.SUBSCRIBE, b"")
        subscriber.connect(f"ipc://{tmp_path}/iq")
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        assert heard(listening) == ["READY=1"]
        for _ in range(3):
            alive, status = heard(listening)
            assert alive == "WATCHDOG=1"
            assert "samples" in status
        process.terminate()
        while (said := heard(listening)) != ["STOPPING=1"]:
            assert said[0] == "WATCHDOG=1"
        assert process.stderr
        assert process.stderr.read() == b""
        assert process.wait(60) == 143
    if how == "publish":
        subscriber.close(linger=0)
