"""Samples from a pipe: standard input, a named pipe, a process substitution."""

from __future__ import annotations

import math
import os
import select
import stat
import sys
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from liveclf.config import SourceSettings
from liveclf.dsp.formats import FORMATS, sample_format
from liveclf.errors import SourceError, UsageError
from liveclf.records import Block, StreamInfo
from liveclf.sources.names import Hints, from_path
from liveclf.sources.pacing import Pacer, wanted_span
from liveclf.sources.samples import decode, open_binary, reason, stored_bytes

# How often a silent pipe says so, for windows that wait in a batch; and how soon it
# notices that it was closed.
_POLL_S = 0.05


class StreamSource:
    """Reads raw samples from a stream that can only go forwards."""

    def __init__(self, settings: SourceSettings, stream: BinaryIO, name: str) -> None:
        """Check that the stream can be read the way it is asked for.

        Args:
            settings: Format, rate, centre and limits, as flags.
            stream: Where bytes come from; left open.
            name: How messages call it.

        Raises:
            UsageError: A flag is missing or cannot be kept.
        """
        if settings.format is None:
            raise UsageError(
                f"The sample format of {name} is not known; give --format, one of"
                f" {', '.join(FORMATS)}."
            )
        if settings.loop:
            raise UsageError(f"--loop cannot be kept: {name} does not begin again.")
        flags = Hints.from_flags(settings)
        self._format = sample_format(settings.format)
        self._pacer = Pacer(settings, flags.sample_rate_hz)
        self._start, self._stop = wanted_span(settings, flags.sample_rate_hz)
        self._stream = stream
        self.info = StreamInfo(
            name=name,
            format=self._format.name,
            sample_rate_hz=flags.sample_rate_hz,
            center_hz=flags.center_hz,
            n_samples=None,
            # A pipe may be fed by `cat`, and outputs would drop records at once if it were
            # called live: it waits for us, and what feeds it may lose samples meanwhile.
            is_live=settings.realtime,
            notes=_notes(stream, name),
        )

    def close(self) -> None:
        """End the stream, from any thread."""
        self._pacer.close()

    def blocks(self) -> Iterator[Block]:
        """Yield the samples as they arrive, and an empty block while none do.

        Raises:
            SourceError: The stream broke, ended before anything wanted came, or
                within a sample; the whole samples before that were yielded.
        """
        size, carry, at = stored_bytes(self._format), b"", 0
        most = self._pacer.block_samples(self.info.sample_rate_hz)
        while self._stop is None or at < self._stop:
            left = most if self._stop is None else min(most, self._stop - at)
            data = self._read(left * size - len(carry))
            if data is None:
                # Else samples that come late would count as ours to have taken before.
                self._pacer.restart()
                yield self._block(b"", max(at, self._start), time.monotonic())
                continue
            if not data:
                break
            data = carry + data
            whole = len(data) // size
            carry = data[whole * size :]
            first, at = max(at, self._start), at + whole
            if first >= at:
                continue
            if self._pacer.would_wait(at - first, self.info.sample_rate_hz):
                yield self._block(b"", first, time.monotonic())  # no more is waiting
            received_s = self._pacer.wait(at - first, self.info.sample_rate_hz)
            if received_s is None:
                return
            wanted = data[(whole - (at - first)) * size : whole * size]
            yield self._block(wanted, first, received_s)
        if not self._pacer.closed:
            self._check_end(at, carry)

    def _block(self, data: bytes, start_sample: int, received_s: float) -> Block:
        return Block(
            iq=decode(np.frombuffer(data, np.uint8), self._format),
            format=self._format,
            start_sample=start_sample,
            segment=0,
            sample_rate_hz=self.info.sample_rate_hz,
            center_hz=self.info.center_hz,
            epoch_s=math.nan,
            received_s=received_s,
        )

    def _check_end(self, at: int, carry: bytes) -> None:
        if at <= self._start:
            raise SourceError(
                f"The stream {self.info.name} ended after {at} samples, before the first one"
                " wanted; check the program that feeds it, and --start."
            )
        if carry:
            raise SourceError(
                f"The stream {self.info.name} ended within a sample, {len(carry)} bytes of"
                f" {stored_bytes(self._format)}: it was cut short, or is not {self._format.name}."
            )

    def _read(self, size: int) -> bytes | None:
        """Return what has come, at most `size` bytes, None if nothing has; b"" at the end."""
        try:
            descriptor = self._stream.fileno()
        except OSError:  # no file of the system's, so it does not keep us waiting
            return b"" if self._pacer.closed else self._stream.read(size)
        try:
            if self._pacer.closed:
                return b""
            # Elsewhere select takes sockets only; close then waits for bytes.
            if os.name != "posix" or select.select([descriptor], [], [], _POLL_S)[0]:
                return os.read(descriptor, size)
            return None
        except OSError as error:
            raise SourceError(
                f"The stream {self.info.name} cannot be read: {reason(error)}."
            ) from None


def _notes(stream: BinaryIO, name: str) -> tuple[str, ...]:
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except OSError:  # no file of the system's
        return ()
    if stat.S_ISREG(mode):
        return ()
    return (f"Samples lost before they reach {name} cannot be seen, so they are not counted.",)


def open_source(settings: SourceSettings) -> StreamSource:
    """Open - for standard input, or the pipe or device that `settings.path` names.

    Raises:
        SourceError: It cannot be opened.
        UsageError: A flag is missing or cannot be kept.
    """
    return open_stdin(settings) if settings.path == "-" else open_pipe(settings)


def open_stdin(settings: SourceSettings) -> StreamSource:
    """Open standard input.

    Raises:
        SourceError: There is none, or it is a keyboard.
        UsageError: A flag is missing or cannot be kept.
    """
    if sys.stdin is None or sys.stdin.closed:
        raise SourceError("Standard input is closed; give a recording instead of -.")
    if sys.stdin.isatty():
        raise SourceError("Standard input is a terminal; pipe samples into it, or give a file.")
    return StreamSource(settings, sys.stdin.buffer, "standard input")


def open_pipe(settings: SourceSettings) -> StreamSource:
    """Open a named pipe or a character device; waits until something feeds it.

    Its name tells format, rate and centre as that of a file does.

    Raises:
        SourceError: It cannot be opened.
        UsageError: A flag is missing or cannot be kept.
    """
    settings = from_path(Path(settings.path), settings).into_flags(settings)
    stream = open_binary(Path(settings.path))
    source = StreamSource(settings, stream, settings.path)
    weakref.finalize(source, stream.close)
    return source
