"""What is new in a run, as it comes: rows of the bands, emissions, figures."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec

from liveclf.records import StreamInfo
from liveclf.tui import words
from liveclf.tui.band import Band
from liveclf.tui.behind import Behind
from liveclf.tui.listing import Listing
from liveclf.view.wire import read_row


class Following:
    """Takes what the hub passes on, in the event loop of the screen.

    Attributes:
        listing: The emissions.
        stream: Number of the one that is shown.
        figures: The newest, empty before there are some.
        pace: Of these.
        is_held: Whether bands stay as they are, to be looked at.
    """

    def __init__(self, behind: Behind) -> None:
        """Begin with nothing.

        Args:
            behind: What is followed.
        """
        self._behind = behind
        self._bands = [Band() for _ in behind.seen]
        self.listing, self.stream = Listing(), 0
        self.figures, self.pace = dict[str, Any](), words.Pace()
        self.is_held = False

    def start(self) -> None:
        """Begin to take what comes."""
        self._behind.hub.open(asyncio.get_running_loop())
        client = self._behind.hub.join()
        assert client is not None
        self._client = client
        self._task = asyncio.create_task(self._take())

    def stop(self) -> None:
        """Take no more."""
        self._behind.hub.close()
        self._task.cancel()

    @property
    def band(self) -> Band:
        """That of the stream that is shown."""
        return self._bands[self.stream]

    @property
    def info(self) -> StreamInfo:
        """Of the stream that is shown."""
        return self._behind.seen[self.stream]

    def next_stream(self) -> None:
        """Show another stream."""
        self.stream = (self.stream + 1) % len(self._bands)
        self._behind.hub.watch(self._client, self.stream)
        self.band.clear()

    async def _take(self) -> None:
        for message in await asyncio.to_thread(self._behind.told.newest):
            self._take_text(message)
        while True:
            self._take_message(await self._client.next())

    def _take_message(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self._take_text(message)
        elif not self.is_held:
            row = read_row(message)
            self._bands[row.stream].push(row)

    def _take_text(self, message: str) -> None:
        content = msgspec.json.decode(message)
        if content["type"] == "emissions":
            self.listing.put(content["items"], time.monotonic())
        elif content["type"] == "figures":
            # Those of the end say nothing of the screen.
            screen = self.figures.get("screen", {})
            self.figures = {"screen": screen} | content["figures"]
            self.pace.push(self.figures)
