"""What was found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "fault", "skipped"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: What was looked at.
        state: "ok"; "warning", if it will do but not well; "fault", if something will not
            work; "skipped", if it could not be looked at or does not matter here.
        message: What was found, a sentence.
        remedy: What to do; empty if nothing.
    """

    topic: str
    state: State
    message: str
    remedy: str = ""
