"""`--metrics`: joins the loop's figures, what is made of them, and the server."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from liveclf import __version__
from liveclf.config import DEFAULT_METRICS, MetricsSettings
from liveclf.endpoints import Address, listen, parse_address
from liveclf.errors import MissingExtraError
from liveclf.live.pipeline import Stream
from liveclf.notes import Note
from liveclf.protocols import Returning
from liveclf.records import StreamInfo

if TYPE_CHECKING:
    from liveclf.cli.setup import Setup
    from liveclf.monitor.server import Answer
    from liveclf.monitor.snapshot import Snapshot, StreamState
    from liveclf.sinks import FanOut

_NAME = "--metrics"
_EACH_S = 0.5
_JSON = "application/json"


def metrics_address(text: str) -> Address:
    """Read where metrics are served.

    Raises:
        UsageError: It is no address.
    """
    return parse_address(text, _NAME, DEFAULT_METRICS.rpartition(":")[2])


@dataclass
class _Heard:
    """How many samples had come, and when that last changed."""

    samples: int = 0
    at_s: float = 0.0


class Served:
    """Metrics and health of some streams; they are served from the beginning until `close`."""

    def __init__(
        self, settings: MetricsSettings, streams: Sequence[Stream], seen: Sequence[StreamInfo]
    ) -> None:
        """Begin to serve.

        Args:
            settings: Where, and what is unwell.
            streams: That are watched.
            seen: What is known of each, as what reads it sees it.

        Raises:
            MissingExtraError: The library is not installed.
            UsageError: The address is none.
            SinkError: It cannot be had.
        """
        try:
            from liveclf.monitor.metrics import Metrics
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                f"{_NAME} needs {error.name or 'prometheus_client'}",
                'pip install "liveclf[metrics]"',
            ) from error
        from liveclf.monitor.health import Health
        from liveclf.monitor.server import Server

        listener, address = listen(metrics_address(settings.at), _NAME)
        self.url, self.is_open = f"{address.url}metrics", not address.is_loopback
        self._streams, self._seen, self._next_s = streams, seen, 0.0
        self._heard = [_Heard() for _ in streams]
        self._health = Health(float(settings.health_limit_s))
        self._metrics = Metrics(
            lambda: not self._health.not_ready(), lambda: self._server.n_refused
        )
        ready = _health(self._health.not_ready)
        self._server = Server(
            listener,
            {
                "/metrics": self._scraped,
                "/health": ready,
                "/health/ready": ready,
                "/health/live": _health(self._health.not_alive),
            },
            is_loopback=address.is_loopback,
        )

    def introduce(self, tell: Callable[[str], None]) -> None:
        """Tell where they are, and to whom they are open."""
        tell(Note(f"Metrics: {self.url}", "metrics", url=self.url))
        if self.is_open:
            tell(Note("They are open to every machine that gets there, without a password.",
                      "metrics_open", "warning", url=self.url))  # fmt: skip

    def close(self) -> None:
        """Serve no more."""
        self._server.close()

    def _turn(self, snapshot: Callable[[], Snapshot]) -> None:
        """Note that the loop turns, and take a snapshot now and then."""
        self._health.beat()
        if (now_s := time.monotonic()) >= self._next_s:
            self._next_s = now_s + _EACH_S
            self._take(snapshot())

    def _take(self, snapshot: Snapshot) -> None:
        self._metrics.take(snapshot)
        self._health.look(snapshot)

    def _state(self, number: int, figures: Mapping[str, Any]) -> StreamState:
        from liveclf.monitor.snapshot import RadioState, StreamState

        stream, info = self._streams[number], self._seen[number]
        source, heard = stream.source, self._heard[number]
        if figures["samples"] != heard.samples:
            heard.samples, heard.at_s = figures["samples"], time.time()
        radio = None
        if isinstance(source, Returning):
            radio = RadioState(source.n_gone, source.n_attempts, source.buffer_fill)
        return StreamState(
            name=info.name,
            format=info.format,
            sample_rate_hz=info.sample_rate_hz,
            figures=figures,
            latencies=stream.stats.latencies,
            heard_s=heard.at_s,
            radio=radio,
        )

    def _scraped(self, accept: str) -> Answer:
        from liveclf.monitor.server import Answer

        body, content_type = self._metrics.scrape(accept)
        return Answer(200, content_type, body)


class Monitor(Served):
    """Those of a run."""

    def __init__(self, setup: Setup) -> None:
        """Begin to serve; raises as `Served` does.

        Args:
            setup: Of the run.
        """
        super().__init__(setup.settings.metrics, setup.streams, setup.seen)
        self._setup = setup

    def on_block(self, figures: Callable[[], Mapping[str, Any]], output: FanOut) -> None:
        """Leave a snapshot, now and then; called by the loop.

        Args:
            figures: Makes them.
            output: Of the run.
        """
        self._turn(lambda: self._snapshot(figures(), output))

    def end(self, figures: Mapping[str, Any], output: FanOut) -> None:
        """Leave the last snapshot, after the outputs have ended."""
        self._take(self._snapshot(figures, output))
        self._health.end()

    def _snapshot(self, figures: Mapping[str, Any], output: FanOut) -> Snapshot:
        from liveclf.monitor.snapshot import Snapshot

        return Snapshot(
            version=__version__,
            model=self._setup.model.name,
            engine=self._setup.engine,
            streams=tuple(map(self._state, range(len(self._heard)), figures["streams"])),
            outputs=output.current,
        )


def _health(wrong: Callable[[], list[str]]) -> Callable[[str], Answer]:
    """Return what answers with what is wrong."""
    from liveclf.monitor.server import Answer

    def answer(_: str) -> Answer:
        reasons = wrong()
        said = {"status": "failing" if reasons else "ok", "reasons": reasons}
        return Answer(503 if reasons else 200, _JSON, msgspec.json.encode(said) + b"\n")

    return answer
