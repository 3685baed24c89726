"""What radios are there: each driver is asked in a process of its own, with a time limit.

A driver's library may hang, crash, or print what it likes; here it then is a sentence.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Literal

from liveclf.errors import LiveclfError, MissingExtraError
from liveclf.sources.capture.driver import Found

State = Literal["ok", "missing", "failed"]
_END_S = 2.0
_Reply = tuple[State, str, tuple[Found, ...]]


@dataclass(frozen=True)
class Answer:
    """What became of one question.

    Attributes:
        driver: The one asked.
        state: "ok"; "missing" if something has to be installed first; or "failed".
        message: A sentence, empty where it answered.
        found: The devices that it knows of.
    """

    driver: str
    state: State
    message: str = ""
    found: tuple[Found, ...] = ()


def ask_all(drivers: Mapping[str, str], limit_s: float) -> Iterator[Answer]:
    """Ask drivers for their devices, one after another: two may share a radio.

    Args:
        drivers: Name of each -> full name of its module, which has `find_devices()`.
        limit_s: Longest wait for each.
    """
    for driver, module in drivers.items():
        yield ask(driver, module, limit_s)


def ask(driver: str, module: str, limit_s: float) -> Answer:
    """Ask one driver for its devices.

    Args:
        driver: How messages call it.
        module: Full name of its module.
        limit_s: Longest wait.
    """
    context = multiprocessing.get_context("spawn")
    reading, writing = context.Pipe(duplex=False)
    process = context.Process(target=_reply, args=(writing, module), daemon=True)
    process.start()
    writing.close()  # ours, so that the end of the process is the end of the pipe
    try:
        if not reading.poll(limit_s):
            late = f"The driver {driver} did not answer within {limit_s:g} s and was stopped."
            return Answer(driver, "failed", late)
        state, message, found = reading.recv()
        return Answer(driver, state, message, found)
    except (EOFError, OSError):
        process.join(_END_S)
        return Answer(
            driver, "failed", f"The driver {driver} crashed ({_ending(process.exitcode)})."
        )
    finally:
        reading.close()
        process.join(0.1)
        process.kill()
        process.join(_END_S)


def _reply(writing: Connection, module: str) -> None:
    """Answer from within the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the parent
    _be_silent()
    reply: _Reply
    try:
        reply = ("ok", "", tuple(import_module(module).find_devices()))
    except MissingExtraError as error:
        reply = ("missing", str(error), ())
    except LiveclfError as error:
        reply = ("failed", str(error), ())
    except Exception as error:  # whatever the library raises is what there is to say
        reply = ("failed", f"{type(error).__name__}: {error}", ())
    writing.send(reply)


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
