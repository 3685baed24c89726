"""Samples on disk, read a slice at a time, and the files they lie in.

Plain reads and not a memory map: resident memory stays at one block for a
recording of any size, and a file that is cut short or a drive that is pulled
while it is replayed is an error message, not a bus error.
"""

from __future__ import annotations

import os
import stat
import weakref
from bisect import bisect_right
from dataclasses import replace
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.errors import SourceError
from liveclf.records import SampleFormat

Piece = tuple[int, int]
"""(first sample, its byte offset in the file) of a stretch without other bytes in it."""


def stored_bytes(fmt: SampleFormat) -> int:
    """Return the bytes that one complex sample takes in a file or a pipe."""
    return 6 if fmt.name == "cs24" else fmt.bytes_per_sample


def decode(data: NDArray[np.uint8], fmt: SampleFormat) -> NDArray[Any]:
    """View bytes as samples; 24-bit values are widened to the top of 32 bits.

    Args:
        data: Whole samples, shape (n * stored_bytes(fmt),).
        fmt: How they are stored.

    Returns:
        Shape (n, 2), dtype `fmt.dtype`.
    """
    if fmt.name != "cs24":
        return data.view(fmt.dtype).reshape(-1, 2)
    widened = np.zeros((len(data) // 6, 2, 4), np.uint8)
    widened[:, :, 1:] = data.reshape(-1, 2, 3)
    return widened.view(fmt.dtype)[:, :, 0]


def with_byte_order(fmt: SampleFormat, component: np.dtype[Any]) -> SampleFormat:
    """Return the format as stored in the byte order of `component`."""
    stored = fmt.dtype.newbyteorder(component.byteorder)
    return fmt if stored == fmt.dtype else replace(fmt, name=f"{fmt.name}_be", dtype=stored)


class FileSamples:
    """The samples of a file: has a length, and slices to (n, 2) native arrays."""

    def __init__(
        self,
        path: Path,
        fmt: SampleFormat,
        n_samples: int,
        pieces: tuple[Piece, ...] = ((0, 0),),
    ) -> None:
        """Open the file.

        Args:
            path: Where the samples are.
            fmt: How they are stored.
            n_samples: How many there are.
            pieces: Where each uninterrupted stretch begins, in order; the first
                begins with sample 0.

        Raises:
            SourceError: The file cannot be opened.
        """
        self._path, self._format, self._n_samples, self._pieces = path, fmt, n_samples, pieces
        self._file = open_binary(path)
        weakref.finalize(self, self._file.close)

    def __len__(self) -> int:
        """Return the number of complex samples."""
        return self._n_samples

    def __getitem__(self, wanted: slice) -> NDArray[Any]:
        """Read samples, in order and without a step.

        Returns:
            Shape (n, 2), in the native format, the caller's own.

        Raises:
            SourceError: They are no longer there, or the drive failed.
        """
        start, stop, step = wanted.indices(self._n_samples)
        if step != 1:
            raise ValueError("recordings are read forwards, without a step")
        parts = []
        while start < stop:
            at = bisect_right(self._pieces, start, key=lambda piece: piece[0]) - 1
            first, offset = self._pieces[at]
            last = self._pieces[at + 1][0] if at + 1 < len(self._pieces) else self._n_samples
            end = min(stop, last)
            size = stored_bytes(self._format)
            parts.append(self._read(offset + (start - first) * size, (end - start) * size))
            start = end
        data = parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.uint8), *parts])
        return decode(data, self._format)

    def _read(self, offset: int, size: int) -> NDArray[np.uint8]:
        data = bytearray(size)
        try:
            self._file.seek(offset)
            got = self._file.readinto(data)
        except OSError as error:
            raise SourceError(f"Recording {self._path} cannot be read: {reason(error)}.") from None
        if got != size:
            raise SourceError(f"Recording {self._path} was cut short while it was being replayed.")
        return np.frombuffer(data, np.uint8)


def open_binary(path: Path) -> FileIO:
    """Open a file for reading, unbuffered.

    Raises:
        SourceError: It cannot be opened.
    """
    try:
        return path.open("rb", buffering=0)
    except (OSError, ValueError) as error:
        raise SourceError(f"Recording {path} cannot be opened: {reason(error)}.") from None


def size_of(path: Path) -> int:
    """Return the size of a recording in bytes.

    Raises:
        SourceError: There is nothing to replay there.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise SourceError(f"Recording {path} does not exist; check the path.") from None
    except (OSError, ValueError) as error:
        raise SourceError(f"Recording {path} cannot be opened: {reason(error)}.") from None
    if stat.S_ISDIR(status.st_mode):
        raise SourceError(f"Recording {path} is a folder; give one of the files in it.")
    if not status.st_size:
        raise SourceError(f"Recording {path} is empty: nothing was ever written to it.")
    return status.st_size


def reason(error: Exception) -> str:
    """Return what the system says went wrong, without the number and the path."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return text[:1].lower() + text[1:]
