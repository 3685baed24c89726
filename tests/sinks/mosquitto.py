"""A real MQTT broker for the tests, and a subscriber to it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

LIMIT_S = 30.0
# Debian puts it where only root looks.
PROGRAM = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def until(done: Callable[[], object], limit_s: float = LIMIT_S) -> None:
    """Wait until something is so."""
    give_up_s = time.monotonic() + limit_s
    while not done():
        assert time.monotonic() < give_up_s
        time.sleep(0.005)


class Mosquitto:
    """One broker, on a free port of this machine."""

    def __init__(self, folder: Path, *settings: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._folder = folder
        lines = [
            f"listener {self.port} 127.0.0.1",
            "persistence true",
            f"persistence_location {folder}/",
            "autosave_interval 1",
            "autosave_on_changes true",  # so that a killed one knows who had subscribed
            "max_queued_messages 0",
            *settings,
        ]
        if not any("allow_anonymous" in line for line in settings):
            lines.append("allow_anonymous true")
        if os.geteuid() == 0:
            lines.append("user root")  # else it gives up the right to read the folder
        self._file = folder / "mosquitto.conf"
        self._file.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        assert PROGRAM
        with (self._folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen([PROGRAM, "-c", str(self._file)], stderr=log)
        until(self._answers)

    def kill(self) -> None:
        """End it without a word."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order: it remembers who has subscribed."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(how)
            self._process.wait(LIMIT_S)
            self._process = None

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, (self._folder / "mosquitto.log").read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


class Subscriber:
    """Keeps what it gets; the broker keeps what comes while it is away."""

    def __init__(self, port: int, name: str = "test", **login: str) -> None:
        self.messages: list[paho.MQTTMessage] = []
        self._lock, self._n_subscribed = threading.Lock(), 0
        self._client = paho.Client(CallbackAPIVersion.VERSION2, name, clean_session=False)
        if login:
            self._client.username_pw_set(**login)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._keep
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        until(lambda: self._n_subscribed)

    def records(self) -> list[paho.MQTTMessage]:
        """Return the messages that are no status."""
        with self._lock:
            return [m for m in self.messages if not m.topic.endswith("/status")]

    def statuses(self) -> list[str]:
        """Return what was said of being there, in order."""
        with self._lock:
            return [m.payload.decode() for m in self.messages if m.topic.endswith("/status")]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _subscribed(self, *_: Any) -> None:
        self._n_subscribed += 1

    def _keep(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        with self._lock:
            self.messages.append(message)
