"""What browsers cost a run: `liveclf run --web` with ten that read, and with none.

    python tools/bench_web.py [--pairs 8] [--passes 4] [--browsers 10] [--chromium]

One run plays a scene at 2.4 MS/s over and over. Clients come and go while it runs, and each
interval with them, of some whole passes through the scene, is compared with the one just before
or after without, so that what else the machine does falls out. The clients are light: they
read, count and answer pings, in a process of their own; a real browser draws, and takes for
that what it takes of the same cores. --chromium adds one.

Two figures, as they say different things where the cores are shared. Samples a second, as fast
as it goes: what the run gets done beside its clients. Processor seconds of the run's own
process for a million samples: what serving them costs it. Before that the server alone, with
rows as a run posts them and nothing else to do, which a busy machine blurs least. At the end
one client stops reading: when it is cut off, and what the run does until then.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from shutil import which
from typing import Any

from watched_scene import write_watched_scene
from websockets.asyncio import client as asyncio_client
from websockets.sync import client as sync_client
from websockets.typing import Origin

from liveclf.endpoints import Address, listen
from liveclf.signals.scene.plan import SceneSettings
from liveclf.view.controls import Controls
from liveclf.view.display import ROWS_PER_S
from liveclf.view.hub import Hub, Posted
from liveclf.view.told import Told
from liveclf.view.wire import HEADER
from liveclf.web.access import Access
from liveclf.web.app import Page
from liveclf.web.server import Server

RATE_HZ, SCENE_S, SEED = 2.4e6, 1.0, 7
SETTLE_S = 1.5  # after clients have come or gone
ALONE_S = 4.0
CUT_OFF_WITHIN_S = 60.0
_ROW_BYTES = HEADER.size + 3 * 1024
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Moment:
    """Where a run stands.

    Attributes:
        at_s: Monotonic time.
        samples: Taken so far.
        cpu_s: Of its process so far.
    """

    at_s: float
    samples: int
    cpu_s: float


@dataclass(frozen=True)
class Figures:
    """What a run did in an interval."""

    samples_per_s: float
    cpu_s_per_ms: float

    @classmethod
    def between(cls, a: Moment, b: Moment) -> Figures:
        """Compare two moments."""
        n = max(1, b.samples - a.samples)
        return cls(n / (b.at_s - a.at_s), (b.cpu_s - a.cpu_s) / (n / 1e6))


class Run:
    """`liveclf run --web`, watched by its own lines of figures."""

    def __init__(self, path: Path, *flags: str) -> None:
        command = [sys.executable, "-m", "liveclf", "run", str(path), "--loop", "--web=0"]
        command += ["--stats", "200ms", "-o", "null", *flags]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self._news = threading.Condition()
        self._last: Moment | None = None
        assert self._process.stderr
        self.url = next(m[1] for x in self._process.stderr if (m := re.match(r"Page: (\S+)", x)))
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def host(self) -> str:
        """With its port."""
        return self.url.removeprefix("http://").strip("/")

    def now(self) -> Moment:
        """Wait for the next line."""
        with self._news:
            last = self._last
            if not self._news.wait_for(lambda: self._last is not last, 30):
                raise SystemExit("The run says nothing any more.")
            assert self._last
            return self._last

    def during(self, passes: int) -> Figures:
        """Watch some passes: each has the same in it."""
        first = last = self.now()
        while last.samples < first.samples + passes * SCENE_S * RATE_HZ:
            last = self.now()
        return Figures.between(first, last)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def _watch(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            if found := re.match(r"([\d,]+) samples", line):
                with self._news:
                    n = int(found[1].replace(",", ""))
                    self._last = Moment(time.monotonic(), n, self._cpu_s())
                    self._news.notify_all()

    def _cpu_s(self) -> float:
        text = Path(f"/proc/{self._process.pid}/stat").read_text()
        fields = text.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


class Clients:
    """Clients that only read, in one process beside."""

    def __init__(self, host: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(host, theirs), daemon=True)
        self._process.start()
        self.want(0)

    def want(self, n: int) -> tuple[int, int]:
        """Have so many; returns the rows and the bytes that those before have read."""
        self._pipe.send(n)
        got: tuple[int, int] = self._pipe.recv()
        return got

    def close(self) -> None:
        """Have none any more."""
        self._process.kill()
        self._process.join()


def _serve(host: str, pipe: Connection) -> None:
    asyncio.run(_manage(host, pipe))


async def _manage(host: str, pipe: Connection) -> None:
    tasks: list[asyncio.Task[None]] = []
    while True:
        n = await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        pipe.send((_read.rows, _read.bytes))
        _read.rows = _read.bytes = 0
        tasks = [asyncio.create_task(_read(host)) for _ in range(n)]


class _Reader:
    """Reads as the page does; counts what all have read."""

    rows = bytes = 0

    async def __call__(self, host: str) -> None:
        async with asyncio_client.connect(
            f"ws://{host}/live", origin=Origin(f"http://{host}")
        ) as live:
            async for message in live:
                self.bytes += len(message)
                if isinstance(message, bytes):
                    self.rows += 1
                elif '"ping"' in message[:20]:
                    await live.send('{"type":"here"}')


_read = _Reader()


@contextmanager
def drawing(url: str) -> Iterator[None]:
    """Have one Chromium show the page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        chromium = playwright.chromium.launch(executable_path=which("chromium"), args=arguments)
        page = chromium.new_page(viewport={"width": 1280, "height": 800})
        page.goto(url)
        page.wait_for_selector("#state:has-text('live')")
        yield
        chromium.close()


