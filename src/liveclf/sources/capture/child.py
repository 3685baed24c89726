"""The capture process: opens the driver, and writes what it delivers into the ring."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from itertools import cycle, islice
from multiprocessing.connection import Connection

from liveclf.config import RadioSettings, SourceSettings
from liveclf.errors import LiveclfError, SourceError
from liveclf.sources.capture.driver import Driver, Opened
from liveclf.sources.capture.gain import GainWanted
from liveclf.sources.capture.ring import Ring
from liveclf.sources.capture.tape import RingTape

# A driver that is told to stop and does not is ended by the parent, and after this by the
# process itself, in case there is no parent any more.
_FAREWELL_S = 5.0


@dataclass(frozen=True)
class Channels:
    """How the two processes talk.

    Attributes:
        control: From the parent: name, slots and slot size of the ring; then centres to tune
            to, Hz, or `GainWanted`; closed to stop.
        status: To the parent: `Opened`, `Gain` when it has changed, `Failure`, or a sentence
            that is worth a line.
        doorbell: To the parent: a byte when there is something in the ring.
        output: To the parent: what driver libraries print.
    """

    control: Connection
    status: Connection
    doorbell: Connection
    output: Connection


@dataclass(frozen=True)
class Failure:
    """Why a driver did not open or go on.

    Attributes:
        message: A sentence.
        exit_code: Of the error: 1, it may work when tried again; else it never will.
    """

    message: str
    exit_code: int


def capture(
    module: str, settings: SourceSettings, radio: RadioSettings, channels: Channels
) -> None:
    """Run a driver until it ends, or until the parent closes `channels.control`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the parent acts
    for stream in (1, 2):  # driver libraries print as they like
        os.dup2(channels.output.fileno(), stream)
    send = _one_at_a_time(channels.status)
    try:
        driver: Driver = import_module(module).open_driver(settings, radio)
    except Exception as error:
        send(_failure_of(error))
        return
    opened = driver.opened
    send(opened)
    try:
        ring = Ring.attach(*channels.control.recv())
    except EOFError:  # not wanted any more
        driver.close()
        return
    tape = RingTape(ring, opened, _ringing(channels.doorbell), send)
    stopping = threading.Event()
    commands = _Commands(driver, tape, send)
    _in_background(_obey, channels.control, driver, commands, stopping)
    if len(settings.center_hz) > 1:
        _in_background(_hop, commands, tape, settings, float(radio.dwell_s), stopping)
    send(_run(driver, tape, opened))


def _run(driver: Driver, tape: RingTape, opened: Opened) -> Failure:
    try:
        driver.stream(tape)
        failure = Failure(f"{opened.name} ended the stream.", SourceError.exit_code)
    except Exception as error:
        failure = _failure_of(error)
    driver.close()
    return failure


def _failure_of(error: Exception) -> Failure:
    if isinstance(error, LiveclfError):
        return Failure(str(error), error.exit_code)
    return Failure(f"{type(error).__name__} in the driver: {error}.", SourceError.exit_code)


def _ringing(doorbell: Connection) -> Callable[[], None]:
    """Return what rings the bell; one that was not heard yet needs no second ring."""
    descriptor = doorbell.fileno()
    os.set_blocking(descriptor, False)

    def ring() -> None:
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(descriptor, b"!")

    return ring


def _one_at_a_time(status: Connection) -> Callable[[object], None]:
    """Return what sends, from any thread: a connection bears no two at once."""
    one = threading.Lock()

    def send(news: object) -> None:
        with one:
            status.send(news)

    return send


class _Commands:
    """What a driver is told while it streams; one at a time, as no library bears two at once."""

    def __init__(self, driver: Driver, tape: RingTape, send: Callable[[object], None]) -> None:
        self._driver, self._tape, self._send = driver, tape, send
        self._one = threading.Lock()

    def obey(self, order: float | GainWanted) -> None:
        """Tune to a centre, or change the gain; a refusal is told."""
        with self._one:
            try:
                if isinstance(order, GainWanted):
                    gain = self._driver.set_gain(order.gain_db, order.stage)
                    self._tape.regained()
                    self._send(gain)
                else:
                    self._tape.hopped(self._driver.tune(order))
            except LiveclfError as error:
                self._send(str(error))


def _obey(
    control: Connection, driver: Driver, commands: _Commands, stopping: threading.Event
) -> None:
    """Do what is told, and stop when the parent, or the system for it, closes the pipe."""
    with suppress(EOFError, OSError):
        while True:
            commands.obey(control.recv())
    stopping.set()
    # A process that does not end by itself is to end all the same; a timer, as `stop` may hang.
    timer = threading.Timer(_FAREWELL_S, os._exit, [1])
    timer.daemon = True
    timer.start()
    driver.stop()


def _hop(
    commands: _Commands,
    tape: RingTape,
    settings: SourceSettings,
    dwell_s: float,
    stopping: threading.Event,
) -> None:
    """Tune to one centre after the other, for as long as each is listened to."""
    for center_hz in islice(cycle(settings.center_hz), 1, None):
        tape.dwell(dwell_s)
        while not tape.dwelt(0.2):
            if stopping.is_set():
                return
        commands.obey(float(center_hz))


def _in_background(function: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=function, args=arguments, daemon=True).start()
