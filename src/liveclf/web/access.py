"""Who may see the page: checked before anything else, for every request.

On loopback the host has to be asked for by a name of loopback, so that no web site reaches it
by a name of its own that it has pointed here (DNS rebinding). Elsewhere a token is asked for:
once in the address, then in a cookie. A websocket has to come from the page itself, as
browsers let every site open one.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Access:
    """What is asked of a request.

    Attributes:
        token: What it has to know; empty where only this machine reaches us.
        cookie: Name of the cookie that holds it.
    """

    token: str = ""
    cookie: str = "liveclf"

    def names_us(self, host: str) -> bool:
        """Tell whether a Host header may stand for us."""
        return bool(self.token) or _hostname(f"//{host}") in _LOOPBACK_NAMES

    def is_page(self, origin: str | None, host: str) -> bool:
        """Tell whether an Origin is the page that we serve."""
        return origin is not None and origin.partition("://")[2].lower() == host.lower() != ""

    def knows(self, said: str) -> bool:
        """Compare with the token, in the same time whatever is said."""
        return hmac.compare_digest(said.encode("utf-8", "replace"), self.token.encode())


class Guard:
    """Refuses what may not pass, and adds the headers that keep a browser in bounds."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        answer = self._refusal(scope)
        if scope["type"] == "websocket":
            app: ASGIApp = WebSocketClose(1008) if answer else self._app
            await app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await (answer or self._app)(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers, access = Headers(scope=scope), self._access
        host = headers.get("host", "")
        if not access.names_us(host):
            return PlainTextResponse("This is not the host that was asked for.\n", 421)
        if scope["type"] == "websocket" and not access.is_page(headers.get("origin"), host):
            return PlainTextResponse("This is not asked by the page.\n", 403)
        if not access.token:
            return None
        asked = HTTPConnection(scope)
        if access.knows(asked.cookies.get(access.cookie, "")):
            return None
        if scope["type"] == "http" and access.knows(asked.query_params.get("token", "")):
            # Out of the address bar and the history, into a cookie that no script reads.
            welcome = RedirectResponse("/", 303)
            welcome.set_cookie(
                access.cookie, access.token, httponly=True, samesite="lax", max_age=30 * 86400
            )
            return welcome
        return PlainTextResponse(
            "The token is missing or wrong: open the address that liveclf printed.\n", 403
        )


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
