"""The whole path beside the bare engine: from samples to records."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from liveclf.bench.network import Network
from liveclf.bench.results import EndToEnd, Output
from liveclf.bench.rounds import Watch, Work, alternate, ratio_of, speed_of, timed
from liveclf.config import ModelSettings
from liveclf.dsp.framer import Framer
from liveclf.live import pipeline
from liveclf.live.batcher import Batcher
from liveclf.live.in_flight import InFlight
from liveclf.live.shedding import Stride, policy_of
from liveclf.live.stats import Stats
from liveclf.model.bundle import WINDOW_SAMPLES
from liveclf.protocols import Engine, Source
from liveclf.records import Windows
from liveclf.sinks import FanOut, open_sinks

OpenSource = Callable[[int], Source]
"""Opens a source of so many samples."""

_ENGINE = "engine"


def measure_whole(
    network: Network, open_source: OpenSource, outputs: Sequence[str], watch: Watch
) -> EndToEnd | None:
    """Measure the engine and the whole path in turn.

    Args:
        network: Which engine, and which labels.
        open_source: Where the samples come from.
        outputs: As `liveclf run --output` has them, each measured alone.
        watch: For how long.

    Returns:
        None if the user ended it before the first round was whole.
    """
    engine = network.engine
    batch = _batch(open_source(engine.batch_size * WINDOW_SAMPLES))
    slot_s = watch.slot_s(1 + len(outputs))
    # Whole batches, some that fill the slot: the last of a stream would else be a padded one.
    first = timed(lambda: len(engine.predict(batch.x)), slot_s / 2, watch.clock)
    n_batches = max(1, round(slot_s * first.windows_per_s / engine.batch_size))
    n_samples = n_batches * engine.batch_size * WINDOW_SAMPLES
    works: dict[str, Work] = {_ENGINE: lambda: _answered(engine, batch, n_batches)}
    for output in outputs:
        works[output] = _classifying(network, open_source, n_samples, output, watch)
    rounds = alternate(works, watch)
    if not rounds:
        return None
    measured = []
    for output in outputs:
        speed = speed_of(rounds, output)
        measured.append(
            Output(
                output=output.partition(":")[0],
                speed=speed,
                samples_per_s=speed.windows_per_s * WINDOW_SAMPLES,
                ratio=ratio_of(rounds, output, _ENGINE),
            )
        )
    return EndToEnd(engine=speed_of(rounds, _ENGINE), outputs=measured)


def _batch(source: Source) -> Windows:
    """Return all of a source in one batch."""
    framer = Framer(WINDOW_SAMPLES)
    with closing(source):
        cut = [part for block in source.blocks() for part in framer.push(block)]
    return Windows.concatenate([*cut, *framer.flush()])


def _answered(engine: Engine, batch: Windows, n_batches: int) -> int:
    """Classify a batch so many times, handed over ahead as the loop does; return the windows."""
    flight = InFlight(engine)
    answers = [len(logits) for _ in range(n_batches) for _, _, logits in flight.push(batch, 0.0)]
    return sum(answers) + sum(len(logits) for _, _, logits in flight.flush())


def _classifying(
    network: Network, open_source: OpenSource, n_samples: int, output: str, watch: Watch
) -> Work:
    def work() -> int:
        source = open_source(n_samples)
        try:
            sinks = open_sinks([output], is_live=source.info.is_live, info=source.info)
            figures = classify(network, source, sinks, ModelSettings(), clock=watch.clock)
        finally:
            source.close()
        return int(figures["classified"])

    return work


def classify(
    network: Network,
    source: Source,
    output: FanOut,
    settings: ModelSettings,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Run the loop as `liveclf run` does, and close the output.

    Args:
        network: Which engine, and which labels.
        source: Where the samples come from; left open.
        output: Where the records go.
        settings: How long windows wait, and how late they may be.
        clock: Monotonic, seconds.

    Returns:
        The figures of `Stats.summary`.
    """
    framer, stats = Framer(WINDOW_SAMPLES), Stats(network.families)
    policy = policy_of(settings.when_slow, source.info, can_wait=not source.info.is_live)
    began_s = clock()
    try:
        pipeline.run(
            [pipeline.Stream(source, [], framer, stats, policy)],
            Batcher(network.engine.batch_size, settings.max_age_s),
            network.engine,
            network.decider(),
            output,
            max_late_s=float(settings.max_late_s),
            stride=Stride(settings.max_age_s) if policy == "stride" else None,
            clock=clock,
        )
    finally:
        output.close({})
    return stats.summary(framer, clock() - began_s)
