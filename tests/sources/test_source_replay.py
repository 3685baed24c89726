"""Replaying a recording: which part, how often, how fast."""

from __future__ import annotations

import itertools
import math
import os
import signal
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveclf.config import SourceSettings
from liveclf.dsp.formats import FORMATS
from liveclf.errors import UsageError
from liveclf.records import Block, Capture
from liveclf.sources.recording import Recording, ReplaySource

RATE_HZ = 1000.0


def recording(
    n: int = 100, captures: tuple[Capture, ...] | None = None, rate_hz: float = RATE_HZ
) -> Recording:
    samples = np.arange(2 * n, dtype="<i2").reshape(n, 2)
    captures = captures or (Capture(0, 0, rate_hz, 5.0, 1e9),)
    return Recording("the test", samples, FORMATS["cs16"], captures)


def source(
    n: int = 100,
    captures: tuple[Capture, ...] | None = None,
    rate_hz: float = RATE_HZ,
    **flags: object,
) -> ReplaySource:
    return ReplaySource(recording(n, captures, rate_hz), SourceSettings(**flags))


def rows(blocks: list[Block]) -> list[tuple[int, int, int, int]]:
    """(segment, absolute first sample, index in the file, samples) of every block."""
    return [(b.segment, b.start_sample, int(b.iq[0, 0]) // 2, len(b.iq)) for b in blocks]


TWO = (Capture(0, 10, RATE_HZ, 1.0, 0.0), Capture(60, 170, RATE_HZ, 2.0, 0.0))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, (0, 100)),
        ({"samples": 7}, (0, 7)),
        ({"samples": 10**12}, (0, 100)),
        ({"start_s": 0.0125}, (12, 100)),
        ({"start_s": 0.099}, (99, 100)),
        ({"duration_s": 0.02}, (0, 20)),
        ({"duration_s": 1e9}, (0, 100)),
        ({"duration_s": math.inf}, (0, 100)),
        ({"start_s": 0.05, "duration_s": 0.02}, (50, 70)),
        ({"start_s": 0.05, "duration_s": 0.02, "samples": 30}, (50, 70)),
        ({"start_s": 0.05, "duration_s": 0.02, "samples": 3}, (50, 53)),
    ],
)
def test_the_part_asked_for(wanted, expected):
    replay = source(**wanted)
    start, stop = expected
    assert rows(list(replay.blocks())) == [(0, start, start, stop - start)]
    assert replay.info.n_samples == stop - start


@settings(deadline=None)
@given(st.integers(1, 400_000))
def test_blocks_of_any_recording_join_without_a_seam(n):
    blocks = list(source(n).blocks())
    assert sum(len(block.iq) for block in blocks) == n
    assert max(len(block.iq) for block in blocks) <= 65_536
    assert all(b.start_sample == a.start_sample + len(a.iq) for a, b in itertools.pairwise(blocks))
    assert blocks[-1].iq[-1].tolist() == recording(n).samples[n - 1 : n][0].tolist()


def test_a_block_carries_what_is_known_of_its_capture():
    before_s = time.monotonic()
    first, second = source(captures=TWO).blocks()
    assert (first.center_hz, second.center_hz) == (1.0, 2.0)
    assert (first.sample_rate_hz, first.epoch_s) == (RATE_HZ, 0.0)
    assert first.format is FORMATS["cs16"]
    assert before_s <= first.received_s <= second.received_s <= time.monotonic()


def test_the_centre_told_beforehand_is_that_of_the_first_sample_wanted():
    assert source(captures=TWO).info.center_hz == 1.0
    assert source(captures=TWO, start_s=0.08).info.center_hz == 2.0


def samples_in(block: Block) -> bool:
    """Tell a block with samples from one which says that none are waiting."""
    return len(block.iq) > 0


def first_blocks(replay: ReplaySource, n: int) -> list[Block]:
    blocks = replay.blocks()
    return [next(blocks) for _ in range(n)]


def test_a_loop_counts_on_and_begins_a_segment_at_every_joint():
    replay = source(loop=True)
    assert replay.info.n_samples is None
    assert rows(first_blocks(replay, 3)) == [(0, 0, 0, 100), (1, 100, 0, 100), (2, 200, 0, 100)]


def test_a_loop_over_captures_keeps_their_gap_and_makes_none_at_the_joint():
    assert rows(first_blocks(source(captures=TWO, loop=True), 4)) == [
        (0, 10, 0, 60),
        (1, 170, 60, 40),
        (2, 210, 0, 60),
        (3, 370, 60, 40),
    ]


def test_a_loop_begins_again_where_it_was_told_to_begin():
    assert rows(first_blocks(source(captures=TWO, loop=True, start_s=0.05), 4)) == [
        (0, 60, 50, 10),
        (1, 170, 60, 40),
        (2, 210, 50, 10),
        (3, 320, 60, 40),
    ]


