"""`--web`: joins what the loop passes on, the page, and the server."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liveclf import __version__
from liveclf.config import WebSettings
from liveclf.dsp.formats import FORMATS
from liveclf.errors import MissingExtraError, UsageError
from liveclf.live.history import History
from liveclf.live.pipeline import Stream
from liveclf.live.thresholds import Thresholds
from liveclf.records import StreamInfo

if TYPE_CHECKING:
    from liveclf.model.bundle import BundleInfo
    from liveclf.sinks import SinkReport
    from liveclf.sinks.worker import Worker

_NAME = "--web"
_QUEUE_BATCHES = 64
_LONGEST_S = 60.0  # of the band that is kept
_WIDEST_BYTES = 16  # of a sample in a format that has no name
_FIGURES_S = 0.5


class Web:
    """A page beside a run; it is served from the beginning until `close`."""

    def __init__(
        self,
        settings: WebSettings,
        streams: Sequence[Stream],
        seen: Sequence[StreamInfo],
        model: BundleInfo,
        engine: str,
        thresholds: Thresholds,
        tell: Callable[[str], None],
    ) -> None:
        """Begin to serve, and add a stage to every stream.

        Args:
            settings: Where, and with how much memory.
            streams: Of the run.
            seen: What is known of each, as the framer sees it.
            model: Of the network.
            engine: What runs it, in words.
            thresholds: Of the run, set from the page.
            tell: Told in a sentence what is set from the page.

        Raises:
            MissingExtraError: The server is not installed.
            UsageError: The address is none, or a stream has no rate.
            SinkError: The address cannot be had, or the folder not be made.
        """
        _check(settings, seen)
        try:
            from liveclf.web.server import Server
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                f"--web needs {error.name or 'starlette'}", 'pip install "liveclf[web]"'
            ) from error
        from liveclf.web.access import Access
        from liveclf.web.address import listen, new_token, parse_address
        from liveclf.web.app import Page
        from liveclf.web.controls import Controls
        from liveclf.web.display import Display, Tap, waiting_blocks
        from liveclf.web.hub import Hub
        from liveclf.web.recordings import Relabelled
        from liveclf.web.told import Told

        relabelled = settings.relabelled
        folder = Relabelled(Path(relabelled).expanduser()) if relabelled else None
        listener, address = listen(parse_address(settings.at))
        hub = Hub(len(streams))
        half_bytes = settings.keep_bytes // 2
        taps = [Tap(_history(info, half_bytes // len(seen)), waiting_blocks()) for info in seen]
        token = settings.token or ("" if address.is_loopback else new_token())
        self.url = address.url + (f"?token={token}" if token else "")
        self._hub, self._taps = hub, taps
        self._told = Told([tap.history for tap in taps], hub, half_bytes)
        self._page = Page(
            about=_about(seen, model, engine, folder is not None),
            hub=hub,
            told=self._told,
            controls=Controls([stream.source for stream in streams], thresholds),
            relabelled=folder,
            access=Access(token, f"liveclf-{address.port}"),
        )
        self._server = Server(self._page, listener)
        self._displays = [
            Display(tap, hub, k, info.sample_rate_hz)
            for k, (tap, info) in enumerate(zip(taps, seen, strict=True))
        ]
        for stream, tap in zip(streams, taps, strict=True):
            stream.stages.append(tap)
        self._next_s, self._tell = 0.0, tell

    def start(self, is_live: bool) -> Worker:
        """Start the thread that takes what is told."""
        from liveclf.sinks.worker import Worker

        return Worker(_NAME, self._told, is_live=is_live, depth_batches=_QUEUE_BATCHES)

    def on_block(self, figures: Callable[[], Mapping[str, Any]]) -> None:
        """Post the figures, now and then; called by the loop.

        Args:
            figures: Makes them.
        """
        if (now_s := time.monotonic()) < self._next_s:
            return
        self._next_s = now_s + _FIGURES_S
        self._tell_changes()
        from liveclf.web.hub import Posted
        from liveclf.web.wire import text

        about_page = {
            "browsers": self._hub.n_clients,
            "cut_off": self._hub.cut_off,
            "not_shown_blocks": sum(tap.dropped for tap in self._taps),
            "not_shown_messages": self._hub.dropped,
            "not_cut": self._told.not_cut,
            "changes": self._page.controls.changes.total(),
        }
        message = text("figures", figures=dict(figures()) | {"page": about_page})
        self._hub.post(Posted(message, key="figures"))
        self._page.post_state()

    def stay(self, is_asked_to_end: Callable[[], bool]) -> None:
        """Serve on, after the end of the run, until asked to end."""
        while not is_asked_to_end():
            time.sleep(0.1)

    def _tell_changes(self) -> None:
        for sentence in self._page.controls.news():
            self._tell(sentence)

    def close(self) -> None:
        """Serve no more."""
        for display in self._displays:
            display.close()
        self._server.close()

    def told(self, reports: Sequence[SinkReport]) -> str:
        """Say what became of it."""
        self._tell_changes()
        mine = next(report for report in reports if report.name == _NAME)
        parts = [mine.message.rstrip(".")] if mine.message else []
        if self._hub.cut_off:
            parts.append(f"{self._hub.cut_off} browsers that did not read were cut off")
        if changes := self._page.controls.changes:
            kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(changes.items()))
            parts.append(f"{changes.total()} changes from the page ({kinds})")
        if n := sum(tap.dropped for tap in self._taps):
            parts.append(f"{n:,} blocks not drawn")
        if self._page.relabelled and self._page.relabelled.saved:
            folder = self._page.relabelled
            parts.append(f"{len(folder.saved)} corrected emissions in {folder.folder}")
        return f"{_NAME}: {'; '.join(parts)}" if parts else f"{_NAME}: nothing was lost"

    def others(self, reports: Sequence[SinkReport]) -> list[SinkReport]:
        """Return the reports of all other outputs."""
        return [report for report in reports if report.name != _NAME]


def _check(settings: WebSettings, seen: Sequence[StreamInfo]) -> None:
    for info in seen:
        if not info.sample_rate_hz > 0:
            raise UsageError(
                f"--web {settings.at} draws time and frequency, and the sample rate of {info.name}"
                " is not known; give --rate."
            )


def _history(info: StreamInfo, limit_bytes: int) -> History:
    known = FORMATS.get(info.format)
    sample_bytes = known.bytes_per_sample if known else _WIDEST_BYTES
    return History(min(limit_bytes // sample_bytes, round(_LONGEST_S * info.sample_rate_hz)))


def _about(
    seen: Sequence[StreamInfo], model: BundleInfo, engine: str, keeps_labels: bool
) -> dict[str, Any]:
    return {
        "version": __version__,
        "model": model.name,
        "engine": engine,
        "classes": list(model.classes),
        "families": dict(model.families),
        "can_relabel": keeps_labels,
        "streams": [
            {
                "name": info.name,
                "format": info.format,
                "sample_rate_hz": info.sample_rate_hz,
                "center_hz": info.center_hz,
                "is_live": info.is_live,
            }
            for info in seen
        ],
    }
