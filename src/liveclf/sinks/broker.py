"""What an MQTT broker is called: `mqtt://USER@HOST:PORT/TOPIC`, `mqtts://HOST?ca=FILE`."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from liveclf.addresses import options_of
from liveclf.errors import UsageError

# As rtl_433 calls them, so that who has set them need not do so again.
USERNAME, PASSWORD = "MQTT_USERNAME", "MQTT_PASSWORD"
_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker is, and what it is told.

    Attributes:
        name: How messages call the output.
        host: A name or an address.
        port: TCP.
        topic: What every topic begins with.
        username: Empty for none.
        tls: What certificates are checked by; None without TLS.
    """

    name: str
    host: str
    port: int
    topic: str
    username: str = ""
    tls: ssl.SSLContext | None = None


def broker_of(scheme: str, target: str, environment: Mapping[str, str] = os.environ) -> Broker:
    """Read what stands behind `mqtt:` or `mqtts:`.

    Args:
        scheme: "mqtt" or "mqtts".
        target: `[//][USER@]HOST[:PORT][/TOPIC][?OPTIONS]`.
        environment: May have the user's name and password.

    Raises:
        UsageError: It is no address, has a password, or names a file that is none.
    """
    address, _, query = target.removeprefix("//").partition("?")
    authority, _, topic = address.partition("/")
    user, _, place = authority.rpartition("@")
    if ":" in user:  # not repeated in the message
        raise UsageError(
            f"--output {scheme}:...@{place}: a password does not belong on the command line, where"
            f" others can read it; set {PASSWORD} in the environment."
        )
    option = f"--output {scheme}:{target}"
    username = unquote(user) or environment.get(USERNAME, "")
    if environment.get(PASSWORD) and not username:
        raise UsageError(f"{option}: {PASSWORD} is set, but no user; set {USERNAME} as well.")
    host, port = _host_and_port(option, scheme, place)
    topic = unquote(topic).strip("/") or f"liveclf/{socket.gethostname().partition('.')[0]}"
    if not topic.isprintable() or set("#+") & set(topic) or topic.startswith("$"):
        raise UsageError(f"{option}: {topic!r} is no topic that can be published to.")
    known = ("ca", "cert", "key") if scheme == "mqtts" else ()
    tls = _tls(option, options_of(option, query, known)) if scheme == "mqtts" else None
    if tls is None and query:
        raise UsageError(f"{option}: nothing may stand behind the ? without TLS; give mqtts:.")
    return Broker(f"{scheme}:{target}", host, port, topic, username, tls)


def _host_and_port(option: str, scheme: str, place: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{place}", allow_fragments=False)
        host = parts.hostname or ""
        port = _PORTS[scheme] if parts.port is None else parts.port
        host.encode("idna")  # what the system would do, and fail at a bad time
        if not host or any(c.isspace() for c in host) or not port:
            raise ValueError
    except ValueError:  # a UnicodeError is one
        raise UsageError(
            f"{option} is no address; write it as {scheme}:HOST, {scheme}:HOST:PORT or"
            f" {scheme}:HOST/TOPIC."
        ) from None
    return host, port


def _tls(option: str, files: Mapping[str, str]) -> ssl.SSLContext:
    """Trust the certificate of `ca`, else what the system trusts."""
    given = "ca"
    try:
        context = ssl.create_default_context(cafile=files.get("ca"))
        if "cert" in files:
            given = "cert"
            # A key with a passphrase would have it asked for on the terminal.
            context.load_cert_chain(files["cert"], files.get("key"), password=lambda: b"")
        elif "key" in files:
            raise UsageError(f"{option}: key is of no use without cert.")
    except OSError as error:
        why = "it is no such PEM file" if isinstance(error, ssl.SSLError) else error.strerror
        raise UsageError(f"{option}: {given} cannot be used: {why}.") from None
    return context
