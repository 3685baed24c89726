"""A driver that delivers a counter, and misbehaves as `--device-option` says.

Sample k is the number k, its low half in I and its high half in Q (cs16), so that every
sample tells where it belongs.

    speed=2        times real time; 0: as fast as it goes
    n=5000         behave until so many samples, then do what `then` says
    then=return    return, raise, silence, crash, exit, hang, usage
    drop=100       before every second write, lose so many samples and say so
    silent_drop=N  once, at an eighth of n, lose N samples without a word
    lives=FILE     count the openings there; `then` is done in the first life only
    refuse=source  refuse to open: source, usage, missing, error, hang; `first=1` lets the first
    close=hang     hang in close (and in stop)
    log=FILE       write how many samples were produced, at the end of each life
    fmt=cs16       the format that is announced
    has_gain=1     its gain can be set: auto, or 0 to 40 dB in steps of 1; 13 is refused
    prints=1       print a line of 200 characters with every write
"""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from liveclf.config import RadioSettings, SourceSettings
from liveclf.dsp.formats import FORMATS
from liveclf.errors import MissingExtraError, SourceError, UsageError
from liveclf.records import Gain, GainStage
from liveclf.sources.capture.driver import Opened, Tape

RATE_HZ = 1e6
CHUNK = 4096


def open_driver(settings: SourceSettings, radio: RadioSettings) -> FakeDriver:
    options = dict(option.split("=", 1) for option in radio.options)
    life = _next_life(options.get("lives"))
    if "refuse" in options and not (life == 1 and options.get("first")):
        _refuse(options["refuse"])
    return FakeDriver(settings, options, life, radio.gain)


def counter(first: int, n: int) -> np.ndarray:
    """Return samples `first` and on, shape (n, 2) int16."""
    return np.arange(first, first + n, dtype="<u4").view("<i2").reshape(-1, 2)


def read_counter(iq: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(iq).view("<u4")[:, 0].astype(np.int64)


class FakeDriver:
    """See the module."""

    def __init__(
        self, settings: SourceSettings, options: dict[str, str], life: int, gain: str
    ) -> None:
        rate_hz = float(settings.rate_hz or RATE_HZ)
        self._options, self._life = options, life
        self._stopped = threading.Event()
        center_hz = float(settings.center_hz[0]) if settings.center_hz else 100e6
        self.opened = Opened(
            name="fake radio 7",
            format=FORMATS[options.get("fmt", "cs16")],
            sample_rate_hz=math.nan if options.get("rate") == "unknown" else rate_hz,
            center_hz=center_hz,
            notes=("The gain is what it is.",),
            tells_losses="silent_drop" not in options,
            settle_s=0.01,
            stall_s=0.5,
            gain=gain_set(None if gain == "auto" else float(gain))
            if "has_gain" in options
            else None,
        )

    def stream(self, tape: Tape) -> None:
        print("tuner is warm", file=sys.stderr, flush=True)
        options = self._options
        n = int(options.get("n", 2**40))
        speed, at, k = float(options.get("speed", 1)), 0, 0
        begun_s, rate_hz = time.monotonic(), self.opened.sample_rate_hz
        silent = int(options.get("silent_drop", 0))
        while not self._stopped.is_set() and at < n:
            lost = int(options.get("drop", 0)) if k % 2 else 0
            if silent and at > n // 8:
                at, silent = at + silent, 0
            at += lost
            if "prints" in options:
                print("O" * 200, file=sys.stderr, flush=True)
            tape.write(counter(at, CHUNK), lost=lost)
            at, k = at + CHUNK, k + 1
            if speed:
                time.sleep(max(0.0, begun_s + at / rate_hz / speed - time.monotonic()))
            else:
                time.sleep(0)
        if "log" in options:
            with Path(options["log"]).open("a") as file:
                file.write(f"{at}\n")
        if not self._stopped.is_set():
            self._misbehave(options.get("then", "return"))

    def _misbehave(self, then: str) -> None:
        if self._life > 1:  # once is enough: from the second life on it only runs
            self._options = {"speed": self._options.get("speed", "1")}
            self._stopped.wait()
        elif then == "raise":
            raise SourceError("The fake radio was unplugged.")
        elif then == "usage":
            raise UsageError("The fake radio will never do that.")
        elif then == "error":
            raise RuntimeError("boom")
        elif then == "silence":
            self._stopped.wait()
        elif then == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif then == "exit":
            os._exit(3)
        elif then == "hang":
            threading.Event().wait()

    def tune(self, center_hz: float) -> float:
        if center_hz == 666e6:
            raise SourceError("666 MHz cannot be tuned to.")
        return center_hz

    def set_gain(self, gain_db: float | None, stage: str) -> Gain:
        if gain_db == 13:
            raise SourceError("13 dB brings bad luck.")
        return gain_set(gain_db)

    def stop(self) -> None:
        if self._options.get("close") == "hang":
            threading.Event().wait()
        self._stopped.set()

    def close(self) -> None:
        if self._options.get("close") == "hang":
            threading.Event().wait()


def gain_set(gain_db: float | None) -> Gain:
    now_db = math.nan if gain_db is None else float(round(gain_db))
    return Gain(gain_db is None, has_auto=True, stages=(GainStage("", 0, 40, 1, now_db),))


def _next_life(file: str | None) -> int:
    if file is None:
        return 1
    with Path(file).open("a") as lives:
        lives.write("x")
    return Path(file).stat().st_size


def _refuse(how: str) -> Any:
    if how == "usage":
        raise UsageError("--gain 99 is above 49.6 dB.")
    if how == "missing":
        raise MissingExtraError("The fake radio needs its driver", "pip install fake")
    if how == "error":
        raise ZeroDivisionError("by zero")
    if how == "hang":
        threading.Event().wait()
    raise SourceError("No fake radio is there.")
