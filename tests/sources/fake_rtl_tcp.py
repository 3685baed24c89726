"""A server that speaks rtl_tcp's bytes, and breaks off, is silent or lies where told to."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LIMIT_S = 20.0
HEADER = struct.pack(">4sII", b"RTL0", 5, 29)  # an R820T
RST = struct.pack("ii", 1, 0)  # linger for no time: closing resets the connection


class FakeServer:
    """Serves one client on loopback, by a script, and keeps the commands it gets."""

    def __init__(self, script: Callable[[FakeServer], None], port: int = 0) -> None:
        self.commands = b""
        self._changed = threading.Condition()
        self._listening = socket.create_server(("127.0.0.1", port))
        self._listening.settimeout(LIMIT_S)
        self.port = self._listening.getsockname()[1]
        self.client: socket.socket
        self.done = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(script,), daemon=True)
        self._thread.start()

    def send(self, data: bytes) -> None:
        self.client.sendall(data)

    def reset(self) -> None:
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
        self.client.shutdown(socket.SHUT_RD)  # else the thread that listens holds it open
        self._reader.join(LIMIT_S)
        self.client.close()

    def wait_for_commands(self, n: int) -> list[tuple[int, int]]:
        """Return the first n commands, once they are there."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.commands) >= 5 * n, LIMIT_S)
        return list(struct.iter_unpack(">BI", self.commands[: 5 * n]))

    def close(self) -> None:
        self.done.set()
        with contextlib.suppress(OSError):  # not everywhere; it wakes accept
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(LIMIT_S)
        assert not self._thread.is_alive()

    def _serve(self, script: Callable[[FakeServer], None]) -> None:
        try:
            self.client, _ = self._listening.accept()
        except OSError:
            return
        with self.client:
            self.client.settimeout(LIMIT_S)
            self.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._reader = threading.Thread(target=self._listen, daemon=True)
            self._reader.start()
            with contextlib.suppress(OSError):  # the client has gone
                script(self)
                self.client.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        try:
            while data := self.client.recv(4096):
                with self._changed:
                    self.commands += data
                    self._changed.notify_all()
        except OSError:
            pass


@contextmanager
def serving(script: Callable[[FakeServer], None]) -> Iterator[FakeServer]:
    server = FakeServer(script)
    try:
        yield server
    finally:
        server.close()
