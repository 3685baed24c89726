"""The keys: what they do, and where that is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from liveclf.tui.looks import ACCENT, TEXT, Looks
from liveclf.tui.widgets import Lines

BINDINGS: list[BindingType] = [
    Binding("ctrl+c", "interrupt", priority=True),
    Binding("ctrl+q,q", "leave", priority=False),
    Binding("ctrl+l", "anew", priority=True),
    Binding("space", "pause"),
    Binding("up", "move(-1)"),
    Binding("down", "move(1)"),
    Binding("pageup", "page(-1)"),
    Binding("pagedown", "page(1)"),
    Binding("home", "move(-1000)"),
    Binding("end", "move(1000)"),
    Binding("f", "follow"),
    Binding("enter", "details"),
    Binding("slash", "ask('filter')"),
    Binding("c", "family"),
    Binding("s", "sort"),
    Binding("left_square_bracket", "slower(0.5)"),
    Binding("right_square_bracket", "slower(2)"),
    Binding("n", "next_stream"),
    Binding("left", "seek(-1)"),
    Binding("right", "seek(1)"),
    Binding("plus,equals_sign", "speed(1)"),
    Binding("minus", "speed(-1)"),
    Binding("t", "ask('tune')"),
    Binding("r", "ask('relabel')"),
    Binding("e", "export"),
    Binding("question_mark", "help"),
]
"""Of the screen, to its actions."""

_HELP = (
    ("q", "end the run"),
    ("space", "pause a replay; or hold the picture still"),
    ("up, down, page", "choose an emission"),
    ("f", "follow the newest"),
    ("enter", "details, where they are not on the right"),
    ("/", "list those with this text in label, family, MHz or source"),
    ("c", "list another family alone, or all"),
    ("s", "sort by time, frequency, SNR, label, probability"),
    ("[ and ]", "less or more time in a line of the waterfall"),
    ("n", "next stream"),
    ("left, right", "go back or on in a replay (--loop)"),
    ("+ and -", "speed of a replay (--realtime)"),
    ("t", "tune the radio"),
    ("r", "correct the label (--relabelled DIR)"),
    ("e", "save the samples of the emission here, as SigMF"),
    ("Ctrl-L", "draw everything anew"),
    ("Ctrl-C", "interrupt the run"),
)


class Help(ModalScreen[None]):
    """All of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter,space", "dismiss", show=False)
    ]

    def __init__(self, looks: Looks) -> None:
        """Keep how it looks."""
        super().__init__()
        self._looks = looks

    def compose(self) -> ComposeResult:
        """Make the one part."""
        yield Lines("help")

    def on_resize(self) -> None:
        """Show the keys."""
        key, what = self._looks.style(ACCENT, bold=True), self._looks.style(TEXT)
        lines = [Text.assemble((f" {k:<16}", key), (text, what)) for k, text in _HELP]
        self.call_after_refresh(self.query_one("#help", Lines).show_text, lines)


def useful(
    state: Mapping[str, Any], looks: Looks, *, has_ended: bool, keeps_labels: bool, n_streams: int
) -> list[tuple[str, str]]:
    """Return the keys that do something now, and what, in a word.

    Args:
        state: Of the source, as `view.controls` tells it.
        looks: Of the terminal.
        has_ended: Whether the run has.
        keeps_labels: Whether corrected ones are.
        n_streams: Of the run.
    """
    pause = "pause" if state.get("can_pause") else "hold"
    known = [("q", "quit" if has_ended else "end"), ("space", pause)]
    known += [("/", "filter"), ("c", "family"), ("s", "sort"), ("f", "follow")]
    if state.get("can_seek"):
        known.append((looks.pick("←→", "left/right"), "seek"))
    if state.get("can_hurry"):
        known.append(("+-", "speed"))
    if state.get("can_tune"):
        known.append(("t", "tune"))
    if keeps_labels:
        known.append(("r", "relabel"))
    if n_streams > 1:
        known.append(("n", "stream"))
    return [*known, ("e", "export"), ("?", "help")]
