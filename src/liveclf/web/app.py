"""What the server answers: the page, the live connection, recordings of emissions."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from liveclf.errors import LiveclfError
from liveclf.view.clips import drawn
from liveclf.view.controls import Controls
from liveclf.view.hub import Client, Hub, Posted
from liveclf.view.recordings import Relabelled, checked_label, name_of
from liveclf.view.requests import Control
from liveclf.view.told import Entry, Told
from liveclf.view.wire import text
from liveclf.web import messages
from liveclf.web.access import Access, Guard
from liveclf.web.archive import archive
from liveclf.web.messages import Here, Relabel, Select, Watch

SILENT_S = 10.0
"""A browser that does not answer for so long is cut off."""

_PING_S = 2.0
_NOT_READING, _BUSY = 1013, 1013  # "try again later", RFC 6455 and its registry of codes
_UNREADABLE = 1007

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Page:
    """Everything behind the page.

    Attributes:
        about: What does not change: streams, model, classes.
        hub: Passes on what is new.
        told: The emissions.
        controls: The sources.
        relabelled: Where corrected ones are kept, None if nowhere.
        access: Who may see it.
        silent_s: See `SILENT_S`.
    """

    about: Mapping[str, Any]
    hub: Hub
    told: Told
    controls: Controls
    relabelled: Relabelled | None
    access: Access
    silent_s: float = SILENT_S

    def post_state(self) -> None:
        """Tell everybody how the sources are set; from any thread."""
        self.hub.post(Posted(text("state", **self.controls.state()), key="state"))


def application(page: Page) -> Starlette:
    """Return the ASGI application.

    Args:
        page: What it serves.
    """
    files = page_files()

    async def file(request: HttpRequest) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in files:
            raise HTTPException(404)
        return Response(files[name], media_type=_TYPES[Path(name).suffix])

    async def recording(request: HttpRequest) -> Response:
        stream, number = request.path_params["stream"], request.path_params["id"]
        return await to_thread.run_sync(_recording, page, (stream, number))

    async def live(websocket: WebSocket) -> None:
        await _Connection(page, websocket).run()

    return Starlette(
        routes=[
            Route("/", file),
            Route("/emission/{stream:int}/{id:int}", recording),
            Route("/{name}", file),
            WebSocketRoute("/live", live),
        ],
        middleware=[Middleware(Guard, access=page.access)],
    )


def page_files() -> Mapping[str, bytes]:
    """Return the files of the page by name: read once, so that no path is ever asked for."""
    folder = Path(__file__).parent / "page"
    return MappingProxyType(
        {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in _TYPES}
    )


def _recording(page: Page, key: tuple[int, int]) -> Response:
    entry = page.told.find(key)
    if entry is None:
        return PlainTextResponse("There is no such emission, or it is too long ago.\n", 404)
    if entry.clip is None:
        return PlainTextResponse(
            "Its samples are no longer there; --web-keep gives more memory to them.\n", 410
        )
    try:
        content = archive(entry, entry.clip)
    except LiveclfError as error:
        return PlainTextResponse(f"{error}\n", 500)
    name = f"{name_of(entry.emission)}.sigmf"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/x-tar", headers=headers)


class _Connection:
    """One browser: what is sent to it, and what it asks."""

    def __init__(self, page: Page, websocket: WebSocket) -> None:
        self._page, self._websocket = page, websocket

    async def run(self) -> None:
        """Talk to it until it goes, or does not answer."""
        await self._websocket.accept()
        client = self._page.hub.join()
        if client is None:
            await self._websocket.close(_BUSY, "too many browsers")
            return
        try:
            await self._greet(client)
            tasks = [
                asyncio.create_task(part(client))
                for part in (self._send, self._receive, self._watch_over)
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        except (WebSocketDisconnect, RuntimeError, OSError):
            pass  # gone, in the middle of whatever was sent
        finally:
            self._page.hub.leave(client)
            # What somebody has paused is not to wait for somebody who does not come back.
            asyncio.get_running_loop().call_later(self._page.silent_s, self._release)

    def _release(self) -> None:
        if not self._page.hub.n_clients:
            self._page.controls.release()

    async def _greet(self, client: Client) -> None:
        page = self._page
        first = [text("hello", **page.about), text("state", **page.controls.state())]
        first += await to_thread.run_sync(page.told.newest)
        async with asyncio.timeout(page.silent_s):
            for message in first:
                await self._websocket.send_text(message)

    async def _send(self, client: Client) -> None:
        while True:
            message = await client.next()
            if isinstance(message, bytes):
                await self._websocket.send_bytes(message)
            else:
                await self._websocket.send_text(message)

    async def _watch_over(self, client: Client) -> None:
        """Ask for a sign of life, and return when none comes."""
        while time.monotonic() - client.answered_s < self._page.silent_s:
            client.tell(text("ping", dropped_rows=client.dropped_rows))
            await asyncio.sleep(min(_PING_S, self._page.silent_s / 3))
        self._page.hub.cut_off += 1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await self._websocket.close(_NOT_READING, "does not read")

    async def _receive(self, client: Client) -> None:
        while True:
            said = await self._websocket.receive()
            if said["type"] == "websocket.disconnect":
                return
            client.answered_s = time.monotonic()
            try:
                request = messages.read(said.get("text") or "")
            except ValueError:
                await self._websocket.close(_UNREADABLE, "not understood")
                return
            await self._answer(client, request)
            client.answered_s = time.monotonic()

    async def _answer(self, client: Client, request: messages.Any) -> None:
        match request:
            case Here():
                return
            case Watch():
                self._page.hub.watch(client, request.stream)
            case Select():
                client.tell(await to_thread.run_sync(self._selected, request))
            case Relabel():
                client.tell(await to_thread.run_sync(self._relabelled, request))
            case _:
                client.tell(await to_thread.run_sync(self._set, request))
                self._page.post_state()

    def _selected(self, request: Select) -> str:
        entry = self._find(request)
        clip = drawn(entry.clip) if entry and entry.clip else None
        return text("samples", stream=request.stream, id=request.id, clip=clip)

    def _relabelled(self, request: Relabel) -> str:
        page, entry = self._page, self._find(request)
        if page.relabelled is None:
            return _said("Nothing is kept; start liveclf with --relabelled DIR.", False)
        if entry is None or entry.clip is None:
            return _said("The samples of this emission are no longer there.", False)
        try:
            label = checked_label(request.label)
            name = page.relabelled.save(entry, entry.clip, label)
        except (ValueError, LiveclfError) as error:
            return _said(str(error), False)
        page.told.correct((request.stream, request.id), label)
        return _said(f"Saved as {name}.", True)

    def _find(self, request: Select | Relabel) -> Entry | None:
        return self._page.told.find((request.stream, request.id))

    def _set(self, request: Control) -> str:
        try:
            self._page.controls.apply(request)
        except LiveclfError as error:
            return _said(str(error), False)
        return _said("", True)


def _said(message: str, is_done: bool) -> str:
    return text("said", message=message, is_done=is_done)
