"""The loop.

    source --Block--> [stages] --Block--> framer --Windows--> shedder --> batcher
           --> engine --logits--> decider --Detections--> sinks

Collaborators are passed in; nothing is built here. The loop holds at most one block,
one batch and what framer and batcher hold; sinks have queues of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from liveclf.dsp.framer import Framer
from liveclf.live.batcher import Batcher
from liveclf.live.decider import Decider
from liveclf.live.shedder import Shedder
from liveclf.live.stats import Stats
from liveclf.protocols import Engine, Source, Stage
from liveclf.records import Block, Detections, Windows


class Output(Protocol):
    """Where detections go; it never waits for long and never raises."""

    def write(self, detections: Detections) -> None:
        """Take one batch."""
        ...

    @property
    def all_closed(self) -> bool:
        """True when nobody listens any more."""
        ...


def run(
    source: Source,
    stages: Sequence[Stage],
    framer: Framer,
    shedder: Shedder,
    batcher: Batcher,
    engine: Engine,
    decider: Decider,
    output: Output,
    stats: Stats,
    *,
    on_block: Callable[[], Any] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Classify a stream to its end, or until nobody listens.

    An error of the source is raised after everything that came before it was written.
    """

    def classify(batches: Iterable[Windows]) -> None:
        for batch in batches:
            found = decider.decide(batch, engine.predict(batch.x), clock())
            output.write(found)
            stats.count_detections(found)

    try:
        for block in through(stages, stats.counting(source.blocks())):
            for windows in framer.push(block):
                classify(batcher.push(shedder.push(windows, clock())))
            # A replay waits for us: what a slow engine makes late must not cut its batches
            # short. Only where nothing comes (an empty block) may windows wait too long.
            if source.info.is_live or not len(block.iq):
                classify(batcher.expire(block.received_s))
            on_block()
            if output.all_closed:
                break
    finally:
        framer.flush()
        classify(batcher.flush())


def through(stages: Sequence[Stage], blocks: Iterator[Block]) -> Iterator[Block]:
    """Chain stages behind blocks.

    Args:
        stages: In the order in which they see a block.
        blocks: As the source delivers them.
    """
    for stage in stages:
        blocks = _apply(stage, blocks)
    return blocks


def _apply(stage: Stage, blocks: Iterator[Block]) -> Iterator[Block]:
    try:
        for block in blocks:
            yield from stage.push(block)
    except Exception:  # what came before a fault of the source is passed on all the same
        yield from stage.flush()
        raise
    yield from stage.flush()