def compare(
    run: Run, wanted: argparse.Namespace, come: Callable[[], object], go: Callable[[], object]
) -> list[tuple[Figures, Figures]]:
    """Return figures with and without, by pairs; every other pair is the other way round."""
    found: list[tuple[Figures, Figures]] = []
    for k in range(wanted.pairs):
        got: dict[bool, Figures] = {}
        for is_with in (False, True) if k % 2 else (True, False):
            (come if is_with else go)()
            time.sleep(SETTLE_S)
            got[is_with] = run.during(wanted.passes)
        go()
        found.append((got[False], got[True]))
    return found


def show(name: str, found: list[tuple[Figures, Figures]]) -> None:
    """Print a row of the table: medians, and the median and extremes of the ratios."""
    values: dict[tuple[str, str], Callable[[Figures], float]] = {
        ("throughput", "MS/s"): lambda f: f.samples_per_s / 1e6,
        ("own cost", "CPU s/MS"): lambda f: f.cpu_s_per_ms,
    }
    for (what, unit), value in values.items():
        ratios = [value(b) / value(a) for a, b in found]
        without, with_ = (statistics.median(value(pair[k]) for pair in found) for k in (0, 1))
        print(
            f"{name:<34} {what:<11} {without:9.3f} {with_:9.3f} {unit:<9}"
            f" {statistics.median(ratios):6.3f}  ({min(ratios):.3f} to {max(ratios):.3f})",
            flush=True,
        )


