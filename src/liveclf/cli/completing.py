"""What follows a word that was begun, at a press of TAB: flags, files, names from the tables.

Imported only when a shell asks. Each table that a value comes from is read where it is kept,
so a new engine or output is completed as soon as there is one.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from argcomplete.completers import DirectoriesCompleter, FilesCompleter, SuppressCompleter
from argcomplete.finders import CompletionFinder

from liveclf.cli import build_parser, named_in
from liveclf.cli.options import Parser

_PATHS = ("FILE", "DIR", "PATH", "OUT", "PNG")
"""What the name of a value has in it if it is a file or a folder."""


def complete() -> None:
    """Answer the shell, and end the process."""
    parser = build_parser(named_in(os.environ.get("COMP_LINE", "").split()[1:]))
    give_completers(parser)
    # Flags only when a word begins with a hyphen: there are dozens.
    CompletionFinder(always_complete_options=False)(parser)


def give_completers(parser: Parser) -> None:
    """Say of every value how it is completed, of the commands too."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                give_completers(command)
        elif not action.choices:
            action.completer = _completer(action, parser.known)  # type: ignore[attr-defined]


def _completer(action: argparse.Action, known: dict[str, tuple[str, ...]]) -> Any:
    if action.dest in known:
        return lambda **_: known[action.dest]
    if action.dest in _NAMES:
        names = _NAMES[action.dest]
        return lambda prefix, **_: names(prefix)
    text = str(action.metavar or "").upper()
    if action.type is Path or action.dest in _FILES or any(part in text for part in _PATHS):
        return DirectoriesCompleter() if text == "DIR" else FilesCompleter()
    return SuppressCompleter()


def _engines(_: str) -> Iterable[str]:
    from liveclf.model.engines import ENGINES

    return "auto", *ENGINES


def _precisions(_: str) -> Iterable[str]:
    from liveclf.model.engines import PRECISIONS

    return "auto", *dict.fromkeys(name for names in PRECISIONS.values() for name in names)


def _formats(_: str) -> Iterable[str]:
    from liveclf.dsp.formats import FORMATS

    return FORMATS


def _devices(_: str) -> Iterable[str]:
    from liveclf.sources import DRIVERS, RADIOS

    return [kind if kind in RADIOS else f"{kind}://" for kind in DRIVERS]


def _bundles(prefix: str) -> Iterable[str]:
    from liveclf.model.bundle import packaged_names

    return *packaged_names(), *DirectoriesCompleter()(prefix)


def _outputs(prefix: str) -> Iterable[str]:
    """Return kinds, with a colon where a place has to follow; behind one, files."""
    from liveclf.sinks import AUTO, SINKS

    kind, colon, begun = prefix.partition(":")
    if colon:
        is_file = kind in SINKS and SINKS[kind].target == "file"
        return [f"{kind}:{name}" for name in FilesCompleter()(begun)] if is_file else ()
    alone = [name for name, sink in SINKS.items() if sink.uses_stdout or not sink.target]
    return AUTO, *alone, *(f"{name}:" for name, sink in SINKS.items() if sink.target)


_FILES = ("source.path", "source.paths")
_NAMES: dict[str, Callable[[str], Iterable[str]]] = {
    "model.engine": _engines,
    "engine": _engines,
    "model.precision": _precisions,
    "precision": _precisions,
    "model.bundle": _bundles,
    "bundle": _bundles,
    "network.start": _bundles,
    "source.format": _formats,
    "bench.format": _formats,
    "radio.device": _devices,
    "output.to": _outputs,
}
"""Where a value is kept -> the names that it can have."""
