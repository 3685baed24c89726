"""`--tui`: the screen in the main thread, and the loop in another, until both have ended."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from threading import Thread
from typing import TYPE_CHECKING, Any

from liveclf.cli.messages import say
from liveclf.cli.watching import FiguresPosting, relabelled_of
from liveclf.errors import MissingExtraError, UsageError
from liveclf.sinks import AUTO, SINKS, parse_outputs

if TYPE_CHECKING:
    from liveclf.cli.setup import Setup
    from liveclf.cli.watching import Watching
    from liveclf.sinks import SinkReport

FLAG = "--tui"
_POLL_S = 0.1  # so that a signal is heeded
_GIVE_UP_S = 3.0
_NO_SCREEN = ("dumb", "unknown")  # values of TERM


def check_terminal() -> None:
    """See whether there is a screen to draw on.

    Raises:
        MissingExtraError: What draws is not installed.
        UsageError: There is no terminal.
    """
    if os.name != "posix":
        raise UsageError(f"{FLAG} needs a terminal as POSIX has it; --web shows more of the same.")
    if importlib.util.find_spec("textual") is None:
        raise MissingExtraError(f"{FLAG} needs textual", 'pip install "liveclf[tui]"')
    if sys.stdout is None or not sys.stdout.isatty():
        raise UsageError(
            f"{FLAG} draws on the terminal, and standard output is none; leave out {FLAG}, or the"
            " redirection, and give what is to be written with --output KIND:FILE."
        )
    if (term := os.environ.get("TERM", "")) in _NO_SCREEN:
        raise UsageError(f"{FLAG} draws on the whole terminal, and this one (TERM={term}) cannot.")
    if sys.stdin is None:
        raise UsageError(f"{FLAG} has keys, and standard input is closed; leave it open.")


def outputs_beside(outputs: Sequence[str]) -> tuple[str, ...]:
    """Return the outputs beside the screen, which stands for the table of `auto`.

    Args:
        outputs: The values of `--output`.

    Raises:
        UsageError: One writes to the terminal.
    """
    beside = tuple(text for text in outputs if text != AUTO)
    for text, output in zip(beside, parse_outputs(beside), strict=True):
        if output.is_stdout:
            to_file = SINKS[output.kind].target == "file"
            example = f"{output.kind}:FILE" if to_file else "jsonl:FILE"
            raise UsageError(
                f"--output {text} and {FLAG} both write to the terminal; give --output {example},"
                " or leave out one of them."
            )
    return beside


class Tui:
    """A screen on which a run is watched, and from which its source is set."""

    def __init__(self, setup: Setup, watching: Watching) -> None:
        """Prepare; nothing is drawn before `show`.

        Args:
            setup: Of the run.
            watching: What is shown.

        Raises:
            SinkError: The folder cannot be made.
        """
        from liveclf.view.controls import Controls

        self._watching, self._hub = watching, watching.hubs[FLAG]
        self._controls = Controls([stream.source for stream in setup.streams])
        self._relabelled = relabelled_of(setup)
        self._setup = setup
        self._posting = FiguresPosting(self._hub, "screen")

    def on_block(self, figures: Callable[[], Mapping[str, Any]]) -> None:
        """Post the figures, now and then; called by the loop.

        Args:
            figures: Makes them.
        """
        self._posting.post(
            figures, lambda: {"not_shown": self._watching.not_drawn + self._hub.dropped}
        )

    def show(
        self,
        loop: Callable[[], None],
        end: Sequence[Callable[[], None]],
        is_interrupted: Callable[[], bool],
    ) -> None:
        """Run the loop, and show it until it has ended and nobody looks any more.

        The screen has the main thread, as signals and asyncio want it; a signal ends the
        sources, as always, so the loop ends and with it the screen.

        Args:
            loop: Runs to its end.
            end: What has it end soon; they only set flags.
            is_interrupted: Whether a signal has done so.

        Raises:
            BaseException: What the loop raised, once the terminal is as it was before.
        """
        from liveclf.tui import screen
        from liveclf.tui.behind import Behind

        beside = _Beside(loop)
        behind = Behind(
            hub=self._hub,
            told=self._watching.told,
            controls=self._controls,
            relabelled=self._relabelled,
            seen=self._setup.seen,
            about=self._setup.network,
            has_ended=beside.has_ended,
            has_failed=beside.has_failed,
            is_interrupted=is_interrupted,
            end=lambda: [act() for act in end],
        )
        beside.start()
        try:
            messages = screen.show(behind)
        except BaseException:
            # Interrupted twice: what the loop uses is not to be torn down under it.
            beside.join(_GIVE_UP_S)
            raise
        finally:
            self._controls.release()  # or what is paused would never end
        for message in messages:
            say(message)
        beside.wait()

    def told(self, reports: Sequence[SinkReport]) -> str:
        """Say what became of it."""
        parts = self._watching.missed(reports)
        if self._relabelled and self._relabelled.saved:
            n, folder = len(self._relabelled.saved), self._relabelled.folder
            parts.append(f"{n} corrected emissions in {folder}")
        return f"{FLAG}: {'; '.join(parts) if parts else 'nothing was lost'}"


class _Beside:
    """A call on a thread of its own, whose error is raised by who waits for it."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="loop", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def has_ended(self) -> bool:
        return not self._thread.is_alive()

    def has_failed(self) -> bool:
        return self._error is not None

    def join(self, limit_s: float) -> None:
        self._thread.join(limit_s)

    def wait(self) -> None:
        while self._thread.is_alive():
            self._thread.join(_POLL_S)
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._call()
        except BaseException as error:
            self._error = error
