"""Words to systemd: started, alive, what it does, ending; see sd_notify(3)."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, MutableMapping
from typing import Self

_STATUS_S = 10.0


class Notifier:
    """Sends them, if there is somebody to tell; never waits and never fails."""

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        """Send nothing yet.

        Args:
            address: Path of a datagram socket, `@` before an abstract one; empty for nobody.
            watchdog_s: In which time systemd wants to hear of us; 0 for never.
        """
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        # Half of it, as sd_watchdog_enabled(3) advises.
        self._interval_s = min(_STATUS_S, watchdog_s / 2 or _STATUS_S)
        self._alive = "WATCHDOG=1\n" if watchdog_s else ""
        self._next_s = 0.0

    @classmethod
    def of_service(cls, environment: MutableMapping[str, str] = os.environ) -> Self:
        """Return one for the service manager that started us, if one did.

        What it said is taken out of the environment: programs that we start are not the
        service, and must not speak for it.
        """
        address = environment.pop("NOTIFY_SOCKET", "")
        watchdog_us = environment.pop("WATCHDOG_USEC", "")
        is_meant = environment.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        is_watched = is_meant and watchdog_us.isdecimal()
        return cls(address, int(watchdog_us) / 1e6 if is_watched else 0.0)

    def ready(self) -> None:
        """Say that the start is complete."""
        self._send("READY=1")

    def beat(self, status: Callable[[], str]) -> None:
        """Say that we are alive, and how things stand, if it is time to.

        Args:
            status: Makes a line.
        """
        if self._address and (now_s := time.monotonic()) >= self._next_s:
            self._next_s = now_s + self._interval_s
            self._send(f"{self._alive}STATUS={status()}")

    def stopping(self) -> None:
        """Say that we are about to end."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection,
        ):
            connection.setblocking(False)
            connection.sendto(text.encode(), self._address)
