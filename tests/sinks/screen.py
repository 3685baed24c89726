"""A terminal that keeps what is drawn on it."""

from __future__ import annotations

import io
import re

from rich.console import Console

from liveclf.sinks.table import ROWS, TableSink
from liveclf.sinks.window_rows import WindowRows

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Screen:
    """A table on a make-believe terminal with a clock that stands still."""

    def __init__(self, info, *, rows=WindowRows, width=80, height=24, terminal=True):
        self.file = io.StringIO()
        console = Console(
            file=self.file,
            width=width,
            height=height,
            force_terminal=terminal,
            color_system=None,
            legacy_windows=False,
            _environ={"TERM": "xterm"},
        )
        self.now_s = 0.0
        self.sink = TableSink(console, info, rows(ROWS), clock=lambda: self.now_s)

    @property
    def text(self) -> str:
        return ESCAPES.sub("", self.file.getvalue())

    @property
    def final(self) -> list[str]:
        return self.text[self.text.rindex("demo.cu8") :].splitlines()

    @property
    def n_drawings(self) -> int:
        return self.text.count("demo.cu8")
