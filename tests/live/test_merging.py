"""Several streams: each as it would be alone, none in another's way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from fake_parts import CLASSES, FAMILY_OF, WINDOW, FakeOutput, FakeSource, make_blocks
from hypothesis import given, settings
from hypothesis import strategies as st

from liveclf.dsp.framer import Framer
from liveclf.errors import SourceError
from liveclf.live import pipeline
from liveclf.live.batcher import Batcher
from liveclf.live.decider import Decider
from liveclf.live.merging import LANE_BLOCKS, merged
from liveclf.live.stats import Cut, Stats
from liveclf.records import Block, Detection

LIMIT_S = 60


class ByContent:
    """An engine whose answer to a window depends on that window alone."""

    name = "by content"
    batch_size = 5

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.stack([x[:, 0, 0], x[:, 1, 1], x[:, 0, 2], x[:, 1, 3]], axis=1)


def run(
    *sources: FakeSource, output: FakeOutput | None = None
) -> tuple[list[Detection], list[pipeline.Stream], Exception | None]:
    """Classify side by side; return the records, the streams and what was raised."""
    output = output or FakeOutput()
    streams = [
        pipeline.Stream(source, [], Framer(WINDOW, stream_id=k), Stats(FAMILY_OF))
        for k, source in enumerate(sources)
    ]
    infos = [source.info for source in sources]
    decider = Decider(CLASSES, FAMILY_OF, 1.0, top_k=4, min_probability=0.3, streams=infos)
    error = None
    try:
        pipeline.run(
            streams, Batcher(5, 1e9), ByContent(), decider, output, clock=lambda: 0.0
        )  # fmt: skip
    except SourceError as raised:
        error = raised
    return [row for found in output.written for row in found.rows()], streams, error


def of_stream(rows: list[Detection], k: int) -> list[Detection]:
    return [replace(row, stream=0) for row in rows if row.stream == k]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 100), max_size=6), min_size=2, max_size=4))
def test_each_stream_gives_the_records_that_it_gives_alone(lengths):
    def sources() -> list[FakeSource]:
        return [
            FakeSource(make_blocks(*n, seed=k, center_hz=1e6 * (k % 2)), name=f"{k}.cu8")
            for k, n in enumerate(lengths)
        ]

    together, streams, error = run(*sources())
    assert error is None
    for k, source in enumerate(sources()):
        alone, _, _ = run(source)
        assert of_stream(together, k) == alone
        assert streams[k].stats.classified == len(alone)
    whole = Stats.together([s.stats for s in streams])
    figures = whole.summary(Cut.together([s.framer for s in streams]), 1.0)
    each = [s.stats.summary(s.framer, 1.0) for s in streams]
    for name in ("samples", "windows", "classified", "samples_short", "samples_lost", "unknown"):
        assert figures[name] == sum(part[name] for part in each)
    assert sum(figures["labels"].values()) == len(together)
    assert figures["unclassified"] == 0


def test_windows_of_several_streams_share_a_batch():
    output = FakeOutput()
    run(*(FakeSource(make_blocks(*[2 * WINDOW] * 5, seed=k)) for k in (0, 1)), output=output)
    assert [len(found) for found in output.written] == [5, 5, 5, 5]


def test_a_stream_that_breaks_ends_alone_and_is_named_when_the_others_have_ended():
    fault = SourceError("The cable was pulled.")
    broken = FakeSource([*make_blocks(40), fault], name="radio 1")
    whole = FakeSource(make_blocks(*[64] * 30), name="b.cu8")
    rows, streams, error = run(whole, broken)
    assert str(error) == "radio 1: The cable was pulled."
    assert [len(of_stream(rows, k)) for k in (0, 1)] == [120, 2]
    assert [s.failure for s in streams] == [None, fault]


def test_a_fault_of_ours_ends_all_at_once():
    source = FakeSource([*make_blocks(40), ZeroDivisionError("ours")])
    with pytest.raises(ZeroDivisionError):
        run(source, FakeSource(make_blocks(40)))


def test_closing_the_sources_ends_all():
    sources = [FakeSource(make_blocks(*[64] * 500), name=str(k)) for k in (0, 1)]

    class Closing(FakeOutput):
        def write(self, detections):
            super().write(detections)
            for source in sources:
                source.close()

    run(*sources, output=Closing())
    assert all(source.n_given < 500 for source in sources)


def test_the_run_ends_when_nobody_listens_and_leaves_no_reader_behind():
    before = threading.active_count()
    sources = [FakeSource(make_blocks(*[64] * 500)) for _ in range(3)]
    run(*sources, output=FakeOutput(closes_after=20))
    assert all(source.n_given < 500 for source in sources)
    assert threading.active_count() == before


def test_one_stream_is_read_without_a_thread():
    before = threading.active_count()
    counts = []

    def blocks():
        counts.append(threading.active_count())
        yield from make_blocks(10)

    assert [k for k, _ in merged([blocks()], no_failure)] == [0]
    assert counts == [before]


# -- turns ---------------------------------------------------------------------------------


def no_failure(number: int, error: Exception) -> None:
    raise AssertionError(error)


def endless(length: int, given: list[int] | None = None) -> Iterator[Block]:
    (block,) = make_blocks(length)
    while True:
        if given is not None:
            given.append(length)
        yield block


def test_a_silent_stream_keeps_no_other_waiting():
    speak = threading.Event()

    def silent():
        assert speak.wait(LIMIT_S)
        yield from make_blocks(7)

    def file():
        yield from make_blocks(*[16] * 50)

    seen = []
    for number, block in merged([silent(), file()], no_failure):
        seen.append((number, len(block.iq)))
        if len(seen) == 50:
            speak.set()
    assert seen == [(1, 16)] * 50 + [(0, 7)]


def test_streams_get_equal_shares_however_long_their_blocks_are():
    read: list[list[int]] = [[], []]
    taken, given = [0, 0], [0, 0]
    blocks = merged([endless(1600, read[0]), endless(100, read[1])], no_failure)
    until_s = time.monotonic() + LIMIT_S
    for _ in range(200):
        number, block = next(blocks)
        taken[number] += 1
        given[number] += len(block.iq)
        # So that both always have some: a stream has no claim to turns that it missed.
        while any(len(read[k]) - taken[k] < LANE_BLOCKS for k in (0, 1)):
            assert time.monotonic() < until_s
            time.sleep(0.0005)
    blocks.close()
    assert abs(given[0] - given[1]) <= 2 * 1600
    assert min(given) > 10_000


def test_what_is_read_ahead_is_bounded():
    given: list[int] = []
    blocks = merged([endless(8, given), endless(8)], no_failure)
    taken = [next(blocks)[0] for _ in range(100)].count(0)
    blocks.close()
    assert taken <= len(given) <= taken + LANE_BLOCKS + 1
