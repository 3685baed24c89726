"""The real pyrtlsdr over a librtlsdr without a radio (fake_librtlsdr/librtlsdr.c).

`environment` gives what a process needs so that liveclf finds that library; `Probe` is such a
process, which opens and reads the driver and answers. The library is told what to do by
environment variables, each with FAKE_RTLSDR_ before its name:

    FILE      recording (cu8) to stream; without one, a counter of bytes
    LOOP      1: from the beginning again at its end; else the stream then ends by itself
    SPEED     times real time (1); 0: as fast as it goes. What is not taken in time is lost
    SERIALS   of the devices, with commas (00000001); none: there are none
    MAKER, PRODUCT, TUNER, LOW_HZ, HIGH_HZ   of the devices
    RATE_HZ   what it says its rate is; none: the one that was set
    REFUSE    "set_center_freq=-1 open=-6": calls that return a code
    HANG      "close=1 cancel_async=1": calls that never return
    SLOW      so many ms pass before a read has begun; until then a cancel is refused
    ABSENT    while this file exists, nothing is plugged in
    FAULTS    "overflow=5000@100000 return=-1@200000": what happens at which sample of a stream:
              overflow=SAMPLES return=CODE silence pause=MS unplug (makes ABSENT) crash
    CONTROL   file that is read and removed when it is there: faults to do at once
    LOG       what was called, and at the end "end produced P delivered D lost L" (samples)
    COUNT     file that always has P, D and L
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from liveclf.config import RadioSettings, SourceSettings
from liveclf.errors import LiveclfError
from liveclf.sources.capture.driver import Data

SOURCE = Path(__file__).parent / "fake_librtlsdr" / "librtlsdr.c"
PREFIX = "FAKE_RTLSDR_"
LIMIT_S = 60.0  # for an answer, on a machine that is busy
SOON_S = 10.0  # for what must not hang


@cache
def library_folder(*switches: str) -> Path:
    """Compile the library, "OLD" like Debian's; returns the folder for LD_LIBRARY_PATH."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is not installed")
    if find_spec("rtlsdr") is None:
        pytest.skip("pyrtlsdr is not installed")
    folder = Path(tempfile.mkdtemp(prefix="fake-librtlsdr-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    subprocess.run(
        [compiler, "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
        + [f"-D{switch}" for switch in switches]
        + [str(SOURCE), "-o", str(folder / "librtlsdr.so")],
        check=True,
        timeout=120,
    )
    return folder


def environment(*switches: str, **settings: object) -> dict[str, str]:
    """Return the variables for a process that shall find the library; names as in the module.

    Args:
        switches: Of `library_folder`.
        settings: Such as file=path, speed=0.
    """
    path = os.environ.get("LD_LIBRARY_PATH", "")
    folders = os.pathsep.join(filter(None, (str(library_folder(*switches)), path)))
    return {"LD_LIBRARY_PATH": folders} | {
        f"{PREFIX}{name.upper()}": str(value) for name, value in settings.items()
    }


class ProbeError(Exception):
    """What the driver raised.

    Attributes:
        kind: Name of the class.
        exit_code: Of the program.
    """

    def __init__(self, kind: str, message: str, exit_code: int) -> None:
        super().__init__(kind, message, exit_code)  # as it is pickled
        self.kind, self.exit_code = kind, exit_code

    def __str__(self) -> str:
        return str(self.args[1])


class Probe:
    """A process with the library, in which functions of this module run."""

    def __init__(self, variables: dict[str, str]) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, variables), daemon=True)
        self.process.start()
        theirs.close()

    def __call__(self, function: Callable[..., Any], *arguments: Any, **settings: object) -> Any:
        """Run a function there.

        Args:
            function: Of a module.
            arguments: Its arguments.
            settings: What the library is told, for this call only.

        Raises:
            ProbeError: What it raised.
            EOFError: The process has died.
        """
        self._connection.send((function, arguments, settings))
        assert self._connection.poll(LIMIT_S), f"{function} does not end"
        outcome = self._connection.recv()
        if isinstance(outcome, ProbeError):
            raise outcome
        return outcome

    def kill(self) -> None:
        self.process.kill()
        self.process.join(SOON_S)


