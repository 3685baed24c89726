"""What the servers have in common: their address, and settings that they cannot keep."""

from __future__ import annotations

from typing import get_args, get_type_hints
from urllib.parse import urlsplit

from msgspec import Meta, structs

from liveclf.config import RadioSettings
from liveclf.errors import UsageError

# Not for a driver but for who runs it.
_FOR_ALL = {"device", "dwell_s", "buffer_s", "max_retries"}


def host_and_port(device: str, default_port: int) -> tuple[str, int]:
    """Read `scheme://host:port`, `scheme:host:port` or `scheme` alone.

    Args:
        device: What the user gave; a host that is not named is this machine.
        default_port: Where none is named.

    Raises:
        UsageError: It is none of these.
    """
    scheme, _, rest = device.partition(":")
    try:
        parts = urlsplit(f"//{rest.removeprefix('//')}")
        host, port = parts.hostname, parts.port
        if parts.path.strip("/") or parts.query or parts.fragment or parts.username:
            raise ValueError
    except ValueError:
        raise UsageError(
            f"--device {device} is no address; write it as {scheme}://HOST:PORT."
        ) from None
    return host or "127.0.0.1", default_port if port is None else port


def refuse_others(radio: RadioSettings, kept: set[str], who: str) -> None:
    """Refuse what was set and cannot be kept.

    Args:
        radio: What was set.
        kept: Names of the settings that can be kept.
        who: Cannot keep the others, such as "rtl_tcp".

    Raises:
        UsageError: There is one.
    """
    hints = get_type_hints(RadioSettings, include_extras=True)
    for field in structs.fields(radio):
        value = getattr(radio, field.name)
        if field.name in kept | _FOR_ALL or value == field.default:
            continue
        meta = next(m for m in get_args(hints[field.name]) if isinstance(m, Meta))
        flag = (meta.extra or {})["flags"][0]
        raise UsageError(f"{flag} cannot be kept: {who} has no command for it; leave it out.")
