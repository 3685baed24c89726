"""Samples to other machines over ZeroMQ, as GNU Radio's zeromq blocks send them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

from liveclf.addresses import is_zeromq
from liveclf.config import SendSettings
from liveclf.dsp.formats import as_complex
from liveclf.errors import MissingExtraError, SourceError, UsageError
from liveclf.records import Block
from liveclf.sources.samples import reason
from liveclf.sources.zeromq.gnuradio_stream import NEW_SEGMENT
from liveclf.sources.zeromq.gnuradio_tags import Tag, build
from liveclf.sources.zeromq.pmt import Unsigned

MESSAGE_SAMPLES = 65_536

# Some 32 MiB at most for each receiver; of a live stream, where messages hold 20 ms, a second.
_MOST_MESSAGES = 64
_WAKE_MS = 100  # how soon a wait for a receiver notices that it was stopped


class Sender:
    """A socket that blocks of samples are sent through.

    A live stream does not wait: who is too slow for it misses messages, and sees that by
    their offsets. A recording waits for somebody who listens, and for the slowest of them.

    Attributes:
        samples: Sent so far.
        messages: Likewise.
        lost: Samples missing in what was to be sent.
        listened: Whether anybody listens.
        is_held: It waits for a receiver.
        idle: Called now and then while it waits.
    """

    def __init__(self, settings: SendSettings) -> None:
        """Open the socket.

        Args:
            settings: Where to send to, and how.

        Raises:
            UsageError: That is no address.
            SourceError: It is taken.
            MissingExtraError: pyzmq is not installed.
        """
        try:
            import zmq
        except ImportError as error:
            raise MissingExtraError(
                "Publishing over ZeroMQ needs pyzmq", 'pip install "liveclf[zeromq]"'
            ) from error
        if not is_zeromq(settings.to):
            raise UsageError(
                f"--to {settings.to} is no address; write it as tcp://HOST:PORT or ipc:///PATH."
            )
        from zmq.utils.monitor import recv_monitor_message

        self._event_of = recv_monitor_message
        self.samples = self.messages = self.lost = 0
        self.idle: Callable[[], None] = lambda: None
        self.is_held = False
        self._connections: set[int] = set()
        self.listened = False
        self._zmq, self._settings = zmq, settings
        self._waits = self._stopped = False
        self._next: int | None = None  # index of the sample that should come
        self._segment: int | None = None
        self._topics: set[bytes] = set()
        self._context = zmq.Context()
        # XPUB is PUB that also hears who subscribes.
        self._socket = self._context.socket(zmq.XPUB if settings.socket == "pub" else zmq.PUSH)
        self._socket.setsockopt(zmq.SNDHWM, _MOST_MESSAGES)
        self._socket.setsockopt(zmq.SNDTIMEO, _WAKE_MS)
        self._socket.setsockopt(zmq.IPV6, 1)
        self._monitor = self._socket.get_monitor_socket(
            zmq.EVENT_ACCEPTED | zmq.EVENT_CONNECTED | zmq.EVENT_DISCONNECTED
        )
        self._attach()

    @property
    def name(self) -> str:
        """How messages call it."""
        settings = self._settings
        key = f", key {settings.key}" if settings.key else ""
        tags = "tag headers" if settings.tags else "no tag headers"
        return f"{settings.socket.upper()} {settings.to}, {tags}{key}"

    @property
    def n_receivers(self) -> int:
        """Connections that are open."""
        self._count_connections()
        return len(self._connections)

    @property
    def waits(self) -> bool:
        """Whether it waits for somebody who listens."""
        return self._waits or self._settings.socket == "push"

    def wait_for_receivers(self) -> None:
        """Wait for somebody who listens, and for the slowest, from here on."""
        self._waits = True
        if self._settings.socket == "pub":
            self._socket.setsockopt(self._zmq.XPUB_NODROP, 1)

    def send(self, block: Block) -> None:
        """Send a block, in messages; returns early once it is to stop."""
        self._hear()
        if not len(block.iq):
            return
        if self._next is not None:
            self.lost += max(0, block.start_sample - self._next)
        self._next = block.start_sample + len(block.iq)
        for first in range(0, len(block.iq), MESSAGE_SAMPLES):
            self._await_listener()
            payload = self._payload(block, first)
            header = build(block.start_sample + first, self._tags(block, first))
            parts = [header + payload if self._settings.tags else payload]
            if self._settings.key:
                parts.insert(0, self._settings.key.encode())
            if not self._send(parts):
                return
            self._segment = block.segment
            self.samples += min(MESSAGE_SAMPLES, len(block.iq) - first)
            self.messages += 1

    def stop(self) -> None:
        """Wait for nobody any more; from any thread, and from signal handlers."""
        self._stopped = True

    def close(self, linger_s: float) -> bool:
        """Close the socket, once what is queued was taken.

        Args:
            linger_s: Longest to wait for that.

        Returns:
            Whether it was taken in that time.
        """
        began_s = time.monotonic()
        self._socket.disable_monitor()
        self._context.destroy(linger=round(linger_s * 1000))
        return time.monotonic() - began_s < linger_s

    def _attach(self) -> None:
        settings = self._settings
        try:
            (self._socket.connect if settings.connect else self._socket.bind)(settings.to)
        except self._zmq.ZMQError as error:
            self._socket.disable_monitor()
            self._context.destroy(linger=0)
            why = reason(error).partition(" (")[0]  # pyzmq adds the address
            doing = "connected to" if settings.connect else "bound"
            raise SourceError(
                f"{settings.to} cannot be {doing}: {why}; choose another with --to."
            ) from None

    def _send(self, parts: list[bytes]) -> bool:
        """Send all parts of a message, each when there is room; False once it is to stop."""
        zmq = self._zmq
        for k, part in enumerate(parts):
            more = zmq.SNDMORE if k + 1 < len(parts) else 0
            while True:
                try:
                    self._socket.send(part, more)
                    break
                except zmq.Again:
                    if self._stopped:
                        return False
                    self._hold()
        self.is_held = False
        self.listened = self.listened or self._settings.socket == "push"
        return True

    def _await_listener(self) -> None:
        while self._settings.socket == "pub" and self._waits and not self._topics:
            if self._stopped:
                return
            self._socket.poll(_WAKE_MS)
            self._hold()

    def _hold(self) -> None:
        """Take note of what happens while it waits."""
        self.is_held = True
        self._hear()
        self.idle()

    def _hear(self) -> None:
        """Take note of who subscribes: one message for the first of a topic, one for the last."""
        self._count_connections()
        if self._settings.socket == "push":
            return
        key = self._settings.key.encode()
        while self._socket.poll(0):
            said = self._socket.recv()
            if said[:1] == b"\x01" and key.startswith(said[1:]):
                self._topics.add(said[1:])
            elif said[:1] == b"\x00":
                self._topics.discard(said[1:])
        self.listened = bool(self._topics)

    def _count_connections(self) -> None:
        while self._monitor.poll(0):
            told = self._event_of(self._monitor)
            if told["event"] == self._zmq.EVENT_DISCONNECTED:
                self._connections.discard(told["value"])
            else:
                self._connections.add(told["value"])

    def _payload(self, block: Block, first: int) -> bytes:
        iq = block.iq[first : first + MESSAGE_SAMPLES]
        if self._settings.native or block.format.name == "cf32":
            little: bytes = iq.astype(iq.dtype.newbyteorder("<"), copy=False).tobytes()
            return little
        return as_complex(iq, block.format).astype("<c8", copy=False).tobytes()

    def _tags(self, block: Block, first: int) -> Iterator[Tag]:
        """Yield what is known, with every message, so that who comes late knows it too."""
        at = block.start_sample + first
        if self._segment not in (None, block.segment):
            yield Tag(at, NEW_SEGMENT, True)
        if block.sample_rate_hz > 0:
            yield Tag(at, "rx_rate", float(block.sample_rate_hz))
        if not math.isnan(block.center_hz):
            yield Tag(at, "rx_freq", float(block.center_hz))
        time_s = at / block.sample_rate_hz if block.sample_rate_hz > 0 else math.nan
        if not math.isnan(block.epoch_s + time_s) and block.epoch_s + time_s >= 0:
            # The fraction is summed by itself: the sum of both has a quarter of a microsecond.
            rest_s = block.epoch_s % 1 + time_s
            whole_s = math.floor(block.epoch_s) + math.floor(rest_s)
            yield Tag(at, "rx_time", (Unsigned(whole_s), rest_s % 1))


def sent_format(name: str, native: bool) -> str:
    """Return the format in which samples of format `name` are sent."""
    if not native:
        return "cf32"
    return "cs32" if name == "cs24" else name.removesuffix("_be")
