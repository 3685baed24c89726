"""Records to whoever subscribes, over ZeroMQ: `liveclf.STREAM.FAMILY`, then the JSON.

A publisher drops what a subscriber is too slow for, and ZeroMQ does not say so. Here it has to
refuse (XPUB_NODROP); then the others get the record, the slow one does not, and that is told.
A replay waits for the first subscriber and for the slowest, a live stream for nobody.

From the first refusal on libzmq leaves the slow one out until it has read half of its queue,
and does not say when that is: what it misses is at least what is counted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from liveclf.addresses import is_zeromq, options_of, switch
from liveclf.emissions import Emission, Emissions
from liveclf.errors import MissingExtraError, SinkError, UsageError
from liveclf.notes import event
from liveclf.records import Detection, Detections
from liveclf.sinks.worker import REPLAY_WAIT_S

_TOPIC = "liveclf"
_MOST_MESSAGES = 10_000  # queued for each subscriber, some five MiB
_MOST_HEARD_BYTES = 1 << 16  # a subscription is a few bytes
_WAKE_MS = 50  # how soon a wait notices that it is to end
_CLOSE_LIMIT_S = 2.0
_LONGEST_RECONNECT_MS = 10_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where records go.

    Attributes:
        name: How messages call the output.
        address: As ZeroMQ writes it.
        connect: Connect to a subscriber that is bound, instead of being bound.
        topic: What each topic begins with.
    """

    name: str
    address: str
    connect: bool = False
    topic: str = _TOPIC


def endpoint_of(target: str) -> Endpoint:
    """Read what stands behind `zmq:`.

    Args:
        target: Such as "tcp://127.0.0.1:5556" or "//pi:5556?connect=1".

    Raises:
        UsageError: It is no address of ZeroMQ's, or has an unknown option.
    """
    option = f"--output zmq:{target}"
    address, _, query = target.partition("?")
    if address.startswith("//"):
        address = f"tcp:{address}"
    if not is_zeromq(address):
        raise UsageError(
            f"{option} is no address; write it as zmq:tcp://HOST:PORT or zmq:ipc:///PATH."
        )
    options = options_of(option, query, ("connect", "topic"))
    topic = options.get("topic", _TOPIC)
    if not topic.isprintable() or not topic.strip(". "):
        raise UsageError(f"{option}: topic must be a name such as roof, not {topic!r}.")
    connect = switch(option, options, "connect") or False
    if connect and address.startswith("tcp://*"):
        raise UsageError(
            f"{option}: * is every address of this machine; name the one to connect to."
        )
    return Endpoint(f"zmq:{target}", address, connect, topic)


