"""`--web`: joins what the loop passes on, the page, and the server."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from liveclf import __version__
from liveclf.cli.watching import FiguresPosting, relabelled_of
from liveclf.errors import MissingExtraError
from liveclf.live.thresholds import Thresholds
from liveclf.notes import Note

if TYPE_CHECKING:
    from liveclf.cli.setup import Setup
    from liveclf.cli.watching import Watching
    from liveclf.sinks import SinkReport

FLAG = "--web"


class Web:
    """A page beside a run; it is served from the beginning until `close`."""

    def __init__(
        self, setup: Setup, watching: Watching, thresholds: Thresholds, tell: Callable[[str], None]
    ) -> None:
        """Begin to serve.

        Args:
            setup: Of the run.
            watching: What is shown.
            thresholds: Of the run, set from the page.
            tell: Told in a sentence what is set from the page.

        Raises:
            MissingExtraError: The server is not installed.
            UsageError: The address is none.
            SinkError: The address cannot be had, or the folder not be made.
        """
        try:
            from liveclf.web.server import Server
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                f"--web needs {error.name or 'starlette'}", 'pip install "liveclf[web]"'
            ) from error
        from liveclf.endpoints import listen, new_token, parse_address
        from liveclf.view.controls import Controls
        from liveclf.web.access import Access
        from liveclf.web.app import Page

        settings, folder = setup.settings.web, relabelled_of(setup)
        listener, address = listen(parse_address(settings.at))
        token = settings.token or ("" if address.is_loopback else new_token())
        self.url = address.url + (f"?token={token}" if token else "")
        self._watching, self._hub = watching, watching.hubs[FLAG]
        self._page = Page(
            about=_about(setup, keeps_labels=folder is not None),
            hub=self._hub,
            told=watching.told,
            controls=Controls([stream.source for stream in setup.streams], thresholds),
            relabelled=folder,
            access=Access(token, f"liveclf-{address.port}"),
        )
        self._server = Server(self._page, listener)
        self._posting, self._tell = FiguresPosting(self._hub, "page"), tell

    def on_block(self, figures: Callable[[], Mapping[str, Any]]) -> None:
        """Post the figures, now and then; called by the loop.

        Args:
            figures: Makes them.
        """
        if self._posting.post(figures, self._about_page):
            self._tell_changes()
            self._page.post_state()

    def _about_page(self) -> dict[str, int]:
        return {
            "browsers": self._hub.n_clients,
            "cut_off": self._hub.cut_off,
            "not_shown_blocks": self._watching.not_drawn,
            "not_shown_messages": self._hub.dropped,
            "not_cut": self._watching.told.not_cut,
            "changes": self._page.controls.changes.total(),
        }

    def stay(self, is_asked_to_end: Callable[[], bool]) -> None:
        """Serve on, after the end of the run, until asked to end."""
        self._tell(
            Note(f"The run has ended; its page stays at {self.url} until Ctrl-C.", "page",
                 url=self.url)
        )  # fmt: skip
        while not is_asked_to_end():
            time.sleep(0.1)

    def _tell_changes(self) -> None:
        for sentence in self._page.controls.news():
            self._tell(sentence)

    def close(self) -> None:
        """Serve no more."""
        self._server.close()

    def told(self, reports: Sequence[SinkReport]) -> str:
        """Say what became of it."""
        self._tell_changes()
        parts = self._watching.missed(reports)
        if self._hub.cut_off:
            parts.append(f"{self._hub.cut_off} browsers that did not read were cut off")
        if changes := self._page.controls.changes:
            kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(changes.items()))
            parts.append(f"{changes.total()} changes from the page ({kinds})")
        if self._page.relabelled and self._page.relabelled.saved:
            folder = self._page.relabelled
            parts.append(f"{len(folder.saved)} corrected emissions in {folder.folder}")
        return f"{FLAG}: {'; '.join(parts)}" if parts else f"{FLAG}: nothing was lost"


def _about(setup: Setup, *, keeps_labels: bool) -> dict[str, Any]:
    return {
        "version": __version__,
        "model": setup.model.name,
        "engine": setup.engine,
        "classes": list(setup.model.classes),
        "families": dict(setup.model.families),
        "can_relabel": keeps_labels,
        "streams": [
            {
                "name": info.name,
                "format": info.format,
                "sample_rate_hz": info.sample_rate_hz,
                "center_hz": info.center_hz,
                "is_live": info.is_live,
            }
            for info in setup.seen
        ],
    }
