"""A ZeroMQ sender on loopback, and ways to open our receiver on it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import zmq

from liveclf.config import RadioSettings, SourceSettings
from liveclf.sources.zeromq import ZeroMqDriver, open_driver

LIMIT_S = 20.0


class Publisher:
    """A socket that messages are sent from, once somebody listens."""

    def __init__(self, kind: str = "pub", address: str = "tcp://127.0.0.1:*") -> None:
        self._context = zmq.Context()
        self.socket = self._context.socket({"pub": zmq.XPUB, "push": zmq.PUSH}[kind])
        self.socket.setsockopt(zmq.SNDTIMEO, 100)  # then it looks whether it is to end
        self.socket.setsockopt(zmq.RCVTIMEO, round(LIMIT_S * 1000))
        self.socket.bind(address)
        self.address = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.kind = kind
        self.device = {"pub": "zmq", "push": "zmq+pull"}[kind] + ":" + self.address
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()

    def send(self, *messages: bytes | Sequence[bytes], listened: bool = False) -> None:
        """Send on a thread, as soon as somebody has subscribed, or at once if somebody has."""
        self.join()
        self._thread = threading.Thread(target=self._send, args=(messages, listened), daemon=True)
        self._thread.start()

    def join(self) -> None:
        if self._thread is not None:
            self._thread.join(LIMIT_S)
            assert not self._thread.is_alive()

    def close(self, linger_s: float = LIMIT_S) -> None:
        if not linger_s:  # nobody may be there any more to send to
            self._ended.set()
        self.join()
        self._context.destroy(linger=round(linger_s * 1000))

    def _send(self, messages: tuple[Any, ...], listened: bool) -> None:
        if self.kind == "pub" and not listened:
            assert self.socket.recv()[:1] == b"\x01"
        for message in messages:
            parts = [message] if isinstance(message, bytes) else message
            self._send_one(list(parts))

    def _send_one(self, parts: list[Any]) -> None:
        until_s = time.monotonic() + LIMIT_S
        while not self._ended.is_set() and time.monotonic() < until_s:
            with contextlib.suppress(zmq.Again):
                self.socket.send_multipart(parts)
                return
        assert self._ended.is_set(), "nobody takes what is sent"


@contextmanager
def publishing(kind: str = "pub", address: str = "tcp://127.0.0.1:*") -> Iterator[Publisher]:
    publisher = Publisher(kind, address)
    try:
        yield publisher
    finally:
        publisher.close(0)


def receiving(device: str, radio: dict[str, Any] | None = None, **source: Any) -> ZeroMqDriver:
    return open_driver(SourceSettings(**source), RadioSettings(device=device, **(radio or {})))
