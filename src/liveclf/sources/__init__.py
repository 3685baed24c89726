"""Where samples come from. The two tables below are the one place that names the sources.

A radio or a socket is a file in this folder with a function `open_source(settings)` that
returns a `protocols.Source`, and a line in SOURCES. A new kind of recording is a file with
`open_recording(path, settings)`, and a line in RECORDINGS.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from msgspec import structs

from liveclf.config import SourceSettings
from liveclf.errors import SourceError, UsageError
from liveclf.protocols import Source
from liveclf.sources.names import Hints, from_tokens, is_override
from liveclf.sources.recording import Recording, ReplaySource
from liveclf.sources.samples import reason

DEMO = Path(__file__).parent.parent / "data" / "demo.sigmf-meta"
"""The recording that ships in the package."""

SOURCES: dict[str, str] = {
    "-": "stdin",
}
"""Name, or URI scheme with its colon (`rtl_tcp:`) -> module of this folder that opens it."""

RECORDINGS: dict[str, str] = {
    ".sigmf": "sigmf",
    ".sigmf-meta": "sigmf",
    ".sigmf-data": "sigmf",
    ".sigmf.gz": "sigmf",
    ".sigmf.xz": "sigmf",
    ".sigmf.zip": "sigmf",
    ".wav": "wav",
    ".npy": "npy",
}
"""Ending of the file name -> module of this folder that opens it; any other is raw."""


def open_source(settings: SourceSettings) -> Source:
    """Open what `settings.path` names: one of SOURCES, a pipe or a recording.

    An empty path stands for the recording in the package.

    The path may begin with what rtl_433 calls an override, `cu8:433.92M:250k:path`,
    which counts as flags. A colon in the name of a file that exists is no such thing.

    Raises:
        SourceError: It cannot be read.
        UsageError: A flag is wrong or cannot be kept.
    """
    if not settings.path:
        settings = structs.replace(settings, path=str(DEMO))
    # Asked before overrides are split off, as `rtl_tcp:433.92M` is for its module to read;
    # and again after, as standard input may have them.
    module = _find_source(settings.path)
    if module is None:
        settings = _split_override(settings)
        module = _find_source(settings.path)
    if module is None:
        return ReplaySource(open_recording(settings), settings)
    opener: Callable[[SourceSettings], Source]
    opener = import_module(f"{__name__}.{module}").open_source
    return opener(settings)


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


def _find_source(path: str) -> str | None:
    """Return the module that opens `path`, None for a recording."""
    if _is_stream(path):
        return "stdin"
    scheme, colon, _ = path.partition(":")
    return SOURCES.get(scheme + colon)


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
