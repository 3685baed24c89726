"""The line in which something is typed."""

from __future__ import annotations

from textual.widgets import Input

from liveclf.view.told import Key

_HINTS = {
    "filter": "text in label, family, MHz or source",
    "tune": "centre, such as 433.92M",
    "relabel": "the right label",
}


class Prompt(Input):
    """There only while something is asked for.

    Attributes:
        asked: What is, a key of the hints; empty if nothing is.
        about: The emission that was chosen then.
    """

    def __init__(self) -> None:
        """Ask for nothing."""
        super().__init__(id="prompt")
        self.asked = ""
        self.about: Key | None = None

    def ask(self, what: str, about: Key | None, text: str) -> None:
        """Appear.

        Args:
            what: Is asked for.
            about: The emission that is chosen.
            text: To begin with.
        """
        self.asked, self.about = what, about
        self.placeholder = _HINTS[what]
        self.value = text
        self.add_class("asked")
        self.focus()

    def close(self) -> None:
        """Go, whatever was typed."""
        self.asked = ""
        self.remove_class("asked")
