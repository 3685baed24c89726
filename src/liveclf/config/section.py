"""What a table of settings is made of."""

from __future__ import annotations

from typing import Annotated, Any, get_type_hints

import msgspec
from msgspec import Meta

# The upper limit keeps sample indices within 64 bits; it is days of any stream.
Samples = Annotated[int, Meta(ge=1, le=2**40)]
Retries = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(gt=0, le=1)]
Probability = Annotated[float, Meta(ge=0, le=1)]
Decibels = Annotated[float, Meta(gt=0, le=400)]
SnrLimit = Annotated[float, Meta(ge=-20, le=60)]  # dB
Level = Annotated[float, Meta(ge=-400, le=100)]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of a configuration file."""


def option(
    text: str,
    *flags: str,
    metavar: str = "",
    alone: str = "",
    known: tuple[str, ...] = (),
    tuning: Any = None,
    **limits: Any,
) -> Meta:
    """Describe a setting: its help, its flags and its limits (ge, gt, le, ...).

    Args:
        text: The help.
        flags: None for a positional argument.
        metavar: What stands for the value.
        alone: The value of a flag that is given without one; none: it needs one.
        known: The names that it can have, for the reference and for shells; see `one_of`.
        tuning: The default where a network is tuned on recordings, if it is another then.
        limits: See `msgspec.Meta`.
    """
    extra = {
        "flags": flags, "metavar": metavar, "alone": alone, "known": known, "tuning": tuning,
    }  # fmt: skip
    return Meta(description=text, extra=extra, **limits)


LOG_FORMATS = ("text", "json")


def tuning_defaults(cls: type[Section]) -> dict[str, dict[str, Any]]:
    """Return the defaults that are others where a network is tuned on recordings, by section."""
    return {name: found for name, kind in get_type_hints(cls).items() if (found := _tuning(kind))}


def _tuning(kind: type[Section]) -> dict[str, Any]:
    hints = get_type_hints(kind, include_extras=True)
    described = {
        name: meta.extra["tuning"]
        for name, hint in hints.items()
        for meta in hint.__metadata__
        if isinstance(meta, Meta) and meta.extra
    }
    return {name: value for name, value in described.items() if value is not None}


def one_of(key: str, value: str, known: tuple[str, ...]) -> None:
    """Refuse a name that is not one of a few.

    Raises:
        ValueError: It is none of them.
    """
    if value not in known:
        raise ValueError(f"{key} {value!r} is not known, choose one of {', '.join(known)}")
