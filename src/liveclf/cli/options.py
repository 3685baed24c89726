"""Flags made from the settings classes, so that help, types and defaults are theirs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_args, get_type_hints

import msgspec

from liveclf.config import Section, load, parse_value
from liveclf.errors import UsageError

SettingsT = TypeVar("SettingsT", bound=Section)

_NAMES = ("source.path", "radio.device")
"""What names a stream; a command with `streams` takes several of each."""
_STREAMS = "streams"


class Help(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of the epilog, and the longest command on the line of its help."""

    def add_argument(self, action: argparse.Action) -> None:
        """Leave room for what commands are indented by, which argparse forgets."""
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):
            self._action_max_length += self._indent_increment


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are ours: one sentence, exit code 2."""

    def __init__(self, **kwargs: Any) -> None:
        """Refuse abbreviated flags, accept --debug everywhere."""
        kwargs.setdefault("formatter_class", Help)
        super().__init__(allow_abbrev=False, **kwargs)
        self.add_argument("--debug", action="store_true", help="show a traceback with an error")
        self.names = ""  # destination of a positional that takes any number
        self.settings: type[Section] | None = None  # what a file of --config holds
        self.known: dict[str, tuple[str, ...]] = {}  # destination -> all that it can be

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Take names also from behind flags, where argparse looks for no more of them."""
        parsed, rest = super().parse_known_args(args, namespace)
        if self.names:
            more = [text for text in rest if text == "-" or not text.startswith("-")]
            getattr(parsed, self.names).extend(more)
            rest = [text for text in rest if text not in more]
        return parsed, rest

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage."""
        raise UsageError(f"{message} (see {self.prog} --help).")


def add_settings(parser: argparse.ArgumentParser, cls: type[Section]) -> None:
    """Add a flag for every setting that has one, and --config and --show-config.

    Args:
        parser: Of the command.
        cls: Its settings, sections of options.
    """
    add_flags(parser, cls)
    if isinstance(parser, Parser):
        parser.settings = cls
    general = parser.add_argument_group("configuration")
    general.add_argument("--config", type=Path, metavar="FILE", help="settings from a TOML file")
    general.add_argument(
        "--show-config", action="store_true", help="print the resolved settings as TOML and end"
    )


def add_flags(parser: argparse.ArgumentParser, cls: type[Section]) -> None:
    """Add a flag for every setting that has one, no file can hold them."""
    hints = get_type_hints(cls)
    takes_several = _STREAMS in hints
    if takes_several and isinstance(parser, Parser):
        parser.names = _NAMES[0]
    for section, kind in hints.items():
        if section == _STREAMS:
            continue
        group = parser.add_argument_group(section)
        for field, hint, meta in described(kind):
            dest = f"{section}.{field.name}"
            if isinstance(parser, Parser) and (meta.extra or {})["known"]:
                parser.known[dest] = (meta.extra or {})["known"]
            _add(group, dest, field, hint, meta, several=takes_several and dest in _NAMES)


def resolve(
    arguments: argparse.Namespace, cls: type[SettingsT], defaults: dict[str, Any] | None = None
) -> SettingsT:
    """Merge defaults, the file of --config and the flags.

    Args:
        arguments: Of the command.
        cls: Its settings.
        defaults: See `config.load`.

    Raises:
        UsageError: As `config.load`.
    """
    return load(cls, arguments.config, _given(arguments, cls), defaults)


def resolve_flags(arguments: argparse.Namespace, cls: type[SettingsT]) -> SettingsT:
    """Take the flags alone, of `add_flags`.

    Raises:
        UsageError: As `config.load`.
    """
    return load(cls, None, _given(arguments, cls))


def _given(arguments: argparse.Namespace, cls: type[Section]) -> dict[str, Any]:
    """Return the flags that were given and belong to a class, by section."""
    flags: dict[str, Any] = {}
    hints, named = get_type_hints(cls), list[tuple[str, str, str]]()
    for dest, value in vars(arguments).items():
        section, _, key = dest.partition(".")
        if not key or value in (None, []) or section not in hints:
            continue
        if dest in _NAMES and isinstance(value, list):
            named += [(section, key, name) for name in value]
        else:
            flags.setdefault(section, {})[key] = value
    return _with_names(flags, named)


def _with_names(flags: dict[str, Any], named: list[tuple[str, str, str]]) -> dict[str, Any]:
    """Add what is read: one as the source or the radio, several as streams."""
    if not named:
        return flags
    if len(named) == 1:
        section, key, name = named[0]
        return flags | {section: flags.get(section, {}) | {key: name}, _STREAMS: []}
    # Each says of both what it is, so that nothing that a file names is read beside it.
    nothing = {section: {key: ""} for section, key in (dest.split(".") for dest in _NAMES)}
    return flags | {_STREAMS: [nothing | {section: {key: name}} for section, key, name in named]}


def described(kind: type[Section]) -> Iterator[tuple[Any, Any, msgspec.Meta]]:
    """Yield the fields of a section with their annotated type and description."""
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        hint = hints[field.name]
        metas = (m for m in hint.__metadata__ if isinstance(m, msgspec.Meta))
        yield field, hint, next(meta for meta in metas if meta.extra)


def _add(
    group: Any, dest: str, field: Any, hint: Any, meta: msgspec.Meta, *, several: bool
) -> None:
    extra = meta.extra or {}
    default = field.default
    text = f"{meta.description}{_default_text(default, extra['tuning'])}".replace("%", "%%")
    options: dict[str, Any] = {"default": None, "help": text}
    if not extra["flags"]:
        nargs = "*" if several or isinstance(default, tuple) else "?"
        group.add_argument(dest, nargs=nargs, metavar=field.name.upper(), **options)
        return
    options["dest"] = dest
    plain = get_args(hint)[0]
    if plain is bool:
        group.add_argument(*extra["flags"], action=argparse.BooleanOptionalAction, **options)
        return
    options["metavar"] = extra["metavar"]
    if several or isinstance(default, tuple):
        each = (get_args(plain) or (str,))[0]
        if getattr(each, "__origin__", each) in (int, float):  # for which no text stands in a file
            options["type"] = partial(_typed, each)
        group.add_argument(*extra["flags"], action="append", **options)
        return
    if extra["alone"]:
        options |= {"nargs": "?", "const": extra["alone"]}
    group.add_argument(*extra["flags"], type=partial(_typed, hint), **options)


def _typed(hint: Any, text: str) -> Any:
    try:
        return parse_value(text, hint)
    except ValueError as error:
        wanted = str(error).split(", got ")[0]
        raise argparse.ArgumentTypeError(f"{wanted}, got {text!r}") from None


def _default_text(default: Any, tuning: Any) -> str:
    usual, then = _shown(default), _shown(tuning)
    if then:
        return f" (default: {usual or 'off'}; {then} on recordings)"
    return f" (default: {usual})" if usual else ""


def _shown(default: Any) -> str:
    if default is None or default in ("", ()) or default is msgspec.NODEFAULT:
        return ""
    if isinstance(default, bool):
        return "on" if default else ""
    if isinstance(default, tuple):
        default = " ".join(default)
    return f"{default:g}" if isinstance(default, float) else f"{default}"
