"""Lines to the user on standard error, and what the standard streams still hold back."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from liveclf.errors import SinkError


def say(message: str) -> None:
    """Print a line on standard error; where nobody reads it, go on all the same."""
    if sys.stderr is not None:  # closed with 2>&-, print would take standard output
        try:
            print(message, file=sys.stderr, flush=True)
        except OSError:
            _discard(sys.stderr)


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
