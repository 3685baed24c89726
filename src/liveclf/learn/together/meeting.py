"""Machines that train together: how they make sure of the same, and miss each other.

machine R ──hello──▶ machine 0    rank, settings (see `arrive`)
          ◀─welcome─               or why not; the files of a run that is resumed
          ◀──beats──▶              until all are done, one ends, or one is lost

What machine 0 learns of one machine it passes on to the others.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any, Self

from liveclf.errors import TrainingError, UsageError
from liveclf.learn.together.line import Line, LostError, Message

BEAT_S = 2.0
SILENCE_S = 30.0  # without a beat: a cable pulled, a machine without power


def lost(rank: int, machines: int, why: str) -> str:
    """Say which machine is missed, and how to go on."""
    return (
        f"Machine {rank} of {machines} {why}, so the training ends here too; start all of them "
        "again with --resume to go on from the last checkpoint."
    )


class Meeting:
    """The connections of one machine: of machine 0 to all others, of those to machine 0.

    Attributes:
        rank: Of this machine.
        machines: How many there are.
        fault: Why the training cannot go on, once that is so.
    """

    def __init__(self, rank: int, machines: int, lines: dict[int, Line], wait_s: float) -> None:
        """Take what `host` or `join` found."""
        self.rank, self.machines = rank, machines
        self.fault: str | None = None
        self._lines, self._wait_s = lines, wait_s
        self._missed = threading.Event()
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def same(self, what: str, value: str) -> None:
        """Make sure that something is the same on all machines; all have to ask.

        Raises:
            UsageError: It is not.
            TrainingError: A machine has gone.
        """
        if self.rank:
            self._say(0, what=what, value=value)
            if refused := self._hear(0).get("refused"):
                raise UsageError(refused)
            return
        others = [rank for rank in self._lines if self._hear(rank).get("value") != value]
        which = ", ".join(map(str, others))
        sentence = f"{what} is another on machine {which} than on machine 0." if others else ""
        for rank in self._lines:
            self._say(rank, refused=sentence)
        if others:
            raise UsageError(sentence)

    def watch(self, on_loss: Callable[[], None]) -> None:
        """Begin to send beats and to miss those of the others.

        Args:
            on_loss: Called once, in a thread, when `fault` is set.
        """
        self._threads = [threading.Thread(target=self._beat, daemon=True)]
        for rank in self._lines:
            listening = threading.Thread(target=self._listen, args=(rank, on_loss), daemon=True)
            self._threads.append(listening)
        for thread in self._threads:
            thread.start()

    def misses_one(self, within_s: float) -> bool:
        """Whether a machine is lost, or turns out to be within a time."""
        return self._missed.wait(within_s)

    def part(self, why: str) -> None:
        """Tell the others that this machine has come to its end, and close.

        Args:
            why: What became of it; empty if it has done its part: then machine 0 is waited
                for, since it still writes.
        """
        self._over.set()
        for rank in self._lines:
            with contextlib.suppress(LostError):
                self._lines[rank].send(end=self.fault or why)
        if not why and self.rank and self._threads:
            self._threads[-1].join(self._wait_s)
        for line in self._lines.values():
            line.close()

    def _beat(self) -> None:
        while not self._over.wait(BEAT_S):
            for line in self._lines.values():
                with contextlib.suppress(LostError):  # whoever listens to it notices
                    line.send(beat=True)

    def _listen(self, rank: int, on_loss: Callable[[], None]) -> None:
        """Read what a machine sends, until its end."""
        try:
            while "end" not in (message := self._lines[rank].receive(SILENCE_S)):
                pass
        except LostError:
            message = {"end": "was lost"}
        why = str(message["end"])
        if not why or (self._over.is_set() and why == "was lost"):
            return
        if not self._missed.is_set():
            # What machine 0 passes on is a whole sentence, of another machine.
            self.fault = why if why.endswith(".") else lost(rank, self.machines, why)
            self._missed.set()
            self._pass_on(rank)
            on_loss()

    def _pass_on(self, rank: int) -> None:
        for other, line in self._lines.items():
            if other != rank:
                with contextlib.suppress(LostError):
                    line.send(end=self.fault)

    def _say(self, rank: int, **message: Any) -> None:
        try:
            self._lines[rank].send(**message)
        except LostError:
            raise TrainingError(lost(rank, self.machines, "was lost")) from None

    def _hear(self, rank: int) -> Message:
        try:
            message = self._lines[rank].receive(self._wait_s)
        except LostError:
            raise TrainingError(lost(rank, self.machines, "was lost")) from None
        if why := message.get("end"):
            raise TrainingError(lost(rank, self.machines, why))
        return message

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Tell the others how it ended."""
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        self.part("" if kind is None else "was interrupted" if interrupted else "has failed")
