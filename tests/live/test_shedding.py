"""What gives when the engine is slow: a stream, an engine and a clock that are made up.

Blocks arrive at their time whatever happens, as from a radio; the loop is the real one, and
the clock passes in the engine and while nothing is waiting.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from fake_parts import CLASSES, FAMILY_OF, FakeClock, FakeOutput

from liveclf.dsp.formats import FORMATS
from liveclf.dsp.framer import Framer
from liveclf.errors import UsageError
from liveclf.live import pipeline
from liveclf.live.batcher import Batcher
from liveclf.live.decider import Decider
from liveclf.live.shedding import Stride, policy_of
from liveclf.live.stats import Stats
from liveclf.records import Block, StreamInfo

WINDOW = 8  # short, as only their number counts here
WINDOWS_PER_S = 2344
BATCH = 128
P99_S = 0.35  # of the lateness, once it goes steadily: twice the target, and a batch
SETTLED_S = 3.0


class Radio:
    """Delivers blocks at their time, to a reader that comes when it can."""

    def __init__(self, clock: FakeClock, seconds: float, block_s: float) -> None:
        self._clock, self._block_s = clock, block_s
        self._n_blocks = round(seconds / block_s)
        self._n = round(block_s * WINDOWS_PER_S * WINDOW)
        self.info = StreamInfo("radio", "cf32", WINDOWS_PER_S * WINDOW, 1e8, None, is_live=True)

    def blocks(self) -> Iterator[Block]:
        iq = np.ones((self._n, 2), np.float32)
        for k in range(self._n_blocks):
            due_s = (k + 1) * self._block_s
            if self._clock.now_s < due_s:
                yield self._block(iq[:0], k, self._clock.now_s)
                self._clock.now_s = max(self._clock.now_s, due_s)  # the engine may have worked
            yield self._block(iq, k, due_s)

    def _block(self, iq: np.ndarray, k: int, received_s: float) -> Block:
        rate_hz, fmt = self.info.sample_rate_hz, FORMATS["cf32"]
        return Block(iq, fmt, k * self._n, 0, rate_hz, 1e8, 0.0, received_s)

    def close(self) -> None:
        pass


class TimedEngine:
    """Takes its time, by the clock."""

    name = "timed"

    def __init__(self, clock: FakeClock, takes_s: Callable[[int], float], batch: int) -> None:
        self._clock, self._takes_s, self.batch_size = clock, takes_s, batch

    def predict(self, x: np.ndarray) -> np.ndarray:
        self._clock.now_s += self._takes_s(len(x))
        return np.zeros((len(x), len(CLASSES)), np.float32)


class Noting(FakeOutput):
    """Keeps when each window was written."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock
        self.times: list[float] = []

    def write(self, detections) -> None:
        super().write(detections)
        self.times += [self._clock.now_s] * len(detections)


@dataclass
class Outcome:
    """What a run gave: per window its number, its time and its lateness; and the figures."""

    taken: np.ndarray
    at_s: np.ndarray
    late_s: np.ndarray
    figures: dict

    def between(self, begin_s: float, end_s: float) -> Outcome:
        rows = (self.at_s >= begin_s) & (self.at_s < end_s)
        return Outcome(self.taken[rows], self.at_s[rows], self.late_s[rows], self.figures)

    @property
    def coverage(self) -> float:
        return (len(self.taken) - 1) / int(self.taken[-1] - self.taken[0])

    @property
    def unevenness(self) -> float:
        """Longest gap over the mean gap."""
        gaps = np.diff(self.taken)
        return float(gaps.max() / gaps.mean())


