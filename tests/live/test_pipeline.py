"""The loop, with fakes at both ends."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest
from fake_parts import (
    CLASSES,
    FAMILY_OF,
    WINDOW,
    FakeClock,
    FakeEngine,
    FakeOutput,
    FakeSource,
    make_blocks,
    moved,
)

from liveclf.dsp.decimate import Decimator
from liveclf.dsp.framer import Framer
from liveclf.errors import SourceError
from liveclf.live import pipeline
from liveclf.live.batcher import Batcher
from liveclf.live.decider import Decider
from liveclf.live.shedding import Stride
from liveclf.live.stats import Stats
from liveclf.protocols import Sink, Stage
from liveclf.records import Block, Detections
from liveclf.sinks import FanOut
from liveclf.sinks.worker import Worker


@dataclass
class Loop:
    """The real middle between fake ends."""

    source: FakeSource
    engine: FakeEngine = field(default_factory=FakeEngine)
    output: FakeOutput | FanOut = field(default_factory=FakeOutput)
    stages: Sequence[Stage] = ()
    max_age_s: float = math.inf
    max_late_s: float = math.inf
    stride: Stride | None = None
    clock: Callable[[], float] = lambda: 0.0
    on_block: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.framer = Framer(WINDOW)
        self.stats = Stats(FAMILY_OF)

    def run(self) -> None:
        live = "stride" if self.stride else "drop-oldest"
        policy = live if self.source.info.is_live else "block"
        pipeline.run(
            [pipeline.Stream(self.source, list(self.stages), self.framer, self.stats, policy)],
            Batcher(self.engine.batch_size, self.max_age_s),
            self.engine,
            Decider(CLASSES, FAMILY_OF, 1.0, top_k=2, min_probability=0.0),
            self.output,
            max_late_s=self.max_late_s,
            stride=self.stride,
            on_block=self.on_block,
            clock=self.clock,
        )

    @property
    def figures(self) -> dict:
        figures = self.stats.summary(self.framer, 1.0)
        accounted = figures["classified"] + figures["unclassified"]
        assert figures["windows"] == accounted + sum(figures["skipped"].values())
        return figures


def starts(n: int, first: int = 0) -> list[int]:
    return [first + WINDOW * k for k in range(n)]


def test_every_window_is_classified_and_written_once_in_order():
    loop = Loop(FakeSource(make_blocks(100, 3, 250, 47)))
    loop.run()
    assert loop.output.starts == starts(400 // WINDOW)
    assert loop.engine.batches == [4] * 6 + [1]
    labels = [row.label for found in loop.output.written for row in found.rows()]
    assert labels == [CLASSES[k % 4] for k in range(25)]
    assert (loop.figures["classified"], loop.figures["samples"]) == (25, 400)


def test_an_empty_stream_gives_nothing_and_is_no_error():
    loop = Loop(FakeSource([]))
    loop.run()
    assert loop.output.written == []
    assert loop.figures["windows"] == 0


def test_a_stream_shorter_than_a_window_gives_no_window_and_says_so():
    loop = Loop(FakeSource(make_blocks(WINDOW - 1)))
    loop.run()
    assert loop.output.written == []
    assert (loop.figures["windows"], loop.figures["samples_short"]) == (0, WINDOW - 1)


def test_no_window_reaches_over_a_gap_and_the_next_one_tells_it():
    first, second = make_blocks(40, 40)
    loop = Loop(FakeSource([first, moved(second, 1000)]))
    loop.run()
    assert loop.output.starts == [*starts(2), *starts(2, 1040)]
    gaps = [g for found in loop.output.written for g in found.gap_before.tolist()]
    assert gaps == [0, 0, 1000, 0]
    assert (loop.figures["samples_lost"], loop.figures["samples_short"]) == (1000, 16)


def test_a_retune_shows_in_the_records_of_one_batch():
    first, second = make_blocks(32, 32)
    loop = Loop(FakeSource([first, replace(second, center_hz=434e6, segment=1)]))
    loop.run()
    (found,) = loop.output.written
    assert found.center_hz.tolist() == [433e6, 433e6, 434e6, 434e6]


def test_windows_with_nan_are_skipped_and_counted():
    blocks = make_blocks(64, 64)
    blocks[1].iq[20] = math.nan
    loop = Loop(FakeSource(blocks))
    loop.run()
    assert loop.output.starts == [k for k in starts(8) if k != 80]
    assert loop.figures["skipped"]["non-finite"] == 1


def test_what_came_before_an_error_of_the_source_is_written_then_it_is_raised():
    loop = Loop(FakeSource([*make_blocks(100, 50), SourceError("The cable was pulled.")]))
    with pytest.raises(SourceError, match="cable"):
        loop.run()
    assert loop.output.starts == starts(150 // WINDOW)
    assert loop.figures["unclassified"] == 0


def test_an_error_of_the_source_loses_nothing_in_a_stage_either():
    samples = make_blocks(640, 320)
    whole = Loop(FakeSource(samples), stages=[Decimator(4)])
    whole.run()
    broken = Loop(FakeSource([*samples, SourceError("Gone.")]), stages=[Decimator(4)])
    with pytest.raises(SourceError, match="Gone"):
        broken.run()
    assert whole.output.starts == broken.output.starts == starts(960 // 4 // WINDOW)


def test_stages_work_in_order_and_are_emptied_at_the_end():
    class Held:
        """Holds one block back, and notes the order of events."""

        def __init__(self, name: str, log: list[str]) -> None:
            self._name, self._log, self._held = name, log, None

        def push(self, block: Block):
            self._log.append(self._name)
            if self._held is not None:
                yield self._held
            self._held = block

        def flush(self):
            self._log.append(f"{self._name} ends")
            if self._held is not None:
                yield self._held

    log: list[str] = []
    loop = Loop(FakeSource(make_blocks(32, 32, 32)), stages=[Held("a", log), Held("b", log)])
    loop.run()
    assert loop.output.starts == starts(6)
    assert log == ["a", "a", "b", "a", "b", "a ends", "b", "b ends"]


def test_an_error_of_the_engine_is_raised_and_what_was_written_before_stays():
    engine = FakeEngine()
    engine.fails_at = 2
    loop = Loop(FakeSource(make_blocks(1000)), engine)
    with pytest.raises(RuntimeError, match="accelerator"):
        loop.run()
    assert loop.output.starts == starts(8)
    assert loop.figures["classified"] == 8
    assert loop.figures["unclassified"] > 0


def test_closing_the_source_midway_still_classifies_what_was_framed():
    source = FakeSource(make_blocks(*[50] * 100))
    loop = Loop(source, on_block=lambda: source.close() if source.n_given == 3 else None)
    loop.run()
    assert source.n_given == 3
    assert loop.output.starts == starts(150 // WINDOW)
    assert loop.figures["unclassified"] == 0


def test_the_run_ends_when_nobody_listens_any_more():
    source = FakeSource(make_blocks(*[64] * 1000))
    loop = Loop(source, output=FakeOutput(closes_after=8))
    loop.run()
    assert source.n_given == 2
    assert loop.figures["unclassified"] == 0


def nothing_waits(block: Block, at_s: float) -> Block:
    """Return the block with which a source says so, after another one."""
    end = block.start_sample + len(block.iq)
    return replace(block, iq=block.iq[:0], start_sample=end, received_s=at_s)


def test_a_batch_is_what_is_waiting_when_the_engine_is_free():
    blocks = make_blocks(*[WINDOW] * 8)
    waiting = [*blocks[:3], nothing_waits(blocks[2], 0.0), *blocks[3:], nothing_waits(blocks[7], 0)]
    loop = Loop(FakeSource(waiting, is_live=True), FakeEngine(4), max_age_s=0.0)
    loop.run()
    assert loop.engine.batches == [3, 4, 1]
    assert loop.output.starts == starts(8)


def test_a_stage_does_not_keep_what_is_waiting_from_the_engine():
    block, more = make_blocks(WINDOW * 8 * 6, WINDOW * 8)
    waiting = [block, nothing_waits(block, 1.0), more]
    loop = Loop(
        FakeSource(waiting, is_live=True), FakeEngine(100), stages=[Decimator(8)], max_age_s=0.0
    )
    loop.run()
    assert loop.engine.batches == [5, 2]  # the filter needs samples beyond the sixth


def test_a_batch_may_wait_to_fill_until_its_windows_are_old():
    blocks = [
        part
        for k, b in enumerate(make_blocks(*[WINDOW] * 10))
        for part in (replace(b, received_s=0.02 * k), nothing_waits(b, 0.02 * k))
    ]
    loop = Loop(FakeSource(blocks, is_live=True), FakeEngine(100), max_age_s=0.05)
    loop.run()
    # The first window is 60 ms old when the fourth arrives; the last two wait for the end.
    assert loop.engine.batches == [4, 4, 2]


def test_a_block_without_samples_lets_old_windows_go():
    first, empty, last = make_blocks(32, 0, 32)
    blocks = [first, replace(empty, received_s=1.0), replace(last, received_s=9.0)]
    loop = Loop(FakeSource(blocks), FakeEngine(100), max_age_s=0.5)
    loop.run()
    assert loop.engine.batches == [2, 2]
    assert loop.output.starts == starts(4)


@pytest.mark.parametrize("is_live", [False, True])
def test_a_slow_engine_still_gets_full_batches(is_live):
    """Its own time must not make windows old.

    A replay stamps blocks when they are pulled, which is after the engine's work; those
    of a live source were stamped when they came, and have waited.
    """
    clock = FakeClock()
    blocks = make_blocks(*[WINDOW * 48] * 10)
    if is_live:
        blocks = [replace(block, received_s=0.001 * k) for k, block in enumerate(blocks)]
    source = FakeSource(blocks, is_live=is_live, clock=None if is_live else clock)
    engine = FakeEngine(100, takes_s=0.06, clock=clock)
    loop = Loop(source, engine, max_age_s=0.05, clock=clock)
    loop.run()
    assert engine.batches == [100, 100, 100, 100, 80]


def test_a_replay_that_falls_silent_keeps_nothing_waiting():
    """A pipe is no live source, yet whoever feeds it may pause."""
    clock = FakeClock()
    empty = replace(make_blocks(0)[0], start_sample=WINDOW * 6)

    def pass_time() -> None:
        clock.now_s += 0.02

    source = FakeSource([*make_blocks(WINDOW * 6), *[empty] * 5], clock=clock)
    engine = FakeEngine(100)
    loop = Loop(source, engine, max_age_s=0.05, clock=clock, on_block=pass_time)
    loop.run()
    assert engine.batches == [6]
    (found,) = loop.output.written
    assert found.latency_s == pytest.approx([0.06] * 6)


def test_the_latency_is_from_the_arrival_of_the_last_sample_to_the_decision():
    blocks = [replace(b, received_s=10.0 + k) for k, b in enumerate(make_blocks(32, 32))]
    loop = Loop(FakeSource(blocks), clock=lambda: 20.0)
    loop.run()
    (found,) = loop.output.written
    assert found.latency_s.tolist() == [10, 10, 9, 9]


# -- with real workers behind the loop -----------------------------------------------------


class Keeping:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.starts: list[int] = []

    def write(self, detections: Detections) -> None:
        self.starts += detections.start_sample.tolist()

    def close(self, summary: dict) -> None:
        pass


class Failing(Keeping):
    """A sink whose second batch cannot be written."""

    def write(self, detections: Detections) -> None:
        if self.starts:
            raise OSError("the disk is full")
        super().write(detections)


class Blocked(Keeping):
    """A sink that does not come back until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def write(self, detections: Detections) -> None:
        self.let_go.wait()
        super().write(detections)


