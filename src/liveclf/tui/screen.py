"""The screen: what is new goes into its parts, and keys go to the run."""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.widgets import Input

from liveclf.errors import LiveclfError
from liveclf.tui import drawing, keys
from liveclf.tui.behind import Behind
from liveclf.tui.commands import Commands
from liveclf.tui.drawing import DETAILS_FROM, Drawing
from liveclf.tui.following import Following
from liveclf.tui.looks import Colours, Looks
from liveclf.tui.paper import Terminal

_DRAW_S = 0.2
_MOST_SAID = 200  # lines that are told again after the screen has gone
_RESTORE_S = 2.0


def show(behind: Behind) -> list[str]:
    """Show a run in this terminal until it has ended and nobody looks any more.

    Returns:
        What was said meanwhile, the newest of it, and whether the screen has failed.
    """
    terminal = Terminal()
    app = RunScreen(behind, terminal)
    try:
        app.run()
    finally:
        terminal.restore(_RESTORE_S)
    if not app.return_code:
        behind.end()  # whatever has closed the screen
    elif not behind.has_ended():
        app.said.append("The screen has failed; the run goes on, Ctrl-C ends it.")
    return list(app.said)


class RunScreen(App[None]):
    """The application: joins what is followed, what is drawn, and what keys do.

    Attributes:
        said: The newest lines that were printed meanwhile.
        looks: Of the terminal.
        following: What is new in the run.
    """

    ENABLE_COMMAND_PALETTE = False
    TITLE = "liveclf"
    CSS = drawing.CSS
    BINDINGS: ClassVar[list[BindingType]] = keys.BINDINGS

    def __init__(
        self, behind: Behind, terminal: Terminal | None = None, looks: Looks | None = None
    ) -> None:
        """Prepare.

        Args:
            behind: What is shown.
            terminal: Where; None for one that a test makes.
            looks: Of it; None for those it says it has.
        """
        driver: Any = terminal.driver if terminal else None
        super().__init__(driver_class=driver)
        self._behind, self._terminal = behind, terminal
        self.looks = looks or looks_of(self, terminal.paper.encoding if terminal else "utf-8")
        self.said: deque[str] = deque(maxlen=_MOST_SAID)
        self.following = Following(behind)
        self._commands = Commands(behind, self.following)
        self._drawing = Drawing(behind, self.following, self._commands, self.looks)
        self._listing, self._list = self.following.listing, self._drawing.list
        self._is_leaving = False

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield from self._drawing.compose()

    def on_mount(self) -> None:
        """Begin to show what comes."""
        self.register_theme(drawing.theme())
        self.theme = "liveclf" if self.looks.colours == "many" else "ansi-dark"
        self._list.focus()
        self.begin_capture_print(self, stdout=False)
        self.following.start()
        self.set_interval(_DRAW_S, self._tick)

    def on_unmount(self) -> None:
        """Take no more."""
        self.following.stop()

    def on_resize(self, event: events.Resize) -> None:
        """Put the details beside the list where there is room."""
        self.screen.set_class(event.size.width >= DETAILS_FROM, "wide")
        self.screen.set_class(event.size.width < DETAILS_FROM, "narrow")
        self.call_after_refresh(self._draw)

    def on_print(self, event: events.Print) -> None:
        """Show what the run says, and keep it for afterwards."""
        for line in event.text.splitlines():
            if line.strip():
                self.said.append(line)
                self._drawing.say(line)

    def _tick(self) -> None:
        """Draw what is new, and leave when all is over."""
        behind = self._behind
        self._is_leaving |= behind.is_interrupted()
        if behind.has_failed() or (self._is_leaving and behind.has_ended()):
            self.exit()
        paper = self._terminal.paper if self._terminal else None
        if paper and paper.is_behind:
            return  # a terminal this slow gets fewer pictures
        if paper and paper.has_lost:
            paper.has_lost = False
            self.refresh(layout=True)
        self._draw()

    def _draw(self) -> None:
        self._drawing.draw(is_leaving=self._is_leaving)

    # -- the end ----------------------------------------------------------------------------

    def action_interrupt(self) -> None:
        """Do what Ctrl-C does where there is no screen."""
        if self._behind.has_ended():
            self.exit()
            return
        self._is_leaving = True
        signal.raise_signal(signal.SIGINT)

    def action_leave(self) -> None:
        """End the run, and with it the screen."""
        if not self._is_leaving:
            self._is_leaving = True
            self._behind.end()
        if self._behind.has_ended():
            self.exit()

    def action_anew(self) -> None:
        """Draw everything anew, where something else has written on the screen."""
        self.refresh(layout=True)

    # -- the list, and the picture ----------------------------------------------------------

    def action_move(self, n_rows: int) -> None:
        """Choose another emission."""
        self._list.move(n_rows)

    def action_page(self, n_pages: int) -> None:
        """Choose another emission, a page away."""
        self._list.move(n_pages * self._list.page)

    def on_emission_list_chosen(self) -> None:
        """Draw at once what was chosen."""
        self._draw()

    def action_follow(self) -> None:
        """Choose the newest, now and as long as no other is chosen."""
        self._list.follows = True
        self._draw()

    def action_details(self) -> None:
        """Show details in the place of all else, where there is no room for both."""
        self.screen_stack[0].toggle_class("told")
        self.call_after_refresh(self._draw)

    def action_family(self) -> None:
        """List another family."""
        self._listing.next_family()
        self._draw()

    def action_sort(self) -> None:
        """Sort by something else."""
        self._listing.next_order()
        self._draw()

    def action_slower(self, factor: float) -> None:
        """Have a line stand for more time."""
        self.following.band.slower(factor)
        self._draw()

    def action_next_stream(self) -> None:
        """Show the band of the next stream."""
        self.following.next_stream()
        self._draw()

    def action_help(self) -> None:
        """Show the keys."""
        self.push_screen(keys.Help(self.looks))

    # -- the run ----------------------------------------------------------------------------

    def action_pause(self) -> None:
        """Pause a replay; hold the picture of what cannot wait."""
        self._try(self._commands.pause)

    def action_seek(self, steps: int) -> None:
        """Go elsewhere in a replay."""
        self._try(lambda: self._commands.seek(steps))

    def action_speed(self, steps: int) -> None:
        """Have a replay go faster or slower."""
        self._try(lambda: self._commands.speed(steps))

    def action_export(self) -> None:
        """Save the samples of the chosen emission in this folder."""
        if (key := self._list.chosen) is not None:
            self._save(lambda: self._commands.export(key))

    def _try(self, act: Callable[[], None]) -> None:
        """Do something at once, and show what came of it."""
        try:
            act()
        except LiveclfError as error:
            self._drawing.say(str(error), is_bad=True)
        self._draw()

    def _save(self, act: Callable[[], str]) -> None:
        """Do something that takes a while, and then show what it says."""

        async def save() -> None:
            try:
                said = await asyncio.to_thread(act)
            except (ValueError, LiveclfError) as error:
                self._drawing.say(str(error), is_bad=True)
            else:
                self._drawing.say(said)
            self._draw()

        asyncio.create_task(save())  # noqa: RUF006

    # -- what is typed ----------------------------------------------------------------------

    def action_ask(self, what: str) -> None:
        """Ask for a line of text."""
        if refusal := self._commands.refusal(what):
            self._drawing.say(refusal)
        elif what != "relabel" or self._list.chosen is not None:
            self._list.follows &= what != "relabel"
            text = self._listing.text if what == "filter" else ""
            self._drawing.prompt.ask(what, self._list.chosen, text)
        self._draw()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is typed."""
        if self._drawing.prompt.asked == "filter":
            self._listing.ask(text=event.value)
            self._draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Do what was typed."""
        prompt, text = self._drawing.prompt, event.value.strip()
        what, about = prompt.asked, prompt.about
        self._close_prompt()
        if what == "tune" and text:
            self._try(lambda: self._commands.tune(text))
        elif what == "relabel" and text and about is not None:
            self._save(lambda: self._commands.relabel(about, text))
        self._draw()

    def on_key(self, event: events.Key) -> None:
        """Leave the prompt as it was with Escape."""
        if event.key == "escape":
            if self._drawing.prompt.asked == "filter" or self._listing.text:
                self._listing.ask(text="")
            self._close_prompt()
            self._draw()

    def _close_prompt(self) -> None:
        self._drawing.prompt.close()
        self._list.focus()


def looks_of(app: App[Any], encoding: str) -> Looks:
    """Return what the terminal of an application can show.

    Args:
        app: Knows its colours.
        encoding: Of what is written to it.
    """
    colours: Colours = "many"
    if app.no_color or app.console.color_system is None:
        colours = "none"
    elif app.console.color_system == "standard":
        colours = "16"
    return Looks(colours, not encoding.lower().startswith("utf"))
