"""Where samples come from. The table below is the one place that names the sources.

A new kind of recording is a file in this folder with a function
`open_recording(path, settings)`, and a line in the table.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from msgspec import structs

from liveclf.config import SourceSettings
from liveclf.dsp.formats import ENDINGS
from liveclf.errors import SourceError, UsageError
from liveclf.protocols import Source
from liveclf.sources.names import Hints, from_tokens, is_override
from liveclf.sources.recording import Recording, ReplaySource
from liveclf.sources.samples import reason

DEMO = Path(__file__).parent.parent / "data" / "demo.sigmf-meta"
"""The recording that ships in the package."""

RECORDINGS: dict[str, str] = {
    ".sigmf": "sigmf",
    ".sigmf-meta": "sigmf",
    ".sigmf-data": "sigmf",
    ".sigmf.gz": "sigmf",
    ".sigmf.xz": "sigmf",
    ".sigmf.zip": "sigmf",
    ".wav": "wav",
    ".npy": "npy",
    **dict.fromkeys(ENDINGS, "raw"),
}
"""Ending of the file name -> module of this folder that opens it; any other is raw."""


def open_source(settings: SourceSettings) -> Source:
    """Open what `settings.path` names: a recording, a pipe, or - for standard input.

    An empty path stands for the recording in the package.

    The path may begin with what rtl_433 calls an override, `cu8:433.92M:250k:path`,
    which counts as flags. A colon in the name of a file that exists is no such thing.

    Raises:
        SourceError: It cannot be read.
        UsageError: A flag is wrong or cannot be kept.
    """
    if not settings.path:
        settings = structs.replace(settings, path=str(DEMO))
    settings = _split_override(settings)
    if settings.path == "-" or _is_stream(settings.path):
        from liveclf.sources.stdin import open_pipe, open_stdin

        return open_stdin(settings) if settings.path == "-" else open_pipe(settings)
    return ReplaySource(open_recording(settings), settings)


def open_recording(settings: SourceSettings) -> Recording:
    """Open the file that `settings.path` names.

    Raises:
        SourceError: It cannot be read.
        UsageError: A flag is wrong.
    """
    settings = _split_override(settings)
    path = Path(settings.path)
    name = path.name.lower()
    module = next((m for ending, m in RECORDINGS.items() if name.endswith(ending)), "raw")
    opener: Callable[[Path, SourceSettings], Recording]
    opener = import_module(f"{__name__}.{module}").open_recording
    try:
        return opener(path, settings)
    except OSError as error:
        raise SourceError(f"Recording {path} cannot be read: {reason(error)}.") from None


def _split_override(settings: SourceSettings) -> SourceSettings:
    told, path = Hints(), settings.path
    while ":" in path and not os.path.exists(path):
        token, _, rest = path.partition(":")
        if not is_override(token):
            break
        told, path = from_tokens(token).or_else(told), rest
    if not path:
        raise UsageError("No recording is given; name a file, or - for standard input.")
    hints = Hints.from_flags(settings).or_else(told)
    return hints.into_flags(structs.replace(settings, path=path))


def _is_stream(path: str) -> bool:
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)
