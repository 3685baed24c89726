"""The loop.

    source --Block--> [stages] --Block--> framer --Windows--> batcher --> engine
           --logits--> decider --Detections--> sinks

Collaborators are passed in; nothing is built here. The loop holds at most one block,
one batch and what framer and batcher hold; sinks have queues of their own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from liveclf.dsp.framer import Framer
from liveclf.live.batcher import Batcher
from liveclf.live.decider import Decider
from liveclf.live.in_flight import Answer, InFlight
from liveclf.live.shedding import Stride
from liveclf.live.stats import Stats
from liveclf.protocols import Engine, Source, Stage
from liveclf.records import Block, Detections, Windows

# A block that waited less: the next one is not at hand, and no batch to copy meanwhile.
_AT_HAND_S = 0.01


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
    batcher: Batcher,
    engine: Engine,
    decider: Decider,
    output: Output,
    stats: Stats,
    *,
    max_late_s: float = math.inf,
    stride: Stride | None = None,
    on_block: Callable[[], Any] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Classify a stream to its end, or until nobody listens.

    An error of the source is raised after everything that came before it was written.

    Args:
        source: Where samples come from.
        stages: What they pass through, in order.
        framer: Makes windows of them.
        batcher: Collects windows for the engine.
        engine: Runs the network.
        decider: Makes labels of its logits.
        output: Where they go.
        stats: Counts.
        max_late_s: Windows of a block that came longer ago are left out, counted.
        stride: Decides which share of the windows is classified; None: all of them.
        on_block: Called after each block.
        clock: Monotonic, seconds, the one of `Block.received_s`.
    """
    in_flight, done_s = InFlight(engine), -math.inf

    def classify(batches: Iterable[Windows]) -> None:
        for batch in batches:
            report(in_flight.push(batch, clock()))

    def report(answers: Iterable[Answer]) -> None:
        nonlocal done_s
        for windows, handed_s, logits in answers:
            # A device begins a batch when it is done with the one before.
            started_s, done_s = max(handed_s, done_s), clock()
            found = decider.decide(windows, logits, done_s)
            output.write(found)
            stats.count_detections(found)
            if stride is not None:
                stride.classified(windows.received_s, started_s, clock())

    try:
        for block in through(stages, stats.counting(source.blocks())):
            # Left to the capture buffer, an engine that is too slow would have it always full:
            # every label as late as that is long, and samples lost.
            is_late = clock() - block.received_s > max_late_s
            share = 1.0 if stride is None else stride.share
            for windows in framer.push(block, is_late=is_late, share=share):
                classify(batcher.push(windows))
            if not len(block.iq):  # nothing waits in the source
                classify(batcher.expire(block.received_s))
                if clock() - block.received_s < _AT_HAND_S:
                    report(in_flight.flush())
            on_block()
            if output.all_closed:
                break
    finally:
        framer.flush()
        classify(batcher.flush())
        report(in_flight.flush())


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
