"""The server with real connections: many, slow, gone, hostile."""

from __future__ import annotations

import json
import os
import socket
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from serving import (
    answer_to,
    connected,
    emission,
    page,
    radio,
    served,
    thresholds,
)
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from fake_source import FakeSource
from liveclf.emissions import Emissions
from liveclf.endpoints import Address, listen, parse_address
from liveclf.errors import SinkError, UsageError
from liveclf.view.controls import Controls
from liveclf.view.hub import Posted
from liveclf.view.requests import Pause, SetGain, Threshold, Tune

SILENT_S = 1.0


def until(true: Callable[[], bool], limit_s: float = 10) -> None:
    end_s = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end_s
        time.sleep(0.02)


def row(k: int) -> bytes:
    return k.to_bytes(4, "little") + bytes(3000)


def rows_of(live, n: int) -> list[int]:
    """Read like a browser until there are so many rows."""
    got: list[int] = []
    while len(got) < n:
        message = live.recv(timeout=10)
        if isinstance(message, bytes):
            got.append(int.from_bytes(message[:4], "little"))
        elif json.loads(message)["type"] == "ping":
            live.send('{"type":"here"}')
    return got


def deaf(host: str) -> socket.socket:
    """Open a live connection and never read from it again."""
    name, port = host.split(":")
    one = socket.create_connection((name, int(port)))
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.sendall(
        f"GET /live HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    assert one.recv(12) == b"HTTP/1.1 101"
    return one


def test_ten_browsers_get_everything_while_one_that_does_not_read_is_cut_off():
    made = page(silent_s=SILENT_S)
    with served(made) as host, ExitStack() as open_ones:
        lives = [open_ones.enter_context(connected(host)) for _ in range(10)]
        hung = deaf(host)
        until(lambda: made.hub.n_clients == 11)
        took_s = 0.0
        for k in range(400):
            began_s = time.monotonic()
            made.hub.post(Posted(row(k), 0))
            took_s = max(took_s, time.monotonic() - began_s)
            if k % 40 == 39:  # each reads before its queue is full
                for live in lives:
                    assert rows_of(live, 40) == list(range(k - 39, k + 1))
                time.sleep(0.2)
        assert took_s < 0.1  # the run is never kept waiting
        until(lambda: made.hub.cut_off == 1)
        until(lambda: made.hub.n_clients == 10)
        open_ones.close()
        until(lambda: made.hub.n_clients == 0)
        hung.close()


def test_a_browser_that_goes_without_a_word_is_forgotten():
    made = page(silent_s=SILENT_S)
    with served(made) as host:
        gone = deaf(host)
        until(lambda: made.hub.n_clients == 1)
        gone.close()
        until(lambda: made.hub.n_clients == 0)
        assert made.hub.cut_off == 0


def test_no_descriptor_is_left_of_browsers_that_were_cut_off():
    made = page(silent_s=0.3)
    with served(made) as host:
        urllib.request.urlopen(f"http://{host}/").read()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            hung = deaf(host)
            until(lambda: made.hub.n_clients == 1)
            until(lambda: made.hub.n_clients == 0)
            hung.close()
        until(lambda: len(os.listdir("/proc/self/fd")) <= before + 1)


def test_more_browsers_than_the_limit_are_turned_away_and_the_others_stay(monkeypatch):
    monkeypatch.setattr("liveclf.view.hub.MOST_CLIENTS", 2)
    made = page()
    with served(made) as host, connected(host) as one, connected(host):
        until(lambda: made.hub.n_clients == 2)  # a third may be heard before them
        with connected(host) as third, pytest.raises(ConnectionClosed) as closed:
            third.recv(timeout=5)
        assert closed.value.rcvd.reason == "too many browsers"
        assert answer_to(one, "samples", type="select", stream=0, id=7)


@pytest.mark.parametrize(
    "message",
    [
        "x",
        "{}",
        "[]",
        '{"type":"nothing"}',
        '{"type":"select","stream":0,"id":"7"}',
        '{"type":"select","stream":-1,"id":7}',
        '{"type":"speed","stream":0,"speed":0}',
        '{"type":"speed","stream":0,"speed":1e999}',
        '{"type":"tune","stream":0,"center_hz":-1}',
        '{"type":"gain","stream":0}',
        '{"type":"gain","stream":0,"gain_db":1e9}',
        '{"type":"gain","stream":0,"gain_db":NaN}',
        '{"type":"gain","stream":0,"gain_db":"20"}',
        '{"type":"gain","stream":0,"gain_db":20,"stage":"' + "x" * 41 + '"}',
        '{"type":"gain","stream":0,"gain_db":20,"stage":null}',
        '{"type":"gain","stream":-1,"gain_db":20}',
        '{"type":"threshold","min_snr_db":61}',
        '{"type":"threshold","min_snr_db":-1e308}',
        '{"type":"threshold","min_probability":1.01}',
        '{"type":"threshold","min_probability":true}',
        '{"type":"threshold","min_probability":[0.5]}',
        '{"type":"relabel","stream":0,"id":7,"label":"' + "x" * 300 + '"}',
        "[" * 3000,
        "x" * 5000,
        b"bytes",
    ],
    ids=lambda m: str(m)[:30],
)
def test_what_is_no_request_ends_the_connection_and_nothing_else(message):
    with served(page()) as host, connected(host) as other:
        with connected(host) as live:
            live.send(message)
            with pytest.raises(ConnectionClosed):
                until(lambda: live.recv(timeout=5) is None)
        assert answer_to(other, "samples", type="select", stream=0, id=7)["clip"]


def test_a_flood_of_requests_keeps_no_other_browser_waiting():
    with served(page()) as host, connected(host) as flood, connected(host) as other:
        for _ in range(60):
            flood.send('{"type":"select","stream":0,"id":7}')
        began_s = time.monotonic()
        assert answer_to(other, "samples", type="select", stream=0, id=7)
        assert time.monotonic() - began_s < 2


@pytest.mark.parametrize("origin", ["http://evil.example", None])
def test_another_site_gets_no_connection(origin):
    with (
        served(page()) as host,
        pytest.raises(InvalidStatus, match="403"),
        connect(f"ws://{host}/live", origin=origin),
    ):
        pass


def test_headers_are_bounded():
    with served(page()) as host:
        name, port = host.split(":")
        with socket.create_connection((name, int(port))) as one:
            one.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000)
            one.settimeout(5)
            assert b"400" in one.recv(1000)


