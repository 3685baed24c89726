"""A connection between two machines: JSON lines over TCP, and files.

Nothing is encrypted and nobody is asked who he is, as in what JAX itself sends: this is for
a network that is trusted.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import threading
from pathlib import Path
from typing import Any

_LINE_BYTES = 1 << 20
Message = dict[str, Any]


class LostError(Exception):
    """A connection broke off, or there was silence on it."""


class Line:
    """A connection that carries one JSON object a line, and files."""

    def __init__(self, connection: socket.socket) -> None:
        """Take a connection."""
        self._socket = connection
        self._file = connection.makefile("rwb")
        self._sending = threading.Lock()

    def send(self, **message: Any) -> None:
        """Send a message.

        Raises:
            LostError: It cannot be.
        """
        try:
            with self._sending:
                self._file.write(json.dumps(message).encode() + b"\n")
                self._file.flush()
        except (OSError, ValueError) as error:
            raise LostError(str(error)) from None

    def receive(self, within_s: float) -> Message:
        """Wait for a message.

        Raises:
            LostError: None came, or what came is none.
        """
        try:
            self._socket.settimeout(within_s)
            line = self._file.readline(_LINE_BYTES)
            message = json.loads(line) if line.endswith(b"\n") else None
        except (OSError, ValueError) as error:
            raise LostError(str(error)) from None
        if not isinstance(message, dict):
            raise LostError("its connection broke off")
        return message

    def send_file(self, path: Path) -> None:
        """Send a file after its name and size.

        Raises:
            LostError: The other has gone.
        """
        self.send(file=path.name, size=path.stat().st_size)
        try:
            with self._sending, path.open("rb") as file:
                shutil.copyfileobj(file, self._file)
                self._file.flush()
        except (OSError, ValueError) as error:
            raise LostError(str(error)) from None

    def receive_file(self, folder: Path, within_s: float) -> None:
        """Write a file into a folder.

        Raises:
            LostError: It did not come whole.
        """
        head = self.receive(within_s)
        left = int(head.get("size", 0))
        try:
            with (folder / Path(str(head["file"])).name).open("wb") as file:
                while left:
                    part = self._file.read(min(left, _LINE_BYTES))
                    if not part:
                        raise LostError("its connection broke off")
                    left -= file.write(part)
        except (OSError, KeyError) as error:
            raise LostError(str(error)) from None

    def close(self) -> None:
        """Close it; a thread that waits for a message gets `LostError`."""
        with contextlib.suppress(OSError):  # the other was faster
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
