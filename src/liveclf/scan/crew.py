"""Workers that are given one recording at a time, and replaced when they die."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Protocol

from liveclf.scan.labeller import Outcome
from liveclf.scan.listing import Found
from liveclf.scan.results import FileResult

_TRIES = 2
_WAKE_S = 0.2  # how soon a signal is noticed while nothing else happens


class Worker(Protocol):
    """Something that labels recordings elsewhere."""

    def submit(self, found: Found) -> Future[Outcome]:
        """Give it a recording; it has no other."""
        ...

    def close(self) -> None:
        """End it, also in the middle of a recording."""
        ...


class Workplace(Protocol):
    """Where workers are.

    Attributes:
        n_workers: How many there is room for.
    """

    n_workers: int

    @property
    def died(self) -> type[BaseException]:
        """What is raised in place of the outcome of a worker that is gone."""
        ...

    def hire(self) -> Worker:
        """Return one more."""
        ...

    def close(self) -> None:
        """Leave the place."""
        ...


@dataclass(frozen=True)
class _Job:
    found: Found
    worker: Worker
    tries: int


def work_through(
    files: Iterable[Found],
    workplace: Workplace,
    is_stopped: Callable[[], bool],
    tell: Callable[[str], None],
) -> Generator[Outcome]:
    """Have every recording labelled, and yield the outcomes as they come.

    A worker that dies takes down the recording that it had, which another one tries once
    more. When the iterator is closed, or work is stopped, no worker is waited for.

    Args:
        files: Taken as workers become free.
        workplace: Where the workers are.
        is_stopped: Asked now and then.
        tell: Told of workers that died.
    """
    todo, again = iter(files), deque[tuple[Found, int]]()
    busy: dict[Future[Outcome], _Job] = {}
    idle: list[Worker] = []
    try:
        while not is_stopped():
            while len(busy) < workplace.n_workers and (task := _next(todo, again)):
                future, job = _assign(*task, idle, workplace)
                busy[future] = job
            if not busy:
                return
            for future in wait(busy, _WAKE_S, FIRST_COMPLETED).done:
                job = busy.pop(future)
                try:
                    outcome = future.result()
                except workplace.died:
                    job.worker.close()
                    tell(_death_of(job))
                    if job.tries < _TRIES:
                        again.append((job.found, job.tries + 1))
                        continue
                    outcome = _lost(job.found)
                else:
                    idle.append(job.worker)
                yield outcome
    finally:
        for worker in [*idle, *(job.worker for job in busy.values())]:
            worker.close()


def _next(todo: Iterator[Found], again: deque[tuple[Found, int]]) -> tuple[Found, int] | None:
    if again:
        return again.popleft()
    found = next(todo, None)
    return None if found is None else (found, 1)


def _assign(
    found: Found, tries: int, idle: list[Worker], workplace: Workplace
) -> tuple[Future[Outcome], _Job]:
    """Give a recording to a worker that has none; one that died idle is no try of it."""
    while idle:
        worker = idle.pop()
        try:
            return worker.submit(found), _Job(found, worker, tries)
        except workplace.died:
            worker.close()
    worker = workplace.hire()
    return worker.submit(found), _Job(found, worker, tries)


def _death_of(job: _Job) -> str:
    what = "it is tried once more" if job.tries < _TRIES else "it is given up"
    return f"A worker died while it read {job.found.path!r}; {what}."


def _lost(found: Found) -> Outcome:
    error = (
        f"The worker died {_TRIES} times while it read this, killed or for want of memory; "
        "try fewer --workers."
    )
    return Outcome(FileResult.of(found, error=error), 0.0, 0)
