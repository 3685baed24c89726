"""What a ZeroMQ device is called: `zmq://HOST:PORT?key=K`, `zmq+pull:ipc:///run/iq`, ..."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from liveclf.errors import UsageError

_KINDS = {"zmq": "SUB", "zmq+sub": "SUB", "zmq+pull": "PULL"}
_ADDRESS = re.compile(r"tcp://(\[[0-9A-Fa-f:.%]+\]|[^\s/:\[\]]+):\d{1,5}|ipc://\S+")
_QUERIES = ("key", "bind", "tags")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where messages come from, and which.

    Attributes:
        kind: "SUB" or "PULL".
        address: As ZeroMQ writes it.
        bind: Wait for the sender to connect, instead of connecting to it.
        key: Of the messages that are wanted; empty for any.
        headed: Whether messages have GNU Radio's headers; None if the first is to tell.
    """

    kind: str
    address: str
    bind: bool = False
    key: str = ""
    headed: bool | None = None

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"ZeroMQ {self.kind} {self.address}" + (f" key {self.key}" if self.key else "")


def endpoint_of(device: str) -> Endpoint:
    """Read what the user gave as --device.

    Raises:
        UsageError: It is no address of ZeroMQ's, or has an unknown option.
    """
    scheme, _, rest = device.partition(":")
    address, _, query = rest.partition("?")
    if address.startswith("//"):
        address = f"tcp:{address}"
    if (scheme := scheme.lower()) not in _KINDS or not is_address(address):
        raise UsageError(
            f"--device {device} is no address; write it as zmq://HOST:PORT, zmq+pull://HOST:PORT"
            " or zmq:ipc:///PATH."
        )
    options = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := sorted(set(options) - set(_QUERIES)):
        raise UsageError(
            f"--device {device}: {unknown[0]} is not known behind the ?, there are"
            f" {', '.join(_QUERIES)}; the format of the samples is given by --format."
        )
    return Endpoint(
        kind=_KINDS[scheme],
        address=address,
        bind=_switch(device, options, "bind") or False,
        key=options.get("key", ""),
        headed=_switch(device, options, "tags"),
    )


def is_address(text: str) -> bool:
    """Tell whether this is an address that can be connected to or bound: tcp or ipc."""
    return bool(_ADDRESS.fullmatch(text))


def _switch(device: str, options: dict[str, str], name: str) -> bool | None:
    if name not in options:
        return None
    if options[name] not in ("0", "1"):
        raise UsageError(f"--device {device}: {name} must be 0 or 1, not {options[name]!r}.")
    return options[name] == "1"
