"""The parts of the screen, where they are, and what is drawn in them."""

from __future__ import annotations

import math
import time

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.theme import Theme

from liveclf.sinks.layout import time_unit
from liveclf.tui import keys, words
from liveclf.tui.behind import Behind
from liveclf.tui.commands import Commands
from liveclf.tui.following import Following
from liveclf.tui.looks import ACCENT, BACK, BAD, DIM, TEXT, WARN, Looks
from liveclf.tui.prompt import Prompt
from liveclf.tui.samples import Samples
from liveclf.tui.widgets import BandView, EmissionList, Lines

CSS = """
    Screen { layout: vertical; }
    #title, #figures, #said, #keys { height: 1; }
    #bands { height: 1; display: none; }
    #band { height: 55%; min-height: 8; }
    #main { height: 1fr; }
    #left { width: 1fr; }
    #list { height: 1fr; min-height: 3; }
    #details { width: 40; margin-left: 2; display: none; }
    .wide #details, .narrow.told #details { display: block; }
    .narrow.told #left { display: none; }
    .narrow.told #details { width: 1fr; }
    #prompt { display: none; height: 1; border: none; padding: 0 1; }
    #prompt.asked { display: block; }
    Help { align: center middle; }
    #help { width: 72; height: 17; background: $surface; }
"""
DETAILS_FROM = 110
"""Cells, from which on the details have room beside the list."""

_PARTS = ("title", "bands", "details", "figures", "said", "keys")
_SAID_S = 8.0  # that a message is seen


class Drawing:
    """Draws what is followed.

    Attributes:
        list: The emissions.
        prompt: Where something is typed.
    """

    def __init__(
        self, behind: Behind, following: Following, commands: Commands, looks: Looks
    ) -> None:
        """Make the parts.

        Args:
            behind: The run.
            following: What is new in it.
            commands: Know how its sources are set.
            looks: Of the terminal.
        """
        self._behind, self._following, self._commands = behind, following, commands
        self._looks, self._samples = looks, Samples(behind.told)
        self.list, self.prompt = EmissionList(following.listing), Prompt()
        self._band = BandView("band")
        self._parts = {name: Lines(name) for name in _PARTS}
        self._message, self._message_until_s, self._is_bad = "", -math.inf, False

    def compose(self) -> ComposeResult:
        """Yield the parts, from the top."""
        yield self._parts["title"]
        with Horizontal(id="main"):
            with Vertical(id="left"):
                yield self._band
                yield self._parts["bands"]
                yield self.list
            yield self._parts["details"]
        yield self._parts["figures"]
        yield self._parts["said"]
        yield self.prompt
        yield self._parts["keys"]

    def say(self, text: str, *, is_bad: bool = False) -> None:
        """Show a message for some seconds, once it is drawn."""
        self._message, self._is_bad = text, is_bad
        self._message_until_s = time.monotonic() + _SAID_S

    def draw(self, *, is_leaving: bool) -> None:
        """Draw everything as it is now.

        Args:
            is_leaving: Whether the run was asked to end.
        """
        now_s = time.monotonic()
        looks, new, state = self._looks, self._following, self._commands.state()
        new.listing.forget(now_s)
        items = list(new.listing.everything())
        self.list.draw(looks)
        self._band.draw(new.band, items, looks, self.list.chosen)
        said = self._how_it_goes(is_leaving)
        self._show("title", words.title(new.info, self._behind.about, state, said, looks))
        n_open = sum(item.is_open for item in items)
        self._show("figures", words.counters(new.figures, new.pace, n_open, looks))
        self._draw_bands()
        self._draw_details(now_s)
        self._draw_message(now_s)
        useful = keys.useful(
            state,
            looks,
            has_ended=self._behind.has_ended(),
            keeps_labels=self._behind.relabelled is not None,
            n_streams=len(self._behind.seen),
        )
        self._show("keys", words.keys(useful, looks))

    def _show(self, name: str, line: Text) -> None:
        self._parts[name].show_text([line])

    def _how_it_goes(self, is_leaving: bool) -> str:
        if self._behind.has_ended():
            return "ended"
        if is_leaving:
            return "ending"
        return "held" if self._following.is_held else ""

    def _draw_bands(self) -> None:
        found = self._following.listing.bands()
        self._parts["bands"].display = len(found) > 1
        self._show("bands", words.bands(found, self._looks))

    def _draw_details(self, now_s: float) -> None:
        part = self._parts["details"]
        if not part.display:
            return
        item = self._following.listing.find(self.list.chosen)
        clip = self._samples.of(item, now_s) if item else ""
        unit = time_unit([item.emission] if item else [])
        part.show_text(words.details(item, clip, unit, self._looks))

    def _draw_message(self, now_s: float) -> None:
        looks, text = self._looks, Text(style=self._looks.style(ACCENT))
        text.append(looks.plain(self._following.listing.asked))
        if now_s < self._message_until_s:
            said = ("  " if text else "") + looks.plain(self._message)
            text.append(said, looks.style(BAD if self._is_bad else WARN))
        self._show("said", text)


def theme() -> Theme:
    """Return the colours of what Textual itself draws."""
    return Theme(
        name="liveclf", primary=ACCENT, foreground=TEXT, background=BACK, surface="#11161f",
        panel="#1a2130", secondary=DIM, warning=WARN, error=BAD, dark=True,
    )  # fmt: skip
