"""Break every live source in every way, and print what became of the stream.

    python tools/fault_trials.py [--times 3] [--only rtlsdr]

Each trial opens a source as `liveclf run` does (over the stand-ins of the tests: a librtlsdr
and a SoapySDR module without a radio, an rtl_tcp server, a ZeroMQ publisher), breaks it
while it streams, and listens until samples come again. A line is a fault: how often the
stream came back, the time from the fault to the next sample (the first wait before a
device is looked for again is 0.5 s), whether the positions account for every sample, and
the longest time that closing took. A source whose packages are not installed is left out,
and the table says so.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "sources"))

from liveclf.config import Hertz, RadioSettings, Seconds, SourceSettings
from liveclf.records import Block
from liveclf.sources import open_source
from liveclf.sources.capture.live import LiveSource

RATE_HZ = 1e6
BEFORE_S = 0.5  # of stream before the fault
AFTER_S = 0.3  # of stream behind it
LIMIT_S = 60.0


@dataclass
class Bench:
    """A device that streams, and what can be done to it.

    Attributes:
        device: What --device is given.
        faults: What can be done to it; each is called with the source.
        settings: Of the source, beside the rate.
    """

    device: str
    faults: dict[str, Callable[[LiveSource], Any]]
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of one trial; times in seconds."""

    came_back: bool
    recovery_s: float
    accounted: bool
    close_s: float


# ---------------------------------------------------------------- one trial


def try_once(bench: Bench, fault: Callable[[LiveSource], Any]) -> Outcome:
    """Stream, break, and listen until it is back."""
    settings = SourceSettings(rate_hz=Hertz(RATE_HZ), center_hz=(Hertz(100e6),), **bench.settings)
    source = open_source(settings, RadioSettings(device=bench.device, buffer_s=Seconds(5)))
    assert isinstance(source, LiveSource)
    blocks = source.blocks()
    accounts = Accounts()
    accounts.listen(blocks, round(BEFORE_S * RATE_HZ))
    fault(source)
    broken_s = time.monotonic()
    # What was on its way when it broke is no recovery: only what comes after a loss is.
    recovery_s = accounts.listen(blocks, round(AFTER_S * RATE_HZ), after_s=broken_s)
    source.close()
    began_s = time.monotonic()
    for _ in blocks:
        pass
    close_s = time.monotonic() - began_s
    return Outcome(recovery_s is not None, recovery_s or 0.0, accounts.right, close_s)


class Accounts:
    """Whether every jump of the positions is explained."""

    def __init__(self) -> None:
        self.right = True
        self._expected: int | None = None
        self._segment = 0

    def listen(
        self, blocks: Iterator[Block], n_samples: int, after_s: float | None = None
    ) -> float | None:
        """Hear so many samples; with `after_s`, behind the first loss or break after it.

        Returns:
            Seconds from `after_s` to the sample that ended the break, None if none came.
        """
        until_s, heard, recovery_s = time.monotonic() + LIMIT_S, 0, None
        for block in blocks:
            if time.monotonic() > until_s:
                return None
            if not len(block.iq):
                continue
            broke = bool(block.losses) or block.segment != self._segment
            self._segment = block.segment
            self._account(block)
            if after_s is not None and recovery_s is None:
                if broke:
                    recovery_s = time.monotonic() - after_s
                continue
            heard += len(block.iq)
            if heard >= n_samples:
                return recovery_s
        return None

    def _account(self, block: Block) -> None:
        if self._expected is not None:
            jump = block.start_sample - self._expected
            self.right &= jump == sum(loss.samples for loss in block.losses)
        self._expected = block.start_sample + len(block.iq)


def kill(source: LiveSource) -> None:
    """Kill the capture process, as the system does for want of memory."""
    pid = source._process._process.pid
    assert pid
    os.kill(pid, signal.SIGKILL)


def paused(source: LiveSource) -> None:
    """Stop reading for longer than the buffer is."""
    time.sleep(7)