@pytest.mark.parametrize("limit", [{"samples": 230}, {"duration_s": 0.23}])
def test_a_limit_ends_a_loop_wherever_it_is(limit):
    replay = source(loop=True, **limit)
    assert replay.info.n_samples == 230
    assert rows(list(replay.blocks())) == [(0, 0, 0, 100), (1, 100, 0, 100), (2, 200, 0, 30)]


@pytest.mark.parametrize(
    ("n", "last"), [(7, (0, 60, 50, 7)), (10, (0, 60, 50, 10)), (50, (1, 170, 60, 40))]
)
def test_a_limit_within_the_first_pass_of_a_loop_over_captures(n, last):
    replay = source(captures=TWO, loop=True, start_s=0.05, samples=n)
    blocks = list(replay.blocks())
    assert rows(blocks)[-1] == last
    assert sum(len(block.iq) for block in blocks) == n


def test_time_only_grows_over_the_joint_of_a_loop():
    a, b = first_blocks(source(loop=True), 2)
    times = [block.epoch_s + block.start_sample / block.sample_rate_hz for block in (a, b)]
    assert times == [1e9, 1e9 + 0.1]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"start_s": 1.0}, "--start needs a sample rate.*give --rate, or limit with -n"),
        ({"duration_s": 1.0}, "--duration needs a sample rate"),
        ({"realtime": True}, "--realtime needs a sample rate.*--rate"),
    ],
)
def test_seconds_need_a_rate(flags, said):
    with pytest.raises(UsageError, match=said):
        source(rate_hz=math.nan, **flags)


def test_counts_need_none():
    assert rows(list(source(rate_hz=math.nan, samples=5).blocks())) == [(0, 0, 0, 5)]


@pytest.mark.parametrize("start_s", [0.1, 5.0, 1e300, math.inf])
def test_a_start_beyond_the_end(start_s):
    with pytest.raises(UsageError, match=r"--start .* beyond the end of the test, .* 0\.1 s long"):
        source(start_s=start_s)


@pytest.mark.parametrize("duration_s", [0.0, 1e-9])
def test_a_duration_of_no_sample(duration_s):
    with pytest.raises(UsageError, match="less than one sample"):
        source(duration_s=duration_s)


# -- real time --------------------------------------------------------------------------


def test_realtime_delivers_when_a_radio_would():
    replay = source(5000, rate_hz=10_000.0, realtime=True)
    assert replay.info.is_live
    began_s = time.monotonic()
    late_s = []
    for block in filter(samples_in, replay.blocks()):
        assert len(block.iq) == 100  # 10 ms
        due_s = (block.start_sample + len(block.iq)) / 10_000.0
        late_s.append(time.monotonic() - began_s - due_s)
    # Never early (but for the clock's grain), and on the whole not late either.
    assert min(late_s) > -0.002
    assert sorted(late_s)[len(late_s) // 2] < 0.1


def test_a_slow_reader_does_not_slow_the_clock():
    replay = source(4000, rate_hz=10_000.0, realtime=True)
    began_s = time.monotonic()
    for k, _ in enumerate(replay.blocks()):
        if k < 2:
            time.sleep(0.1)
    assert time.monotonic() - began_s < 0.4 + 0.15  # 0.6 if the naps were added


def test_a_slow_reader_sees_how_late_it_is():
    replay = source(4000, rate_hz=10_000.0, realtime=True)
    late_s, received_s = [], []
    for k, block in enumerate(filter(samples_in, replay.blocks())):
        late_s.append(time.monotonic() - block.received_s)
        received_s.append(block.received_s)
        if k == 0:
            time.sleep(0.1)
    assert min(late_s) >= 0
    assert late_s[1] > 0.1 - 0.01 - 0.002  # the nap, less the block's own 10 ms
    assert np.allclose(np.diff(received_s), 0.01)


def test_it_says_when_nothing_is_waiting_and_only_then():
    """Else a batch would wait for windows that are not there yet."""
    replay = source(1000, rate_hz=10_000.0, realtime=True)
    before: Block | None = None
    n_idle = 0
    for block in replay.blocks():
        if before is not None and not samples_in(block):
            n_idle += 1
            assert samples_in(before)  # once is enough
            assert block.stretch == before.stretch
            assert block.start_sample == before.start_sample + len(before.iq)
            assert block.received_s >= before.received_s
        before = block
    assert n_idle > 0
    assert all(samples_in(block) for block in source(1000, rate_hz=10_000.0).blocks())


def test_blocks_stay_small_at_high_rates_and_whole_at_low_ones():
    assert len(first_blocks(source(200_000, rate_hz=1e8, realtime=True), 1)[0].iq) == 65_536
    assert len(first_blocks(source(rate_hz=10.0, realtime=True), 1)[0].iq) == 1


def test_lost_samples_take_no_time():
    far = (Capture(0, 0, 1e5, 1.0, 0.0), Capture(50, 10**12, 1e5, 2.0, 0.0))
    began_s = time.monotonic()
    assert len(list(source(captures=far, realtime=True).blocks())) == 2
    assert time.monotonic() - began_s < 0.5


@pytest.mark.parametrize("rate_hz", [1.0, 1e-12])
def test_close_ends_a_long_wait_at_once(rate_hz):
    replay = source(rate_hz=rate_hz, realtime=True)
    closer = threading.Timer(0.05, replay.close)
    closer.start()
    began_s = time.monotonic()
    assert len(list(replay.blocks())) <= 1
    assert time.monotonic() - began_s < 0.5
    closer.join()


def test_a_signal_handler_may_close_a_waiting_replay():
    replay = source(rate_hz=0.1, realtime=True)
    before = signal.signal(signal.SIGUSR1, lambda *_: replay.close())
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    try:
        timer.start()
        began_s = time.monotonic()
        assert list(replay.blocks()) == []
        assert time.monotonic() - began_s < 0.5
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)


