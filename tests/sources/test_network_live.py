"""Servers that go and come back, through the capture process: nothing twice, nothing bridged."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("zmq", reason="pyzmq is not installed")

from fake_publisher import Publisher
from fake_rtl_tcp import HEADER, FakeServer

from liveclf.config import Hertz, RadioSettings, SourceSettings
from liveclf.records import Block, Loss
from liveclf.sources import open_source
from liveclf.sources.capture.timeline import DEVICE
from liveclf.sources.zeromq.gnuradio_tags import Tag, build

LIMIT_S = 60
N = 10_000
FIRST, SECOND = (np.random.default_rng(k).standard_normal((N, 2)).astype("<f4") for k in (1, 2))
MISSING = 777


def published(iq: np.ndarray, at: int) -> list[bytes]:
    """Return messages of 1000 samples, and before the last a hole."""
    shift = [0] * 9 + [MISSING]
    return [
        build(at + first + lost, [Tag(at + first + lost, "rx_rate", 1e6)])
        + iq[first : first + 1000].tobytes()
        for first, lost in zip(range(0, N, 1000), shift, strict=True)
    ]


class Listener:
    """Takes blocks until there are enough."""

    def __init__(self, device: str, **settings) -> None:
        self.said: list[str] = []
        radio = RadioSettings(device=device)
        self.source = open_source(SourceSettings(**settings), radio, self.said.append)
        self._blocks = self.source.blocks()
        self.blocks: list[Block] = []

    def take(self, n_samples: int) -> None:
        until_s = time.monotonic() + LIMIT_S
        while sum(len(block.iq) for block in self.blocks) < n_samples:
            assert time.monotonic() < until_s, self.said
            block = next(self._blocks)
            if len(block.iq):
                self.blocks.append(block)

    def close(self) -> None:
        self.source.close()
        assert not any(len(block.iq) for block in self._blocks), "more came than was sent"

    @property
    def iq(self) -> np.ndarray:
        return np.concatenate([block.iq for block in self.blocks])

    def breaks(self) -> list[tuple[int, int, bool]]:
        """Return index, samples missing and whether the segment changes, where it breaks."""
        found, at = [], 0
        for before, block in pairwise(self.blocks):
            at += len(before.iq)
            missing = block.start_sample - before.start_sample - len(before.iq)
            if missing or block.segment != before.segment:
                found.append((at, missing, block.segment != before.segment))
        return found


@pytest.mark.parametrize("kind", ["pub", "push"])
def test_a_publisher_that_begins_again_goes_on_behind_a_marked_gap(kind):
    publisher = Publisher(kind)
    publisher.send(*published(FIRST, 0))
    listener = Listener(publisher.device)
    listener.take(N)
    publisher.close()
    again = Publisher(kind, publisher.address)
    again.send(*published(SECOND, 0))
    listener.take(2 * N)
    listener.close()
    again.close(0)
    np.testing.assert_array_equal(listener.iq, np.concatenate([FIRST, SECOND]))
    hole, gone, second_hole = listener.breaks()
    assert hole == (N - 1000, MISSING, False)
    assert (gone[0], gone[2]) == (N, True)
    assert second_hole == (2 * N - 1000, MISSING, False)
    assert [m for m in listener.said if "has gone" in m]
    assert [m for m in listener.said if "is back" in m]


def test_the_publishers_clock_gives_times_and_losses_and_nonsense_is_said():
    epoch_s, lost = 1_600_000_000, 500
    times = [(epoch_s, 0.0), (epoch_s, (1000 + lost) / 1e6), "noon"]
    messages = [
        build(at, [Tag(at, "rx_rate", 1e6), Tag(at, "rx_time", time_)])
        + FIRST[at : at + 1000].tobytes()
        for at, time_ in zip((0, 1000, 2000), times, strict=True)
    ]
    publisher = Publisher("push")
    publisher.send(*messages)
    listener = Listener(publisher.device)
    listener.take(3000)
    while not listener.said:  # a sentence comes by another way than the samples
        next(listener._blocks)
    listener.close()
    publisher.close(0)
    np.testing.assert_array_equal(listener.iq, FIRST[:3000])
    assert listener.breaks() == [(1000, lost, False)]
    assert [loss for block in listener.blocks for loss in block.losses] == [Loss(DEVICE, lost)]
    assert {block.epoch_s for block in listener.blocks} == {epoch_s}
    assert any("those of the publisher" in note for note in listener.source.info.notes)
    assert "rx_time 'noon' of the publisher is no time" in listener.said[0]


def test_an_rtl_tcp_server_that_dies_is_set_again_and_goes_on_behind_a_marked_gap():
    iq = np.random.default_rng(3).integers(0, 256, (2 * N, 2), np.uint8)
    settings = {"center_hz": (Hertz(433.92e6),), "rate_hz": Hertz(250e3)}
    expected = [(2, 250_000), (1, 433_920_000), (3, 0)]

    def first(server: FakeServer) -> None:
        server.send(HEADER + iq[:N].tobytes() + b"\x01")  # and half a sample
        server.done.wait(LIMIT_S)

    def second(server: FakeServer) -> None:
        server.send(HEADER + iq[N:].tobytes())
        server.done.wait(LIMIT_S)

    server = FakeServer(first)
    listener = Listener(f"rtltcp://127.0.0.1:{server.port}", **settings)
    listener.take(N)
    assert server.wait_for_commands(3) == expected
    server.close()
    again = FakeServer(second, server.port)
    listener.take(2 * N)
    assert again.wait_for_commands(3) == expected
    listener.close()
    again.close()
    np.testing.assert_array_equal(listener.iq, iq)
    assert any(at == N and new for at, _, new in listener.breaks())
    assert [m for m in listener.said if "closed the connection" in m]
