"""A program that is watched over HTTP: what it says, its metrics, its health."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from command_line import LIMIT_S
from prometheus_client import parser

Sample = tuple[str, frozenset[tuple[str, str]]]


class Watched:
    """A run, what it says, and where it is watched."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.said, self.url = process, list[dict[str, Any]](), ""

    def read_on(self, lines: Iterable[str]) -> None:
        """Keep what it says from here on, on a thread."""
        self._reading = threading.Thread(
            target=lambda: self.said.extend(map(json.loads, lines)), daemon=True
        )
        self._reading.start()

    def events(self, name: str) -> list[dict[str, Any]]:
        return [note for note in self.said if note["event"] == name]

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=LIMIT_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def health(self, which: str = "") -> tuple[int, list[str]]:
        status, body = self.get(f"health{which}")
        assert json.loads(body)["status"] == ("ok" if status == 200 else "failing")
        return status, json.loads(body)["reasons"]

    def scrape(self) -> dict[Sample, float]:
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in parser.text_string_to_metric_families(self.get("metrics")[1])
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        return self.scrape()[name, frozenset(labels.items())]

    def stay(self, seconds: float) -> None:
        """Let time pass, in which it goes on."""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            assert self.process.poll() is None, self.said
            time.sleep(0.05)

    def ended(self) -> None:
        """Wait until all that it said is there."""
        self._reading.join(LIMIT_S)
        assert not self._reading.is_alive()

    def wait_for(self, holds: Callable[[], bool]) -> None:
        until_s = time.monotonic() + LIMIT_S
        while not holds():
            assert time.monotonic() < until_s
            assert self.process.poll() is None, self.said
            time.sleep(0.05)


@contextmanager
def watching(
    *arguments: object, program: tuple[object, ...] = ("-m", "liveclf")
) -> Iterator[Watched]:
    """Start a command with metrics on a free port, and JSON on standard error."""
    command = [sys.executable, *program, *arguments, "--metrics=0", "--log-format", "json"]
    process = subprocess.Popen(
        [*map(str, command)], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    watched = Watched(process)
    try:
        assert process.stderr
        for line in process.stderr:
            watched.said.append(json.loads(line))
            if watched.events("metrics"):
                break
        else:
            pytest.fail(str(watched.said))
        watched.url = watched.events("metrics")[0]["url"].removesuffix("metrics")
        watched.read_on(process.stderr)
        yield watched
    finally:
        process.kill()
        process.wait()
