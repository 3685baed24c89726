"""Batches in flight: never more than two, answered in order, errors in their turn."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from fake_parts import (
    CLASSES,
    FAMILY_OF,
    WINDOW,
    FakeClock,
    FakeEngine,
    FakeSource,
    make_blocks,
    make_windows,
)
from test_pipeline import Loop, starts

from liveclf.live.batcher import Batcher
from liveclf.live.decider import Decider
from liveclf.live.in_flight import InFlight
from liveclf.protocols import DeviceEngine
from liveclf.records import SampleFormat, Windows


class FakeDevice(FakeEngine):
    """Works only when its answer is waited for, and notes the order of events."""

    def __init__(self, *, batch_size: int = 4, broken: tuple[int, ...] = (), early: bool = False):
        super().__init__(batch_size)
        self.events: list[str] = []
        self._n = 0
        self._broken, self._early = broken, early

    def accept(self, fmt: SampleFormat) -> bool:
        return False

    def submit(self, x: np.ndarray) -> Callable[[], np.ndarray]:
        k, self._n = self._n, self._n + 1
        self.events.append(f"submit {k}")
        if k in self._broken and self._early:
            raise RuntimeError(f"batch {k} does not fit")

        def wait() -> np.ndarray:
            self.events.append(f"wait {k}")
            if k in self._broken:
                raise RuntimeError(f"batch {k} was lost")
            return self.predict(x)

        return wait


def test_a_device_has_the_next_batch_before_it_is_asked_for_the_last():
    engine = FakeDevice()
    assert isinstance(engine, DeviceEngine)
    flight = InFlight(engine)
    answered = []
    for k in range(5):
        for windows, handed_s, logits in flight.push(make_windows(3, 3 * k), float(k)):
            assert handed_s == len(answered)
            answered.append(windows.start_sample[0] // (3 * WINDOW))
            assert logits.shape == (3, len(CLASSES))
    assert answered == [0, 1, 2]
    answered += [w.start_sample[0] // (3 * WINDOW) for w, _, _ in flight.flush()]
    assert answered == [0, 1, 2, 3, 4]
    assert engine.events[:6] == ["submit 0", "submit 1", "wait 0", "submit 2", "wait 1", "submit 3"]
    assert list(flight.flush()) == []


def test_an_engine_on_the_host_answers_each_batch_at_once():
    flight = InFlight(FakeEngine())
    for k in range(3):
        (answer,) = flight.push(make_windows(2, k), 0.0)
        assert answer[0].start_sample[0] == WINDOW * k


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("broken", [0, 1, 2, 5])
def test_an_error_comes_after_every_answer_before_it(early: bool, broken: int) -> None:
    """Whether the device refuses the batch or loses it later."""
    engine = FakeDevice(broken=(broken,), early=early)
    loop = Loop(FakeSource(make_blocks(*[64] * 6)), engine)  # four windows, so a batch, a block
    with pytest.raises(RuntimeError, match=f"batch {broken}"):
        loop.run()
    assert loop.output.starts[: 4 * broken] == starts(4 * broken)
    assert 4 * broken not in [k // WINDOW for k in loop.output.starts]
    assert loop.figures["unclassified"] >= 4


@pytest.mark.parametrize("is_live", [False, True])
@pytest.mark.parametrize("lengths", [[64] * 20, [1000], [10, 300, 0, 7, 64]])
def test_the_loop_gives_the_same_records_in_the_same_order_with_a_device(lengths, is_live) -> None:
    blocks = make_blocks(*lengths)
    on_device = Loop(FakeSource(blocks, is_live=is_live), FakeDevice())
    on_host = Loop(FakeSource(blocks, is_live=is_live), FakeEngine())
    for loop in (on_device, on_host):
        loop.run()
    rows = [
        [row for found in loop.output.written for row in found.rows()]
        for loop in (on_device, on_host)
    ]
    assert rows[0] == rows[1]
    assert on_device.figures == on_host.figures


def test_a_live_loop_that_keeps_up_waits_for_no_further_batch():
    """Nobody's label is held back until more windows come."""
    engine = FakeDevice()
    loop = Loop(FakeSource(make_blocks(*[64, 0] * 3), is_live=True), engine)
    loop.run()
    assert engine.events == [f"{what} {k}" for k in range(3) for what in ("submit", "wait")]


def test_a_live_loop_that_is_behind_and_a_replay_keep_two_in_flight():
    clock = FakeClock()
    clock.now_s = 1.0  # the blocks came at 0
    for is_live in (True, False):
        engine = FakeDevice()
        Loop(FakeSource(make_blocks(*[64] * 4), is_live=is_live), engine, clock=clock).run()
        assert engine.events[:3] == ["submit 0", "submit 1", "wait 0"]


def native_of(windows: Windows) -> Windows:
    return replace(windows, x=np.zeros((len(windows), WINDOW, 2), np.uint8))


def test_records_of_native_windows_are_as_long_as_those_of_normalised_ones():
    windows = make_windows(3)
    for each in (windows, native_of(windows)):
        decider = Decider(CLASSES, FAMILY_OF, 1.0, top_k=1, min_probability=0.0)
        found = decider.decide(each, np.zeros((3, len(CLASSES)), np.float32), 0.0)
        assert found.window_samples == WINDOW


def test_native_and_normalised_windows_share_no_batch():
    batcher = Batcher(100, math.inf)
    parts = [make_windows(3, 3 * k) for k in range(4)]
    native = [w if k < 2 else native_of(w) for k, w in enumerate(parts)]
    batches = [b for w in native for b in batcher.push(w)] + list(batcher.flush())
    assert [(len(b), b.x.dtype) for b in batches] == [(6, np.float32), (6, np.uint8)]
    assert np.concatenate([b.start_sample for b in batches]).tolist() == starts(12)
