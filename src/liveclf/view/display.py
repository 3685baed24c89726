"""Blocks of a stream in, rows of a waterfall out, on a thread of its own."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator
from threading import Condition, Thread

import numpy as np
from scipy import ndimage

from liveclf.dsp.waterfall import Rows, Waterfall, samples_per_row
from liveclf.live.history import History
from liveclf.records import Block, FloatArray
from liveclf.view.hub import Posted, Poster
from liveclf.view.wire import row_message

ROWS_PER_S = 20.0
_MOST_BINS, _LEAST_BINS = 1024, 64
_SPECTRA_PER_ROW = 100  # at most: a burst of half a millisecond is still seen
# Rows of a replay that is faster than that are made longer, up to so many times.
_MOST_ROWS_PER_S, _LONGEST = 30.0, 64
_WAITING_S = 0.5  # of signal, for the thread; then the oldest goes, counted
_LEAST_WAITING = 8

_log = logging.getLogger(__name__)


class Tap:
    """Passes blocks on and keeps a copy: for the picture, and for what is cut out later.

    A `Stage`. All it does in the loop is to copy.

    Attributes:
        history: The newest samples.
        dropped: Blocks that the picture lacks, as its thread was late.
    """

    def __init__(self, history: History, n_waiting: int) -> None:
        """Begin empty.

        Args:
            history: Where copies are kept.
            n_waiting: Blocks that may wait for the picture.
        """
        self.history, self.dropped = history, 0
        self._waiting: deque[Block] = deque()
        self._n_waiting = n_waiting
        self._has_some = Condition()
        self._is_closed = False

    def push(self, block: Block) -> Iterator[Block]:
        """Keep a copy and pass the block on."""
        kept = self.history.keep(block)
        if kept is not None:
            with self._has_some:
                if len(self._waiting) >= self._n_waiting:
                    self._waiting.popleft()
                    self.dropped += 1
                self._waiting.append(kept)
                self._has_some.notify()
        yield block

    def flush(self) -> Iterator[Block]:
        """Yield nothing: nothing is held back."""
        return iter(())

    def take(self) -> Block | None:
        """Wait for the next block; None when closed."""
        with self._has_some:
            while not self._waiting and not self._is_closed:
                self._has_some.wait(1.0)
            return None if self._is_closed else self._waiting.popleft()

    def close(self) -> None:
        """Have `take` return None."""
        with self._has_some:
            self._is_closed = True
            self._has_some.notify()


class Display:
    """Makes the rows of one stream, and posts them."""

    def __init__(self, tap: Tap, hub: Poster, stream: int, sample_rate_hz: float) -> None:
        """Start the thread.

        Args:
            tap: Where blocks come from.
            hub: Where rows go.
            stream: Its number.
            sample_rate_hz: Known.
        """
        self._tap, self._hub, self._stream = tap, hub, stream
        row_samples = samples_per_row(sample_rate_hz, ROWS_PER_S)
        self._row_samples = row_samples
        self._waterfall = waterfall_of(row_samples)
        self._floor = Floor()
        self._posted: deque[float] = deque(maxlen=int(_MOST_ROWS_PER_S))
        self._thread = Thread(target=self._run, name=f"waterfall {stream}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End, once what is being made is made."""
        self._tap.close()
        self._thread.join(2.0)

    def _run(self) -> None:
        while (block := self._tap.take()) is not None:
            try:
                for rows in self._waterfall.push(block):
                    self._post(rows)
            except Exception:  # a picture is not worth a run
                _log.exception("The waterfall of stream %d has ended.", self._stream)
                return
            self._keep_pace()

    def _post(self, rows: Rows) -> None:
        for k in range(len(rows)):
            floor = self._floor.push(rows.mean_dbfs[k], (rows.center_hz, rows.sample_rate_hz))
            message = row_message(rows, k, floor, self._stream)
            self._hub.post(Posted(message, self._stream))
            self._posted.append(time.monotonic())

    def _keep_pace(self) -> None:
        """Make rows longer, if the replay is faster than a screen."""
        posted = self._posted
        longest = self._row_samples * _LONGEST
        if len(posted) == posted.maxlen and posted[-1] - posted[0] < 1.0:
            posted.clear()
            self._waterfall.row_samples = min(longest, 2 * self._waterfall.row_samples)


def waterfall_of(row_samples: int) -> Waterfall:
    """Return one with as many bins as rows of this length bear, that costs little."""
    n_bins = _MOST_BINS
    while n_bins > _LEAST_BINS and 2 * n_bins > row_samples:
        n_bins //= 2
    return Waterfall(n_bins, row_samples, max(n_bins // 2, row_samples // _SPECTRA_PER_ROW))


def waiting_blocks(block_s: float = 0.01) -> int:
    """Return how many blocks may wait for the picture."""
    return max(_LEAST_WAITING, round(_WAITING_S / block_s))


class Floor:
    """The noise of each bin, of rows one after the other: what is there when nothing is.

    A low quantile over time, tracked (down at once, up slowly), then a median over frequency,
    so that a signal that never pauses is not taken for noise if it is narrow. Where even the
    quietest bins have risen, the radio amplifies more: it is learnt anew.
    """

    _UP_DB, _DOWN = 0.05, 0.2
    _QUIETEST, _JUMP_DB = 10, 3.0  # percent of the bins
    _MEDIAN_SHARE = 8  # of the band

    def __init__(self) -> None:
        self._level: FloatArray | None = None
        self._tuning: tuple[float, float] | None = None

    def push(self, mean_dbfs: FloatArray, tuning: tuple[float, float]) -> FloatArray:
        """Take a row; return the floor, dB full scale, same shape.

        Args:
            mean_dbfs: Mean power of each bin.
            tuning: Where the radio stands; elsewhere the floor is learnt anew.
        """
        row = np.maximum(mean_dbfs, np.float32(-250))
        is_elsewhere = self._tuning is None or not np.array_equal(self._tuning, tuning, True)
        if self._level is None or is_elsewhere or len(row) != len(self._level):
            self._level, self._tuning = row.copy(), tuning
        step = row - self._level
        if np.percentile(step, self._QUIETEST) > self._JUMP_DB:
            self._level, step = row.copy(), np.zeros_like(row)
        self._level += np.where(step < 0, self._DOWN * step, np.minimum(step, self._UP_DB))
        size = max(3, len(row) // self._MEDIAN_SHARE)
        smooth: FloatArray = ndimage.percentile_filter(
            self._level[:: max(1, size // 16)], 40, size=min(size, 17), mode="nearest"
        )
        return np.repeat(smooth, max(1, size // 16))[: len(row)].astype(np.float32)
