"""The parts of live capture: deficit meter, tape, ring, back-off."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveclf.dsp.formats import FORMATS
from liveclf.sources.capture.backoff import BackOff
from liveclf.sources.capture.deficit import DeficitMeter
from liveclf.sources.capture.driver import Opened
from liveclf.sources.capture.ring import Ring, Slot
from liveclf.sources.capture.tape import RingTape

RATE_HZ = 1e6

# ---------------------------------------------------------------- deficit


def delivered(
    losses: dict[int, int], *, ppm: float = 0.0, seed: int = 1, seconds: int = 20
) -> tuple[int, list[tuple[float, int]]]:
    """Deliver a second's samples in 100 blocks, late by up to 30 ms, some in bursts.

    Args:
        losses: Samples lost at the beginning of a second.
        ppm: How much faster than it says the device is.
        seed: Of the lateness.
        seconds: How long.

    Returns:
        What was reported in all, and when how much.
    """
    rng = np.random.default_rng(seed)
    meter, reports, due_s, at_s = DeficitMeter(RATE_HZ), [], 0.0, 0.0
    block = 10_000
    for k in range(seconds * 100):
        due_s += block / (RATE_HZ * (1 + ppm * 1e-6))
        late_s = rng.exponential(0.005) + (0.3 if k % 170 in range(20) else 0.0)
        at_s = max(at_s, due_s + late_s)
        lost = losses.get(k // 100, 0) if k % 100 == 0 else 0
        if reported := meter.push(block - lost, at_s):
            reports.append((at_s, reported))
    return sum(n for _, n in reports), reports


@given(st.integers(0, 2**32), st.floats(-150, 150))
@settings(max_examples=20, deadline=None)
def test_without_a_loss_nothing_is_reported_whatever_crystal_and_lateness(seed, ppm) -> None:
    assert delivered({}, ppm=ppm, seed=seed)[0] == 0


@given(st.integers(0, 2**32), st.integers(6_000, 500_000), st.floats(-150, 150))
@settings(max_examples=20, deadline=None)
def test_a_loss_is_reported_once_and_within_its_bounds(seed, lost, ppm) -> None:
    # A block cannot lose more than it has: the rest is taken from none, so deliver less often.
    losses = {5: min(lost, 10_000)}
    total, reports = delivered(losses, ppm=ppm, seed=seed)
    # 2 ms and 150 ppm of the 2 s until it is certain, and the least lateness of an interval.
    assert total == pytest.approx(losses[5], abs=0.002 * RATE_HZ + 150e-6 * 2 * RATE_HZ + 500)
    assert len(reports) == 1
    assert 5 < reports[0][0] < 8


def test_several_losses_are_each_reported() -> None:
    total, reports = delivered({4: 8_000, 9: 10_000, 14: 9_000})
    assert len(reports) == 3
    assert total == pytest.approx(27_000, abs=3_000)


def test_what_others_reported_is_not_reported_again() -> None:
    meter, at_s = DeficitMeter(RATE_HZ), 0.0
    total = 0
    for k in range(1000):
        at_s += 0.01
        if k == 300:
            meter.told(50_000)
            at_s += 0.05
        total += meter.push(10_000, at_s)
    assert total == 0


def test_without_a_rate_nothing_is_told() -> None:
    meter = DeficitMeter(math.nan)
    assert [meter.push(100, float(k)) for k in range(100)] == [0] * 100


# ---------------------------------------------------------------- ring


def slot(k: int, n: int = 100) -> Slot:
    return Slot(np.full(n, k % 256, np.uint8), k * n, 0, 1e6, 1e8, 5.0, k * 1.0, lost=k)


@pytest.fixture
def ring():
    made = Ring.create(8, 128)
    yield made
    made.close(unlink=True)


def test_slots_come_out_as_they_went_in(ring: Ring) -> None:
    reader = Ring.attach(ring.name, ring.n_slots, ring.slot_bytes)
    assert reader.take() is None
    for k in range(50):
        ring.put(slot(k, 1 + k % 128))
        got = reader.take()
        assert got is not None
        want = slot(k, 1 + k % 128)
        assert np.array_equal(got.data, want.data)
        assert (got.start_sample, got.lost, got.received_s, got.center_hz) == (
            want.start_sample, want.lost, want.received_s, want.center_hz,
        )  # fmt: skip
    assert reader.take() is None
    reader.close(unlink=False)


def test_how_full_it_is_goes_from_nothing_to_all(ring: Ring) -> None:
    fills = [ring.fill]
    for k in range(10):
        ring.put(slot(k))
        fills.append(ring.fill)
    assert fills == [min(1, k / 8) for k in range(11)]
    while ring.take():
        pass
    assert ring.fill == 0


def test_the_oldest_go_when_the_reader_is_late(ring: Ring) -> None:
    for k in range(100):
        ring.put(slot(k))
    starts = []
    while (got := ring.take()) is not None:
        starts.append(got.start_sample // 100)
    assert starts == list(range(93, 100))  # all but one of the eight: that may be written next


def test_a_slot_that_is_being_written_is_not_read(ring: Ring) -> None:
    for k in range(3):
        ring.put(slot(k))
    ring._heads["sequence"][1] = -1
    got = [ring.take(), ring.take()]
    assert [g.start_sample // 100 for g in got if g] == [0, 2]


# ---------------------------------------------------------------- tape


class Clock:
    """A time that passes when told."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def opened(**changed) -> Opened:
    values = {"tells_losses": True} | changed
    return Opened("a radio", FORMATS["cs16"], RATE_HZ, 1e8, **values)


