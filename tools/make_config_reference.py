"""Write the reference of all commands, flags and configuration keys.

    python tools/make_config_reference.py

Writes docs/configuration.md, from the parser and the typed settings that it is built of.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from liveclf.cli import COMMANDS, build_parser
from liveclf.cli.options import Parser, described
from liveclf.config import Auto, Count, Hertz, Seconds, Section

FILE = Path(__file__).parent.parent / "docs" / "configuration.md"

KINDS: dict[Any, str] = {
    str: "text",
    bool: "true, false",
    int: "whole number",
    float: "number",
    Hertz: "frequency",
    Seconds: "duration",
    Count: "count",
    Auto: "whole number, auto",
}

INTRODUCTION = """\
# Configuration

Written by `python tools/make_config_reference.py` from the settings themselves; a test compares.

Defaults, then the file of `--config FILE`, then flags: the later one wins. `--show-config` prints
what that comes to, as a file that `--config` reads, and ends. Examples are in
[configs/](../configs); an unknown key, a wrong type or a conflict is an error that names it.

```toml
[source]
center_hz = ["433.92M"]
rate_hz = "1M"

[radio]
device = "rtlsdr"
gain = "30"

[output]
to = ["table", "jsonl:labels.jsonl"]
```

| kind of value | in a file | as a flag |
|---|---|---|
| frequency | `433920000`, `"433.92M"`, `"433.92MHz"` | `433.92M`, `433e6`, `250k` |
| duration | `2.5`, `"250ms"`, `"1h23m"` | `2.5`, `250ms`, `1h23m` |
| count | `100000`, `"250k"` | `100000`, `250k`, `1e6` |
| true, false | `true`, `false` | `--loop`, `--no-loop` |
| list | `["a", "b"]` | the flag once for each |

Every command also takes `--help` and `--debug`, which adds the traceback to an error;
`liveclf --version` prints the version. A key without a default is unset; so it stays out of a
file.
"""


STREAMS = """
## Several streams

`[[streams]]`, once for each recording or radio, holds a `source` and a `radio` of its own; what
it does not say is as in `[source]` and `[radio]`. On a command line: several paths, or several
`--device`.

