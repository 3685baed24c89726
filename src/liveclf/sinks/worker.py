"""Each sink on its own thread, so that one that blocks or fails stops nothing.

    pipeline --submit--> [ bounded queue ] --thread--> sink.write

A live source does not wait: when the queue is full, the batch is dropped and
counted. A replay can wait, and does so for a while, so that a reader that is
merely slow loses nothing. Whatever happens, written + dropped = submitted, and an
output that failed, dropped or blocked is logged: a quiet run prints no summary.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Thread
from typing import Any, Literal, Protocol, runtime_checkable

from liveclf.errors import SinkError
from liveclf.notes import event
from liveclf.protocols import Report, Sink

QUEUE_BATCHES = 64
REPLAY_WAIT_S = 5.0
CLOSE_LIMIT_S = 5.0
GIVE_UP_LIMIT_S = 3.0
REDRAW_S = 0.2
_POLL_S = 0.05

State = Literal["ok", "closed", "failed", "stalled"]

_log = logging.getLogger(__name__)


@runtime_checkable
class Redrawn(Protocol):
    """A sink that also shows or writes something while no batch comes."""

    def redraw(self) -> None:
        """Show or write what changed since the last time; called several times a second."""
        ...


@runtime_checkable
class Remote(Protocol):
    """A sink with somebody on the other side of a network, who may be slow or away.

    Attributes:
        n_lost: Records that it took and that are not known to have arrived.
        trouble: A sentence that names the output; empty if there is nothing to say.
    """

    n_lost: int

    @property
    def trouble(self) -> str:
        """What keeps records from arriving, or has kept them."""
        ...

    def attend(self) -> None:
        """Look after the connection while no batch comes; called several times a second."""
        ...

    def give_up(self) -> None:
        """Let `write` and `close` wait no longer; called from another thread."""
        ...


@runtime_checkable
class Connected(Protocol):
    """A sink that may lack its connection for a while."""

    @property
    def is_connected(self) -> bool:
        """Whether it has it now."""
        ...


@dataclass(frozen=True, slots=True)
class SinkState:
    """How one output is while the run goes on.

    Attributes:
        name: The output, such as "jsonl:out.jsonl".
        n_records: Records submitted.
        n_dropped: Of those, not written and not waiting.
        n_waiting: Batches in its queue.
        n_room: Batches that the queue holds.
        state: See `SinkReport`.
        is_connected: False where the other side is away.
        message: A sentence where there is something to say, else empty.
    """

    name: str
    n_records: int
    n_dropped: int
    n_waiting: int
    n_room: int
    state: State
    is_connected: bool
    message: str


@dataclass(frozen=True, slots=True)
class SinkReport:
    """What became of one output.

    Attributes:
        name: The output, such as "jsonl:out.jsonl".
        n_written: Records written in full.
        n_dropped: Records submitted and not known to be written.
        state: "ok"; "closed" by its reader, which is no error; "failed"; or
            "stalled", still blocked in a write when the run ended.
        message: A sentence where there is something to say, else empty.
    """

    name: str
    n_written: int
    n_dropped: int
    state: State
    message: str


class Worker:
    """Runs one sink on a daemon thread behind a bounded queue."""

    def __init__(
        self,
        name: str,
        sink: Sink[Any],
        *,
        is_live: bool,
        depth_batches: int = QUEUE_BATCHES,
        wait_s: float = REPLAY_WAIT_S,
    ) -> None:
        """Start the thread.

        Args:
            name: How messages call the output.
            sink: What writes.
            is_live: Whether the source will not wait for us.
            depth_batches: Batches that may queue.
            wait_s: Longest wait for room in the queue, on a replay.
        """
        self.name = name
        self.state: State = "ok"
        self._sink = sink
        self._queue: queue.Queue[Report | None] = queue.Queue(depth_batches)
        self._can_wait = not is_live
        self._wait_s = wait_s
        self._message = ""
        self._is_stalled = False
        # Each counter is changed by one thread only, so none needs a lock.
        self._n_submitted = 0
        self._n_written = 0
        self._n_refused = 0  # never queued
        self._summary: dict[str, Any] | None = None
        self._finished_s = self._progress_s = 0.0
        self._is_abandoned = False
        self._thread = Thread(target=self._run, name=f"sink {name}", daemon=True)
        self._thread.start()

    def submit(self, report: Report) -> None:
        """Hand over one batch; never fails, and waits at most `wait_s`."""
        self._n_submitted += len(report)
        if self.state != "ok" or not len(report):
            return
        try:
            self._put(report)
        except queue.Full:
            self._n_refused += len(report)
            if not self._message:
                self._message = f"{self.name} is slower than the stream; some records were dropped."
                _log.warning("%s", self._message, extra=event("output_slow"))
            self._is_stalled = True
        else:
            self._is_stalled = False

    @property
    def waiting(self) -> int:
        """Batches in the queue."""
        return self._queue.qsize()

    @property
    def current(self) -> SinkState:
        """How it is; to be asked by the thread that submits."""
        sink, state = self._sink, self.state
        lost = sink.n_lost if isinstance(sink, Remote) else 0
        is_connected = sink.is_connected if isinstance(sink, Connected) else True
        message = self._message
        if isinstance(sink, Remote) and not is_connected:
            message = message or sink.trouble
        # What waits in the queue of one that has ended is written no more.
        works = state == "ok" and self._thread.is_alive() and not self._is_abandoned
        n_dropped = self._n_refused if works else self._n_submitted - self._n_written
        return SinkState(
            name=self.name,
            n_records=self._n_submitted,
            n_dropped=n_dropped + lost,
            n_waiting=self.waiting if works else 0,
            n_room=self._queue.maxsize,
            state=state,
            is_connected=is_connected,
            message=message,
        )

    def stop_waiting(self) -> None:
        """Wait for a slow reader no longer: the user asked to end."""
        self._can_wait = False

    def finish(self, summary: dict[str, Any]) -> None:
        """Ask for the end once the queue is empty; `join` waits for it."""
        self._finished_s = time.monotonic()
        self._summary = summary
        # If the queue is full the thread is awake, and sees `_summary` after its next batch.
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(None)

    def join(self, limit_s: float) -> SinkReport:
        """Wait for the end, within limits, and say what became of the output.

        Args:
            limit_s: Seconds since `finish`; on a replay, since the sink last
                finished a batch, so that a slow reader still gets everything.
        """
        while self._thread.is_alive():
            self._thread.join(_POLL_S)
            since_s = max(self._finished_s, self._progress_s if self._can_wait else 0.0)
            if time.monotonic() - since_s >= limit_s:
                break
        remote = self._sink if isinstance(self._sink, Remote) else None
        if remote and self._thread.is_alive():
            self._is_abandoned = True  # what is queued is not begun
            remote.give_up()
            self._thread.join(GIVE_UP_LIMIT_S)
        self._is_abandoned = self._thread.is_alive()
        n_written = self._n_written - (remote.n_lost if remote else 0)
        n_dropped = self._n_submitted - n_written
        state, message = self.state, self._message
        if self._is_abandoned and state == "ok":
            lost = f"; {n_dropped} of its records may be missing" if n_dropped else ""
            state, message = "stalled", f"{self.name} was still blocked when the run ended{lost}."
            _log.error("%s", message, extra=event("output_stalled"))
        elif remote and state == "ok":
            message = remote.trouble or message
            if n_dropped:
                text = "%s Records not delivered: %d."
                _log.error(text, message, n_dropped, extra=event("output_lost"))
        return SinkReport(self.name, n_written, n_dropped, state, message)

    def _put(self, report: Report) -> None:
        give_up_s = time.monotonic() + self._wait_s
        while self._can_wait and not self._is_stalled and self.state == "ok":
            left_s = give_up_s - time.monotonic()
            if left_s <= 0:
                break
            try:  # in short waits, so that stop_waiting() is noticed
                return self._queue.put(report, timeout=min(left_s, _POLL_S))
            except queue.Full:
                continue
        self._queue.put_nowait(report)

    def _run(self) -> None:
        while (report := self._next()) is not None:
            if self._attempt(self._sink.write, report):
                self._n_written += len(report)
            self._progress_s = time.monotonic()
        # At once after a failure too: a dead table must not keep the terminal.
        self._attempt(self._sink.close, self._summary or {})

    def _next(self) -> Report | None:
        """Wait for a batch; None is the end."""
        sink, idle = self._sink, None
        if isinstance(sink, Redrawn):
            idle = sink.redraw
        elif isinstance(sink, Remote):
            idle = sink.attend
        while self._is_wanted():
            if idle is None:
                return self._queue.get()
            try:
                return self._queue.get(timeout=REDRAW_S)
            except queue.Empty:
                self._attempt(idle)
        return None

    def _is_wanted(self) -> bool:
        if self.state != "ok" or self._is_abandoned:
            return False
        return self._summary is None or not self._queue.empty()

    def _attempt(self, action: Callable[..., None], *arguments: Any) -> bool:
        """Call into the sink; whatever it raises ends the output, not the thread."""
        try:
            action(*arguments)
        except BrokenPipeError:
            self._end("closed", f"{self.name} was closed by its reader.")
        except SinkError as error:
            self._end("failed", str(error))
        except Exception as error:  # a fault in one sink must not end the run
            self._end("failed", f"{self.name} failed: {type(error).__name__}: {error}.")
        else:
            return True
        return False

    def _end(self, state: State, message: str) -> None:
        if self.state != "ok":
            return  # the first reason is the one that counts
        self._message = message
        self.state = state
        if state == "failed":
            _log.error("%s", message, extra=event("output_failed"))


class FanOut:
    """Hands every batch to all outputs."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = tuple(workers)
        self._n_outputs = len(self._workers)
        self._reports: tuple[SinkReport, ...] | None = None

    @property
    def all_closed(self) -> bool:
        """Whether no output takes records any more: going on would be for nothing."""
        outputs = self._workers[: self._n_outputs]
        return bool(outputs) and all(w.state != "ok" for w in outputs)

    @property
    def waiting(self) -> dict[str, int]:
        """Batches in the queue of each output."""
        return {worker.name: worker.waiting for worker in self._workers}

    @property
    def current(self) -> tuple[SinkState, ...]:
        """How each output is, listeners last; to be asked by the thread that writes."""
        return tuple(worker.current for worker in self._workers)

    def add_listener(self, worker: Worker) -> None:
        """Add one that gets every batch, and for which alone the run does not go on."""
        self._workers += (worker,)

    def write(self, report: Report) -> None:
        """Hand over one batch; see `Worker.submit`."""
        for worker in self._workers:
            worker.submit(report)

    def stop_waiting(self) -> None:
        """Wait for slow readers no longer; safe in a signal handler."""
        for worker in self._workers:
            worker.stop_waiting()

    def close(
        self, summary: dict[str, Any], limit_s: float = CLOSE_LIMIT_S
    ) -> tuple[SinkReport, ...]:
        """Let every output finish, within limits. A second call does nothing.

        Args:
            summary: The figures of the whole run, handed to each sink.
            limit_s: See `Worker.join`.

        Returns:
            What became of each output, in the order they were given, listeners last.
        """
        if self._reports is None:
            for worker in self._workers:
                worker.finish(summary)
            self._reports = tuple(worker.join(limit_s) for worker in self._workers)
        return self._reports
