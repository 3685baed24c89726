"""The loop.

    source --Block--> [stages] --Block--> framer --Windows--> batcher --> engine
           --logits--> decider --Detections--> sinks

Where emissions are looked for, a `Finder` has the framer's place and an `EmissionDecider`
the decider's: what is found is then told to it beside its windows.

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
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from liveclf.emissions import Emissions, Heard
from liveclf.errors import LiveclfError, SourceError
from liveclf.live.batcher import Batcher
from liveclf.live.in_flight import Answer, InFlight
from liveclf.live.merging import merged
from liveclf.live.shedding import Stride
from liveclf.live.stats import Counted, Stats
from liveclf.protocols import Engine, Source, Stage
from liveclf.records import Block, Detections, FloatArray, Windows

# A block that waited less: the next one is not at hand, and no batch to copy meanwhile.
_AT_HAND_S = 0.01


class Cutter(Counted, Protocol):
    """What makes windows of blocks: a `Framer`, or a `Finder`."""

    def push(self, block: Block, *, is_late: bool = False, share: float = 1.0) -> Iterator[Windows]:
        """Take a block and yield windows."""
        ...

    def flush(self) -> Iterable[Windows]:
        """End the stretch, and yield what is left."""
        ...

    def heard(self) -> Sequence[Heard]:
        """Return what is new of emissions since the last call."""
        ...


Told = TypeVar("Told", bound=Detections | Emissions)
_Made = TypeVar("_Made", bound=Detections | Emissions, covariant=True)
_Taken = TypeVar("_Taken", bound=Detections | Emissions, contravariant=True)


class Decider(Protocol[_Made]):
    """What makes something to tell of logits."""

    def decide(self, windows: Windows, logits: FloatArray, now_s: float) -> _Made:
        """Take what the network says of a batch."""
        ...

    def hear(self, stream: int, heard: Sequence[Heard], now_s: float) -> _Made | None:
        """Take what is known of emissions."""
        ...


class Output(Protocol[_Taken]):
    """Where reports go; it never waits for long and never raises."""

    def write(self, report: _Taken, /) -> None:
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
        policy: What gives when the engine is too slow, see `shedding`.
        failure: What the source broke with, as long as other streams went on.
    """

    source: Source
    stages: list[Stage]
    framer: Cutter
    stats: Stats
    policy: str = "block"
    failure: LiveclfError | None = None

    def blocks(self) -> Generator[Block, None, None]:
        """Yield what comes out of the stages."""
        yield from through(self.stages, self.stats.counting(self.source.blocks()))


def run(
    streams: Sequence[Stream],
    batcher: Batcher,
    engine: Engine,
    decider: Decider[Told],
    output: Output[Told],
    *,
    max_late_s: float = math.inf,
    stride: Stride | None = None,
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
        max_late_s: Windows of a block that came longer ago are left out, counted; not those
            of a stream that waits.
        stride: Decides which share of the windows is classified, of streams with that policy.
        on_block: Called after each block.
        on_failure: Called when one of several streams broke, which has its `failure` then.
        clock: Monotonic, seconds, the one of `Block.received_s`.
    """
    answers = _Answers(streams, engine, decider, output, stride, clock)

    def fail(number: int, error: LiveclfError) -> None:
        streams[number].failure = error
        on_failure(streams[number])

    try:
        with closing(merged([stream.blocks() for stream in streams], fail)) as blocks:
            for number, block in blocks:
                stream = streams[number]
                # Left to the capture buffer, an engine that is too slow would have it always
                # full: every label as late as that is long, and samples lost.
                is_late = stream.policy != "block" and clock() - block.received_s > max_late_s
                share = stride.share if stride and stream.policy == "stride" else 1.0
                for windows in stream.framer.push(block, is_late=is_late, share=share):
                    answers.push(batcher.push(windows))
                answers.hear(number, stream.framer.heard())
                if not len(block.iq):  # nothing waits in the source
                    answers.push(batcher.expire(block.received_s))
                    answers.idle(block.received_s)
                on_block()
                if output.all_closed:
                    break
    finally:
        for number, stream in enumerate(streams):
            for windows in stream.framer.flush():
                answers.push(batcher.push(windows))
            answers.hear(number, stream.framer.heard())
        answers.push(batcher.flush())
        answers.flush()
    _raise_failures(streams)


class _Answers(Generic[Told]):
    """Has batches classified, and passes on what comes of it."""

    def __init__(
        self,
        streams: Sequence[Stream],
        engine: Engine,
        decider: Decider[Told],
        output: Output[Told],
        stride: Stride | None,
        clock: Callable[[], float],
    ) -> None:
        self._streams, self._decider, self._output = streams, decider, output
        self._stride, self._clock = stride, clock
        self._in_flight, self._done_s = InFlight(engine), -math.inf

    def push(self, batches: Iterable[Windows]) -> None:
        for batch in batches:
            self._report(self._in_flight.push(batch, self._clock()))

    def hear(self, number: int, heard: Sequence[Heard]) -> None:
        """Pass on what is known of the emissions of a stream."""
        if heard:
            told = self._decider.hear(number, heard, self._clock())
            if told is not None:
                self._tell(told)

    def idle(self, since_s: float) -> None:
        """Wait for what is in flight, if nothing more is at hand."""
        if self._clock() - since_s < _AT_HAND_S:
            self.flush()

    def flush(self) -> None:
        self._report(self._in_flight.flush())

    def _report(self, answers: Iterable[Answer]) -> None:
        for windows, handed_s, logits in answers:
            # An engine begins a batch when it is done with the one before.
            started_s, self._done_s = max(handed_s, self._done_s), self._clock()
            for number in np.unique(windows.stream_id).tolist():
                n = int(np.count_nonzero(windows.stream_id == number))
                self._streams[number].stats.classified += n
            self._tell(self._decider.decide(windows, logits, self._done_s))
            if self._stride is not None:
                self._stride.classified(windows.received_s, started_s, self._clock())

    def _tell(self, report: Told) -> None:
        if len(report):
            self._output.write(report)
        for number, part in report.by_stream():
            self._streams[number].stats.count(part)


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
