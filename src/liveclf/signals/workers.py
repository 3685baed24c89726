"""Processes that make things, in order and no more than a few ahead of their use."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from typing import Any, Generic, Self, TypeVar

from liveclf.errors import TrainingError

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Makers(Generic[T, R]):
    """Processes that apply one function to what is submitted, until they are closed."""

    def __init__(self, make: Callable[[T], R], workers: int) -> None:
        """Prepare the processes; they begin with the first `submit`.

        Args:
            make: A function of a module, a `partial` of one, or an object of a class that can
                be called, as it is sent to each process, once.
            workers: Processes.
        """
        context = get_context("spawn")  # a fork would copy the locks that other threads hold
        self._parent_is_there, self._here = context.Pipe(duplex=False)
        begin = (make, self._parent_is_there)
        self._pool = ProcessPoolExecutor(workers, context, _begin, begin)
        self._begun = False

    def submit(self, item: T) -> Future[R]:
        """Ask for what the function makes of an item."""
        if self._begun:
            return self._pool.submit(_make, item)
        self._begun = True
        with _interrupts_held():
            return self._pool.submit(_make, item)

    def close(self) -> None:
        """End the processes; what they are at is not waited for."""
        self._here.close()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._parent_is_there.close()

    def __enter__(self) -> Self:
        """Return the processes."""
        return self

    def __exit__(self, *_: object) -> None:
        """End them."""
        self.close()


def in_order(make: Callable[[T], R], items: Iterable[T], workers: int) -> Generator[R]:
    """Apply a function to items in other processes, and yield the results in their order.

    Args:
        make: A function of a module, or a `partial` of one, as it is sent to the processes.
        items: What to apply it to; taken as they are needed.
        workers: Processes.

    Raises:
        TrainingError: A process was killed.
    """
    pending: deque[Future[R]] = deque()
    with Makers(make, workers) as makers:
        try:
            for item in items:
                pending.append(makers.submit(item))
                if len(pending) > 2 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BrokenProcessPool as error:
            raise TrainingError(
                "A process that makes windows was killed, perhaps for want of memory; "
                "try fewer --workers."
            ) from error


class _Worker:
    """What a process makes things with, and whether it is at one.

    A process that died while it writes a result would leave the reader waiting for the rest of
    it for ever: so it is ended in the middle of making, but not of writing.
    """

    def __init__(self, make: Callable[[Any], Any], parent_is_there: Connection) -> None:
        self._make, self._parent_is_there = make, parent_is_there
        self._state = threading.Lock()
        self._making = self._closed = False
        threading.Thread(target=self._end_with_parent, daemon=True).start()

    def __call__(self, item: Any) -> Any:
        with self._state:
            if self._closed:
                return None  # nobody waits for it any more
            self._making = True
        try:
            return self._make(item)
        finally:
            with self._state:
                self._making = False

    def _end_with_parent(self) -> None:
        self._parent_is_there.poll(None)  # its other end closes with the parent, or by `close`
        with self._state:
            if self._making:
                os._exit(1)
            self._closed = True
        time.sleep(_FAREWELL_S)
        os._exit(1)


# A process that is asked to end, or whose parent died, has left of itself long before.
_FAREWELL_S = 10.0

# Of a worker process: sent once, not with every item.
_worker: _Worker | None = None


def _begin(make: Callable[[Any], Any], parent_is_there: Connection) -> None:
    """Leave Ctrl-C, which reaches every process, to the parent, and end when it does."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker = _Worker(make, parent_is_there)


def _make(item: Any) -> Any:
    assert _worker is not None
    return _worker(item)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back for a moment; processes that begin meanwhile never see it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # its beginning would let it through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
