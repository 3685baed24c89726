"""The running noise floor: a low percentile of the recent window powers."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from liveclf.records import FloatArray

HISTORY_WINDOWS = 512
FIRST_WINDOWS = 64  # known from here on
# A tenth: bursts may fill nine tenths of the time before they lift the floor.
PERCENTILE = 10


class NoiseFloor:
    """Level of windows over the quietest tenth of the last 512.

    A signal that never pauses is its own floor: that is the limit of powers alone.
    The history begins anew where the tuning changes.
    """

    def __init__(self) -> None:
        """Begin without history."""
        self._history: FloatArray = np.empty(0, np.float32)
        self._tuning: tuple[float, float] | None = None

    def push(
        self,
        power_dbfs: FloatArray,
        center_hz: NDArray[np.float64],
        sample_rate_hz: NDArray[np.float64],
    ) -> FloatArray:
        """Take the next windows, in stream order.

        Args:
            power_dbfs: Shape (n,) float32.
            center_hz: Shape (n,).
            sample_rate_hz: Shape (n,).

        Returns:
            Level over the floor, dB, shape (n,) float32; NaN while the floor is not
            known. The same for any split into calls.
        """
        level = np.empty(len(power_dbfs), np.float32)
        tuning = np.nan_to_num(np.stack([center_hz, sample_rate_hz]), nan=-1.0)
        changes = np.flatnonzero(np.any(np.diff(tuning, axis=1) != 0, axis=0)) + 1
        edges = [0, *changes.tolist(), len(power_dbfs)]
        for first, last in zip(edges, edges[1:], strict=False):
            if first == last:
                continue
            here = (float(tuning[0, first]), float(tuning[1, first]))
            if here != self._tuning:
                self._history, self._tuning = self._history[:0], here
            level[first:last] = self._level(power_dbfs[first:last])
        return level

    def _level(self, power_dbfs: FloatArray) -> FloatArray:
        before = self._history
        self._history = np.concatenate([before, power_dbfs])[-(HISTORY_WINDOWS - 1) :]
        return power_dbfs - _trailing_percentile(before, power_dbfs)


def _trailing_percentile(before: FloatArray, power: FloatArray) -> FloatArray:
    """Percentile over the last `HISTORY_WINDOWS` up to each of `power`, NaN where too few."""
    # What has not been seen is infinite: it sorts behind everything that has.
    unseen = np.full(HISTORY_WINDOWS - 1 - len(before), np.inf, np.float32)
    rows = sliding_window_view(np.concatenate([unseen, before, power]), HISTORY_WINDOWS)
    seen = np.minimum(len(before) + np.arange(1, len(power) + 1), HISTORY_WINDOWS)
    rank = (seen - 1) * PERCENTILE // 100
    floor = np.empty(len(power), np.float32)
    for r in np.unique(rank):  # one, once the history is full
        same = rank == r
        floor[same] = np.partition(rows[same], r, axis=1)[:, r]
    floor[seen < FIRST_WINDOWS] = np.nan
    return floor
