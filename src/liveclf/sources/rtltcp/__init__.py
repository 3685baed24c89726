"""rtl_tcp: an RTL-SDR on another machine, as raw bytes over TCP.

The server begins with 12 bytes, "RTL0", the kind of tuner and its number of gains, and then
sends u8 I, Q, I, Q, ... for ever. It takes commands of 5 bytes, one for the setting and four
for the value, big endian, and answers none of them: neither whether it obeyed nor whether
it dropped samples.
"""

from __future__ import annotations

import contextlib
import math
import socket
import struct
import threading
import time

from liveclf.config import RadioSettings, SourceSettings
from liveclf.dsp.formats import FORMATS
from liveclf.errors import SourceError, UsageError
from liveclf.records import Gain
from liveclf.sources.capture.driver import Opened, Tape
from liveclf.sources.remote import host_and_port, refuse_others
from liveclf.sources.rtltcp.commands import (
    FREQUENCY,
    Setting,
    command,
    gain_of,
    gain_settings,
    settings_to_send,
    tuner_name,
)
from liveclf.sources.samples import reason

DEFAULT_PORT = 1234

_HEADER = struct.Struct(">4sII")
_CONNECT_S = 5.0
_HEADER_S = 5.0
# Longer than a network takes to send again what it lost.
_SILENCE_S = 5.0
_WAKE_S = 0.5  # how soon a wait for samples notices that it was stopped, were the socket deaf
_READ_BYTES = 1 << 18
# After a command the server's queue and the network still hold samples of the old centre.
_SETTLE_S = 0.2

_KEPT = {"gain", "ppm", "bias_tee", "direct_sampling", "options", "offset_hz"}


def open_driver(settings: SourceSettings, radio: RadioSettings) -> RtlTcpDriver:
    """Connect to the server that `radio.device` names, and set it.

    Raises:
        SourceError: There is none, or it is none.
        UsageError: A setting is out of range, or the protocol has no command for it.
    """
    refuse_others(radio, _KEPT, "rtl_tcp")
    if settings.format not in (None, "cu8"):
        raise UsageError(f"--format {settings.format} cannot be kept: rtl_tcp sends cu8 only.")
    host, port = host_and_port(radio.device, DEFAULT_PORT)
    settings_to_send(settings, radio, tuner=0)  # wrong use is said before anything is opened
    connection = _connect(host, port)
    try:
        return RtlTcpDriver(connection, f"{host}:{port}", settings, radio)
    except BaseException:
        connection.close()
        raise


