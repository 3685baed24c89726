"""Who may see the page, and what a request can reach."""

from __future__ import annotations

from typing import Any

import pytest
from serving import page, served
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from liveclf.web.access import Access
from liveclf.web.app import application, page_files

TOKEN = "correct-horse-battery"
HERE = "http://127.0.0.1:8433"


def client(url: str = HERE, **other: Any) -> TestClient:
    return TestClient(application(page(**other)), base_url=url, follow_redirects=False)


@pytest.fixture
def guarded() -> TestClient:
    return client("http://radio.lan:8433", access=Access(TOKEN))


def test_the_page_and_its_parts_are_served_and_keep_the_browser_in_bounds():
    asked = client()
    for name in ["", *page_files()]:
        answer = asked.get(f"/{name}")
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert client().get("/").headers["content-type"] == "text/html; charset=utf-8"
    assert asked.get("/main.js").headers["content-type"].startswith("text/javascript")


def test_nothing_that_the_page_loads_comes_from_elsewhere():
    for name, content in page_files().items():
        text = content.decode()
        outside = text.replace("http://www.w3.org/2000/svg", "").replace("${scheme}://", "")
        assert "://" not in outside, name
        assert "innerHTML" not in text, name
        assert "insertAdjacentHTML" not in text, name
        assert " style=" not in text, name
        assert " onclick=" not in text, name


@pytest.mark.parametrize(
    "path",
    [
        "/../app.py",
        "/..%2fapp.py",
        "/%2e%2e/app.py",
        "/page/index.html",
        "/....//app.py",
        "//etc/passwd",
        "/index.html%00.js",
        "/emission/0/../../etc/passwd",
        "/emission/0/-1",
        "/emission/x/1",
        "/emission/0/99999999999999999999999999",
        "/emission/5/7",
        "/app.py",
        "/__init__.py",
    ],
)
def test_no_path_leads_out_of_the_page(path):
    assert client().get(path).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_is_written_by_a_request(method):
    assert client().request(method, "/").status_code == 405


@pytest.mark.parametrize("host", ["127.0.0.1:8433", "localhost:9000", "[::1]:8433", "LOCALHOST"])
def test_names_of_loopback_are_served(host):
    assert client().get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example:8433", "127.0.0.1.evil.example", "", "[::1", "a@b"])
def test_a_name_that_was_pointed_here_is_not_served(host):
    assert client().get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://evil.example", "http://127.0.0.1:8434", "http://127.0.0.1", "", "://"],
)
def test_only_the_page_opens_a_live_connection(origin):
    headers = {} if origin is None else {"origin": origin}
    with (
        pytest.raises(WebSocketDisconnect),
        client().websocket_connect("ws://127.0.0.1:8433/live", headers=headers),
    ):
        pass


def test_a_token_is_asked_for_once_then_a_cookie_knows_it(guarded):
    assert guarded.get("/").status_code == 403
    welcome = guarded.get("/", params={"token": TOKEN})
    assert (welcome.status_code, welcome.headers["location"]) == (303, "/")
    cookie = welcome.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert guarded.get("/").status_code == 200
    assert guarded.get("/emission/0/7").status_code == 200


def test_a_live_connection_needs_the_cookie_too():
    with served(page(access=Access(TOKEN))) as host:
        origin = f"http://{host}"
        cookie = {"cookie": f"liveclf={TOKEN}"}
        with connect(f"ws://{host}/live", origin=origin, additional_headers=cookie) as live:
            assert '"hello"' in live.recv(timeout=5)
        for other in ({}, {"cookie": "liveclf=x"}):
            with (
                pytest.raises(InvalidStatus, match="403"),
                connect(f"ws://{host}/live?token={TOKEN}", origin=origin, additional_headers=other),
            ):
                pass


@pytest.mark.parametrize("token", ["", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "ü" * 20])
def test_another_token_is_none(guarded, token):
    assert guarded.get("/", params={"token": token}).status_code == 403
    guarded.cookies.set("liveclf", token.encode().hex())
    assert guarded.get("/").status_code == 403


def test_without_the_token_nothing_is_served(guarded):
    for path in ("/main.js", "/emission/0/7", "/nothing"):
        assert guarded.get(path).status_code == 403
    with (
        pytest.raises(WebSocketDisconnect),
        guarded.websocket_connect(
            "ws://radio.lan:8433/live", headers={"origin": "http://radio.lan:8433"}
        ),
    ):
        pass


def test_a_token_does_not_make_up_for_another_origin(guarded):
    guarded.cookies.set("liveclf", TOKEN)
    with (
        pytest.raises(WebSocketDisconnect),
        guarded.websocket_connect(
            "ws://radio.lan:8433/live", headers={"origin": "http://evil.example"}
        ),
    ):
        pass
