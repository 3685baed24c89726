"""Whether a run is well: alive, and of use.

Alive is a loop that turns, which it does also while a radio is away: where it does not, only a
new start helps. Ready is a run in which samples arrive, windows are labelled and outputs take
records: where it is not, somebody has to look, and a new start need not help.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from liveclf.monitor.snapshot import Snapshot, StreamState
from liveclf.sinks.worker import SinkState


@dataclass(frozen=True, slots=True)
class _Standstill:
    """Something that ought to go on, and since when it has not."""

    value: int
    since_s: float


class Health:
    """Tells what is wrong; the loop reports, any thread asks."""

    def __init__(self, limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin now.

        Args:
            limit_s: For how long something may stand still.
            clock: Monotonic, seconds.
        """
        self._limit_s, self._clock = limit_s, clock
        self._beat_s = clock()
        self._has_ended = False
        self._faults: tuple[str, ...] = ()
        # What stands still, in words; replaced as a whole, as other threads read it.
        self._watched: dict[str, _Standstill] = {}

    def beat(self) -> None:
        """Note that the loop turns."""
        self._beat_s = self._clock()

    def look(self, snapshot: Snapshot) -> None:
        """Note what goes on and what does not."""
        watched: dict[str, _Standstill] = {}
        sent = snapshot.sent
        is_held = bool(sent and sent.is_held)  # then no samples are read
        for number, stream in enumerate(snapshot.streams):
            for what, value, is_due in _progress_of(stream):
                name = f"stream {number} ({stream.name}): {what}"
                self._watch(watched, name, value, is_due and not is_held)
        if sent:  # that nobody listens is no fault of a publisher
            is_due = is_held and sent.n_receivers > 0
            self._watch(watched, f"{sent.name}: no receiver takes anything", sent.messages, is_due)
        for output in snapshot.outputs:
            written = output.n_records - output.n_dropped - output.n_waiting
            self._watch(watched, f"{output.name}: nothing written", written, output.n_waiting > 0)
        self._watched = watched
        broken = [
            f"stream {number} ({stream.name}): {stream.figures['failure']}"
            for number, stream in enumerate(snapshot.streams)
            if stream.figures["failure"]
        ]
        self._faults = (*broken, *filter(None, map(_fault_of, snapshot.outputs)))

    def end(self) -> None:
        """Note that the run has ended."""
        self._has_ended = True

    def not_alive(self) -> list[str]:
        """Return why a new start is needed, nothing if it is not."""
        stuck_s = self._clock() - self._beat_s
        if self._has_ended or stuck_s <= self._limit_s:
            return []
        return [f"the loop has not turned for {stuck_s:.0f} s"]

    def not_ready(self) -> list[str]:
        """Return why the run is of no use now, nothing if it is."""
        if self._has_ended:
            return ["the run has ended"]
        now_s = self._clock()
        still = [
            f"{what} for {now_s - seen.since_s:.0f} s"
            for what, seen in self._watched.items()
            if now_s - seen.since_s > self._limit_s
        ]
        return [*self.not_alive(), *self._faults, *still]

    def _watch(self, watched: dict[str, _Standstill], what: str, value: int, is_due: bool) -> None:
        before = self._watched.get(what)
        if before is None or before.value != value or not is_due:
            before = _Standstill(value, self._clock())
        watched[what] = before


def _progress_of(stream: StreamState) -> list[tuple[str, int, bool]]:
    """Return what of a stream ought to go on: in words, how far it is, whether it is due."""
    figures = stream.figures
    return [
        ("no samples", figures["samples"], not figures["failure"]),
        ("no window labelled", figures["classified"], figures["unclassified"] > 0),
    ]


def _fault_of(output: SinkState) -> str:
    if output.state == "ok" and output.is_connected:
        return ""
    return output.message or f"{output.name} is {output.state}"