class RtlTcpDriver:
    """A connection to the server."""

    def __init__(
        self,
        connection: socket.socket,
        address: str,
        settings: SourceSettings,
        radio: RadioSettings,
    ) -> None:
        """Read the header and send the settings.

        Args:
            connection: Just opened.
            address: Of the server, for messages.
            settings: Rate and centre.
            radio: What else to set.

        Raises:
            SourceError: It is no rtl_tcp.
            UsageError: A setting is out of the tuner's range.
        """
        self._socket, self._address = connection, address
        self._sending = threading.Lock()
        self._stopped = False
        self._tuner = tuner = self._read_header()
        wanted = settings_to_send(settings, radio, tuner)
        for setting in wanted:
            self._send(setting)
        values = {setting.code: setting.value for setting in wanted}
        center_hz = float(values[FREQUENCY]) if FREQUENCY in values else math.nan
        self.opened = Opened(
            name=f"rtl_tcp {address} ({tuner_name(tuner)})",
            format=FORMATS["cu8"],
            sample_rate_hz=float(wanted[0].value),
            center_hz=center_hz,
            notes=_notes(wanted, center_hz),
            settle_s=_SETTLE_S,
            stall_s=_SILENCE_S,
            gain=gain_of(radio.gain, tuner),
        )

    def stream(self, tape: Tape) -> None:
        """Deliver samples until `stop`.

        Raises:
            SourceError: The server has gone, or sends nothing.
        """
        buffer = memoryview(bytearray(_READ_BYTES))
        heard_s = time.monotonic()
        while not self._stopped:
            try:
                size = self._socket.recv_into(buffer)
            except TimeoutError:
                if time.monotonic() - heard_s < _SILENCE_S:
                    continue
                raise self._gone(f"sent nothing for {_SILENCE_S:g} s") from None
            except OSError as error:
                if self._stopped:
                    return
                raise self._gone(f"has gone: {reason(error)}") from None
            if not size:
                if self._stopped:
                    return
                raise self._gone("closed the connection")
            heard_s = time.monotonic()
            tape.write(buffer[:size])  # half a sample at the end is kept there

    def tune(self, center_hz: float) -> float:
        """Ask for another centre; whether the server obeys it does not say.

        Raises:
            SourceError: It is out of the protocol's range, or the server has gone.
        """
        try:
            setting = Setting.frequency(center_hz)
        except UsageError as error:
            raise SourceError(str(error)) from None
        self._send(setting)
        return float(setting.value)

    def set_gain(self, gain_db: float | None, stage: str) -> Gain:
        """Ask for another gain; whether the server obeys it does not say.

        Raises:
            UsageError: It is out of the tuner's range.
            SourceError: The server has gone.
        """
        wanted = "auto" if gain_db is None else f"{gain_db:.1f}"
        for setting in gain_settings(wanted, self._tuner):
            self._send(setting)
        return gain_of(wanted, self._tuner)

    def stop(self) -> None:
        """End `stream` soon."""
        self._stopped = True
        with contextlib.suppress(OSError):  # it is not connected any more
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _send(self, setting: Setting) -> None:
        try:
            with self._sending:
                self._socket.sendall(command(setting))
        except OSError as error:
            raise self._gone(f"has gone: {reason(error)}") from None

    def _read_header(self) -> int:
        """Read the 12 bytes, in as many pieces as they come; return the kind of tuner."""
        got, until_s = b"", time.monotonic() + _HEADER_S
        try:
            while len(got) < _HEADER.size:
                # One limit for all of it: a byte now and then is no server's header.
                self._socket.settimeout(max(0.001, until_s - time.monotonic()))
                if not (part := self._socket.recv(_HEADER.size - len(got))):
                    raise self._gone(f"closed the connection after {_shown(got)}")
                got += part
                if time.monotonic() > until_s:
                    raise TimeoutError
        except TimeoutError:
            raise SourceError(
                f"The server at {self._address} sent {_shown(got)} in {_HEADER_S:g} s and no header"
                " of rtl_tcp; it serves one client at a time, and perhaps has one."
            ) from None
        except OSError as error:
            raise self._gone(f"has gone: {reason(error)}") from None
        magic, tuner, _ = _HEADER.unpack(got)
        if magic != b"RTL0":
            raise SourceError(
                f"The server at {self._address} is no rtl_tcp: it began with {_shown(got)};"
                " check host and port."
            )
        self._socket.settimeout(_WAKE_S)
        return int(tuner)

    def _gone(self, what: str) -> SourceError:
        return SourceError(f"The rtl_tcp server at {self._address} {what}.")


def _connect(host: str, port: int) -> socket.socket:
    try:
        connection = socket.create_connection((host, port), _CONNECT_S)
    except (OSError, ValueError, OverflowError) as error:
        raise SourceError(
            f"No rtl_tcp can be reached at {host}:{port}: {reason(error)}; start it there, with"
            " -a 0.0.0.0 if it is another machine."
        ) from None
    # Commands are 5 bytes and must not wait for more. The receive buffer is left alone: the
    # system grows it to megabytes by itself, and no more once a program has set it.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _notes(sent: list[Setting], center_hz: float) -> tuple[str, ...]:
    asked = ", ".join(setting.text for setting in sent)
    notes = [
        f"rtl_tcp does not answer, so what was asked for is not confirmed: {asked}.",
        "rtl_tcp does not say when it drops samples; only what is missing by the clock is seen.",
    ]
    if math.isnan(center_hz):
        notes.append("No --freq was given: the server stays where it is, at an unknown centre.")
    return tuple(notes)


def _shown(data: bytes) -> str:
    """Return bytes as a message can show them."""
    return f"{len(data)} bytes, {data!r}" if data else "nothing"
