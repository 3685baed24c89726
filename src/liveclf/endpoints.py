"""Where the page and the metrics are served."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import secrets
import socket
from dataclasses import dataclass

from liveclf.errors import SinkError, UsageError

_LOOPBACK = "127.0.0.1"
# What the kernel holds for a client that does not read; the page needs 50 kB a second.
_SEND_BYTES = 256 * 1024
_BACKLOG = 64
# After this the kernel gives up a connection whose other end is gone or never reads.
_DEAD_MS = 20_000


@dataclass(frozen=True)
class Address:
    """Where to listen.

    Attributes:
        host: Name or number.
        port: 0 for one that is free.
    """

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def url(self) -> str:
        """What to open in a browser."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"


def parse_address(text: str, flag: str = "--web", example: str = "8433") -> Address:
    """Read [HOST:]PORT.

    Args:
        text: What was given.
        flag: Of which option, for messages.
        example: A port that it could be.

    Raises:
        UsageError: It is none.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or _LOOPBACK
    if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise UsageError(
            f"{flag} {text} is no [HOST:]PORT; name a recording before it, or give"
            f" {flag}={example}."
        )
    return Address(host, int(port))


def listen(address: Address, flag: str = "--web") -> tuple[socket.socket, Address]:
    """Open the socket, so that a port that is taken is said before anything runs.

    Args:
        address: Where.
        flag: Of which option, for messages.

    Returns:
        The socket, and the address with the port that it really has.

    Raises:
        SinkError: It cannot be had.
    """
    try:
        kind, *_, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(kind, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
            with contextlib.suppress(AttributeError, OSError):  # Linux only
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_MS)
            listener.bind(place)
            listener.listen(_BACKLOG)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise SinkError(
            f"{flag} {address.host}:{address.port} cannot be served: {reason}; give another port."
        ) from None
    return listener, Address(address.host, listener.getsockname()[1])


def new_token() -> str:
    """Return a token that nobody guesses."""
    return secrets.token_urlsafe(24)
