"""A small server, on threads of its own, that nobody can keep busy.

Answers are short and made of what is at hand. A connection ends after its one answer, and
after some seconds whatever the client does; more than a few at a time are refused.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore, Thread, Timer
from typing import Any
from urllib.parse import urlsplit

LONGEST_S = 5.0
MOST_CONNECTIONS = 16
_POLL_S = 0.2
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    status: int
    content_type: str
    body: bytes


Route = Callable[[str], Answer]
"""Makes an answer, given the header Accept."""


class Server:
    """Answers GET and HEAD of a few paths, until `close`.

    Attributes:
        n_refused: Connections that were too many.
    """

    def __init__(
        self,
        listener: socket.socket,
        routes: Mapping[str, Route],
        *,
        is_loopback: bool,
        longest_s: float = LONGEST_S,
    ) -> None:
        """Start to answer.

        Args:
            listener: Where; closed at the end.
            routes: By path.
            is_loopback: Whether only this machine reaches it: then it has to be asked for by
                a name of loopback, so that no web site gets here by a name that it has
                pointed here (DNS rebinding).
            longest_s: After this a connection ends.
        """
        self._server = _Server(listener, routes, is_loopback, longest_s)
        self._thread = Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="metrics", daemon=True
        )
        self._thread.start()

    @property
    def n_refused(self) -> int:
        """Connections that were too many."""
        return self._server.n_refused

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(
        self,
        listener: socket.socket,
        routes: Mapping[str, Route],
        is_loopback: bool,
        longest_s: float,
    ) -> None:
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.routes, self.is_loopback, self.longest_s = routes, is_loopback, longest_s
        self.n_refused = 0
        self._room = BoundedSemaphore(MOST_CONNECTIONS)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._room.acquire(blocking=False):
            self.n_refused += 1
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be begun
            self._room.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        end = Timer(self.longest_s, _cut, (request,))
        end.daemon = True
        end.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            end.cancel()
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that has gone is no fault
            _log.exception("A request could not be answered.")


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    error_message_format = "%(code)d %(message)s\n"
    error_content_type = "text/plain; charset=utf-8"

    def do_GET(self) -> None:
        answer = self._answer()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_HEAD = do_GET

    def version_string(self) -> str:
        return "liveclf"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing: the run's standard error is no log of requests."""

    def _answer(self) -> Answer:
        # Programs without the header are no browsers, which a web site could misuse.
        host = self.headers.get("Host", "localhost")
        if self.server.is_loopback and _hostname(host) not in _LOOPBACK_NAMES:
            return _plain(421, "This is not the host that was asked for.")
        route = self.server.routes.get(self.path.partition("?")[0])
        if route is None:
            return _plain(404, f"There is {', '.join(self.server.routes)}.")
        return route(self.headers.get("Accept", ""))


def _plain(status: int, text: str) -> Answer:
    return Answer(status, "text/plain; charset=utf-8", f"{text}\n".encode())


def _hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