def fan_out(*sinks: Sink[Detections], is_live: bool) -> FanOut:
    return FanOut(
        [
            Worker(f"sink {k}", sink, is_live=is_live, depth_batches=2, wait_s=0.1)
            for k, sink in enumerate(sinks)
        ]
    )


def test_an_output_that_fails_does_not_keep_another_from_anything():
    good, bad = Keeping(), Failing()
    loop = Loop(FakeSource(make_blocks(*[64] * 50)), output=fan_out(bad, good, is_live=False))
    loop.run()
    reports = loop.output.close({})
    assert good.starts == starts(200)
    assert [r.state for r in reports] == ["failed", "ok"]
    assert [r.n_written + r.n_dropped for r in reports] == [200, 200]
    assert loop.figures["classified"] == 200


@pytest.mark.parametrize("is_live", [True, False])
def test_an_output_that_blocks_does_not_hold_up_the_loop(is_live):
    good, blocked = Keeping(), Blocked()
    loop = Loop(FakeSource(make_blocks(*[64] * 50)), output=fan_out(blocked, good, is_live=is_live))
    loop.run()
    assert loop.figures["classified"] == 200
    blocked.let_go.set()
    reports = loop.output.close({})
    assert [r.n_written + r.n_dropped for r in reports] == [200, 200]
    assert reports[0].n_dropped > 0
    assert good.starts == starts(200) or is_live  # a live stream waits for nobody


def test_a_single_output_that_fails_ends_the_run():
    source = FakeSource(make_blocks(*[64] * 5000))
    loop = Loop(source, output=fan_out(Failing(), is_live=False))
    loop.run()
    assert source.n_given < 5000
    (report,) = loop.output.close({})
    assert (report.state, report.n_written) == ("failed", 4)


def test_an_engine_that_is_too_slow_leaves_out_windows_and_not_samples():
    clock = FakeClock()
    blocks = [replace(b, received_s=0.1 * k) for k, b in enumerate(make_blocks(*[4 * WINDOW] * 50))]
    engine = FakeEngine(4, takes_s=0.25, clock=clock)
    loop = Loop(FakeSource(blocks, is_live=True), engine, max_late_s=0.5, clock=clock)
    loop.run()
    figures = loop.figures
    assert figures["skipped"]["late"] > 0
    assert figures["classified"] + figures["skipped"]["late"] == figures["windows"] == 200
    assert figures["samples_lost"] == 0
    assert figures["coverage"] == figures["classified"] / 200
    # The clock only passes in the engine, so a window waits for one block at most beyond.
    assert max(found.latency_s.max() for found in loop.output.written) <= 0.5 + 0.25
