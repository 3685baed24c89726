"""What the tests of the real-time path pass in: windows, and fakes of both ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from liveclf.dsp.formats import FORMATS
from liveclf.records import Block, Detections, StreamInfo, Windows

WINDOW = 16
CLASSES = ("BPSK", "QPSK", "2FSK", "noise")
FAMILY_OF = {"BPSK": "PSK", "QPSK": "PSK", "2FSK": "FSK", "noise": "noise"}
FAMILIES = ("PSK", "FSK", "noise")


def make_windows(n: int, start: int = 0, received_s: float = 0.0, **columns: Any) -> Windows:
    """Make `n` consecutive windows that can be told apart; a scalar is repeated."""
    x = np.zeros((n, 2, WINDOW), np.float32)
    x[:, 0, 0] = start + np.arange(n)
    values: dict[str, Any] = {
        "stream_id": 0,
        "emission_id": -1,
        "start_sample": WINDOW * (start + np.arange(n, dtype=np.int64)),
        "gap_before": 0,
        "power_dbfs": np.full(n, -30, np.float32),
        "sample_rate_hz": 1e6,
        "center_hz": 433e6,
        "epoch_s": math.nan,
        "received_s": received_s,
    }
    values |= columns
    return Windows(x, **{k: np.full(n, v) if np.ndim(v) == 0 else v for k, v in values.items()})


def make_blocks(*lengths: int, seed: int = 1, **values: Any) -> list[Block]:
    """Make consecutive blocks of noise."""
    rng = np.random.default_rng(seed)
    known = {"sample_rate_hz": 1e6, "center_hz": 433e6, "epoch_s": math.nan, "received_s": 0.0}
    blocks, at = [], 0
    for n in lengths:
        iq = rng.standard_normal((n, 2)).astype(np.float32)
        blocks.append(Block(iq, FORMATS["cf32"], at, 0, **(known | values)))
        at += n
    return blocks


def moved(block: Block, by: int, **values: Any) -> Block:
    """Return a block as it comes after a loss."""
    return replace(block, start_sample=block.start_sample + by, **values)


class FakeClock:
    """A time that passes only when told."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class FakeSource:
    """Yields blocks; an exception among them is raised when it is due.

    Given a clock it stamps each block when it is pulled, as a replay does.
    """

    def __init__(
        self,
        items: Sequence[Block | Exception],
        *,
        is_live: bool = False,
        clock: Callable[[], float] | None = None,
        name: str = "fake",
    ) -> None:
        self._items = items
        self._clock = clock
        self.n_given = 0
        self.closed = False
        self.info = StreamInfo(name, "cf32", 1e6, 433e6, None, is_live)

    def blocks(self) -> Iterator[Block]:
        for item in self._items:
            if self.closed:
                return
            if isinstance(item, Exception):
                raise item
            self.n_given += 1
            yield item if self._clock is None else replace(item, received_s=self._clock())

    def close(self) -> None:
        self.closed = True


class FakeEngine:
    """Names every window by a rule, and remembers what it was given."""

    name = "fake"

    def __init__(
        self,
        batch_size: int = 4,
        rule: Callable[[int], int] = lambda k: k % 4,
        *,
        takes_s: float = 0.0,
        clock: FakeClock | None = None,
    ) -> None:
        self.batch_size = batch_size
        self._rule = rule
        self._takes_s, self._clock = takes_s, clock or FakeClock()
        self.batches: list[int] = []
        self.n_seen = 0
        self.fails_at: int | None = None

    def predict(self, x: np.ndarray) -> np.ndarray:
        assert 0 < len(x) <= self.batch_size
        if self.fails_at is not None and len(self.batches) >= self.fails_at:
            raise RuntimeError("the accelerator has gone")
        self._clock.now_s += self._takes_s
        self.batches.append(len(x))
        labels = [self._rule(self.n_seen + k) for k in range(len(x))]
        self.n_seen += len(x)
        return 5 * np.eye(len(CLASSES), dtype=np.float32)[labels]


class FakeOutput:
    """Keeps what is written; can close itself after so many windows."""

    def __init__(self, closes_after: float = math.inf) -> None:
        self.written: list[Detections] = []
        self._closes_after = closes_after

    @property
    def starts(self) -> list[int]:
        return [k for found in self.written for k in found.start_sample.tolist()]

    @property
    def all_closed(self) -> bool:
        return len(self.starts) >= self._closes_after

    def write(self, detections: Detections) -> None:
        self.written.append(detections)
