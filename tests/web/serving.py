"""What the tests of the page share: a page without a run behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import made_up
from fake_source import FakeSource
from liveclf.emissions import Emission, Emissions
from liveclf.records import Gain, GainStage
from made_up import history


def emission(**other: Any) -> Emission:
    """Return the emission of the page but for some fields; where it comes from is hostile."""
    hostile = {
        "truth": "<script>alert(1)</script>",
        "source": "<img src=x onerror=alert(1)>.cu8",
    }
    return made_up.emission(**(hostile | other))


def radio() -> FakeSource:
    """Return a source that is tuned, and has two stages of gain."""
    stages = (GainStage("LNA", 0, 40, 1, 20.0), GainStage("VGA", 0, 62, 2, 8.0))
    gain = Gain(is_auto=False, has_auto=True, stages=stages)
    return FakeSource(can_pause=False, can_tune=True, gain=gain)


def thresholds() -> Any:
    """Return those of a run that tells emissions from 3 dB on, labels from 30 %."""
    from liveclf.config import DetectSettings
    from liveclf.live.emission_decider import EmissionDecider, Rules
    from liveclf.live.finder import Finder
    from liveclf.live.thresholds import Thresholds

    rules = Rules(("AM", "FM"), {"AM": "AM", "FM": "FM"}, 1.0, 2, 0.3, 1.0)
    finders = [Finder(1024, DetectSettings(), number) for number in range(2)]
    return Thresholds(finders, EmissionDecider(rules, [FakeSource().info] * 2))


def page(folder: Path | None = None, **other: Any) -> Any:
    """Return a page that knows an emission and its samples."""
    from liveclf.view.controls import Controls
    from liveclf.view.hub import Hub
    from liveclf.view.recordings import Relabelled
    from liveclf.view.told import Told
    from liveclf.web.access import Access
    from liveclf.web.app import Page

    hub = other.pop("hub", None) or Hub(2)
    told = Told([history(), history()], hub, 10_000_000)
    told.write(Emissions((emission(),)))
    known = dict(
        about={"streams": []}, hub=hub, told=told, controls=Controls([FakeSource()]),
        relabelled=Relabelled(folder) if folder else None, access=Access(),
    )  # fmt: skip
    return Page(**(known | other))


@contextmanager
def served(made: Any) -> Iterator[str]:
    """Serve a page on a free port of loopback; its host and port."""
    from liveclf.endpoints import Address, listen
    from liveclf.web.server import Server

    listener, address = listen(Address("127.0.0.1", 0))
    server = Server(made, listener)
    try:
        yield f"127.0.0.1:{address.port}"
    finally:
        server.close()


@contextmanager
def connected(host: str) -> Iterator[Any]:
    """Open the live connection as the page does."""
    from websockets.sync.client import connect

    with connect(f"ws://{host}/live", origin=f"http://{host}", close_timeout=1) as live:
        yield live


def answer_to(live: Any, kind: str, **request: Any) -> dict[str, Any]:
    """Send a request; return the next message of a kind."""
    live.send(json.dumps(request))
    while True:
        message = live.recv(timeout=10)
        if isinstance(message, str) and (read := json.loads(message))["type"] == kind:
            return dict(read)
