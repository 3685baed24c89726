"""What radios are there: each driver is asked, in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from liveclf.sources import isolated
from liveclf.sources.capture.driver import Found
from liveclf.sources.isolated import State


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
    name = f"The driver {driver}"
    outcome = isolated.call(name, f"{module}:find_devices", limit_s=limit_s)
    return Answer(driver, outcome.state, outcome.message, tuple(outcome.value or ()))
