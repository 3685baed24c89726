"""What is said on standard error: a sentence for people, and its content for programs."""

from __future__ import annotations

from typing import Any, Literal, Self

Level = Literal["info", "warning", "error"]


class Note(str):
    """A sentence that also says what it is about.

    Wherever a text is told, one of these can be; a plain text is an event "note" of level
    "info".

    Attributes:
        event: What happened, a name that does not change.
        level: How grave it is.
        fields: Numbers and names in the sentence, and what would not fit there.
    """

    event: str
    level: Level
    fields: dict[str, Any]

    def __new__(cls, text: str, event: str, level: Level = "info", **fields: Any) -> Self:
        """Make one of a sentence."""
        made = super().__new__(cls, text)
        made.event, made.level, made.fields = event, level, fields
        return made


def event(name: str) -> dict[str, str]:
    """Return what names the event of a log record: its `extra`."""
    return {"event": name}
