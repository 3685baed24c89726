"""From the bytes of a driver to slots of the ring: positions, times, losses, retunes."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from liveclf.sources.capture.deficit import DeficitMeter
from liveclf.sources.capture.driver import Data, Opened
from liveclf.sources.capture.ring import Ring, Slot


class RingTape:
    """The `driver.Tape` of the capture process."""

    def __init__(
        self,
        ring: Ring,
        opened: Opened,
        wake: Callable[[], None],
        tell: Callable[[str], None] = lambda _: None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Begin at position 0.

        Args:
            ring: Where slots go.
            opened: Of the driver.
            wake: Called when there is something to read.
            tell: Takes sentences for the user.
            clock: Monotonic, seconds.
            wall: UNIX time, seconds.
        """
        self._ring, self._opened, self._wake, self.tell = ring, opened, wake, tell
        self._clock, self._wall = clock, wall
        self._lock = threading.Lock()  # samples come from one thread, retunes from another
        self._size = opened.format.bytes_per_sample
        self._rate_hz, self._center_hz = opened.sample_rate_hz, opened.center_hz
        self._watches = opened.has_clock and not opened.tells_losses
        self._meter = DeficitMeter(self._rate_hz)
        self._carry = b""
        self._position = self._segment = 0
        self._epoch_s = self._first_s = math.nan
        self._lost = self._estimated = self._settled = 0
        self._to_settle = 0
        self._dwell_left = math.inf
        self._dwelt = threading.Event()

    def write(self, data: Data, *, lost: int = 0, estimated: int = 0) -> None:
        """Append samples, see `driver.Tape`."""
        with self._lock:
            now_s = self._clock()
            if lost or estimated:
                self._carry = b""  # the other half of that sample is gone
                self._skip(lost, estimated)
                self._meter.told(lost + estimated)
            whole = self._whole(data)
            n_samples = len(whole) // self._size
            if self._watches:
                self._skip(0, self._meter.push(n_samples, now_s))
            if not math.isnan(self._first_s):
                self._epoch_s = self._first_s - self._position / self._rate_hz
                self._first_s = math.nan
            if math.isnan(self._epoch_s):
                self._anchor(n_samples)
            self._put(self._settle(whole), now_s)
        self._wake()

    def overflow(self) -> None:
        """Note a loss of unknown size, see `driver.Tape`."""
        with self._lock:
            self._segment += 1
            self._carry = b""

    def retune(self, sample_rate_hz: float, center_hz: float) -> None:
        """Go on with another rate or centre, see `driver.Tape`."""
        with self._lock:
            self._retune(sample_rate_hz, center_hz)

    def clock(self, first_s: float) -> None:
        """Set the clock by the next sample, see `driver.Tape`."""
        with self._lock:
            self._first_s = first_s

    def dwell(self, seconds: float) -> None:
        """Have `dwelt` wait until so much was heard from here on."""
        with self._lock:
            self._dwell_left = max(1.0, seconds * self._rate_hz)
            self._dwelt.clear()

    def dwelt(self, timeout_s: float) -> bool:
        """Wait until the time at this centre is over."""
        return self._dwelt.wait(timeout_s)

    def hopped(self, center_hz: float) -> None:
        """Go on at another centre, once the tuner has settled."""
        with self._lock:
            self._retune(self._rate_hz, center_hz)
            self._to_settle = round(self._opened.settle_s * self._rate_hz)

    def regained(self) -> None:
        """Go on with another gain, once it has settled: a level that jumps is no signal."""
        with self._lock:
            self._segment += 1
            self._to_settle = round(self._opened.settle_s * self._rate_hz)

    def _retune(self, sample_rate_hz: float, center_hz: float) -> None:
        if sample_rate_hz != self._rate_hz:
            self._meter = DeficitMeter(sample_rate_hz)
        self._rate_hz, self._center_hz = sample_rate_hz, center_hz
        self._segment += 1
        self._epoch_s = self._first_s = math.nan

    def _whole(self, data: Data) -> NDArray[np.uint8]:
        """Return whole samples, and keep the rest for the next call."""
        fresh = np.frombuffer(data, np.uint8)
        if self._carry:
            fresh = np.concatenate([np.frombuffer(self._carry, np.uint8), fresh])
        n = len(fresh) // self._size * self._size
        self._carry = fresh[n:].tobytes()
        return fresh[:n]

    def _skip(self, lost: int, estimated: int) -> None:
        self._lost += lost
        self._estimated += estimated
        self._position += lost + estimated

    def _anchor(self, n_samples: int) -> None:
        """Set the clock by the samples that have just come."""
        self._epoch_s = self._wall() - (self._position + n_samples) / self._rate_hz

    def _settle(self, whole: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Leave out what came before the tuner had settled."""
        n = min(self._to_settle, len(whole) // self._size)
        self._to_settle -= n
        self._settled += n
        self._position += n
        return whole[n * self._size :]

    def _put(self, whole: NDArray[np.uint8], now_s: float) -> None:
        most = self._ring.slot_bytes // self._size * self._size
        for first in range(0, len(whole), most):
            part = whole[first : first + most]
            self._ring.put(
                Slot(
                    data=part,
                    start_sample=self._position,
                    segment=self._segment,
                    sample_rate_hz=self._rate_hz,
                    center_hz=self._center_hz,
                    epoch_s=self._epoch_s,
                    received_s=now_s,
                    lost=self._lost,
                    estimated=self._estimated,
                    settled=self._settled,
                )
            )
            self._position += len(part) // self._size
        self._dwell_left -= len(whole) // self._size
        if self._dwell_left <= 0:
            self._dwelt.set()
