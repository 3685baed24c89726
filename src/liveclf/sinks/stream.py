"""Where a sink's bytes go: a file, or standard output.

Written through the bare descriptor, one call per batch and nothing held back: a
reader sees each batch at once, and when a reader goes away or blocks for ever,
no Python buffer is left that the interpreter would have to flush at its exit.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from pathlib import Path
from typing import TextIO

from liveclf.errors import SinkError


class ByteStream:
    """An open descriptor that takes bytes."""

    def __init__(self, name: str, fd: int, *, owned: bool) -> None:
        """Take a descriptor.

        Args:
            name: How messages call the output.
            fd: Open for writing.
            owned: Whether `close` closes it.
        """
        self.name = name
        self._fd = fd
        self._owned = owned

    @property
    def is_terminal(self) -> bool:
        """Whether a person is looking at it."""
        return os.isatty(self._fd)

    def write(self, data: bytes) -> None:
        """Write everything, however long that takes.

        Raises:
            BrokenPipeError: The reader has gone.
            SinkError: It could not be written.
        """
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._fd, left) :]
            except BlockingIOError:  # a terminal that another program set non-blocking
                select.select([], [self._fd], [])
            except BrokenPipeError:
                raise
            except OSError as error:
                raise SinkError(f"{self.name} cannot be written: {error.strerror}.") from None

    def close(self) -> None:
        """Close the descriptor if it is ours. May be called twice.

        Raises:
            SinkError: The system reports only now that something was not written.
        """
        if not self._owned:
            return
        self._owned = False
        try:
            os.close(self._fd)
        except OSError as error:
            raise SinkError(f"{self.name} cannot be written: {error.strerror}.") from None


class TextStream(ByteStream):
    """Standard output where Python's `sys.stdout` was replaced by a text buffer."""

    def __init__(self, name: str, text: TextIO) -> None:
        """Take the buffer; it is not closed."""
        super().__init__(name, -1, owned=False)
        self._text = text

    @property
    def is_terminal(self) -> bool:
        """Whether the buffer says that it is one."""
        return self._text.isatty()

    def write(self, data: bytes) -> None:
        """Write everything."""
        self._text.write(data.decode())
        self._text.flush()


def standard_output(name: str) -> ByteStream:
    """Return standard output.

    Args:
        name: How messages call it.

    Raises:
        SinkError: The program was started without one.
    """
    stdout = sys.stdout
    if stdout is None:  # started with >&-
        raise SinkError(f"{name} cannot be written: standard output is closed.")
    try:
        fd = stdout.fileno()
    except (OSError, io.UnsupportedOperation):
        return TextStream(name, stdout)
    stdout.flush()
    return ByteStream(name, fd, owned=False)


def open_file(name: str, path: Path) -> ByteStream:
    """Open a file for writing; what was in it is gone.

    A named pipe needs its reader first: to wait for one here would hold up the program.

    Args:
        name: How messages call it.
        path: Of the file.

    Raises:
        SinkError: It cannot be opened.
    """
    nonblock = getattr(os, "O_NONBLOCK", 0)  # a pipe without a reader is refused, not waited for
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0) | nonblock
    try:
        fd = os.open(path, flags, 0o666)
    except OSError as error:
        reason = error.strerror
        with contextlib.suppress(OSError):
            if isinstance(error, FileNotFoundError) and not path.parent.exists():
                reason = f"folder {path.parent} does not exist"
            elif path.is_dir():
                reason = "it is a folder"
            elif error.errno == errno.ENXIO and path.is_fifo():
                reason = f"nobody reads {path}; start the reader first"
        raise SinkError(f"{name} cannot be opened for writing: {reason}.") from None
    if nonblock:
        os.set_blocking(fd, True)
    return ByteStream(name, fd, owned=True)
