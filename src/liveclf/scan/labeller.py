"""What a worker does: one recording in, one result out, by the same loop as `liveclf run`."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import structs

from liveclf.config import Auto, ModelSettings, ScanSettings, SourceSettings
from liveclf.errors import BundleError, LiveclfError, SourceError
from liveclf.scan.listing import Found
from liveclf.scan.results import FileResult

_BATCH = 32  # about the fastest of one thread; more stay not in its cache

if TYPE_CHECKING:
    from liveclf.model.bundle import BundleInfo
    from liveclf.protocols import Engine, Sink, Source
    from liveclf.records import Detections


@dataclass(frozen=True)
class Refusal:
    """Why no recording at all can be labelled.

    Attributes:
        message: A sentence.
        exit_code: That of the program.
    """

    message: str
    exit_code: int


@dataclass(frozen=True)
class Outcome:
    """What became of one recording; what is beside the result goes into the log only.

    Attributes:
        result: The line of the results, or why there will be none.
        wall_s: How long it took.
        process: Who did it.
    """

    result: FileResult | Refusal
    wall_s: float
    process: int


@dataclass(frozen=True)
class _Network:
    engine: Engine
    info: BundleInfo
    precision: str


class Labeller:
    """Labels recordings, one after another; sent to each worker, where it opens its engine."""

    def __init__(self, settings: ScanSettings, model_sha256: str) -> None:
        """Keep what is to be done; nothing is opened yet.

        Args:
            settings: All of the scan; the folder of the results is absolute.
            model_sha256: Of the bundle that all workers have to have.
        """
        self._settings, self._model_sha256 = settings, model_sha256

    def __call__(self, found: Found) -> Outcome:
        """Label a recording; what is wrong with it becomes part of the result."""
        began_s = time.perf_counter()
        result: FileResult | Refusal
        try:
            network = self._network
        except LiveclfError as error:
            result = Refusal(str(error), error.exit_code)
        else:
            result = self._labelled(found, network)
        return Outcome(result, time.perf_counter() - began_s, os.getpid())

    @cached_property
    def _network(self) -> _Network:
        from liveclf.model.bundle import load_bundle
        from liveclf.model.engines import open_engine

        bundle = load_bundle(self._settings.model.bundle)
        if bundle.info.sha256 != self._model_sha256:
            raise BundleError(
                f"Bundle {bundle.folder} is not the one that the scan began with; "
                "give every worker the same."
            )
        engine, precision = open_engine(bundle, single_threaded(self._settings.model))
        return _Network(engine, bundle.info, precision)

    def _labelled(self, found: Found, network: _Network) -> FileResult:
        from liveclf.scan.details import name_of, records_at

        kind, figures = self._settings.results.details, dict[str, Any]()
        try:
            source = self._open(found.path)
            if kind == "none":
                self._classify(source, network, None, figures)
            else:
                name = name_of(found.path, kind)
                with records_at(Path(self._settings.results.output) / name, kind) as records:
                    self._classify(source, network, records, figures)
                figures["details"] = name
        except LiveclfError as error:
            figures["error"] = str(error)
        except Exception as error:  # a fault of ours with one file must not cost the others
            figures["error"] = f"internal error, {type(error).__name__}: {error}"
        if said := figures.get("error"):
            # A name that is no UTF-8 cannot be written as JSON.
            figures["error"] = str(said).encode("utf-8", "backslashreplace").decode()
        return FileResult.of(found, **figures)

    def _open(self, path: str) -> Source:
        from liveclf.sources import open_recording
        from liveclf.sources.recording import ReplaySource

        if os.path.exists(path) and not os.path.isfile(path):
            raise SourceError(f"{path} is no file; a scan reads no pipes and no devices.")
        settings = source_settings(self._settings, path)
        return ReplaySource(open_recording(settings), settings)

    def _classify(
        self,
        source: Source,
        network: _Network,
        records: Sink[Detections] | None,
        figures: dict[str, Any],
    ) -> None:
        """Run the loop; `figures` hold what was classified, also where the source broke."""
        from liveclf.dsp.decimate import Decimator
        from liveclf.dsp.framer import Framer
        from liveclf.live import pipeline
        from liveclf.live.batcher import Batcher
        from liveclf.live.decider import Decider
        from liveclf.live.stats import Stats
        from liveclf.scan.tally import Tally

        info, wanted = network.info, self._settings.results
        decimator = Decimator(self._settings.source.decimate)
        seen = decimator.describe(source.info)
        framer = Framer(info.window_samples, self._settings.window.hop)
        least = wanted.min_probability
        decider = Decider(
            info.classes,
            info.families,
            info.temperature[network.precision],
            top_k=len(info.classes),  # all of them, to add up
            min_probability=info.threshold(network.precision) if least is None else least,
            streams=[seen],
        )
        tally, stats = Tally(info.classes, wanted.top_k, records), Stats(info.families)
        batcher = Batcher(network.engine.batch_size, self._settings.model.max_age_s)
        try:
            stream = pipeline.Stream(source, [decimator], framer, stats)
            pipeline.run([stream], batcher, network.engine, decider, tally)
        finally:
            source.close()
            figures.update(tally.figures(stats, framer, seen))


def source_settings(settings: ScanSettings, path: str) -> SourceSettings:
    """Return the settings of one recording."""
    told = structs.asdict(settings.source)
    del told["paths"]
    if told["rate_hz"] is None:
        del told["rate_hz"]
    return SourceSettings(path=path, **told)


def single_threaded(model: ModelSettings) -> ModelSettings:
    """Return the settings with one thread and a fixed batch, unless the user said how many.

    Several engines of one thread each do more than one engine of several. What a machine
    measures to be the fastest batch would make the results depend on the machine. Keras takes
    no number of threads.
    """
    engine = "onnx" if model.engine == "auto" else model.engine
    threads = model.threads or Auto(engine == "onnx")
    return structs.replace(model, engine=engine, threads=threads, batch=model.batch or Auto(_BATCH))