def _serve(connection: Connection, variables: dict[str, str]) -> None:
    os.environ.update(variables)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # librtlsdr prints what it finds
    while True:
        try:
            function, arguments, settings = connection.recv()
        except EOFError:
            return
        for name in [name for name in os.environ if name.startswith(PREFIX)]:
            del os.environ[name]
        os.environ.update({f"{PREFIX}{name.upper()}": str(v) for name, v in settings.items()})
        try:
            connection.send(function(*arguments))
        except LiveclfError as error:
            connection.send(ProbeError(type(error).__name__, str(error), error.exit_code))
        except Exception as error:
            connection.send(ProbeError(type(error).__name__, str(error), -1))


class ListTape:
    """A `driver.Tape` that keeps everything."""

    def __init__(self, breaks_at: int | None = None) -> None:
        self.parts: list[bytes] = []
        self.n_samples = 0
        self._breaks_at = breaks_at

    def write(self, data: Data, *, lost: int = 0, estimated: int = 0) -> None:
        assert lost == estimated == 0  # the chip tells nothing of losses
        self.parts.append(bytes(data))
        self.n_samples += len(self.parts[-1]) // 2
        if self._breaks_at is not None and self.n_samples >= self._breaks_at:
            raise ValueError("the tape is torn")

    def overflow(self) -> None:
        raise AssertionError("the chip does not tell")

    def retune(self, sample_rate_hz: float, center_hz: float) -> None:
        raise AssertionError("the capture process says this")


@dataclass(frozen=True)
class Heard:
    """How a stream went.

    Attributes:
        data: All bytes.
        end: "returned", "goes on", or class and text of what was raised.
        stop: "ended" or "hangs".
        close: "ended" or "hangs".
        tuned: What `tune` answered, None if not asked.
        gains: What `set_gain` answered.
    """

    data: bytes
    end: str
    stop: str
    close: str
    tuned: float | str | None = None
    gains: tuple[str, ...] = ()


def open_once(source: SourceSettings, radio: RadioSettings) -> Any:
    """Open and close; returns `Opened`."""
    from liveclf.sources.rtlsdr import open_driver

    driver = open_driver(source, radio)
    driver.close()
    return driver.opened


def found() -> Any:
    from liveclf.sources.rtlsdr import find_devices

    return find_devices()


def listen(
    source: SourceSettings,
    radio: RadioSettings,
    *,
    stop_at: int | None = None,
    begun: Path | None = None,
    stop_first: bool = False,
    breaks_at: int | None = None,
    tune_at: tuple[int, float] | None = None,
    gains: tuple[float | None, ...] = (),
    patience_s: float = SOON_S,
) -> Heard:
    """Stream until it ends, or stop it; then close.

    Args:
        source: For the driver.
        radio: For the driver.
        stop_at: Stop when so many samples are there; None: it ends by itself.
        begun: Log of the library; stop only once it says that reading was asked for.
        stop_first: Stop before it begins.
        breaks_at: The tape raises an error at this sample.
        tune_at: From this sample on, tune to this frequency.
        gains: Then set these, one after the other.
        patience_s: What does not end in this time hangs.
    """
    from liveclf.sources.rtlsdr import open_driver

    driver = open_driver(source, radio)
    tape, outcome, tuned = ListTape(breaks_at), ["goes on"], None

    def stream() -> None:
        try:
            driver.stream(tape)
            outcome[0] = "returned"
        except Exception as error:
            outcome[0] = f"{type(error).__name__}: {error}"

    if stop_first:
        driver.stop()
    thread = threading.Thread(target=stream, daemon=True)
    thread.start()
    if tune_at:
        _wait_for(lambda: tape.n_samples >= tune_at[0])
        try:
            tuned = driver.tune(tune_at[1])
        except LiveclfError as error:
            tuned = f"{type(error).__name__}: {error}"
    got = [driver.set_gain(gain_db, "").text for gain_db in gains]
    stop = "ended"
    if begun:
        _wait_for(lambda: begun.exists() and "read_async" in begun.read_text())
    if stop_at is not None:
        _wait_for(lambda: tape.n_samples >= stop_at)
        stop = _in_time(driver.stop, patience_s)
    thread.join(patience_s if stop == "hangs" else LIMIT_S / 2)
    end = outcome[0]
    return Heard(
        b"".join(tape.parts), end, stop, _in_time(driver.close, patience_s), tuned, tuple(got)
    )


def _wait_for(condition: Callable[[], bool]) -> None:
    until_s = time.monotonic() + LIMIT_S / 2
    while not condition():
        assert time.monotonic() < until_s, "the samples do not come"
        time.sleep(0.001)


def _in_time(function: Callable[[], None], patience_s: float) -> str:
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    thread.join(patience_s)
    return "hangs" if thread.is_alive() else "ended"
