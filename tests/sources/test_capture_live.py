"""A live source over a real capture process: nothing is lost uncounted, everything ends."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_driver import read_counter

from liveclf.config import Count, Hertz, RadioSettings, Seconds, SourceSettings
from liveclf.errors import LiveclfError, MissingExtraError, SourceError, UsageError
from liveclf.records import Block
from liveclf.sources.capture import live
from liveclf.sources.capture.live import LiveSource
from liveclf.sources.capture.process import CaptureProcess
from liveclf.sources.capture.timeline import AWAY, CLOCK, DEVICE, OVERWRITTEN, SETTLING

WAIT_S = 30.0  # generous: these machines are busy


@contextmanager
def listening(*options: str, **settings: Any) -> Iterator[LiveSource]:
    radio = {
        k: settings.pop(k)
        for k in ("max_retries", "dwell_s", "buffer_s", "offset_hz", "gain")
        if k in settings
    }
    source = LiveSource(
        "fake_driver",
        SourceSettings(**settings),
        RadioSettings(options=options, **radio),
        settings.get("tell", lambda _: None),
    )
    try:
        yield source
    finally:
        source.close()
        source._cleanup()


def told_by(source: LiveSource) -> list[str]:
    told: list[str] = []
    source._tell = told.append
    return told


def heard(source: LiveSource, n_samples: int) -> list[Block]:
    """Return the blocks with samples until there are so many."""
    blocks, until_s = [], time.monotonic() + WAIT_S
    for block in source.blocks():
        if len(block.iq):
            blocks.append(block)
        if sum(len(b.iq) for b in blocks) >= n_samples:
            break
        assert time.monotonic() < until_s, "nothing came any more"
    return blocks


def losses(blocks: list[Block]) -> dict[str, int]:
    total: dict[str, int] = {}
    for block in blocks:
        for loss in block.losses:
            total[loss.cause] = total.get(loss.cause, 0) + loss.samples
    return total


def check_positions(blocks: list[Block]) -> None:
    """Every jump is accounted for, and nothing comes twice."""
    for before, block in pairwise(blocks):
        jump = block.start_sample - (before.start_sample + len(before.iq))
        assert jump == sum(loss.samples for loss in block.losses) >= 0


# ---------------------------------------------------------------- while all is well


def test_samples_come_as_the_device_gave_them() -> None:
    with listening("speed=0", buffer_s=Seconds(10)) as source:
        blocks = heard(source, 200_000)
    check_positions(blocks)
    for block in blocks:
        expected = block.start_sample + np.arange(len(block.iq))
        assert np.array_equal(read_counter(block.iq), expected)
    assert blocks[0].start_sample == 0 or losses(blocks[:1])


def test_it_says_at_once_when_no_more_is_waiting() -> None:
    """Else windows would wait in a batch for some that are not there yet."""
    with listening() as source:
        blocks = source.blocks()
        next(b for b in blocks if len(b.iq))
        last = next(b for b in blocks if len(b.iq))
        while len((block := next(blocks)).iq):
            last = block
        assert block.start_sample == last.start_sample + len(last.iq)
        assert block.stretch == last.stretch
        # A word of the silence that it would be, without waiting for one: it comes every 4 ms.
        n_idle = sum(not len(next(blocks).iq) for _ in range(60))
    assert n_idle >= 10


def test_it_says_what_the_driver_found_and_that_it_will_not_wait() -> None:
    with listening(rate_hz=Hertz(250e3), center_hz=(Hertz(433e6),)) as source:
        info = source.info
    assert (info.name, info.format, info.is_live) == ("fake radio 7", "cs16", True)
    assert (info.sample_rate_hz, info.center_hz) == (250e3, 433e6)
    assert info.notes == ("The gain is what it is.",)


def test_times_are_those_of_the_host_at_the_first_sample() -> None:
    before_s = time.time()
    with listening() as source:
        blocks = heard(source, 50_000)
    for block in blocks:
        taken_s = block.epoch_s + block.start_sample / block.sample_rate_hz
        assert before_s - 0.1 < taken_s < time.time()
        assert block.received_s <= time.monotonic()


def test_it_ends_after_the_samples_that_are_wanted() -> None:
    with listening("speed=0", samples=Count(10_001)) as source:
        blocks = [b for b in source.blocks() if len(b.iq)]
    assert sum(len(b.iq) for b in blocks) == 10_001


def test_offset_tunes_beside_the_centre() -> None:
    with listening(center_hz=(Hertz(100e6),), offset_hz=Hertz(250e3)) as source:
        assert source.info.center_hz == 100.25e6


def test_a_driver_that_prints_all_the_time_is_not_stopped_by_it() -> None:
    """64 kB of it fill a pipe; here are 400 kB, and there is always something to read."""
    with listening("speed=0", "prints=1") as source:
        heard(source, 2000 * 4096)


# ---------------------------------------------------------------- losses


def test_what_the_device_says_is_lost_is_counted_exactly(tmp_path: Path) -> None:
    with listening(
        "speed=0", "drop=100", "n=200000", "then=silence", buffer_s=Seconds(10)
    ) as source:
        blocks = heard(source, 150_000)
    check_positions(blocks)
    found = losses(blocks)
    assert set(found) == {DEVICE}
    for block in blocks:
        assert np.array_equal(read_counter(block.iq), block.start_sample + np.arange(len(block.iq)))
    assert found[DEVICE] % 100 == 0


def test_a_reader_that_is_late_loses_the_oldest_and_knows_how_many(tmp_path: Path) -> None:
    log = tmp_path / "produced"
    with listening(
        "speed=0", "n=2000000", "then=silence", f"log={log}", buffer_s=Seconds(0.1)
    ) as source:
        blocks = source.blocks()
        first = next(b for b in blocks if len(b.iq))
        until_s = time.monotonic() + WAIT_S
        while not log.exists():  # the ring holds a twentieth of that
            assert time.monotonic() < until_s
            time.sleep(0.01)
        rest, produced = [first], int(log.read_text())
        for block in blocks:
            if len(block.iq):
                rest.append(block)
            elif rest[-1].start_sample + len(rest[-1].iq) >= produced:
                break
    check_positions(rest)
    assert losses(rest)[OVERWRITTEN] > produced // 2
    received = sum(len(b.iq) for b in rest)
    assert received + sum(losses(rest).values()) == produced
    for block in rest:  # no half-written slot
        assert np.array_equal(read_counter(block.iq), block.start_sample + np.arange(len(block.iq)))


def test_a_silent_loss_is_found_by_the_clock() -> None:
    with listening("n=8000000", "silent_drop=300000", "speed=1", "then=silence") as source:
        # The fake goes on where the clock is, so from here on its samples stay late.
        found: list[Block] = []
        until_s = time.monotonic() + WAIT_S
        for block in source.blocks():
            if len(block.iq):
                found.append(block)
            if CLOCK in losses(found[-1:]):
                break
            assert time.monotonic() < until_s
    assert losses(found)[CLOCK] == pytest.approx(300_000, rel=0.05)
    assert all(not loss.is_exact for b in found for loss in b.losses if loss.cause == CLOCK)


# ---------------------------------------------------------------- coming back


@pytest.mark.parametrize("then", ["return", "raise", "error", "silence", "crash", "exit", "hang"])
def test_a_device_that_goes_comes_back_with_a_marked_gap(tmp_path: Path, then: str) -> None:
    lives = tmp_path / "lives"
    with listening("n=50000", f"then={then}", f"lives={lives}") as source:
        told = told_by(source)
        blocks: list[Block] = []
        until_s = time.monotonic() + WAIT_S
        for block in source.blocks():
            if len(block.iq):
                blocks.append(block)
            if losses(blocks).get(AWAY) and len(blocks) > 20:
                break
            assert time.monotonic() < until_s, told
    check_positions(blocks)
    away = next(loss for b in blocks for loss in b.losses if loss.cause == AWAY)
    assert not away.is_exact
    assert away.samples > 100_000  # the first wait alone is half a second
    first, *_, last = blocks
    assert last.segment > first.segment
    assert last.start_sample / 1e6 + last.epoch_s == pytest.approx(time.time(), abs=10)
    assert len(told) == 2, told
    assert told[0].endswith("Looking for it again.")
    assert told[1].startswith("fake radio 7 is back after")


def test_a_crash_is_told_with_what_the_driver_printed(tmp_path: Path) -> None:
    with listening("n=5000", "then=crash", f"lives={tmp_path / 'lives'}") as source:
        told = told_by(source)
        until_s = time.monotonic() + WAIT_S
        for _ in source.blocks():
            if told:
                break
            assert time.monotonic() < until_s
    assert "was ended by signal 11" in told[0]
    assert "tuner is warm" in told[0]


def test_a_capture_process_that_is_killed_is_begun_again(tmp_path: Path) -> None:
    with listening(f"lives={tmp_path / 'lives'}") as source:
        told = told_by(source)
        blocks = source.blocks()
        next(b for b in blocks if len(b.iq))
        pid = source._process._process.pid
        assert pid
        os.kill(pid, signal.SIGKILL)
        until_s = time.monotonic() + WAIT_S
        for block in blocks:
            if any(loss.cause == AWAY for loss in block.losses):
                break
            assert time.monotonic() < until_s, told
    assert "was ended by signal 9" in told[0]


def test_after_so_many_attempts_it_is_an_error(tmp_path: Path) -> None:
    options = ("n=5000", "then=raise", f"lives={tmp_path / 'lives'}", "refuse=source", "first=1")
    with (
        listening(*options, max_retries=2) as source,
        pytest.raises(SourceError, match=r"unplugged.*did not come back in 2 attempts"),
    ):
        list(source.blocks())


def test_what_will_never_work_is_not_tried_again() -> None:
    with listening("n=5000", "then=usage") as source, pytest.raises(UsageError, match="never"):
        list(source.blocks())


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ("source", SourceError, "No fake radio is there"),
        ("usage", UsageError, "--gain 99 is above"),
        ("missing", MissingExtraError, "needs its driver; install it with: pip install fake"),
        ("error", SourceError, "ZeroDivisionError in the driver: by zero"),
    ],
)
def test_what_does_not_open_is_said_at_once(how: str, error: type[LiveclfError], said: str) -> None:
    with pytest.raises(error, match=said), listening(f"refuse={how}"):
        pass


def test_a_failure_that_comes_with_the_end_of_the_process_is_read_once() -> None:
    radio = RadioSettings(options=("refuse=source",))
    process = CaptureProcess("fake_driver", SourceSettings(), radio)
    try:
        process._process.join(WAIT_S)  # then all of its pipes have news, and their end
        process.poll(0)
        assert process.failure is not None
        assert "No fake radio is there" in process.failure.message
        process.poll(0)
    finally:
        process.stop()


def test_a_driver_that_hangs_at_opening_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_OPEN_S", 2.0)
    with pytest.raises(SourceError, match="did not open within 2 s"), listening("refuse=hang"):
        pass


# ---------------------------------------------------------------- how it ends


@pytest.mark.parametrize("options", [(), ("close=hang",), ("n=5000", "then=hang", "close=hang")])
def test_closing_ends_the_process_whatever_it_does(options: tuple[str, ...]) -> None:
    with listening(*options) as source:
        heard(source, 1000)
        process = source._process._process
        source.close()
        began_s = time.monotonic()
        list(source.blocks())
        source._cleanup()
        assert time.monotonic() - began_s < 5  # 2.5 s are allowed to the process
        assert not process.is_alive()


PROGRAM = """
import sys, time
sys.path.insert(0, {tests!r})
from liveclf.config import RadioSettings, SourceSettings
from liveclf.sources.capture.live import LiveSource
if __name__ == "__main__":
    source = LiveSource("fake_driver", SourceSettings(), RadioSettings())
    for block in source.blocks():
        print(source._process._process.pid, source._process._ring.name, flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and /dev/shm")
def test_a_parent_that_is_killed_leaves_no_process_and_no_memory(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.format(tests=str(Path(__file__).parent)))
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout
        pid, ring = program.stdout.readline().split()
        assert (Path("/dev/shm") / ring).exists()
        program.kill()
        program.stdout.read()
    until_s = time.monotonic() + WAIT_S
    while _is_running(int(pid)) or (Path("/dev/shm") / ring).exists():
        assert time.monotonic() < until_s
        time.sleep(0.05)


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


# ---------------------------------------------------------------- hopping


def test_it_hops_over_the_centres_and_leaves_out_what_had_not_settled() -> None:
    centers = (Hertz(100e6), Hertz(200e6), Hertz(300e6))
    with listening("speed=1", center_hz=centers, dwell_s=Seconds(0.1)) as source:
        blocks = heard(source, 600_000)
    check_positions(blocks)
    seen = [b.center_hz for b in blocks]
    order = [seen[0], *(b for a, b in pairwise(seen) if a != b)]
    assert order[:5] == [100e6, 200e6, 300e6, 100e6, 200e6]
    hops = len(order) - 1
    assert losses(blocks)[SETTLING] == hops * 10_000
    for before, block in pairwise(blocks):
        assert (before.segment != block.segment) == (before.center_hz != block.center_hz)


def test_a_centre_that_is_refused_is_told_and_the_others_go_on() -> None:
    centers = (Hertz(100e6), Hertz(666e6))
    with listening(center_hz=centers, dwell_s=Seconds(0.1)) as source:
        told = told_by(source)
        heard(source, 300_000)
    assert told[0] == "666 MHz cannot be tuned to."


def test_it_is_tuned_while_it_streams_and_stays_there_when_it_comes_back(tmp_path: Path) -> None:
    lives = tmp_path / "lives"
    with listening(
        "n=400000", "then=crash", f"lives={lives}", center_hz=(Hertz(100e6),), offset_hz=Hertz(1e6)
    ) as source:
        assert source.can_tune
        blocks = source.blocks()
        next(b for b in blocks if len(b.iq))
        source.tune(433e6)
        tuned = next(b for b in blocks if b.center_hz == 434e6 and len(b.iq))
        settled = [loss.samples for loss in tuned.losses if loss.cause == SETTLING]
        assert settled == [10_000]
        again = next(b for b in blocks if len(b.iq) and b.losses and b is not tuned)
        assert lives.read_text() != "1"
        assert again.center_hz == 434e6


def test_a_centre_asked_for_that_is_refused_is_told_and_it_stays_where_it_was() -> None:
    with listening(center_hz=(Hertz(100e6),)) as source:
        told = told_by(source)
        blocks = source.blocks()
        next(b for b in blocks if len(b.iq))
        source.tune(666e6)
        while not told:
            block = next(blocks)
        assert told == ["666 MHz cannot be tuned to."]
        assert block.center_hz == 100e6


def gained(source: LiveSource, blocks: Iterator[Block], gain_db: float) -> Block:
    """Read until the gain is that; return the block after it."""
    while not source.gain or source.gain.stages[0].now_db != gain_db:
        next(blocks)
    return next(blocks)


def test_its_gain_is_set_while_it_streams_and_stays_when_it_comes_back(tmp_path: Path) -> None:
    lives = tmp_path / "lives"
    options = ("n=400000", "then=crash", f"lives={lives}", "has_gain=1")
    with listening(*options, center_hz=(Hertz(100e6),)) as source:
        blocks = source.blocks()
        before = next(b for b in blocks if len(b.iq))
        assert source.gain
        assert source.gain.is_auto
        source.set_gain(20.4)
        after = next(b for b in blocks if any(x.cause == SETTLING for x in b.losses))
        assert [x.samples for x in after.losses if x.cause == SETTLING] == [10_000]
        # What came before and after is cut apart, and neither centre nor clock has moved.
        assert after.segment == before.segment + 1
        assert (after.center_hz, after.epoch_s) == (before.center_hz, before.epoch_s)
        gained(source, blocks, 20)
        assert not source.gain.is_auto
        assert source.gain.text == "20"
        next(b for b in blocks if len(b.iq) and b.segment > after.segment)
        assert lives.read_text() != "1"
        assert source.gain.stages[0].now_db == 20


def test_a_gain_that_the_driver_refuses_is_told_and_it_stays_as_it_was() -> None:
    with listening(
        "has_gain=1", gain="20", center_hz=(Hertz(100e6), Hertz(200e6))
    ) as source:  # it hops, too
        told, blocks = told_by(source), source.blocks()
        next(b for b in blocks if len(b.iq))
        source.set_gain(13)
        while not told:
            next(blocks)
        assert told == ["13 dB brings bad luck."]
        gained(source, blocks, 20)


@pytest.mark.parametrize(
    ("gain_db", "stage", "said"),
    [
        (41, "", "Gain 41 dB: fake radio 7 has 0 to 40 dB."),
        (-1, "", "Gain -1 dB: fake radio 7 has 0 to 40 dB."),
        (math.nan, "", "Gain nan dB: fake radio 7 has 0 to 40 dB."),
        (20, "LNA", "fake radio 7 has no gain stage 'LNA'; it has none by name."),
    ],
)
def test_a_gain_that_it_has_not_is_refused_at_once(gain_db: float, stage: str, said: str) -> None:
    with listening("has_gain=1") as source, pytest.raises(UsageError) as refused:
        source.set_gain(gain_db, stage)
    assert str(refused.value) == said


def test_changes_of_gain_that_nobody_reads_are_bounded() -> None:
    with listening("has_gain=1") as source:
        for _ in range(32):
            source.set_gain(20)
        with pytest.raises(UsageError, match="try again"):
            source.set_gain(20)


def test_a_gain_that_cannot_be_set_is_refused() -> None:
    with listening() as source, pytest.raises(UsageError, match="cannot be set while it runs"):
        source.set_gain(20)


def test_one_that_hops_is_not_tuned() -> None:
    with listening(center_hz=(Hertz(100e6), Hertz(200e6))) as source:
        assert not source.can_tune


def test_hopping_needs_a_rate() -> None:
    with (
        pytest.raises(UsageError, match="Several --freq need a sample rate"),
        listening("rate=unknown", "speed=0", center_hz=(Hertz(1e6), Hertz(2e6))),
    ):
        pass


@pytest.mark.parametrize("flag", ["start_s", "loop", "realtime"])
def test_what_is_for_recordings_is_refused(flag: str) -> None:
    value = Seconds(1) if flag == "start_s" else True
    with pytest.raises(UsageError, match="is for recordings"), listening(**{flag: value}):
        pass


def test_without_a_rate_nothing_is_guessed(tmp_path: Path) -> None:
    options = ("rate=unknown", "speed=0", "n=20000", "then=raise", f"lives={tmp_path / 'lives'}")
    with listening(*options) as source:
        assert math.isnan(source.info.sample_rate_hz)
        blocks = heard(source, 30_000)
    check_positions(blocks)
    assert losses(blocks).get(AWAY, 0) == 0
    assert blocks[-1].segment > blocks[0].segment
