"""The loop.

    source --Block--> [stages] --Block--> framer --Windows--> batcher --> engine
           --logits--> decider --Detections--> sinks

Collaborators are passed in; nothing is built here. The loop holds at most one block,
one batch and what framers and batcher hold; sinks have queues of their own. Of several
streams each has its own source, stages, framer and figures (`Stream`), and the loop takes
their blocks in turn (`merging`): their windows share batches.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

from liveclf.dsp.framer import Framer
from liveclf.errors import LiveclfError, SourceError
from liveclf.live.batcher import Batcher
from liveclf.live.decider import Decider
from liveclf.live.merging import merged
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


@dataclass(slots=True)
class Stream:
    """A source, and what its samples pass on the way to the batch.

    Attributes:
        source: Where samples come from.
        stages: What they pass through, in order.
        framer: Makes windows of them.
        stats: Counts.
        failure: What the source broke with, as long as other streams went on.
    """

    source: Source
    stages: list[Stage]
    framer: Framer
    stats: Stats
    failure: LiveclfError | None = None

    def blocks(self) -> Generator[Block, None, None]:
        """Yield what comes out of the stages."""
        yield from through(self.stages, self.stats.counting(self.source.blocks()))


def run(
    streams: Sequence[Stream],
    batcher: Batcher,
    engine: Engine,
    decider: Decider,
    output: Output,
    *,
    max_late_s: float = math.inf,
    on_block: Callable[[], Any] = lambda: None,
    on_failure: Callable[[Stream], Any] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Classify streams to their ends, or until nobody listens.

    An error of a source is raised after everything that came before it was written, and
    after all other streams have ended.

    Args:
        streams: At least one; the framer of each knows its number.
        batcher: Collects windows for the engine.
        engine: Runs the network.
        decider: Makes labels of its logits.
        output: Where they go.
        max_late_s: Windows of a live block that came longer ago are left out, counted.
        on_block: Called after each block.
        on_failure: Called when one of several streams broke, which has its `failure` then.
        clock: Monotonic, seconds, the one of `Block.received_s`.
    """

    def classify(batches: Iterable[Windows]) -> None:
        for batch in batches:
            found = decider.decide(batch, engine.predict(batch.x), clock())
            output.write(found)
            for number, part in found.by_stream():
                streams[number].stats.count_detections(part)

    def fail(number: int, error: LiveclfError) -> None:
        streams[number].failure = error
        on_failure(streams[number])

    try:
        with closing(merged([stream.blocks() for stream in streams], fail)) as blocks:
            for number, block in blocks:
                stream = streams[number]
                is_live = stream.source.info.is_live
                # Left to the capture buffer, an engine that is too slow would have it always
                # full: every label as late as that is long, and samples lost.
                is_late = is_live and clock() - block.received_s > max_late_s
                for windows in stream.framer.push(block, is_late=is_late):
                    classify(batcher.push(windows))
                # A replay waits for us: what a slow engine makes late must not cut its batches
                # short. Only where nothing comes (an empty block) may windows wait too long.
                if is_live or not len(block.iq):
                    classify(batcher.expire(block.received_s))
                on_block()
                if output.all_closed:
                    break
    finally:
        for stream in streams:
            stream.framer.flush()
        classify(batcher.flush())
    _raise_failures(streams)


def _raise_failures(streams: Sequence[Stream]) -> None:
    if broken := [stream for stream in streams if stream.failure]:
        raise SourceError(" ".join(f"{s.source.info.name}: {s.failure}" for s in broken))


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