def run(
    speed: float | Callable[[float], float],
    *,
    seconds: float = 8.0,
    block_s: float = 0.0137,
    jitter: float = 0.0,
    stalls: tuple[tuple[float, float], ...] = (),
    stride: bool = True,
    max_late_s: float = 0.5,
    max_age_s: float = 0.0,
    batch: int = BATCH,
) -> Outcome:
    """Run an engine of some speed, over that of the stream."""
    clock, rng, to_come = FakeClock(), random.Random(1), list(stalls)

    def takes_s(n: int) -> float:
        now = speed(clock.now_s) if callable(speed) else speed
        stall_s = to_come.pop(0)[1] if to_come and clock.now_s >= to_come[0][0] else 0.0
        return n / WINDOWS_PER_S / now * max(0.2, rng.gauss(1, jitter)) + stall_s

    framer, stats, output = Framer(WINDOW), Stats(FAMILY_OF), Noting(clock)
    radio, policy = Radio(clock, seconds, block_s), "stride" if stride else "drop-oldest"
    pipeline.run(
        [pipeline.Stream(radio, [], framer, stats, policy)], Batcher(batch, max_age_s),
        TimedEngine(clock, takes_s, batch),
        Decider(CLASSES, FAMILY_OF, 1.0, top_k=1, min_probability=0.0), output,
        max_late_s=max_late_s, stride=Stride(max_age_s) if stride else None, clock=clock,
    )  # fmt: skip
    figures = stats.summary(framer, seconds)
    # Whatever was decided: every window is classified or counted.
    assert figures["classified"] + sum(figures["skipped"].values()) == figures["windows"]
    assert figures["unclassified"] == 0
    late_s = np.concatenate([found.latency_s for found in output.written])
    return Outcome(np.array(output.starts) // WINDOW, np.array(output.times), late_s, figures)


@pytest.mark.parametrize("block_s", [0.0137, 0.0546])
@pytest.mark.parametrize("speed", [0.1, 0.2, 0.5, 0.9, 1.0, 2.0])
def test_an_engine_of_any_speed_is_used_evenly_and_in_time(speed, block_s):
    steady = run(speed, block_s=block_s, jitter=0.1).between(SETTLED_S, 8)
    assert steady.coverage == pytest.approx(min(1, speed), rel=0.1)
    assert steady.unevenness <= 2.5  # 2 is one window in two where the share is two thirds
    assert np.percentile(steady.late_s, 99) < P99_S


@pytest.mark.parametrize("speed", [0.1, 0.3, 0.5, 0.8])
def test_gaps_are_at_most_twice_the_mean(speed):
    """Without the noise of other programs on the machine."""
    assert run(speed).between(SETTLED_S, 8).unevenness <= 2.0


@pytest.mark.parametrize("speed", [1.1, 2.0])
def test_an_engine_that_keeps_up_leaves_nothing_out(speed):
    outcome = run(speed, jitter=0.1)
    assert outcome.figures["skipped"]["stride"] == outcome.figures["skipped"]["late"] == 0
    assert outcome.figures["coverage"] == 1
    # A batch is the block that has come, and what comes meanwhile.
    assert outcome.late_s.max() < 0.06


def test_waiting_for_a_batch_to_fill_is_not_taken_for_a_pile_up():
    """As where few windows come, and one call for many is cheaper."""
    outcome = run(4.0, batch=2000, max_age_s=0.4, seconds=6)
    assert outcome.figures["coverage"] == 1


@pytest.mark.parametrize("speed", [0.3, 0.9, 2.0])
def test_a_stall_is_over_soon(speed):
    outcome = run(speed, stalls=((3.0, 1.0),))
    after = outcome.between(6.5, 8)
    assert after.coverage == pytest.approx(min(1, speed), rel=0.1)
    assert np.percentile(after.late_s, 99) < P99_S
    assert after.unevenness <= 2.0


def test_the_share_follows_the_speed_down_and_up():
    def speed(now_s: float) -> float:
        return 0.8 if now_s < 5 else 0.2 if now_s < 10 else 1.5

    outcome = run(speed, seconds=15)
    for begin_s, end_s, expected in ((3, 5, 0.8), (7, 10, 0.2), (12, 15, 1.0)):
        part = outcome.between(begin_s, end_s)
        assert part.coverage == pytest.approx(expected, rel=0.1)
        assert np.percentile(part.late_s, 99) < P99_S


def test_what_is_left_out_has_its_own_reason():
    skipped = run(0.5).figures["skipped"]
    assert skipped["stride"] > 0
    assert skipped["late"] == 0


@pytest.mark.parametrize("speed", [0.1, 0.5])
def test_drop_oldest_keeps_the_engine_busy_and_the_labels_fresh(speed):
    outcome = run(speed, stride=False, max_late_s=0.2)
    batch_s = BATCH / WINDOWS_PER_S / speed
    assert outcome.figures["skipped"]["stride"] == 0
    assert outcome.figures["skipped"]["late"] > 0
    assert outcome.between(SETTLED_S, 8).coverage == pytest.approx(speed, rel=0.15)
    # A window may be as late as that when it is taken, then wait for its batch and its labels.
    assert outcome.late_s.max() <= 0.2 + 2 * batch_s
    assert (np.diff(outcome.taken) > 0).all()


def test_block_lets_the_source_wait_and_leaves_nothing_out():
    outcome = run(0.5, stride=False, max_late_s=float("inf"), seconds=4)
    assert outcome.figures["coverage"] == 1
    assert sum(outcome.figures["skipped"].values()) == 0


def info(*, is_live: bool) -> StreamInfo:
    return StreamInfo("radio 7" if is_live else "a.cu8", "cu8", 1e6, 1e8, None, is_live)


@pytest.mark.parametrize(
    ("when_slow", "is_live", "can_wait", "policy"),
    [
        ("auto", True, False, "stride"),
        ("auto", True, True, "stride"),
        ("auto", False, True, "block"),
        ("block", False, True, "block"),
        ("block", True, True, "block"),
        ("stride", True, False, "stride"),
        ("drop-oldest", True, False, "drop-oldest"),
    ],
)
def test_the_policy_is_that_of_the_source(when_slow, is_live, can_wait, policy):
    assert policy_of(when_slow, info(is_live=is_live), can_wait=can_wait) == policy


@pytest.mark.parametrize(
    ("when_slow", "is_live", "can_wait", "said"),
    [
        ("block", True, False, "--when-slow block conflicts with radio 7, which does not wait"),
        ("stride", False, True, "--when-slow stride conflicts with a.cu8, which waits"),
        ("drop-oldest", False, True, "--when-slow drop-oldest conflicts with a.cu8"),
    ],
)
def test_a_policy_that_a_source_cannot_have_is_refused(when_slow, is_live, can_wait, said):
    with pytest.raises(UsageError, match=said):
        policy_of(when_slow, info(is_live=is_live), can_wait=can_wait)
