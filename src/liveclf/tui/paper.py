"""The terminal: written to by a thread that alone waits for it, and left as it was found."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
import time
from collections import deque
from threading import Condition, Thread
from typing import Any

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

_MOST_CHARACTERS = 1 << 20  # some ten full screens
_POLL_S = 0.05
# What a driver that was torn down may have left: mouse, focus, paste, cursor, colours, screen.
_RESTORE = (
    "\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l\x1b[?1004l\x1b[?2004l\x1b[?2048l"
    "\x1b[?7h\x1b[<u\x1b[?1049l\x1b[?25h\x1b[m"
)


class Paper:
    """A text file that never blocks who writes into it.

    Attributes:
        has_lost: Whether something was not written, so that all is to be drawn anew.
    """

    def __init__(self, fd: int, encoding: str) -> None:
        """Start the thread.

        Args:
            fd: Of the terminal.
            encoding: What it cannot show becomes "?".
        """
        self._fd, self.encoding = fd, encoding
        self._waiting: deque[str] = deque()
        self._n_waiting = 0
        self._changed = Condition()
        self.has_lost = False
        Thread(target=self._run, name="paper", daemon=True).start()

    def write(self, text: str) -> int:
        """Queue a piece; one that finds too much waiting is lost."""
        with self._changed:
            if self._n_waiting > _MOST_CHARACTERS:
                self.has_lost = True
            else:
                self._waiting.append(text)
                self._n_waiting += len(text)
                self._changed.notify_all()
        return len(text)

    def flush(self) -> None:
        """Do nothing: the thread writes as soon as it can."""

    def fileno(self) -> int:
        """Return that of the terminal."""
        return self._fd

    def isatty(self) -> bool:
        """Say that it is a terminal."""
        return True

    @property
    def is_behind(self) -> bool:
        """Whether the terminal has not taken everything yet."""
        return self._n_waiting > 0

    def drain(self, limit_s: float) -> bool:
        """Wait until everything is written; return whether it is."""
        until_s = time.monotonic() + limit_s
        with self._changed:
            while self._n_waiting and (left_s := until_s - time.monotonic()) > 0:
                self._changed.wait(min(left_s, _POLL_S))
            return not self._n_waiting

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                text = self._waiting.popleft()
            left = memoryview(text.encode(self.encoding, errors="replace"))
            with contextlib.suppress(OSError):  # the terminal has gone; so will the run, by SIGHUP
                while left:
                    left = left[os.write(self._fd, left) :]
            with self._changed:
                self._n_waiting -= len(text)
                self._changed.notify_all()


class Terminal:
    """The terminal of the process: keys from it, pictures to it.

    Attributes:
        paper: Where pictures go.
    """

    def __init__(self) -> None:
        """Take it as it is.

        Raises:
            OSError: Standard input is no terminal, and the process has none to read keys from.
        """
        self._keys = sys.__stdin__.fileno() if sys.__stdin__ else 0
        self._opened: int | None = None
        if not os.isatty(self._keys):  # it brings samples
            self._keys = self._opened = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
        assert sys.__stdout__ is not None
        self.paper = Paper(sys.__stdout__.fileno(), sys.__stdout__.encoding or "ascii")
        self._before: Any = termios.tcgetattr(self._keys)
        self.is_in_use = False
        _forget_size_in_environment(self.paper.fileno())

    def driver(self, app: App[Any], **options: Any) -> LinuxDriver:
        """Return what draws there; in place of Textual's class of drivers."""
        return _Driver(app, self, **options)

    @property
    def keys(self) -> int:
        """File descriptor that keys come from."""
        return self._keys

    def restore(self, limit_s: float) -> None:
        """Leave it as it was found, whatever has happened to the driver.

        Args:
            limit_s: Longest wait for a terminal that does not take what is written.
        """
        if self.is_in_use:
            self.paper.write(_RESTORE)
        self.paper.drain(limit_s)
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._keys, termios.TCSANOW, self._before)
        if self._opened is not None:
            os.close(self._opened)
            self._opened = None


def _forget_size_in_environment(fd: int) -> None:
    """Have the terminal asked for its size, wherever it knows it.

    `COLUMNS` and `LINES` come from whoever started the program, often of another terminal, and
    do not change with this one; Textual and Rich would believe them first.
    """
    with contextlib.suppress(OSError):
        if all(os.get_terminal_size(fd)):  # a serial line says 0
            os.environ.pop("COLUMNS", None)
            os.environ.pop("LINES", None)


class _Driver(LinuxDriver):
    """Textual's, on a terminal of ours."""

    def __init__(self, app: App[Any], terminal: Terminal, **options: Any) -> None:
        super().__init__(app, **options)
        self._terminal = terminal
        self._file = terminal.paper  # type: ignore[assignment]
        self.fileno = terminal.keys
        self.input_tty = True

    def start_application_mode(self) -> None:
        """Begin to draw."""
        self._terminal.is_in_use = True
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def stop_application_mode(self) -> None:
        """Go back to the lines that were there."""
        super().stop_application_mode()
        self._terminal.is_in_use = False
