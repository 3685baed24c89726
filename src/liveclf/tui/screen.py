"""The screen: what is new goes into its parts, and keys go to the run."""

from __future__ import annotations

import asyncio
import math
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.theme import Theme
from textual.widgets import Input

from liveclf.config import Hertz
from liveclf.errors import LiveclfError
from liveclf.records import StreamInfo
from liveclf.sinks.layout import time_unit
from liveclf.tui import words
from liveclf.tui.band import Band
from liveclf.tui.listing import Listing
from liveclf.tui.looks import ACCENT, BACK, BAD, DIM, TEXT, WARN, Colours, Looks
from liveclf.tui.paper import Terminal
from liveclf.tui.widgets import BandView, EmissionList, Lines
from liveclf.view.clips import drawn
from liveclf.view.controls import Controls
from liveclf.view.hub import Hub
from liveclf.view.recordings import Relabelled, checked_label
from liveclf.view.requests import Control, Pause, Seek, Speed, Tune
from liveclf.view.told import Entry, Key, Told
from liveclf.view.wire import read_row

_DRAW_S = 0.2
_SAID_S = 8.0  # that a message is seen
_MOST_SAID = 200  # lines that are told again after the screen has gone
_SAMPLES_S = 1.0  # after which those of one that lasts are looked at again
_RESTORE_S = 2.0
_SEEK_SHARE = 0.05
_SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)
_PARTS = ("title", "bands", "details", "figures", "said", "keys")
_DETAILS_FROM = 110  # cells


@dataclass(frozen=True)
class Behind:
    """Everything behind the screen.

    Attributes:
        hub: Passes on what is new.
        told: The emissions.
        controls: The sources.
        relabelled: Where corrected ones are kept, None if nowhere.
        seen: The streams.
        about: Of the network, in words.
        has_ended: Whether the run has.
        has_failed: Whether it ended with an error.
        is_interrupted: Whether a signal ends it.
        end: Has it end soon.
    """

    hub: Hub
    told: Told
    controls: Controls
    relabelled: Relabelled | None
    seen: Sequence[StreamInfo]
    about: str
    has_ended: Callable[[], bool]
    has_failed: Callable[[], bool]
    is_interrupted: Callable[[], bool]
    end: Callable[[], Any]


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
    """The keys."""

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


