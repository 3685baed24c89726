"""Rich, told to leave errors and exits to us."""

from __future__ import annotations

import sys

from rich.console import Console

from liveclf.sinks.stream import ByteStream


class HonestConsole(Console):
    """A console that raises BrokenPipeError instead of ending the program.

    Rich's own answer to a reader that went away is to point standard output at
    /dev/null and to raise SystemExit.
    """

    def on_broken_pipe(self) -> None:
        """Raise again what is being handled."""
        raise


class TextOutput:
    """The text file that Rich writes to, with nothing buffered."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self.encoding = getattr(sys.stdout, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        """Write everything at once."""
        self._stream.write(text.encode(self.encoding, errors="replace"))
        return len(text)

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def isatty(self) -> bool:
        """Whether a person is looking."""
        return self._stream.is_terminal