def taped(pieces: list[bytes], **changed) -> list[Slot]:
    ring = Ring.create(256, 64)
    try:
        tape = RingTape(ring, opened(**changed), lambda: None, clock=Clock(), wall=lambda: 1e9)
        for piece in pieces:
            tape.write(piece)
        slots = []
        while (got := ring.take()) is not None:
            slots.append(got)
        return slots
    finally:
        ring.close(unlink=True)


@given(st.binary(min_size=0, max_size=600), st.lists(st.integers(0, 600), max_size=12))
@settings(max_examples=60, deadline=None)
def test_any_split_of_the_bytes_gives_the_same_samples(data: bytes, cuts: list[int]) -> None:
    edges = sorted({0, len(data), *(c for c in cuts if c < len(data))})
    slots = taped([data[a:b] for a, b in pairwise(edges)])
    whole = data[: len(data) // 4 * 4]
    assert b"".join(s.data.tobytes() for s in slots) == whole
    position = 0
    for s in slots:
        assert s.start_sample == position
        position += len(s.data) // 4
        assert s.epoch_s == pytest.approx(1e9, abs=1e-3)


def test_half_a_sample_before_a_loss_is_not_joined_to_what_comes_behind() -> None:
    ring = Ring.create(8, 64)
    tape = RingTape(ring, opened(), lambda: None)
    tape.write(bytes(range(6)))
    tape.write(bytes(range(100, 108)), lost=10)
    first, second = ring.take(), ring.take()
    ring.close(unlink=True)
    assert first
    assert second
    assert second.data.tolist() == list(range(100, 108))
    assert (first.start_sample, second.start_sample, second.lost) == (0, 11, 10)


def test_an_overflow_breaks_the_stretch_and_the_clock_tells_how_much() -> None:
    ring = Ring.create(1024, 4 * 10_000)
    clock = Clock()
    tape = RingTape(ring, opened(tells_losses=False), lambda: None, clock=clock)
    slots = []
    for k in range(1000):
        clock.now_s += 0.01
        if k == 300:
            clock.now_s += 0.05
            tape.overflow()
        tape.write(bytes(40_000))
        got = ring.take()
        assert got
        slots.append(got)
    ring.close(unlink=True)
    assert [s.segment for s in slots] == [0] * 300 + [1] * 700
    assert slots[-1].estimated == pytest.approx(50_000, abs=2_300)
    assert slots[299].estimated == 0


def test_a_retune_sets_the_clock_anew() -> None:
    ring = Ring.create(8, 4096)
    wall = iter([1000.0, 2000.0])
    tape = RingTape(ring, opened(), lambda: None, wall=lambda: next(wall))
    tape.write(bytes(400))
    tape.retune(2e6, 9e7)
    tape.write(bytes(400))
    first, second = ring.take(), ring.take()
    ring.close(unlink=True)
    assert first
    assert second
    assert (first.segment, first.sample_rate_hz, first.center_hz) == (0, 1e6, 1e8)
    assert (second.segment, second.sample_rate_hz, second.center_hz) == (1, 2e6, 9e7)
    assert second.epoch_s + (second.start_sample + 100) / 2e6 == pytest.approx(2000.0)


def test_a_clock_that_the_driver_tells_goes_over_the_hosts_until_it_breaks() -> None:
    ring = Ring.create(8, 4096)
    tape = RingTape(ring, opened(), lambda: None, wall=lambda: 5000.0)
    tape.clock(1000.0)
    tape.write(bytes(400))
    tape.write(bytes(400), lost=50)  # its time goes on with the count
    tape.retune(2e6, 1e8)
    tape.clock(2000.0)
    tape.write(bytes(400), lost=10)
    tape.retune(2e6, 1e8)
    tape.write(bytes(400))
    slots = [ring.take() for _ in range(4)]
    ring.close(unlink=True)
    starts = [(s.start_sample, s.epoch_s + s.start_sample / s.sample_rate_hz) for s in slots if s]
    assert [start for start, _ in starts] == [0, 150, 260, 360]
    told = [1000.0, 1000.0 + 150 / 1e6, 2000.0, 5000.0 - 100 / 2e6]
    assert [time_s for _, time_s in starts] == pytest.approx(told, abs=1e-6)


# ---------------------------------------------------------------- back-off


def test_waits_double_up_to_half_a_minute_until_it_has_come_back_in_earnest() -> None:
    wait = BackOff()
    assert [wait.next_s() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    wait.heard()
    assert wait.next_s() == 30
    for _ in range(200):
        wait.heard()
    assert wait.next_s() == 0.5
