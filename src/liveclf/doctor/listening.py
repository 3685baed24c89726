"""Opens a radio for some seconds and counts what it loses.

An RTL-SDR can send a counter instead of its signal, which makes the count exact: its own
buffer is the one place where samples vanish without a mark. Of any other device this is what
it says itself, and what is missing against the clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import msgspec
import numpy as np

from liveclf.config import RadioSettings, SourceSettings
from liveclf.doctor.report import Finding
from liveclf.sources.capture.driver import Data, Driver, Opened
from liveclf.sources.isolated import Outcome

PROBE = "liveclf.doctor.listening:listen"
_COUNTER_MODE = "test_mode=on"
# The modules whose drivers can send a counter, and the function that checks it.
_COUNTERS = dict.fromkeys(
    ("liveclf.sources.rtlsdr", "liveclf.sources.rtltcp"),
    "liveclf.sources.rtlsdr.counter:counter_losses",
)
# Less than this against the clock is not called a loss: what comes at once may be a fiftieth
# of some seconds.
_OFF_SHARE = 0.03

# Takes bytes and the last byte before them, and tells what is missing in samples; and the
# last byte.
Check = Callable[[Data, int | None], tuple[float, int | None]]


@dataclass(frozen=True)
class Heard:
    """What came in.

    Attributes:
        name: What was listened to.
        sample_rate_hz: As it says.
        notes: How it was set, as it says.
        samples: How many came.
        seconds: From the first to the last.
        lost: Missing, as far as is known.
        overflows: How often it said that it lost some, and not how many.
        is_exact: The count is that of a counter.
    """

    name: str
    sample_rate_hz: float
    notes: tuple[str, ...]
    samples: int
    seconds: float
    lost: float
    overflows: int
    is_exact: bool


class CountingTape:
    """Counts what a driver writes; a `Tape`."""

    def __init__(self, opened: Opened, check: Check | None) -> None:
        """Begin at zero.

        Args:
            opened: What writes.
            check: Counts what is missing within the bytes, None if they do not tell.
        """
        self._bytes_per_sample = opened.format.bytes_per_sample
        self._check = check
        self._last: int | None = None
        self._first_s = self._last_s = 0.0
        self._n_writes = 0
        self.n_bytes = 0
        self.lost = 0.0
        self.overflows = 0

    @property
    def samples(self) -> int:
        """Samples since the first write, which may hold what was there before."""
        return self.n_bytes // self._bytes_per_sample

    @property
    def seconds(self) -> float:
        """Time in which they came."""
        return self._last_s - self._first_s

    def write(self, data: Data, *, lost: int = 0, estimated: int = 0) -> None:
        """Count samples."""
        self._last_s = time.monotonic()
        missing = 0.0
        if self._check is not None:
            missing, self._last = self._check(data, self._last)
        self._n_writes += 1
        if self._n_writes == 1:
            self._first_s = self._last_s
            return
        self.n_bytes += data.nbytes if isinstance(data, memoryview | np.ndarray) else len(data)
        self.lost += missing + lost + estimated

    def overflow(self) -> None:
        """Count that some were lost."""
        self.overflows += 1

    def retune(self, sample_rate_hz: float, center_hz: float) -> None:
        """Do nothing: all that counts is how many come."""

    def clock(self, first_s: float) -> None:
        """Do nothing, likewise."""

    def tell(self, sentence: str) -> None:
        """Do nothing, likewise."""


def listen(module: str, source: SourceSettings, radio: RadioSettings, listen_s: float) -> Heard:
    """Listen to a device; blocks, and may hang, so it is called in a process of its own.

    Args:
        module: Full name of the driver's module.
        source: Rate and centre.
        radio: Which one, and how it is set.
        listen_s: How long.

    Raises:
        LiveclfError: It does not open, or breaks.
    """
    check = None
    if module in _COUNTERS:
        radio = msgspec.structs.replace(radio, options=(*radio.options, _COUNTER_MODE))
        check = _counter(_COUNTERS[module])
    driver: Driver = import_module(module).open_driver(source, radio)
    opened = driver.opened
    tape = CountingTape(opened, check)
    timer = threading.Timer(listen_s, driver.stop)
    timer.daemon = True
    timer.start()
    try:
        driver.stream(tape)
    finally:
        timer.cancel()
    # Not closed: that may hang, and the process ends now.
    return Heard(
        opened.name, opened.sample_rate_hz, opened.notes, tape.samples, tape.seconds,
        tape.lost, tape.overflows, check is not None,
    )  # fmt: skip


def _counter(function: str) -> Check:
    module, _, name = function.partition(":")
    losses = getattr(import_module(module), name)

    def check(data: Data, previous: int | None) -> tuple[float, int | None]:
        found = losses(np.frombuffer(data, np.uint8), previous)
        return found.lost_samples, found.last

    return check


def judge(outcome: Outcome, device: str, listen_s: float) -> Finding:
    """Say whether every sample came.

    Args:
        outcome: Of `listen`.
        device: How the user calls it.
        listen_s: How long it was to be.
    """
    if outcome.state == "missing":
        said, _, install = outcome.message.partition("; install it with: ")
        return Finding(device, "fault", f"{said}.", install)
    if outcome.state != "ok":
        return Finding(
            device, "fault", outcome.message, "plug it in again; liveclf devices shows it"
        )
    heard: Heard = outcome.value
    about = f"{heard.name}: {heard.samples:,} samples in {heard.seconds:.1f} s"
    notes = "".join(f" {note}" for note in heard.notes)
    if not heard.samples:
        return Finding(
            device, "fault", f"{about}.{notes}", "plug it in again, or into another socket"
        )
    missing = max(heard.lost, _deficit(heard))
    if missing or heard.overflows:
        how = "at least" if heard.is_exact else "about"
        told = f"{about}, {how} {missing:,.0f} lost, {heard.overflows} overflows.{notes}"
        return Finding(device, "fault", told, "a lower --rate, another USB socket, no hub")
    if heard.seconds < listen_s / 2:
        return Finding(
            device, "fault", f"{about}, and then it ended.{notes}", "look at cable and supply"
        )
    certain = "none lost" if heard.is_exact else "none lost as far as it says"
    return Finding(device, "ok", f"{about}, {certain}.{notes}")


def _deficit(heard: Heard) -> float:
    """Return how many samples are missing against the clock, 0 where that is no certain loss.

    A counter does not tell everything: a hole of exactly its length does not show.
    """
    if not heard.sample_rate_hz > 0 or heard.seconds <= 0:
        return 0.0
    expected = heard.sample_rate_hz * heard.seconds
    return expected - heard.samples if heard.samples < (1 - _OFF_SHARE) * expected else 0.0