def test_close_ends_a_loop():
    replay = source(loop=True)
    blocks = replay.blocks()
    next(blocks)
    replay.close()
    replay.close()
    assert list(blocks) == []
    assert list(replay.blocks()) == []


# -- set while it runs ---------------------------------------------------------------------


def losses(blocks: list[Block]) -> list[tuple[str, int, bool]]:
    return [(loss.cause, loss.samples, loss.is_wanted) for b in blocks for loss in b.losses]


def test_what_is_sought_is_the_next_pass_and_what_it_leaves_out_is_told():
    replay = source(1000, loop=True, realtime=True)  # blocks of ten samples
    blocks = filter(samples_in, replay.blocks())
    before = [next(blocks) for _ in range(3)]
    replay.seek(0.5)
    after = [next(blocks) for _ in range(2)]
    assert rows(before)[-1] == (0, 20, 20, 10)
    assert rows(after) == [(1, 1500, 500, 10), (1, 1510, 510, 10)]
    assert losses(after) == [("sought elsewhere", 1500 - 30, True)]
    assert replay.position_s == 0.52


@given(st.lists(st.tuples(st.integers(1, 4), st.floats(0, 0.0999)), max_size=4))
def test_indices_grow_and_gaps_are_accounted_for_wherever_is_sought(wishes):
    replay = source(captures=TWO, loop=True)
    blocks, seen = replay.blocks(), []
    for n, position_s in wishes:
        seen += [next(blocks) for _ in range(n)]
        replay.seek(position_s)
    seen += [next(blocks) for _ in range(3)]
    sound = [b for b in seen if samples_in(b)]
    for before, block in itertools.pairwise(sound):
        jump = block.start_sample - before.start_sample - len(before.iq)
        assert jump >= 0
        if block.losses:
            assert sum(loss.samples for loss in block.losses) == jump
        assert (before.segment == block.segment) <= (jump == 0)


def test_n_counts_what_is_delivered_and_not_what_is_left_out():
    replay = source(captures=TWO, loop=True, samples=130)
    blocks = replay.blocks()
    seen = [next(blocks)]
    replay.seek(0.09)
    seen += blocks
    assert [len(b.iq) for b in seen] == [60, 10, 60]


@pytest.mark.parametrize("position_s", [-1, 0.1, 5])
def test_there_is_nothing_to_seek_beyond_the_end(position_s):
    with pytest.raises(UsageError, match="nothing to seek"):
        source(loop=True).seek(position_s)


def test_a_replay_that_does_not_loop_cannot_be_sought_in():
    replay = source()
    assert not replay.can_seek
    with pytest.raises(UsageError, match="nothing to seek"):
        replay.seek(0.01)


def test_a_paused_replay_delivers_nothing_says_so_and_goes_on_without_a_rush():
    replay = source(1000, realtime=True)
    blocks = replay.blocks()
    next(blocks)
    replay.pause(True)
    assert len(next(blocks).iq) == 0  # what is in flight need not wait
    began_s = time.monotonic()
    threading.Timer(0.3, replay.pause, [False]).start()
    after = next(blocks)
    assert time.monotonic() - began_s >= 0.3
    assert after.start_sample == 10
    rest = [b.received_s for b in itertools.islice(filter(samples_in, blocks), 5)]
    assert rest[-1] - after.received_s >= 0.045  # no catching up


def test_close_ends_a_paused_replay():
    replay = source(1000, realtime=True)
    blocks = replay.blocks()
    next(blocks)
    replay.pause(True)
    threading.Timer(0.1, replay.close).start()
    assert [b for b in blocks if samples_in(b)] == []


@pytest.mark.parametrize("speed", [0.5, 4.0])
def test_speed_is_of_the_recordings_own(speed):
    replay = source(1000, realtime=True)
    replay.set_speed(speed)
    blocks = list(itertools.islice(filter(samples_in, replay.blocks()), 11))
    taken_s = blocks[-1].received_s - blocks[0].received_s
    assert taken_s == pytest.approx(0.1 / speed, rel=1e-6)


@pytest.mark.parametrize("speed", [0, -1, math.nan, math.inf])
def test_a_speed_that_is_none_is_refused(speed):
    with pytest.raises(UsageError, match="speed"):
        source(realtime=True).set_speed(speed)
