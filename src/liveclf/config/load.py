"""Settings from a file and from flags, and back."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from liveclf.config.quantities import Auto, Count, Hertz, Seconds
from liveclf.config.section import Section
from liveclf.errors import UsageError

# Of a message such as: Expected `str`, got `int` - at `$.output.to[0]`
_KEY = re.compile(r"\w+")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")

_PARSED = (Hertz, Seconds, Count, Auto)

SettingsT = TypeVar("SettingsT", bound=Section)


def load(
    cls: type[SettingsT],
    file: Path | None,
    flags: dict[str, Any],
    defaults: dict[str, Any] | None = None,
) -> SettingsT:
    """Merge defaults, file and flags.

    Args:
        cls: The settings class of the command.
        file: TOML file, or None.
        flags: Nested values from the command line, already of the right type.
        defaults: Nested values in place of the defaults of the class.

    Raises:
        UsageError: The file is not there or not TOML, a key is unknown, a value
            has the wrong type or is out of range.
    """
    values: dict[str, Any] = {}
    if file is not None:
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"Configuration {file} cannot be read: {error.strerror}.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"Configuration {file} is not valid TOML: {error}.") from None
        _convert(values, cls, f" in {file}")  # so that a fault in it is not blamed on a flag
    merged = _merge(_merge(defaults or {}, values), flags)
    settings = _convert(merged, cls, "")
    if merged.get("streams"):
        return _convert(_apart(merged, flags), cls, "")
    return settings


def to_toml(settings: Section) -> str:
    """Write settings as a file that `load` reads back; unset options are left out."""
    import tomli_w

    return tomli_w.dumps(_without_none(msgspec.to_builtins(settings, enc_hook=_plain)))


def parse_value(text: str, kind: Any) -> Any:
    """Read one value from the command line.

    Args:
        text: What the user typed.
        kind: The annotated type of the field.

    Raises:
        ValueError: It does not fit; the message says what is wanted.
    """
    try:
        return msgspec.convert(text, kind, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise ValueError(_lower_first(str(error))) from None


def _convert(values: dict[str, Any], cls: type[SettingsT], where: str) -> SettingsT:
    try:
        return msgspec.convert(values, cls, dec_hook=_decode)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `")
        keys = _KEY.findall(path)
        if unknown := _UNKNOWN.fullmatch(text):
            keys, text = [*keys, unknown[1]], "There is no such key"
        value: Any = values
        for key in keys:
            value = value[int(key)] if isinstance(value, list | tuple) else value[key]
        shown = "" if isinstance(value, dict) else f" = {value!r}"
        name = ".".join(keys)
        raise UsageError(f"Configuration{where}: {name}{shown}: {_lower_first(text)}.") from None


def _decode(kind: type, value: Any) -> Any:
    if kind in _PARSED:
        try:
            return kind.parse(value)
        except ValueError as error:
            raise ValueError(f"Expected {error}") from None
    raise NotImplementedError(kind)


def _apart(values: dict[str, Any], flags: dict[str, Any]) -> dict[str, Any]:
    """Give each of several streams what all have in common, flags over the file."""
    common, over = (
        {name: table.get(name, {}) for name in ("source", "radio")} for table in (values, flags)
    )
    streams = [_merge(_merge(common, stream), over) for stream in values["streams"]]
    if any(map(_is_device, streams)):  # then what sets a radio is not meant for the recordings
        streams = [
            whole if _is_device(whole) else whole | {"radio": said.get("radio", {})}
            for whole, said in zip(streams, values["streams"], strict=True)
        ]
    return {k: v for k, v in values.items() if k not in common} | {"streams": streams}


def _is_device(stream: dict[str, Any]) -> bool:
    return bool(stream["radio"].get("device")) or "://" in stream["source"].get("path", "")


def _plain(value: Any) -> Any:
    if isinstance(value, Auto):
        return int(value) or "auto"
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    raise NotImplementedError(type(value))


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if nested else value
    return merged


def _without_none(values: Any) -> Any:
    if isinstance(values, dict):
        return {k: _without_none(value) for k, value in values.items() if value is not None}
    if isinstance(values, list | tuple):
        return [_without_none(value) for value in values]
    return values


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