def test_a_newcomer_is_told_what_is_known():
    made = page(about={"streams": [{"name": "<b>"}], "model": "m"})
    with served(made) as host, connected(host) as live:
        first = [json.loads(live.recv(timeout=5)) for _ in range(3)]
        assert [m["type"] for m in first] == ["hello", "state", "emissions"]
        assert first[0]["streams"] == [{"name": "<b>"}]
        assert first[2]["items"][0]["truth"] == "<script>alert(1)</script>"  # as text, to the page
        made.told.write(Emissions((emission(id=8),)))
        assert answer_to(live, "emissions", type="here")["items"][0]["id"] == 8


# -- controls ------------------------------------------------------------------------------


def test_a_replay_is_paused_hurried_and_sought_in_and_everybody_sees_it():
    source = FakeSource()
    made = page(controls=Controls([source]))
    with served(made) as host, connected(host) as one, connected(host) as other:
        assert answer_to(one, "said", type="pause", stream=0, wanted=True)["is_done"]
        assert source.is_paused
        assert answer_to(other, "state", type="here")["streams"][0]["can_seek"]
        assert answer_to(one, "said", type="speed", stream=0, speed=2)["is_done"]
        assert answer_to(one, "said", type="seek", stream=0, position_s=0.5)["is_done"]
        assert (source.speed, source.asked) == (2, [0.5])
        assert answer_to(one, "said", type="pause", stream=0, wanted=False)["is_done"]
        assert not source.is_paused


@pytest.mark.parametrize(
    "request_",
    [
        {"type": "tune", "stream": 0, "center_hz": 1e8},
        {"type": "seek", "stream": 1, "position_s": 1},
        {"type": "pause", "stream": 9, "wanted": True},
        {"type": "gain", "stream": 0, "gain_db": 20},
        {"type": "gain", "stream": 7, "gain_db": 20},
        {"type": "threshold", "min_snr_db": 10},
    ],
)
def test_what_a_source_cannot_is_said(request_):
    sources = [FakeSource(), FakeSource(can_seek=False)]
    with served(page(controls=Controls(sources))) as host, connected(host) as live:
        said = answer_to(live, "said", **request_)
    assert not said["is_done"]
    assert said["message"]
    assert [source.asked for source in sources] == [[], []]


