"""From the threads of a run to those who watch: bounded queues, oldest out first.

any thread --post--> [inbox] --event loop--> what a newcomer is shown, and [queue] of each
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Protocol

_ROWS, _NEWS = 300, 256  # that wait for one client: 15 s, 1 MB
_SHOWN_ROWS = 240  # to a newcomer, of one stream; of many, together so many times four
_INBOX = 4096
MOST_CLIENTS = 32


@dataclass(frozen=True, slots=True)
class Posted:
    """A message to every client.

    Attributes:
        content: Bytes of a row, or text.
        stream: Of a row; None for what everybody gets.
        key: A newcomer gets the last of each key, None for what it does not get.
    """

    content: bytes | str
    stream: int | None = None
    key: str | None = None


class Poster(Protocol):
    """Where messages are posted: a `Hub`, or several."""

    def post(self, message: Posted) -> None:
        """Hand a message over; never waits and never fails."""
        ...


@dataclass(frozen=True)
class Hubs:
    """Several hubs that are told the same."""

    hubs: tuple[Hub, ...]

    def post(self, message: Posted) -> None:
        """Hand a message over to all."""
        for hub in self.hubs:
            hub.post(message)


@dataclass(eq=False)
class Client:
    """A browser, or the screen: what it is still to be sent.

    Attributes:
        stream: Whose rows it wants.
        rows: Messages of rows.
        news: Other messages.
        dropped_rows: That it was too slow for.
        dropped_news: Other messages, likewise.
        answered_s: Monotonic time of its last sign of life.
    """

    stream: int = 0
    rows: deque[bytes] = field(default_factory=deque)
    news: deque[str] = field(default_factory=deque)
    dropped_rows: int = 0
    dropped_news: int = 0
    answered_s: float = field(default_factory=time.monotonic)
    _ready: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, text: str) -> None:
        """Queue a message of text."""
        if len(self.news) >= _NEWS:
            self.news.popleft()
            self.dropped_news += 1
        self.news.append(text)
        self._ready.set()

    def show(self, row: bytes) -> None:
        """Queue a row."""
        if len(self.rows) >= _ROWS:
            self.rows.popleft()
            self.dropped_rows += 1
        self.rows.append(row)
        self._ready.set()

    async def next(self) -> str | bytes:
        """Wait for the next message; records go before rows."""
        while not self.news and not self.rows:
            self._ready.clear()
            await self._ready.wait()
        return self.news.popleft() if self.news else self.rows.popleft()


class Hub:
    """Passes messages on; `post` from any thread, everything else in the event loop.

    Attributes:
        dropped: Messages that the event loop was too slow for.
        dropped_rows: That clients were too slow for, all together.
        cut_off: Clients that did not answer.
    """

    def __init__(self, n_streams: int) -> None:
        """Begin with nobody.

        Args:
            n_streams: How many have rows.
        """
        self._inbox: deque[Posted] = deque()
        self._lock = Lock()
        self._wake: Callable[[], Any] | None = None
        self._is_woken = False
        self._clients: set[Client] = set()
        shown = min(_SHOWN_ROWS, 4 * _SHOWN_ROWS // max(1, n_streams))
        self._rows: dict[int, deque[bytes]] = {k: deque(maxlen=shown) for k in range(n_streams)}
        self._last: OrderedDict[str, str] = OrderedDict()
        self.dropped = self.dropped_rows = self.cut_off = 0

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to pass on, in this loop."""
        with self._lock:
            self._wake = lambda: loop.call_soon_threadsafe(self._spread)
            self._is_woken = False
        self._spread()

    def close(self) -> None:
        """Pass on no more: the loop ends."""
        with self._lock:
            self._wake = None

    def post(self, message: Posted) -> None:
        """Hand a message over; never waits and never fails."""
        with self._lock:
            if len(self._inbox) >= _INBOX:
                self._inbox.popleft()
                self.dropped += 1
            self._inbox.append(message)
            if self._wake is None or self._is_woken:
                return
            self._is_woken = True
            wake = self._wake
        try:
            wake()
        except RuntimeError:  # the loop has just been closed
            self.close()

    @property
    def n_clients(self) -> int:
        """Clients that listen."""
        return len(self._clients)

    def join(self, stream: int = 0) -> Client | None:
        """Add a client, and queue what it is shown first; None if there are too many."""
        if len(self._clients) >= MOST_CLIENTS:
            return None
        client = Client(stream if stream in self._rows else 0)
        client.news.extend(self._last.values())
        self._clients.add(client)
        self.watch(client, client.stream)
        return client

    def watch(self, client: Client, stream: int) -> None:
        """Show a client the rows of a stream, those of the last seconds first."""
        if stream in self._rows:
            client.stream = stream
            client.rows = deque(self._rows[stream])
            client._ready.set()

    def leave(self, client: Client) -> None:
        """Forget a client."""
        self.dropped_rows += client.dropped_rows
        self._clients.discard(client)

    def _spread(self) -> None:
        with self._lock:
            messages, self._inbox = self._inbox, deque()
            self._is_woken = False
        for message in messages:
            if isinstance(message.content, bytes):
                self._spread_row(message.content, message.stream or 0)
            else:
                self._spread_news(message.content, message.key)

    def _spread_row(self, row: bytes, stream: int) -> None:
        self._rows[stream].append(row)
        for client in self._clients:
            if client.stream == stream:
                client.show(row)

    def _spread_news(self, text: str, key: str | None) -> None:
        if key is not None:
            self._last[key] = text
        for client in self._clients:
            client.tell(text)