# ---------------------------------------------------------------- the benches


def rtlsdr(folder: Path) -> Iterator[Bench]:
    """The real pyrtlsdr over a librtlsdr without a radio."""
    import fake_radio

    control, absent = folder / "control", folder / "absent"

    def told(what: str) -> Callable[[LiveSource], None]:
        return lambda _: write_at_once(control, what)

    def unplugged(source: LiveSource) -> None:
        write_at_once(control, "unplug")
        timer = threading.Timer(3.0, lambda: absent.unlink(missing_ok=True))
        timer.start()

    with environment(fake_radio.environment(loop=1, control=control, absent=absent)):
        yield Bench(
            "rtlsdr",
            {
                "read returns 0": told("return=0"),
                "read returns -1": told("return=-1"),
                "no callback any more": told("silence"),
                "unplugged for 3 s": unplugged,
                "driver crashes": told("crash"),
                "loses 50,000 without a word": told("overflow=50000"),
                "capture process killed": kill,
                "classifier stands still for 7 s": paused,
            },
        )
    with environment(
        fake_radio.environment(loop=1, control=control, hang="close=1 cancel_async=1")
    ):
        yield Bench("rtlsdr", {"read returns 0, then close and cancel hang": told("return=0")})


def soapy(folder: Path) -> Iterator[Bench]:
    """The real SoapySDR with a module without a radio; its folder is compiled here."""
    import faking_soapy

    control, recording = folder / "control", folder / "recording.cs16"
    np.random.default_rng(1).integers(-2000, 2000, 200_000, np.int16).tofile(recording)
    module = folder / "module"
    module.mkdir()
    line = ["g++", "-O2", "-std=c++14", "-shared", "-fPIC", str(faking_soapy.SOURCE)]
    line += ["-o", str(module / "libfakeradio.so"), "-lSoapySDR"]
    subprocess.run(line, check=True, timeout=240)
    fake = faking_soapy.FakeSoapy(module, folder)

    def told(what: str) -> Callable[[LiveSource], None]:
        return lambda _: write_at_once(control, what)

    common = {"file": recording, "pace": "real", "control": control}
    with environment(fake.environment(stamps="samples", **common)):
        yield Bench(
            "soapy:driver=fakeradio",
            {
                "overflow of 12,345, time stamps": told("overflow/12345"),
                "time-outs for ever": told("silence/0"),
                "read returns STREAM_ERROR": told("code/-2"),
                "driver throws": told("throw/0"),
                "driver hangs in read": told("hang/0"),
                "driver crashes": told("crash/0"),
                "capture process killed": kill,
            },
        )
    with environment(fake.environment(**common)):
        yield Bench(
            "soapy:driver=fakeradio", {"overflow of 50,000, no time stamps": told("overflow/50000")}
        )


class RtlTcpServer(socketserver.ThreadingTCPServer):
    """Serves zeros at the rate, to one client after the other."""

    allow_reuse_address = True
    daemon_threads = True
    what = ""  # to do to the client that there is


class _Client(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, RtlTcpServer)
        self.request.sendall(struct.pack(">4sII", b"RTL0", 5, 29))
        began_s, sent = time.monotonic(), 0
        while True:
            what, server.what = server.what, ""
            if what == "close":
                return
            if what == "reset":
                no_time = struct.pack("ii", 1, 0)
                self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_time)
                return
            if what == "item":  # within a sample
                self.request.sendall(b"\x80")
                return
            if what == "silence":
                time.sleep(LIMIT_S)
            try:
                self.request.sendall(bytes(20_000))
            except OSError:
                return
            sent += 10_000
            time.sleep(max(0.0, began_s + sent / RATE_HZ - time.monotonic()))


