"""Lines to the user on standard error, and what the standard streams still hold back.

Everything that is said there comes through `say`, as text or as JSON lines (`speak`); what
other parts log, too, once JSON is wanted.
"""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, TextIO

from liveclf.errors import SinkError
from liveclf.notes import Level, Note

JSON = "json"
_FLAG = "--log-format"


class _Logged(logging.Handler):
    """Says what is logged."""

    def emit(self, record: logging.LogRecord) -> None:
        level: Level = "warning" if record.levelno < logging.ERROR else "error"
        more = {"traceback": _traced(record.exc_info[1])} if record.exc_info else {}
        event = getattr(record, "event", "log")
        say(Note(record.getMessage(), event, level, logger=record.name, **more))


_logged = _Logged(logging.WARNING)


def speak(log_format: str) -> None:
    """Say everything as "text" or as "json" from now on."""
    is_json = log_format == JSON
    root = logging.getLogger()
    if is_json and _logged not in root.handlers:
        root.addHandler(_logged)
    elif not is_json:
        root.removeHandler(_logged)
    logging.captureWarnings(is_json)


def asked_format(arguments: Sequence[str]) -> str:
    """Return the format of a command line that is not parsed yet, for errors in it."""
    is_json = f"{_FLAG}={JSON}" in arguments or (_FLAG, JSON) in pairwise(arguments)
    return JSON if is_json else "text"


def say(message: str) -> None:
    """Print a line on standard error; where nobody reads it, go on all the same.

    Args:
        message: A sentence, or a `Note` that also has its content for programs.
    """
    if sys.stderr is not None:  # closed with 2>&-, print would take standard output
        line = _as_json(message) if is_json() else message
        try:
            print(line, file=sys.stderr, flush=True)
        except OSError:
            _discard(sys.stderr)


def silent(message: str) -> None:
    """Say nothing."""


class Every:
    """Calls something no more often than every so many seconds; 0 for never."""

    def __init__(self, interval_s: float, call: Callable[[], None]) -> None:
        self._interval_s, self._call = interval_s, call
        self._next_s = time.monotonic() + interval_s

    def __call__(self) -> None:
        """Call it, if it is time."""
        if self._interval_s and time.monotonic() >= self._next_s:
            self._next_s += self._interval_s
            self._call()


def say_error(error: BaseException, message: str, *, debug: bool) -> None:
    """Say what an error comes to.

    Args:
        error: What was raised.
        message: A sentence about it.
        debug: Whether to show where.
    """
    if is_json():
        more = {"traceback": _traced(error)} if debug else {}
        say(Note(message, "error", "error", kind=type(error).__name__, **more))
        return
    if debug:
        traceback.print_exception(error)
    say(f"liveclf: {message}")


def is_json() -> bool:
    """Whether JSON lines are said."""
    return _logged in logging.getLogger().handlers


def _as_json(message: str) -> str:
    import msgspec

    note = message if isinstance(message, Note) else Note(message, "note")
    said: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "level": note.level,
        "event": note.event,
        "message": str(note),
    }
    return msgspec.json.encode(said | note.fields | said, enc_hook=str).decode()


def _traced(error: BaseException | None) -> str:
    return "".join(traceback.format_exception(error)) if error else ""


def flush_stdout() -> None:
    """Write what was printed now, while an error can still be reported.

    Raises:
        BrokenPipeError: The reader has gone.
        SinkError: It could not be written.
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError as error:
        _discard(sys.stdout)
        if isinstance(error, BrokenPipeError):
            raise
        raise SinkError(f"Standard output cannot be written: {error.strerror}.") from None


def flush_stderr() -> None:
    """Write what was said; where nobody reads it, that is no error."""
    if sys.stderr is not None:
        try:
            sys.stderr.flush()
        except OSError:
            _discard(sys.stderr)


def _discard(stream: TextIO) -> None:
    """Let what is held back go nowhere: the interpreter tries once more at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