```toml
[source]
rate_hz = "1M"

[[streams]]
source = { center_hz = ["433.92M"] }
radio = { device = "rtlsdr:0" }

[[streams]]
source = { center_hz = ["868.3M"] }
radio = { device = "rtlsdr:1" }
```"""


def text() -> str:
    """Return what the file holds."""
    commands = _commands()
    parts = [INTRODUCTION, "## Commands\n", *_overview(commands)]
    for title, kind, users in _sections(commands):
        parts.append(f"\n## {title}\n\n{_joined(kind.__doc__ or '')} Of {_listed(users)}.\n")
        parts += _settings(kind)
    for name, parser in commands.items():
        if rows := list(_own_flags(parser)):
            parts += [f"\n## Only on the command line of {name}\n", _head("flag", "default"), *rows]
    return "\n".join(parts) + "\n"


def _commands() -> dict[str, Parser]:
    parser = build_parser()
    (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return dict(commands.choices)


def _tables(parser: Parser) -> dict[str, type[Section]]:
    """Return the tables of a configuration file of a command."""
    hints = get_type_hints(parser.settings) if parser.settings else {}
    return {name: kind for name, kind in hints.items() if isinstance(kind, type)}


def _sections(commands: dict[str, Parser]) -> Iterator[tuple[str, type[Section], list[str]]]:
    """Yield the title, the class and the commands of every table, once."""
    users: dict[tuple[str, type[Section]], list[str]] = {}
    for command, parser in commands.items():
        for section, kind in _tables(parser).items():
            users.setdefault((section, kind), []).append(command)
    titles = [section for section, _ in users]
    for (section, kind), names in users.items():
        is_one = titles.count(section) == 1
        yield f"`[{section}]`{'' if is_one else f' of {_listed(names)}'}", kind, names


def _overview(commands: dict[str, Parser]) -> Iterator[str]:
    links = {
        (kind, name): f"[{title.partition(']')[0].strip('`[')}](#{anchor_of(title)})"
        for title, kind, names in _sections(commands)
        for name in names
    }
    yield "| command | what it does | tables of its file |\n|---|---|---|"
    for name, parser in commands.items():
        tables = " ".join(links[kind, name] for kind in _tables(parser).values())
        if "streams" in (get_type_hints(parser.settings) if parser.settings else {}):
            tables = f"[streams](#several-streams) {tables}"
        yield f"| `liveclf {name}` | {COMMANDS[name][1]} | {tables or 'none'} |"
    yield STREAMS


def anchor_of(title: str) -> str:
    """Return what links to a heading end in, as GitHub makes it."""
    kept = "".join(c for c in title.lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")


def _head(*columns: str) -> str:
    names = (*columns, "what it is")
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}"


def _settings(kind: type[Section]) -> Iterator[str]:
    yield _head("key", "value", "default", "flag")
    for field, hint, meta in described(kind):
        extra = meta.extra or {}
        flags = _flags(
            extra["flags"], extra["metavar"], extra["alone"], is_bool=get_args(hint)[0] is bool
        )
        kinds, default = _kind(hint, extra["known"]), _default(field.default)
        if extra["tuning"] is not None:
            default += f", on recordings {_default(extra['tuning'])}"
        about = _cell(meta.description or "")
        yield f"| `{field.name}` | {kinds} | {default} | {flags or 'its place'} | {about} |"


def _flags(flags: tuple[str, ...], metavar: str, alone: str, *, is_bool: bool) -> str:
    if is_bool:
        flags = (*flags, *(f"--no-{flag[2:]}" for flag in flags if flag.startswith("--")))
    value = f" {metavar}" if metavar else ""
    shown = [f"`{flag}{f'[={metavar}]' if alone else value}`" for flag in flags]
    return _cell(" ".join(shown))


def _kind(hint: Any, known: tuple[str, ...]) -> str:
    plain, *metas = get_args(hint)
    if known:
        return ", ".join(f"`{name}`" for name in known)
    return ", ".join([_named(plain), *_limits(metas), *_limits_within(plain)])


def _named(kind: Any) -> str:
    if get_origin(kind) is tuple:
        return f"list of {_named(get_args(kind)[0])}"
    if get_origin(kind) in (Union, UnionType):
        return _named(next(k for k in get_args(kind) if k is not NoneType))
    if get_origin(kind) is Annotated:
        return _named(get_args(kind)[0])
    return KINDS[kind]


def _limits_within(kind: Any) -> list[str]:
    """Return the limits of a named type, such as a probability."""
    if get_origin(kind) in (Union, UnionType):
        return [limit for part in get_args(kind) for limit in _limits_within(part)]
    return _limits(get_args(kind)[1:]) if get_origin(kind) is Annotated else []


def _limits(metas: Any) -> list[str]:
    told = []
    for meta in (meta for meta in metas if isinstance(meta, msgspec.Meta)):
        if meta.ge is not None and meta.le is not None:
            told.append(f"{meta.ge} to {meta.le}")
            continue
        words = {"at least": meta.ge, "above": meta.gt, "at most": meta.le, "below": meta.lt}
        told += [f"{word} {limit}" for word, limit in words.items() if limit is not None]
    return told


def _default(default: Any) -> str:
    if default is None or default in ("", ()):
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, tuple):
        return f"`{list(default)}`".replace("'", '"')
    if isinstance(default, Auto):
        return f"`{default}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def _own_flags(parser: Parser) -> Iterator[str]:
    """Yield what is no key of a file."""
    tables = _tables(parser)
    for action in parser._actions:
        is_general = action.dest in ("help", "debug", "config", "show_config")
        if is_general or action.dest.partition(".")[0] in tables:
            continue
        value = f" {action.metavar}" if action.metavar and action.option_strings else ""
        if action.choices and action.option_strings:
            value = f" {'|'.join(map(str, action.choices))}"
        names = action.option_strings or [str(action.metavar or action.dest)]
        shown = _cell(" ".join(f"`{name}{value}`" for name in names))
        about, _, default = (action.help or "").rstrip(")").partition(" (default: ")
        if not default or "%" in default:
            default = "" if action.default is False else _default(action.default).strip("`")
        told = f"`{default}`" if default else ""
        yield f"| {shown} | {told} | {_cell(about.replace('%%', '%'))} |"


def _cell(value: str) -> str:
    """Return text that stays within its cell of a table."""
    return " ".join(value.split()).replace("|", "\\|")


def _joined(docstring: str) -> str:
    return " ".join(docstring.partition("\n\n")[0].split())


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    print(FILE)
