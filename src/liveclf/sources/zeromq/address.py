"""What a ZeroMQ device is called: `zmq://HOST:PORT?key=K`, `zmq+pull:ipc:///run/iq`, ..."""

from __future__ import annotations

from dataclasses import dataclass

from liveclf.addresses import is_zeromq, options_of, switch
from liveclf.errors import UsageError

_KINDS = {"zmq": "SUB", "zmq+sub": "SUB", "zmq+pull": "PULL"}
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
    if (scheme := scheme.lower()) not in _KINDS or not is_zeromq(address):
        raise UsageError(
            f"--device {device} is no address; write it as zmq://HOST:PORT, zmq+pull://HOST:PORT"
            " or zmq:ipc:///PATH."
        )
    options = options_of(f"--device {device}", query, _QUERIES)
    return Endpoint(
        kind=_KINDS[scheme],
        address=address,
        bind=switch(f"--device {device}", options, "bind") or False,
        key=options.get("key", ""),
        headed=switch(f"--device {device}", options, "tags"),
    )
