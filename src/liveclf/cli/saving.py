"""`--save-unknown`: joins the loop's history, what writes from it, and a thread of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from liveclf import __version__
from liveclf.cli.setup import Setup
from liveclf.live.emission_decider import EmissionDecider
from liveclf.live.history import History
from liveclf.live.pipeline import Decider
from liveclf.live.unknown import UnknownSaver
from liveclf.live.unknown_emissions import Candidates, Remembering, UnknownEmissionSaver
from liveclf.records import StreamInfo
from liveclf.sinks import SinkReport
from liveclf.sinks.worker import Worker

# Few, as the samples of all windows that wait there are kept in memory.
_QUEUE_BATCHES = 8
# The batch that is filled, the one in the network, the one that is written.
_UNDER_WAY_BATCHES = 3
_MOST_BLOCK_SAMPLES = 1 << 17


class Saving:
    """What was not recognised, kept beside a run.

    Attributes:
        history: A stage, behind all others.
    """

    def __init__(self, setup: Setup) -> None:
        """Make the folder.

        Args:
            setup: Of the run, with one stream.

        Raises:
            SinkError: The folder cannot be made.
        """
        settings, output = setup.settings, setup.settings.output
        self._name = f"--save-unknown {output.save_unknown}"
        self._candidates: Candidates | None = None
        self._saver: UnknownSaver | UnknownEmissionSaver
        folder = Path(output.save_unknown).expanduser()
        generator = f"liveclf {__version__}, {setup.model.name}"
        limit_bytes = output.save_unknown_bytes
        if settings.detect.wanted:
            candidates = Candidates(setup.seen[0].sample_rate_hz, float(settings.detect.gap_s))
            self._candidates, self.history = candidates, candidates.history
            self._saver = UnknownEmissionSaver(
                folder, candidates, limit_bytes=limit_bytes, generator=generator
            )
        else:
            step = max(setup.model.window_samples, settings.window.hop or 0)
            batches = _QUEUE_BATCHES + _UNDER_WAY_BATCHES
            self.history = History(batches * settings.model.batch * step + _MOST_BLOCK_SAMPLES)
            self._saver = UnknownSaver(
                folder, self.history, limit_bytes=limit_bytes, generator=generator
            )

    def start(self, info: StreamInfo) -> Worker:
        """Start the thread that writes."""
        return Worker(self._name, self._saver, is_live=info.is_live, depth_batches=_QUEUE_BATCHES)

    def beside(self, decider: Decider[Any]) -> Decider[Any]:
        """Return a decider that also puts aside what may have to be kept."""
        if self._candidates is not None and isinstance(decider, EmissionDecider):
            return Remembering(decider, self._candidates)
        return decider

    def told(self, reports: Sequence[SinkReport]) -> str:
        """Say what became of it, after its thread has ended.

        Args:
            reports: Of all outputs.
        """
        mine = next(report for report in reports if report.name == self._name)
        dropped = f"; {mine.n_dropped:,} records not looked at" if mine.n_dropped else ""
        failed = f"; {mine.message}" if mine.message else ""
        return f"{self._name}: {self._saver.report()}{dropped}{failed}"

    def others(self, reports: Sequence[SinkReport]) -> list[SinkReport]:
        """Return the reports of all other outputs."""
        return [report for report in reports if report.name != self._name]
