"""Calls into a driver's library in a process of its own, with a time limit.

Such a library may hang, crash, or print what it likes; here it then is a sentence.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any, Literal

from liveclf.errors import LiveclfError, MissingExtraError

State = Literal["ok", "missing", "failed"]
_END_S = 2.0


@dataclass(frozen=True)
class Outcome:
    """What became of a call.

    Attributes:
        state: "ok"; "missing" if something has to be installed first; or "failed".
        message: A sentence, empty where it returned.
        value: What it returned.
    """

    state: State
    message: str = ""
    value: Any = None


def call(name: str, function: str, *arguments: Any, limit_s: float) -> Outcome:
    """Call a function in a process that is ended afterwards, whatever it does.

    Args:
        name: How messages call what is asked.
        function: MODULE:NAME.
        arguments: Its arguments; like its result, they are pickled.
        limit_s: Longest wait.
    """
    context = multiprocessing.get_context("spawn")
    reading, writing = context.Pipe(duplex=False)
    process = context.Process(target=_reply, args=(writing, function, arguments), daemon=True)
    process.start()
    writing.close()  # ours, so that the end of the process is the end of the pipe
    try:
        if not reading.poll(limit_s):
            return Outcome("failed", f"{name} did not answer within {limit_s:g} s and was stopped.")
        outcome: Outcome = reading.recv()
        return outcome
    except (EOFError, OSError):
        process.join(_END_S)
        return Outcome("failed", f"{name} crashed ({_ending(process.exitcode)}).")
    finally:
        reading.close()
        process.join(0.1)
        process.kill()
        process.join(_END_S)


def _reply(writing: Connection, function: str, arguments: tuple[Any, ...]) -> None:
    """Answer from within the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the parent
    _be_silent()
    module, _, name = function.partition(":")
    try:
        outcome = Outcome("ok", "", getattr(import_module(module), name)(*arguments))
    except MissingExtraError as error:
        outcome = Outcome("missing", str(error))
    except LiveclfError as error:
        outcome = Outcome("failed", str(error))
    except Exception as error:  # whatever the library raises is what there is to say
        outcome = Outcome("failed", f"{type(error).__name__}: {error}")
    writing.send(outcome)


def _be_silent() -> None:
    """Keep what libraries print, also from C, off the user's screen."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for descriptor in (1, 2):
            os.dup2(nowhere, descriptor)


def _ending(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-exitcode).name
    return f"exit code {exitcode}"
