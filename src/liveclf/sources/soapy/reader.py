"""Reading from a SoapySDR stream: samples, faults, and what time stamps say is missing."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from liveclf.errors import SourceError
from liveclf.records import SampleFormat

_TIMEOUT, _OVERFLOW = -1, -4
_HAS_TIME, _END_ABRUPT = 1 << 2, 1 << 3
_CODES = {
    -2: "STREAM_ERROR",
    -3: "CORRUPTION",
    -5: "NOT_SUPPORTED",
    -6: "TIME_ERROR",
    -7: "UNDERFLOW",
}

_WAIT_US = 100_000
_SILENCE_S = 2.0
"""Without a sample for so long the device is gone: some report nothing but time-outs then."""

_READ_S = 0.005
"""A read is at least so long: some drivers have units of a few hundred samples."""

_TRIAL_READS = 8
_TRIAL_MATCHES = 2


class Read(NamedTuple):
    """What one read brought.

    Attributes:
        n_samples: That are in the buffer now; nothing else there is fit for use.
        time_ns: Stamp of the first of them, None if the device gave none.
        overflowed: Samples were lost before them.
        broken: Samples are lost after them.
    """

    n_samples: int
    time_ns: int | None
    overflowed: bool
    broken: bool


class Reader:
    """Reads an active stream into one buffer."""

    def __init__(
        self, device: Any, stream: Any, fmt: SampleFormat, sample_rate_hz: float, name: str
    ) -> None:
        mtu = int(device.getStreamMTU(stream))
        self._n = max(mtu, int(sample_rate_hz * _READ_S), 1)
        self._device, self._stream, self._name = device, stream, name
        self.buffer = np.empty((self._n, 2), fmt.dtype)
        self._overflowed = False
        self._heard_s = time.monotonic()

    def read(self) -> Read | None:
        """Wait for samples, 100 ms at most; None if there are none.

        Raises:
            SourceError: The stream broke, or the device has been silent for too long.
        """
        result = self._device.readStream(self._stream, [self.buffer], self._n, timeoutUs=_WAIT_US)
        n = result.ret
        if n > 0:
            self._heard_s = time.monotonic()
            overflowed, self._overflowed = self._overflowed, False
            time_ns = result.timeNs if result.flags & _HAS_TIME else None
            return Read(n, time_ns, overflowed, bool(result.flags & _END_ABRUPT))
        if n == _OVERFLOW:
            self._overflowed = True
        elif n not in (0, _TIMEOUT):
            code = _CODES.get(n, "unknown")
            raise SourceError(f"{self._name} broke its stream with SoapySDR's code {n} ({code}).")
        if time.monotonic() - self._heard_s > _SILENCE_S:
            raise SourceError(
                f"{self._name} has sent no sample for {_SILENCE_S:g} s; is it still connected?"
            )
        return None


class Stamps:
    """Counts by time stamps what is missing between reads."""

    def __init__(self, sample_rate_hz: float) -> None:
        self._rate_hz = sample_rate_hz
        self._last_ns: int | None = None
        self._n_since = 0

    def missing(self, read: Read) -> int | None:
        """Return how many samples are missing before `read`, None if that is not known."""
        missing = None
        if read.time_ns is not None:
            if self._last_ns is not None:
                # From stamp to stamp, so that a rate that is a little off does not add up;
                # in whole nanoseconds, as a float is too coarse for those since 1970.
                n = (read.time_ns - self._last_ns) * self._rate_hz / 1e9
                missing = round(n) - self._n_since
            self._last_ns, self._n_since = read.time_ns, 0
        self._n_since += read.n_samples
        return missing


class Trial:
    """The first reads, kept: do their time stamps count samples?

    Some drivers stamp by the host's clock, and one counts bytes. Stamps are trusted if two
    reads in a row begin where the one before ended.
    """

    def __init__(self, reader: Reader, sample_rate_hz: float) -> None:
        """Read until it is known.

        Raises:
            SourceError: No samples came.
        """
        self.reads: list[tuple[Read, NDArray[Any]]] = []
        self.stamped = self.trusted = False
        stamps, matches = Stamps(sample_rate_hz), 0
        while len(self.reads) < _TRIAL_READS and not self.trusted:
            read = reader.read()
            if read is None:
                continue
            if not self.reads:  # what was lost before the first sample is no loss
                read = read._replace(overflowed=False)
            self.reads.append((read, reader.buffer[: read.n_samples].copy()))
            if len(self.reads) == 1 and read.time_ns is None:
                return
            self.stamped = True
            missing = stamps.missing(read)
            if missing is not None:
                matches = matches + 1 if missing == 0 else 0
            self.trusted = matches >= _TRIAL_MATCHES
