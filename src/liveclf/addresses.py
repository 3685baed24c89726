"""What users write for the other side of a connection: what inputs and outputs share of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl

from liveclf.errors import UsageError

_ZEROMQ = re.compile(r"tcp://(?:\[[0-9A-Fa-f:.%]+\]|[^\s/:\[\]]+):(?P<port>\d{1,5})|ipc://\S+")


def is_zeromq(text: str) -> bool:
    """Tell whether this is an address that ZeroMQ can connect to or bind: tcp or ipc."""
    found = _ZEROMQ.fullmatch(text)
    # libzmq takes the lower 16 bits of whatever number there is.
    return found is not None and 0 < int(found["port"] or 1) < 65_536


def options_of(option: str, query: str, known: Collection[str]) -> dict[str, str]:
    """Read what stands behind the `?` of an address, such as `key=a&bind=1`.

    Args:
        option: How messages call the whole, such as "--device zmq://pi:5555?key=a".
        query: What stands there.
        known: The names that there are.

    Raises:
        UsageError: One is not known.
    """
    options = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := sorted(set(options) - set(known)):
        raise UsageError(
            f"{option}: {unknown[0]} is not known behind the ?, there are {', '.join(known)}."
        )
    return options


def switch(option: str, options: Mapping[str, str], name: str) -> bool | None:
    """Return whether one of the options is on; None if it is not there.

    Raises:
        UsageError: It is neither 0 nor 1.
    """
    if name not in options:
        return None
    if options[name] not in ("0", "1"):
        raise UsageError(f"{option}: {name} must be 0 or 1, not {options[name]!r}.")
    return options[name] == "1"