def cut_off(run: Run, clients: Clients, n: int, passes: int) -> None:
    """Let one client stop reading; say when it is cut off, and what the run does until then."""
    clients.want(n)
    time.sleep(SETTLE_S)
    before = run.during(passes)
    host, port = run.host.split(":")
    with socket.create_connection((host, int(port))) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(
            f"GET /live HTTP/1.1\r\nHost: {run.host}\r\nOrigin: http://{run.host}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        began_s, first = time.monotonic(), run.now()
        if not _wait_for_cut_off(run.host):
            raise SystemExit(f"A client that does not read stays for {CUT_OFF_WITHIN_S:g} s.")
        after_s, during = time.monotonic() - began_s, Figures.between(first, run.now())
    rows, n_bytes = clients.want(0)
    print(
        f"A client that stops reading is cut off after {after_s:.1f} s; until then"
        f" {during.samples_per_s / 1e6:.3f} MS/s, {during.samples_per_s / before.samples_per_s:.3f}"
        f" of before. The {n} others read {rows:,} rows, {n_bytes / 1e6:.1f} MB."
    )


def _wait_for_cut_off(host: str) -> bool:
    until_s = time.monotonic() + CUT_OFF_WITHIN_S
    with sync_client.connect(f"ws://{host}/live", origin=Origin(f"http://{host}")) as live:
        while time.monotonic() < until_s:
            message = live.recv(timeout=10)
            if isinstance(message, bytes):
                continue
            told: dict[str, Any] = json.loads(message)
            if told["type"] == "ping":
                live.send('{"type":"here"}')
            elif told["type"] == "figures" and told["figures"]["page"]["cut_off"]:
                return True
    return False


def main() -> None:
    """Make a scene, run it with and without, and print the table."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--passes", type=int, default=4)
    parser.add_argument("--browsers", type=int, default=10)
    parser.add_argument("--chromium", action="store_true", help="one that draws, beside them")
    wanted = parser.parse_args()
    settings = SceneSettings(
        seed=SEED, duration_s=SCENE_S, band_hz=RATE_HZ, emissions=(8, 10), snr_db=(12.0, 30.0),
        burst_s=(0.05, 0.5),
    )  # fmt: skip
    pairs = f"{wanted.pairs} pairs of {wanted.passes} x {SCENE_S:g} s"
    print(f"{wanted.browsers} clients that read; {pairs}; medians")
    print(f"{'':<34} {'':<11} {'none':>9} {'with':>9} {'':<9} {'ratio':>6}")
    with tempfile.TemporaryDirectory() as folder:
        path = write_watched_scene(settings, Path(folder))
        measure(path, wanted)


def measure(path: Path, wanted: argparse.Namespace) -> None:
    """Run a recording as fast as it goes, and in real time."""
    serve_alone(wanted)
    play(Run(path), "as fast as it goes", wanted)
    play(Run(path, "--realtime"), "in real time", wanted, stops_reading=True)


def serve_alone(wanted: argparse.Namespace) -> None:
    """Print what a second of serving costs, without a run."""
    listener, address = listen(Address("127.0.0.1", 0))
    hub = Hub(1)
    page = Page({"streams": []}, hub, Told([], hub, 0), Controls([]), None, Access())
    server, clients = Server(page, listener), Clients(f"127.0.0.1:{address.port}")
    costs: dict[int, list[float]] = {0: [], wanted.browsers: []}
    for _ in range(max(2, wanted.pairs // 2)):
        for n, found in costs.items():
            clients.want(n)
            time.sleep(SETTLE_S)
            found.append(_rows_alone(hub))
    clients.close()
    server.close()
    without, with_ = (statistics.median(found) for found in costs.values())
    print(f"{'the server alone':<34} {'own cost':<11} {without:9.4f} {with_:9.4f} CPU s/s")


def _rows_alone(hub: Hub) -> float:
    """Post as a run does; return the share of a core that it takes."""
    began_s, cpu_s = time.monotonic(), time.process_time()
    for _ in range(round(ALONE_S * ROWS_PER_S)):
        hub.post(Posted(bytes(_ROW_BYTES), 0))
        time.sleep(1 / ROWS_PER_S)
    return (time.process_time() - cpu_s) / (time.monotonic() - began_s)


def play(run: Run, name: str, wanted: argparse.Namespace, stops_reading: bool = False) -> None:
    """Have clients come and go."""
    clients = Clients(run.host)
    try:
        time.sleep(2 * SETTLE_S)
        come, go = lambda: clients.want(wanted.browsers), lambda: clients.want(0)
        show(f"{name}, clients that read", compare(run, wanted, come, go))
        if wanted.chromium:
            with_chromium(run, clients, name, wanted)
        if stops_reading:
            cut_off(run, clients, wanted.browsers, wanted.passes)
    finally:
        clients.close()
        run.close()


def with_chromium(run: Run, clients: Clients, name: str, wanted: argparse.Namespace) -> None:
    """Compare with one Chromium that draws, beside the clients."""
    with ExitStack() as opened:

        def come() -> None:
            clients.want(wanted.browsers)
            opened.enter_context(drawing(run.url))

        def go() -> None:
            clients.want(0)
            opened.close()

        show(f"{name}, and a Chromium", compare(run, wanted, come, go))


if __name__ == "__main__":
    main()
