"""The server, on a thread and an event loop of its own."""

from __future__ import annotations

import asyncio
import socket
from threading import Thread

import uvicorn

from liveclf.web.app import Page, application
from liveclf.web.messages import MOST_BYTES

_HEADER_BYTES = 16 * 1024
_MOST_CONNECTIONS = 256
_END_S = 3.0


class Server:
    """Serves a page until `close`."""

    def __init__(self, page: Page, listener: socket.socket) -> None:
        """Start the thread.

        Args:
            page: What to serve.
            listener: Where; closed at the end.
        """
        config = uvicorn.Config(
            application(page),
            http="h11",
            ws="websockets-sansio",
            lifespan="off",
            log_config=None,
            log_level="critical",  # the run's standard error is no log of requests
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws_max_size=MOST_BYTES,
            ws_per_message_deflate=False,  # rows are noise, and it costs a core
            limit_concurrency=_MOST_CONNECTIONS,
            h11_max_incomplete_event_size=_HEADER_BYTES,
            timeout_graceful_shutdown=1,
        )
        self._page, self._listener = page, listener
        self._server = uvicorn.Server(config)
        self._thread = Thread(target=self._run, name="web", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End, within some seconds."""
        self._server.should_exit = True
        self._thread.join(_END_S)
        self._listener.close()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._page.hub.open(asyncio.get_running_loop())
        try:
            await self._server.serve(sockets=[self._listener])
        finally:
            self._page.hub.close()
