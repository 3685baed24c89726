"""Processes that make things, in order and no more than a few ahead of their use."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TypeVar

from liveclf.errors import TrainingError

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(make: Callable[[T], R], items: Iterable[T], workers: int) -> Generator[R]:
    """Apply a function to items in other processes, and yield the results in their order.

    Args:
        make: A function of a module, or a `partial` of one, as it is sent to the processes.
        items: What to apply it to; taken as they are needed.
        workers: Processes.

    Raises:
        TrainingError: A process was killed.
    """
    waiting = iter(items)
    pending: deque[Future[R]] = deque()
    context = get_context("spawn")  # a fork would copy the locks that other threads hold
    parent_is_there, here = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, context, begin_worker, (parent_is_there,))
    try:
        with _interrupts_ignored():  # each process begins by ignoring what this one does
            pending.extend(pool.submit(make, item) for item in islice(waiting, workers))
        for item in waiting:
            pending.append(pool.submit(make, item))
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BrokenProcessPool as error:
        raise TrainingError(
            "A process that makes windows was killed, perhaps for want of memory; "
            "try fewer --workers."
        ) from error
    finally:
        here.close()  # what they are at is not waited for
        pool.shutdown(wait=True, cancel_futures=True)
        parent_is_there.close()


def begin_worker(parent_is_there: Connection) -> None:
    """Leave Ctrl-C, which reaches every process, to the parent, and end when it does.

    Args:
        parent_is_there: A pipe whose other end the parent closes, or the system for it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(parent_is_there,), daemon=True).start()


def _end_with_parent(parent_is_there: Connection) -> None:
    parent_is_there.poll(None)
    os._exit(1)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C for a moment, in the main thread; elsewhere Python allows no handlers."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
