"""One life of a capture process, as the parent sees it: begun, listened to, ended in time."""

from __future__ import annotations

import math
import os
import time
from collections import deque
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

from liveclf.config import RadioSettings, SourceSettings
from liveclf.records import Gain
from liveclf.sources.capture.child import Channels, Failure, capture
from liveclf.sources.capture.driver import Opened
from liveclf.sources.capture.gain import GainWanted
from liveclf.sources.capture.ring import Ring, Slot

_STOP_S = 1.5  # for a driver to end by itself; then the process is killed
_KILL_S = 1.0  # for the system to end a killed process
# Of a slot: some 14 ms of an RTL-SDR at 2.4 MS/s, and few enough slots a second at 20 MS/s.
_SLOT_BYTES = 65_536
_LEAST_SLOTS = 8
_UNKNOWN_RATE_HZ = 10e6  # to size the ring for, where the rate is not known
_LINES = 3  # of what libraries print, to go with a failure


class CaptureProcess:
    """A process that runs one driver, and the ring that it writes to."""

    def __init__(self, module: str, settings: SourceSettings, radio: RadioSettings) -> None:
        """Begin the process; `poll` tells when the driver has opened.

        Args:
            module: With `open_driver`.
            settings: Format, rate and centres.
            radio: What else the driver is to set.
        """
        context = get_context("spawn")  # a fork would copy the locks that other threads hold
        their_control, self._control = context.Pipe(duplex=False)
        self._status, their_status = context.Pipe(duplex=False)
        self._doorbell, their_doorbell = context.Pipe(duplex=False)
        self._output, their_output = context.Pipe(duplex=False)
        theirs = Channels(their_control, their_status, their_doorbell, their_output)
        self._buffer_s = float(radio.buffer_s)
        self._process = context.Process(
            target=capture, args=(module, settings, radio, theirs), daemon=True, name="capture"
        )
        self._process.start()
        for connection in (their_control, their_status, their_doorbell, their_output):
            connection.close()  # so that the end of the process is the end of them
        for connection in (self._doorbell, self._output):
            os.set_blocking(connection.fileno(), False)
        self._ring: Ring | None = None
        self._printed: deque[str] = deque(maxlen=_LINES)
        self._partial = b""
        self.opened: Opened | None = None
        self.gain: Gain | None = None
        self.failure: Failure | None = None
        self.messages: deque[str] = deque(maxlen=100)

    def poll(self, timeout_s: float) -> None:
        """Wait for news, and take in what has come: `opened`, `gain`, `failure`, `messages`."""
        open_ones = [c for c in (self._status, self._doorbell, self._output) if not c.closed]
        for connection in wait([*open_ones, self._process.sentinel], timeout_s):
            if connection is self._status:
                self._hear()
            elif connection is self._doorbell:
                _drain(self._doorbell)
            elif connection is self._output:
                self._read_output()
        if self.failure is None and not self._process.is_alive() and not self._status.poll():
            self.failure = self._death()

    def begin(self, opened: Opened) -> None:
        """Have the driver stream from now on.

        Raises:
            SourceError: There is not enough shared memory for the ring.
        """
        rate_hz = opened.sample_rate_hz
        rate_hz = _UNKNOWN_RATE_HZ if math.isnan(rate_hz) else rate_hz
        n_bytes = self._buffer_s * rate_hz * opened.format.bytes_per_sample
        # Small slots at low rates, so that a slot is no more than 20 ms of signal.
        slot_bytes = min(_SLOT_BYTES, max(1024, int(n_bytes / self._buffer_s / 50) // 64 * 64))
        self._ring = Ring.create(max(_LEAST_SLOTS, math.ceil(n_bytes / slot_bytes)), slot_bytes)
        with suppress(BrokenPipeError):  # it has died: the next `poll` says of what
            self._control.send((self._ring.name, self._ring.n_slots, self._ring.slot_bytes))

    def take(self) -> Slot | None:
        """Return the next slot that has come, or None."""
        return self._ring.take() if self._ring else None

    @property
    def fill(self) -> float:
        """Share of the ring that waits to be taken."""
        return self._ring.fill if self._ring else 0.0

    def tune(self, center_hz: float) -> None:
        """Have the driver tune, after `begin`; if it refuses, `messages` say so."""
        self._order(center_hz)

    def set_gain(self, wanted: GainWanted) -> None:
        """Have the driver change its gain, likewise; what it then is comes as `gain`."""
        self._order(wanted)

    def _order(self, order: float | GainWanted) -> None:
        with suppress(OSError):  # it has died: the next `poll` says of what
            self._control.send(order)

    def stop(self) -> None:
        """End the process, within 2.5 s whatever its driver does."""
        self._control.close()
        self._process.join(_STOP_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(_KILL_S)
        for connection in (self._status, self._doorbell, self._output):
            connection.close()
        if self._ring:
            self._ring.close(unlink=True)
            self._ring = None

    def _hear(self) -> None:
        try:
            news: Any = self._status.recv()
        except (EOFError, OSError):
            self._status.close()
            self._process.join(_KILL_S)
            if self.failure is None:
                self.failure = self._death()
            return
        if isinstance(news, Opened):
            self.opened, self.gain = news, news.gain
        elif isinstance(news, Gain):
            self.gain = news
        elif isinstance(news, Failure):
            self._read_output()
            self.failure = news
        else:
            self.messages.append(str(news))

    def _read_output(self) -> None:
        """Keep the last lines of what driver libraries print."""
        if self._output.closed:  # by a failure that was read first
            return
        try:
            data = os.read(self._output.fileno(), 65_536)
        except BlockingIOError:
            return
        if not data:
            self._output.close()
            return
        *lines, self._partial = (self._partial + data[-4096:]).split(b"\n")
        self._partial = self._partial[-4096:]
        self._printed.extend(
            text for line in lines if (text := line.decode("utf-8", "replace").strip())
        )

    def _death(self) -> Failure:
        said = f" The driver said: {' / '.join(self._printed)}" if self._printed else ""
        return Failure(f"The capture process {self._end()}.{said}", 1)

    def _end(self) -> str:
        code = self._process.exitcode
        if code is None:
            return "does not answer"
        return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"


def _drain(connection: Connection) -> None:
    try:
        if not os.read(connection.fileno(), 65_536):
            connection.close()
    except BlockingIOError:
        pass


def open_process(
    module: str, settings: SourceSettings, radio: RadioSettings, timeout_s: float
) -> CaptureProcess:
    """Begin a capture and wait until its driver has opened or failed.

    Returns:
        The process, with `opened` or `failure` set.
    """
    process = CaptureProcess(module, settings, radio)
    until_s = time.monotonic() + timeout_s
    while process.opened is None and process.failure is None:
        process.poll(0.1)
        if time.monotonic() >= until_s and process.opened is None and process.failure is None:
            process.failure = Failure(f"The driver did not open within {timeout_s:g} s.", 1)
    return process