def test_a_radio_is_tuned():
    radio = FakeSource(can_tune=True)
    with served(page(controls=Controls([radio]))) as host, connected(host) as live:
        assert answer_to(live, "said", type="tune", stream=0, center_hz=868e6)["is_done"]
    assert radio.asked == [868e6]


def test_gain_is_set_by_stage_and_everybody_sees_it():
    source = radio()
    made = page(controls=Controls([source]))
    with served(made) as host, connected(host) as one, connected(host) as other:
        asked = {"type": "gain", "stream": 0, "gain_db": 12.5, "stage": "VGA"}
        assert answer_to(one, "said", **asked)["is_done"]
        answer_to(other, "state", type="here")  # as it was at first
        gain = answer_to(other, "state", type="here")["streams"][0]["gain"]
        assert [(s["name"], s["now_db"]) for s in gain["stages"]] == [("LNA", 20), ("VGA", 12.5)]
        assert answer_to(one, "said", type="gain", stream=0, gain_db=None)["is_done"]
        assert answer_to(other, "state", type="here")["streams"][0]["gain"]["is_auto"]
    assert source.asked == [(12.5, "VGA"), (None, "")]


def test_thresholds_are_set_each_alone_and_everybody_sees_them():
    limits = thresholds()
    made = page(controls=Controls([FakeSource()], limits))
    with served(made) as host, connected(host) as one, connected(host) as other:
        first = answer_to(other, "state", type="here")["thresholds"]
        assert first == {"min_snr_db": 3, "min_probability": 0.3}
        assert answer_to(one, "said", type="threshold", min_snr_db=12)["is_done"]
        then = answer_to(other, "state", type="here")["thresholds"]
        assert then == {"min_snr_db": 12, "min_probability": 0.3}
        assert answer_to(one, "said", type="threshold", min_probability=0.75)["is_done"]
    assert (limits.min_snr_db, limits.min_probability) == (12, 0.75)


def test_every_change_is_counted_and_said_many_of_a_kind_in_one_sentence():
    controls = Controls([radio(), FakeSource()], thresholds())
    for db in range(100):
        controls.apply(Threshold(min_snr_db=db % 60))
    controls.apply(Tune(stream=0, center_hz=868.3e6))
    controls.apply(SetGain(stream=0, gain_db=7, stage="LNA"))
    controls.apply(Pause(stream=1, wanted=True))
    for refused in (SetGain(stream=1, gain_db=7), Tune(stream=1, center_hz=1e8)):
        with pytest.raises(UsageError):
            controls.apply(refused)
    assert controls.news() == [
        "On the page, all streams: emissions below 39 dB are left out."
        " The last of 100 such changes.",
        "On the page, fake: asked for 868.3 MHz.",
        "On the page, fake: asked for gain LNA 7 dB.",
        "On the page, fake: paused.",
    ]
    assert controls.news() == []
    assert controls.changes == {"threshold": 100, "centre": 1, "gain": 1, "pause": 1}


def test_what_was_paused_goes_on_when_nobody_is_there_any_more():
    source = FakeSource()
    with served(page(controls=Controls([source]), silent_s=0.3)) as host:
        with connected(host) as live:
            answer_to(live, "said", type="pause", stream=0, wanted=True)
        assert source.is_paused  # a page that is loaded anew comes back
        until(lambda: not source.is_paused)


# -- addresses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "host", "port", "is_loopback"),
    [
        ("8433", "127.0.0.1", 8433, True),
        ("0.0.0.0:80", "0.0.0.0", 80, False),
        ("localhost:0", "localhost", 0, True),
        ("[::1]:8433", "::1", 8433, True),
        ("[::]:8433", "::", 8433, False),
        ("192.168.1.5:8433", "192.168.1.5", 8433, False),
        ("127.0.0.1.evil.example:1", "127.0.0.1.evil.example", 1, False),
    ],
)
def test_addresses(text, host, port, is_loopback):
    address = parse_address(text)
    assert address == Address(host, port)
    assert address.is_loopback == is_loopback


@pytest.mark.parametrize("text", ["", "x", "1:2:x", "65536", "-1", "host:", "recording.cu8", "٣"])
def test_what_is_no_address_is_said(text):
    with pytest.raises(UsageError, match=r"no \[HOST:\]PORT"):
        parse_address(text)


def test_a_port_that_is_taken_is_said():
    listener, address = listen(Address("127.0.0.1", 0))
    with listener, pytest.raises(SinkError, match="give another port"):
        listen(address)
