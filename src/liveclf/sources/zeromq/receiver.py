"""The receiving socket, watched, so that a sender that has gone is noticed."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from liveclf.errors import SourceError
from liveclf.sources.samples import reason
from liveclf.sources.zeromq.address import Endpoint

_WAKE_MS = 100  # how soon a wait notices that it was stopped
_DAY_MS = 86_400_000

# GNU Radio's messages are 64 KiB, ours half a MiB, one at most. The queue holds a second of
# 2.4 MS/s of the former, and at worst, with a sender that means harm, half a GiB.
_MOST_BYTES = 1 << 21
_MOST_MESSAGES = 256

# ZeroMQ keeps the parts of a message until the last has come, and has no limit for how many
# those are: a message without an end would take all memory there is.
_MOST_GROWTH_BYTES = 2 * _MOST_BYTES * _MOST_MESSAGES
_LOOK_S = 0.25


class Receiver:
    """The socket, and what ZeroMQ tells of its connection."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Open the socket; whether anybody is there is not known yet.

        Args:
            endpoint: What to connect to, or to bind.

        Raises:
            SourceError: That cannot be done.
        """
        import zmq
        from zmq.utils.monitor import recv_monitor_message

        self._zmq, self._event_of = zmq, recv_monitor_message
        self._endpoint = endpoint
        self._gone = self._answered = False
        self._memory_bytes, self._looked_s = own_memory_bytes(), time.monotonic()
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB if endpoint.kind == "SUB" else zmq.PULL)
        for option, value in self._options().items():
            self._socket.setsockopt(option, value)
        if endpoint.kind == "SUB":
            self._socket.setsockopt(zmq.SUBSCRIBE, endpoint.key.encode())
        self._monitor = self._socket.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED
        )
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)
        try:
            self._attach()
        except BaseException:
            self.close()
            raise

    def _options(self) -> dict[Any, int]:
        zmq = self._zmq
        options: dict[Any, int] = {
            zmq.LINGER: 0,
            zmq.IPV6: 1,
            zmq.RCVHWM: _MOST_MESSAGES,
            zmq.MAXMSGSIZE: _MOST_BYTES,
            # A cable that was pulled says nothing; the system then asks, and knows in 15 s.
            zmq.TCP_KEEPALIVE: 1,
            zmq.TCP_KEEPALIVE_IDLE: 5,
            zmq.TCP_KEEPALIVE_INTVL: 3,
            zmq.TCP_KEEPALIVE_CNT: 3,
        }
        if not self._endpoint.bind:
            # ZeroMQ would connect again by itself, and not say so: another publisher's samples
            # would then continue those of the one before. Never (-1) would be the word for it,
            # but then libzmq throws away what it has received and nobody has read yet.
            options[zmq.RECONNECT_IVL] = _DAY_MS
        return options

    def wait_for_peer(self, seconds: float) -> None:
        """Wait until the publisher has answered; who binds waits for nobody.

        Raises:
            SourceError: Nobody did.
        """
        until_s = time.monotonic() + seconds
        while not self._answered and not self._endpoint.bind:
            if self._gone or time.monotonic() > until_s:
                other = "publishes (PUB)" if self._endpoint.kind == "SUB" else "pushes (PUSH)"
                raise SourceError(
                    f"Nobody {other} samples at {self._endpoint.address}; start the sender first,"
                    " and check host, port and kind."
                )
            self._wait()

    def receive(self) -> list[memoryview] | None:
        """Return the parts of a message, None if none came for a while.

        Raises:
            SourceError: The publisher has gone, and all that it sent was received; or it
                sends what fills the memory.
        """
        zmq = self._zmq
        self._check_memory()
        for _ in range(2):
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                # libzmq tells that a connection has ended a moment before it hands over what it
                # read last (`error` of its stream engine).
                if self._gone and not self._socket.poll(_WAKE_MS):
                    raise self._farewell() from None
                self._wait()
            else:
                return [frame.buffer for frame in frames]
        return None

    def close(self) -> None:
        """Close all of it."""
        self._socket.disable_monitor()
        self._context.destroy(linger=0)

    def _attach(self) -> None:
        endpoint = self._endpoint
        attach = self._socket.bind if endpoint.bind else self._socket.connect
        try:
            attach(endpoint.address)
        except self._zmq.ZMQError as error:
            why = reason(error).partition(" (")[0]  # pyzmq adds the address
            doing = "bound" if endpoint.bind else "connected to"
            raise SourceError(
                f"{endpoint.address} cannot be {doing}: {why}; check host and port."
            ) from None

    def _wait(self) -> None:
        """Wait until something comes, and take note of what happens to the connection."""
        ready: dict[Any, int] = dict(self._poller.poll(_WAKE_MS))
        if self._monitor in ready:
            event = self._event_of(self._monitor)["event"]
            if event == self._zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._answered = True
            elif not self._endpoint.bind:  # else others may come
                self._gone = True

    def _check_memory(self) -> None:
        if time.monotonic() - self._looked_s < _LOOK_S:
            return
        self._looked_s = time.monotonic()
        if own_memory_bytes() - self._memory_bytes > _MOST_GROWTH_BYTES:
            raise SourceError(
                f"{self._endpoint.name} sends messages without an end, which take"
                f" {_MOST_GROWTH_BYTES >> 20} MiB by now; check what sends there."
            )

    def _farewell(self) -> SourceError:
        return SourceError(
            f"{self._endpoint.name} has gone, or sent a message of over {_MOST_BYTES >> 20} MiB."
        )


def own_memory_bytes() -> int:
    """Return what this process holds of memory that is not shared; 0 where that is not told."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:  # not Linux
        return 0
    found = re.search(r"^RssAnon:\s*(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
