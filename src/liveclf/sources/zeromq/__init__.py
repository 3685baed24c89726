"""Samples over ZeroMQ, as GNU Radio's zeromq blocks and `liveclf publish` send them.

A publisher drops what a receiver is too slow for, and ZeroMQ does not say so; but with tag
headers each message says where it belongs, so that what is missing is counted exactly.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace

from liveclf.config import RadioSettings, SourceSettings
from liveclf.dsp.formats import sample_format
from liveclf.errors import MissingExtraError, SourceError, UsageError
from liveclf.records import Gain, SampleFormat
from liveclf.sources.capture.driver import Opened, Tape
from liveclf.sources.names import Hints
from liveclf.sources.remote import refuse_others
from liveclf.sources.zeromq.address import Endpoint, endpoint_of
from liveclf.sources.zeromq.gnuradio_stream import MessageReader, Stretch
from liveclf.sources.zeromq.receiver import Receiver

_ANSWER_S = 5.0  # how long the publisher may take to answer
_FIRST_S = 2.0  # and its first message to come, before the user is told what is known


def open_driver(settings: SourceSettings, radio: RadioSettings) -> ZeroMqDriver:
    """Connect to what `radio.device` names.

    Raises:
        SourceError: Nobody answers, or what comes are no samples.
        UsageError: A setting cannot be kept.
        MissingExtraError: pyzmq is not installed.
    """
    refuse_others(radio, set(), "a ZeroMQ publisher")
    endpoint = endpoint_of(radio.device)
    fmt = sample_format(settings.format or "cf32")
    if fmt.name == "cs24":
        raise UsageError("--format cs24 cannot be kept: samples over ZeroMQ have no 24 bits.")
    flags = Hints.from_flags(settings)  # refuses several --freq
    try:
        import zmq  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "Samples over ZeroMQ need pyzmq", 'pip install "liveclf[zeromq]"'
        ) from error
    receiver = Receiver(endpoint)
    try:
        return ZeroMqDriver(receiver, endpoint, fmt, flags)
    except BaseException:
        receiver.close()
        raise


class ZeroMqDriver:
    """A socket that messages of samples come from."""

    def __init__(
        self, receiver: Receiver, endpoint: Endpoint, fmt: SampleFormat, flags: Hints
    ) -> None:
        """Wait for the publisher, and a while for its first message.

        Args:
            receiver: Just opened.
            endpoint: What it is connected to.
            fmt: Of the samples.
            flags: Rate and centre as the user said.

        Raises:
            SourceError: Nobody answers, or what comes are no samples.
        """
        self._receiver, self._name, self._format = receiver, endpoint.name, fmt
        self._key = endpoint.key.encode() or None
        self._stopped = False
        self._reader = MessageReader(
            fmt.bytes_per_sample, flags.sample_rate_hz, flags.center_hz, endpoint.headed
        )
        receiver.wait_for_peer(_ANSWER_S)
        self._first = self._wait_for_samples(_FIRST_S)
        if self._first:  # its rate and centre are told by `opened`
            self._first[0] = replace(self._first[0], is_new=False)
        known = self._first[0] if self._first else self._reader
        self.opened = Opened(
            name=endpoint.name,
            format=fmt,
            sample_rate_hz=known.sample_rate_hz,
            center_hz=known.center_hz,
            notes=self._notes(endpoint),
            has_clock=False,
            tells_losses=bool(self._reader.headed),
            settle_s=0.0,
            stall_s=None,
            can_tune=False,
        )

    def stream(self, tape: Tape) -> None:
        """Deliver samples until `stop`.

        Raises:
            SourceError: The publisher has gone, or sends what are no samples.
        """
        _put(self._first, tape)
        self._first = []
        while not self._stopped:
            if (parts := self._receiver.receive()) is not None:
                _put(self._stretches(parts), tape)
                for note in self._reader.clock.notes():
                    tape.tell(f"{self._name}: {note}")

    def tune(self, center_hz: float) -> float:
        """Refuse: a publisher takes no commands."""
        raise SourceError(f"{self._name} cannot be tuned to {center_hz:.12g} Hz.")

    def set_gain(self, gain_db: float | None, stage: str) -> Gain:
        """Refuse, likewise."""
        raise SourceError(f"{self._name} has no gain that can be set.")

    def stop(self) -> None:
        """End `stream` soon."""
        self._stopped = True

    def close(self) -> None:
        """Close the socket."""
        self._receiver.close()

    def _wait_for_samples(self, seconds: float) -> list[Stretch]:
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            parts = self._receiver.receive()
            if parts is not None and (found := self._stretches(parts)):
                return found
        return []

    def _stretches(self, parts: list[memoryview]) -> list[Stretch]:
        try:
            key = bytes(parts[0]) if len(parts) == 2 else None
            if len(parts) > 2 or (self._key is not None and key is None):
                raise ValueError(f"a message has {len(parts)} parts, not a key and samples")
            if self._key is None:
                self._key = key  # all of a stream have the same
            if key != self._key:
                return []  # another stream, whose key begins like ours
            return list(self._reader.push(parts[-1]))
        except ValueError as error:
            raise SourceError(
                f"{self._name}: {error}; check that it sends {self._format.name}, or give --format."
            ) from None

    def _notes(self, endpoint: Endpoint) -> tuple[str, ...]:
        reader, notes = self._reader, []
        if reader.headed:
            notes.append("The messages have tag headers: lost samples are counted exactly.")
        elif reader.headed is None:
            notes.append(
                f"Nothing came in {_FIRST_S:g} s; whether losses can be seen, the first message"
                " tells."
            )
        else:
            notes.append(
                "The messages have no tag headers, so samples that are lost on the way cannot be"
                " seen; let the publisher pass tags."
            )
        if self._key is not None and not endpoint.key:
            notes.append(f"Only messages of the key {self._key!r} are taken, as the first one has.")
        if reader.told_rate_hz > 0 and reader.told_rate_hz != reader.sample_rate_hz:
            notes.append(
                f"The publisher says {reader.told_rate_hz:.12g} samples/s, --rate"
                f" {reader.sample_rate_hz:.12g} goes over that."
            )
        return (*notes, *reader.clock.notes())


def _put(stretches: list[Stretch], tape: Tape) -> None:
    for stretch in stretches:
        if stretch.is_new:
            tape.retune(stretch.sample_rate_hz, stretch.center_hz)
        if not math.isnan(stretch.first_s):
            tape.clock(stretch.first_s)
        tape.write(stretch.data, lost=stretch.lost)