class RunScreen(App[None]):
    """The application.

    Attributes:
        said: The newest lines that were printed meanwhile.
        looks: Of the terminal.
    """

    ENABLE_COMMAND_PALETTE = False
    TITLE = "liveclf"
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
    BINDINGS: ClassVar[list[BindingType]] = [
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
        self._listing = Listing()
        self._list, self._band = EmissionList(self._listing), BandView("band")
        self._parts = {name: Lines(name) for name in _PARTS}
        self._prompt = Input(id="prompt")
        self._bands = [Band() for _ in behind.seen]
        self._stream = 0
        self._pace, self._figures = words.Pace(), dict[str, Any]()
        self._message, self._message_until_s, self._is_bad = "", -math.inf, False
        self._is_held = self._is_leaving = False
        self._asked = ""
        self._clip: dict[str, Any] | str = ""
        self._clip_of: tuple[Key, int] | None = None
        self._clip_s = -math.inf
        self._clip_task: asyncio.Task[None] | None = None

    # -- parts ------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Make the parts, from the top."""
        yield self._parts["title"]
        with Horizontal(id="main"):
            with Vertical(id="left"):
                yield self._band
                yield self._parts["bands"]
                yield self._list
            yield self._parts["details"]
        yield self._parts["figures"]
        yield self._parts["said"]
        yield self._prompt
        yield self._parts["keys"]

    def on_mount(self) -> None:
        """Begin to show what comes."""
        self.register_theme(_theme())
        self.theme = "liveclf" if self.looks.colours == "many" else "ansi-dark"
        self._list.focus()
        self.begin_capture_print(self, stdout=False)
        self._behind.hub.open(asyncio.get_running_loop())
        self._take_task = asyncio.create_task(self._take())
        self.set_interval(_DRAW_S, self._tick)

    def on_unmount(self) -> None:
        """Take no more."""
        self._behind.hub.close()
        self._take_task.cancel()

    def on_resize(self, event: events.Resize) -> None:
        """Put the details beside the list where there is room."""
        self.screen.set_class(event.size.width >= _DETAILS_FROM, "wide")
        self.screen.set_class(event.size.width < _DETAILS_FROM, "narrow")
        self.call_after_refresh(self._draw)

    def on_print(self, event: events.Print) -> None:
        """Show what the run says, and keep it for afterwards."""
        for line in event.text.splitlines():
            if line.strip():
                self.said.append(line)
                self._say(line)

    # -- what is new ------------------------------------------------------------------------

    async def _take(self) -> None:
        """Take messages from the hub as they come."""
        client = self._behind.hub.join()
        assert client is not None
        self._client = client
        for message in await asyncio.to_thread(self._behind.told.newest):
            self._take_text(message)
        while True:
            self._take_message(await client.next())

    def _take_message(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self._take_text(message)
        elif not self._is_held:
            row = read_row(message)
            self._bands[row.stream].push(row)

    def _take_text(self, message: str) -> None:
        content = msgspec.json.decode(message)
        if content["type"] == "emissions":
            self._listing.put(content["items"], time.monotonic())
        elif content["type"] == "figures":
            self._figures = content["figures"] | {
                "screen": content["figures"].get("screen", self._figures.get("screen", {}))
            }
            self._pace.push(self._figures)

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

    # -- drawing ----------------------------------------------------------------------------

    def _draw(self) -> None:
        now_s = time.monotonic()
        looks, behind = self.looks, self._behind
        self._listing.forget(now_s)
        items = list(self._listing.everything())
        self._list.draw(looks)
        self._band.draw(self._bands[self._stream], items, looks, self._list.chosen)
        state = self._of_source()
        title = words.title(behind.seen[self._stream], behind.about, state, self._state, looks)
        self._parts["title"].show_text([title])
        n_open = sum(item.is_open for item in items)
        self._parts["figures"].show_text([words.counters(self._figures, self._pace, n_open, looks)])
        self._draw_bands()
        self._draw_details(now_s)
        self._draw_message(now_s)
        self._parts["keys"].show_text([words.keys(self._keys(state), looks)])

    def _of_source(self) -> dict[str, Any]:
        """Return how the source of the stream that is shown is set, and what can be."""
        state: dict[str, Any] = self._behind.controls.state()["streams"][self._stream]
        return state

    @property
    def _state(self) -> str:
        if self._behind.has_ended():
            return "ended"
        if self._is_leaving:
            return "ending"
        return "held" if self._is_held else ""

    def _draw_bands(self) -> None:
        found = self._listing.bands()
        part = self._parts["bands"]
        part.display = len(found) > 1
        part.show_text([words.bands(found, self.looks)])

    def _draw_message(self, now_s: float) -> None:
        looks, text = self.looks, Text(style=self.looks.style(ACCENT))
        text.append(looks.plain(self._listing.asked))
        if now_s < self._message_until_s:
            said = ("  " if text else "") + looks.plain(self._message)
            text.append(said, looks.style(BAD if self._is_bad else WARN))
        self._parts["said"].show_text([text])

    def _draw_details(self, now_s: float) -> None:
        part = self._parts["details"]
        if not part.display:
            return
        item = self._listing.find(self._list.chosen)
        if item is not None:
            wanted = (item.key, item.emission.n_samples)
            is_new = self._clip_of is None or self._clip_of[0] != item.key
            if is_new:
                self._clip = ""
            due = is_new or now_s - self._clip_s >= _SAMPLES_S
            if wanted != self._clip_of and due and self._clip_task is None:
                self._clip_of, self._clip_s = wanted, now_s
                self._clip_task = asyncio.create_task(self._look(item.key))
        unit = time_unit([item.emission] if item else [])
        part.show_text(words.details(item, self._clip, unit, self.looks))

    async def _look(self, key: Key) -> None:
        """Look at the samples of an emission."""
        try:
            entry = await asyncio.to_thread(self._behind.told.find, key)
            clip: dict[str, Any] | str = "its samples are no longer there"
            if entry and entry.clip:
                clip = await asyncio.to_thread(drawn, entry.clip)
            if self._clip_of and self._clip_of[0] == key:
                self._clip = clip
        finally:
            self._clip_task = None

    def _keys(self, state: dict[str, Any]) -> list[tuple[str, str]]:
        pause = "pause" if state.get("can_pause") else "hold"
        known = [("q", "end" if not self._behind.has_ended() else "quit"), ("space", pause)]
        known += [("/", "filter"), ("c", "family"), ("s", "sort"), ("f", "follow")]
        if state.get("can_seek"):
            known.append((self.looks.pick("←→", "left/right"), "seek"))
        if state.get("can_hurry"):
            known.append(("+-", "speed"))
        if state.get("can_tune"):
            known.append(("t", "tune"))
        if self._behind.relabelled is not None:
            known.append(("r", "relabel"))
        if len(self._bands) > 1:
            known.append(("n", "stream"))
        return [*known, ("e", "export"), ("?", "help")]

    def _say(self, text: str, *, is_bad: bool = False) -> None:
        self._message, self._is_bad = text, is_bad
        self._message_until_s = time.monotonic() + _SAID_S

    # -- keys -------------------------------------------------------------------------------

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

    def action_pause(self) -> None:
        """Pause a replay; hold the picture of what cannot wait."""
        state = self._of_source()
        if state.get("can_pause") and not self._behind.has_ended():
            self._control(Pause(self._stream, not state["is_paused"]))
        else:
            self._is_held = not self._is_held
        self._draw()

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
        self._bands[self._stream].slower(factor)
        self._draw()

    def action_next_stream(self) -> None:
        """Show the band of the next stream."""
        self._stream = (self._stream + 1) % len(self._bands)
        self._behind.hub.watch(self._client, self._stream)
        self._bands[self._stream].clear()
        self._draw()

    def action_seek(self, steps: int) -> None:
        """Go elsewhere in a replay."""
        state = self._of_source()
        position, length = state.get("position_s", 0.0), state.get("length_s", math.nan)
        step_s = _SEEK_SHARE * length if math.isfinite(length) else 1.0
        wanted = max(0.0, position + steps * step_s)
        self._control(Seek(self._stream, min(wanted, length) if length == length else wanted))

    def action_speed(self, steps: int) -> None:
        """Have a replay go faster or slower."""
        speed = self._of_source().get("speed", 1.0)
        at = min(range(len(_SPEEDS)), key=lambda k: abs(_SPEEDS[k] - speed))
        wanted = _SPEEDS[max(0, min(len(_SPEEDS) - 1, at + steps))]
        self._control(Speed(self._stream, wanted))

    def _control(self, request: Control) -> None:
        try:
            self._behind.controls.apply(request)
        except LiveclfError as error:
            self._say(str(error), is_bad=True)
        self._draw()

    def action_help(self) -> None:
        """Show the keys."""
        self.push_screen(Help(self.looks))

    def action_export(self) -> None:
        """Save the samples of the chosen emission in this folder."""
        if self._list.chosen is not None:
            asyncio.create_task(self._keep(self._list.chosen, None))  # noqa: RUF006

    async def _keep(self, key: Key, label: str | None) -> None:
        """Save an emission, with another label or as it is."""
        try:
            said = await asyncio.to_thread(self._kept, key, label)
        except (ValueError, LiveclfError) as error:
            self._say(str(error), is_bad=True)
        else:
            self._say(said)
        self._draw()

    def _kept(self, key: Key, label: str | None) -> str:
        folder = self._exported if label is None else self._behind.relabelled
        if folder is None:
            raise ValueError("Nothing is kept; start liveclf with --relabelled DIR.")
        entry = self._behind.told.find(key)
        if entry is None or entry.clip is None:
            raise ValueError("The samples of this emission are no longer there.")
        if label is None:
            return f"Saved as {folder.save(entry, entry.clip, _label(entry))}."
        checked = checked_label(label)
        name = folder.save(entry, entry.clip, checked)
        self._behind.told.correct(key, checked)
        return f"Saved as {name}, with the label {checked}."

    @property
    def _exported(self) -> Relabelled:
        return Relabelled(Path.cwd())

    # -- what is typed ----------------------------------------------------------------------

    def action_ask(self, what: str) -> None:
        """Ask for a line of text."""
        state = self._of_source()
        if what == "tune" and not state.get("can_tune"):
            self._say(f"{self._behind.seen[self._stream].name} cannot be tuned while it runs.")
        elif what == "relabel" and self._behind.relabelled is None:
            self._say("Nothing is kept; start liveclf with --relabelled DIR.")
        elif what != "relabel" or self._list.chosen is not None:
            self._open_prompt(what)
        self._draw()

    def _open_prompt(self, what: str) -> None:
        self._asked = what
        self._about = self._list.chosen
        self._list.follows &= what != "relabel"
        prompt = self._prompt
        prompt.placeholder = {
            "filter": "text in label, family, MHz or source",
            "tune": "centre, such as 433.92M",
            "relabel": "the right label",
        }[what]
        prompt.value = self._listing.text if what == "filter" else ""
        prompt.add_class("asked")
        prompt.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is typed."""
        if self._asked == "filter":
            self._listing.ask(text=event.value)
            self._draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Do what was typed."""
        what, text = self._asked, event.value.strip()
        self._close_prompt()
        if what == "tune" and text:
            try:
                center_hz = float(Hertz.parse(text))
            except ValueError as error:
                self._say(f"{text!r} is not {error}.", is_bad=True)
            else:
                self._control(Tune(self._stream, center_hz))
        elif what == "relabel" and text and self._about is not None:
            asyncio.create_task(self._keep(self._about, text))  # noqa: RUF006
        self._draw()

    def on_key(self, event: events.Key) -> None:
        """Leave the prompt as it was with Escape."""
        if event.key == "escape":
            if self._asked == "filter" or self._listing.text:
                self._listing.ask(text="")
            self._close_prompt()
            self._draw()

    def _close_prompt(self) -> None:
        self._asked = ""
        self._prompt.remove_class("asked")
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


def _label(entry: Entry) -> str:
    return entry.corrected or entry.emission.label


def _theme() -> Theme:
    return Theme(
        name="liveclf", primary=ACCENT, foreground=TEXT, background=BACK, surface="#11161f",
        panel="#1a2130", secondary=DIM, warning=WARN, error=BAD, dark=True,
    )  # fmt: skip
