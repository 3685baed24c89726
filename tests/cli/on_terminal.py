"""The program on a terminal of its own, which pyte reads as a person would."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from collections.abc import Callable
from typing import Any

import pyte
from command_line import ENVIRONMENT, LIMIT_S

LEAVES = "\x1b[?1049l"
"""What gives back the lines that were on the terminal before."""
_ESCAPES = re.compile(r"\x1b\[[0-9;?<>]*[A-Za-z]")


class OnTerminal:
    """A run of the program.

    Attributes:
        said: Everything that it has written.
        code: Its exit code, once `end` has returned.
    """

    def __init__(self, *arguments: Any, size: tuple[int, int] = (16, 60), **other: Any) -> None:
        """Start it.

        Args:
            arguments: Of the command line.
            size: Lines and columns.
            other: Variables of its environment; `stdin`: a file descriptor.
        """
        stdin = other.pop("stdin", None)
        self.pid, self.fd = pty.fork()
        if not self.pid:
            if stdin is not None:
                os.dup2(stdin, 0)
            known = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONUTF8": "1"}
            command = [sys.executable, "-m", "liveclf", *map(str, arguments)]
            os.execvpe(sys.executable, command, ENVIRONMENT | known | other)
        self._screen = pyte.Screen(size[1], size[0])
        self.resize(size)
        self.before = termios.tcgetattr(self.fd)
        self._stream = pyte.ByteStream(self._screen)
        self._raw = b""
        self.code: int | None = None

    def resize(self, size: tuple[int, int]) -> None:
        """Make the terminal so many lines and columns."""
        self._screen.resize(*size)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self.fd, keys.encode())

    @property
    def said(self) -> str:
        """Everything that was written."""
        return self._raw.decode(errors="replace")

    @property
    def afterwards(self) -> str:
        """What was written since the screen has gone, in words one space apart."""
        _, leaves, after = self.said.rpartition(LEAVES)
        assert leaves
        return " ".join(_ESCAPES.sub("", after).split())

    @property
    def screen(self) -> str:
        """What is seen."""
        return "\n".join(self._screen.display)

    def until(self, seen: str | Callable[[str], bool], limit_s: float = LIMIT_S / 2) -> str:
        """Read until something is seen; the screen."""
        until_s = time.monotonic() + limit_s
        while not (seen in self.screen if isinstance(seen, str) else seen(self.screen)):
            assert self._read(), self.said[-3000:]
            assert time.monotonic() < until_s, self.screen
        return self.screen

    def end(self, limit_s: float = LIMIT_S) -> int:
        """Read to the end; the exit code."""
        until_s = time.monotonic() + limit_s
        while self._read():
            assert time.monotonic() < until_s, self.screen
        _, status = os.waitpid(self.pid, 0)
        self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def _read(self) -> bool:
        if not select.select([self.fd], [], [], 0.1)[0]:
            return True
        try:
            new = os.read(self.fd, 1 << 16)
        except OSError:  # the other end is closed
            return False
        self._raw += new
        self._stream.feed(new)
        return bool(new)

    def __enter__(self) -> OnTerminal:
        """Begin to watch it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind."""
        if self.code is None:
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
        os.close(self.fd)