class ZeroMqSink:
    """Sends each record as two parts: its topic and its JSON.

    Attributes:
        n_lost: See `worker.Remote`.
    """

    def __init__(self, endpoint: Endpoint, *, waits: bool, wait_s: float = REPLAY_WAIT_S) -> None:
        """Open the socket.

        Args:
            endpoint: Where records go.
            waits: Whether to wait for a first subscriber and for slow ones: for a replay.
            wait_s: How long, before records are sent without them.

        Raises:
            SinkError: The address is taken, or not one of this machine.
            MissingExtraError: pyzmq is not installed.
        """
        try:
            import zmq
        except ImportError as error:
            raise MissingExtraError(
                "Records over ZeroMQ need pyzmq", 'pip install "liveclf[zeromq]"'
            ) from error
        self.n_lost = 0
        self._zmq, self._endpoint, self._encoder = zmq, endpoint, msgspec.json.Encoder()
        self._waits = self._is_patient = waits
        self._wait_s = wait_s
        self._given_up = False
        self._told: set[str] = set()
        self._n_topics = 0  # that somebody subscribes to, of those that may come
        self._n_sent = self._n_missed = self._n_unheard = self._n_left = 0
        self._context = zmq.Context()
        # XPUB is PUB that also hears who subscribes.
        self._socket = self._context.socket(zmq.XPUB)
        for option, value in self._options().items():
            self._socket.setsockopt(option, value)
        self._attach()

    def _options(self) -> dict[Any, int]:
        zmq = self._zmq
        return {
            zmq.XPUB_NODROP: 1,
            zmq.SNDHWM: _MOST_MESSAGES,
            zmq.SNDTIMEO: _WAKE_MS,
            zmq.MAXMSGSIZE: _MOST_HEARD_BYTES,
            zmq.IPV6: 1,
            zmq.RECONNECT_IVL_MAX: _LONGEST_RECONNECT_MS,
            # A cable that was pulled says nothing; the system then asks, and knows in 15 s.
            zmq.TCP_KEEPALIVE: 1,
            zmq.TCP_KEEPALIVE_IDLE: 5,
            zmq.TCP_KEEPALIVE_INTVL: 3,
            zmq.TCP_KEEPALIVE_CNT: 3,
        }

    def _attach(self) -> None:
        endpoint = self._endpoint
        attach = self._socket.connect if endpoint.connect else self._socket.bind
        try:
            attach(endpoint.address)
        except self._zmq.ZMQError as error:
            self._context.destroy(linger=0)
            doing = "connected to" if endpoint.connect else "bound"
            why = error.strerror.partition(" (")[0]  # pyzmq adds the address
            why = why[:1].lower() + why[1:]
            raise SinkError(
                f"--output {endpoint.name} cannot be {doing}: {why}; check host and port."
            ) from None

    @property
    def trouble(self) -> str:
        """See `worker.Remote`."""
        counts = {
            "{:,} records came while nobody subscribed": self._n_unheard,
            "a subscriber that was too slow missed {:,} or more": self._n_missed,
            "{:,} or fewer were not taken when the run ended": self._n_left,
        }
        parts = [what.format(n) for what, n in counts.items() if n]
        return f"{self._endpoint.name}: {', '.join(parts)}." if parts else ""

    def write(self, report: Detections | Emissions) -> None:
        """Send one batch."""
        for message in [self._message(row) for row in report.rows()]:
            self._send(message)

    def attend(self) -> None:
        """Take note of who subscribes."""
        prefix = f"{self._endpoint.topic}.".encode()
        for _ in range(_MOST_MESSAGES):  # so that nobody can keep it here
            if not self._socket.poll(0):
                return
            # One message for the first subscription to a topic, one for the end of the last.
            said = self._socket.recv()
            if prefix.startswith(said[1:]) or said[1:].startswith(prefix):
                self._n_topics += {b"\x01": 1, b"\x00": -1}.get(said[:1], 0)

    def give_up(self) -> None:
        """Wait for no subscriber any more."""
        self._given_up = True

    def close(self, summary: dict[str, Any]) -> None:
        """Close the socket once what is queued was taken, within limits."""
        began_s = time.monotonic()
        limit_s = _WAKE_MS / 1000 if self._given_up else _CLOSE_LIMIT_S
        self._context.destroy(linger=round(limit_s * 1000))
        if time.monotonic() - began_s >= limit_s:
            self._n_left = min(self._n_sent, _MOST_MESSAGES)
            self.n_lost += self._n_left

    def _message(self, row: Detection | Emission) -> list[bytes]:
        topic = f"{self._endpoint.topic}.{row.stream}.{row.family}"
        return [topic.encode(), self._encoder.encode(row)]

    def _send(self, parts: list[bytes]) -> None:
        self.attend()
        if not self._wait_for(self._is_heard):
            self._n_unheard += 1
            if self._waits:  # of a live stream, what nobody subscribed to nobody wanted
                self._lose("has no subscriber")
        elif self._wait_for(lambda: self._offer(parts)):
            self._n_sent += 1
            self._is_patient = self._waits
        else:  # to those who have room
            self._socket.setsockopt(self._zmq.XPUB_NODROP, 0)
            self._offer(parts)
            self._socket.setsockopt(self._zmq.XPUB_NODROP, 1)
            self._n_missed += 1
            self._lose("has a subscriber that is too slow")

    def _lose(self, why: str) -> None:
        if why not in self._told:
            _log.warning(
                "%s %s; records are lost.", self._endpoint.name, why, extra=event("output_slow")
            )
            self._told.add(why)
        self.n_lost += 1

    def _wait_for(self, done: Callable[[], bool]) -> bool:
        """Try until it is done; only once if nobody is waited for."""
        give_up_s = time.monotonic() + self._wait_s
        while not done():
            if not self._is_patient or self._given_up or time.monotonic() > give_up_s:
                self._is_patient = False
                return False
            self.attend()
        return True

    def _is_heard(self) -> bool:
        if not self._n_topics and self._is_patient:
            self._socket.poll(_WAKE_MS)
            self.attend()
        return self._n_topics > 0

    def _offer(self, parts: list[bytes]) -> bool:
        """Send to all who subscribe, or to nobody if one of them has no room."""
        try:
            self._socket.send_multipart(parts, 0 if self._is_patient else self._zmq.DONTWAIT)
        except self._zmq.Again:
            return False
        return True
