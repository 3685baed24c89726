"""Lines to the user on standard error, and what standard output still holds back."""

from __future__ import annotations

import contextlib
import os
import sys

from liveclf.errors import SinkError


def say(message: str) -> None:
    """Print a line on standard error; where nobody reads it, go on all the same."""
    if sys.stderr is not None:  # closed with 2>&-, print would take standard output
        with contextlib.suppress(OSError):
            print(message, file=sys.stderr, flush=True)


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
        # Else the interpreter would try once more at its exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise SinkError(f"Standard output cannot be written: {error.strerror}.") from None