def rtltcp(folder: Path) -> Iterator[Bench]:
    """A server that speaks rtl_tcp's bytes."""
    with RtlTcpServer(("127.0.0.1", 0), _Client) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def told(what: str) -> Callable[[LiveSource], None]:
            return lambda _: setattr(server, "what", what)

        yield Bench(
            f"rtltcp://127.0.0.1:{server.server_address[1]}",
            {
                "server closes": told("close"),
                "server resets": told("reset"),
                "server closes within a sample": told("item"),
                "server is silent": told("silence"),
                "capture process killed": kill,
                "classifier stands still for 7 s": paused,
            },
        )
        server.shutdown()


class Publisher(threading.Thread):
    """Sends cf32 with GNU Radio's tag headers at the rate; can jump, and begin again."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        import zmq

        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.PUB)
        self.socket.bind("tcp://127.0.0.1:*")
        self.address = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.jump, self.ended, self.restarts = 0, False, 0

    def run(self) -> None:
        """Send until `ended`."""
        from liveclf.sources.zeromq.gnuradio_tags import build

        payload, at, began_s = bytes(8 * 10_000), 0, time.monotonic()
        while not self.ended:
            if self.restarts:
                at, self.restarts, began_s = 0, 0, time.monotonic()
            lost, self.jump = self.jump, 0
            at += lost
            self.socket.send(build(at) + payload)
            at += 10_000
            time.sleep(max(0.0, began_s + (at - lost) / RATE_HZ - time.monotonic()))
        self.context.destroy(linger=0)


def zmq(folder: Path) -> Iterator[Bench]:
    """A ZeroMQ publisher in GNU Radio's framing."""
    publisher = Publisher()
    publisher.start()
    yield Bench(
        f"zmq:{publisher.address}",
        {
            "loses 12,345, offsets jump": lambda _: setattr(publisher, "jump", 12_345),
            "publisher begins again": lambda _: setattr(publisher, "restarts", 1),
            "capture process killed": kill,
            "classifier stands still for 7 s": paused,
        },
    )
    publisher.ended = True
    publisher.join(5)


BENCHES = {"rtlsdr": rtlsdr, "soapy": soapy, "rtltcp": rtltcp, "zmq": zmq}


def write_at_once(path: Path, text: str) -> None:
    """Put a command where a stand-in looks for one; it never sees half of it."""
    part = path.with_suffix(".part")
    part.write_text(text)
    part.rename(path)


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """Set variables for the processes that are begun meanwhile."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


# ---------------------------------------------------------------- the table


def main() -> None:
    """Run all trials and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--only", choices=BENCHES)
    arguments = parser.parse_args()
    console = Console(width=110)
    heads = ("source", "fault", "came back", "median s", "longest s", "accounted", "close s")
    table = Table(*heads, box=None)
    for name, opened in BENCHES.items():
        if arguments.only in (None, name):
            for bench in benches(name, opened):
                for fault, do in bench.faults.items():
                    done = [try_once(bench, do) for _ in range(arguments.times)]
                    table.add_row(name, fault, *figures(done))
                    console.print(name, fault, *figures(done), sep=" | ", style="dim")
    console.print(table)


def benches(name: str, opened: Callable[[Path], Iterator[Bench]]) -> Iterator[Bench]:
    """Yield the benches of a source, one after the other; say so where it is not installed."""
    from liveclf.errors import MissingExtraError

    with tempfile.TemporaryDirectory() as folder:
        try:
            yield from opened(Path(folder))
        except (ImportError, MissingExtraError, FileNotFoundError) as error:
            print(f"{name}: left out, {error}", file=sys.stderr)


def figures(done: list[Outcome]) -> list[str]:
    """Return the cells of a line."""
    times = [outcome.recovery_s for outcome in done if outcome.came_back]
    return [
        f"{len(times)} of {len(done)}",
        f"{median(times):.2f}" if times else "-",
        f"{max(times):.2f}" if times else "-",
        f"{sum(outcome.accounted for outcome in done)} of {len(done)}",
        f"{max(outcome.close_s for outcome in done):.2f}",
    ]


if __name__ == "__main__":
    main()
