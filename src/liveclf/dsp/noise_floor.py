"""The running noise floor: a low percentile of the recent window powers."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque

import numpy as np
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
        self._recent: deque[float] = deque()
        self._sorted: list[float] = []  # the same, in order
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
        centers = np.nan_to_num(center_hz, nan=-1.0).tolist()
        rates = np.nan_to_num(sample_rate_hz, nan=-1.0).tolist()
        tunings = zip(centers, rates, strict=True)
        floor = [
            self._next(power, tuning)
            for power, tuning in zip(power_dbfs.tolist(), tunings, strict=True)
        ]
        return power_dbfs - np.array(floor, np.float32)

    def _next(self, power: float, tuning: tuple[float, float]) -> float:
        """Take one power; return the floor, NaN while it is not known."""
        # A sorted list costs a microsecond a window, whatever the number of windows in
        # a call. A partition of the whole history costs two, and twenty while it fills.
        if tuning != self._tuning:
            self._tuning = tuning
            self._recent.clear()
            self._sorted.clear()
        if len(self._recent) == HISTORY_WINDOWS:
            del self._sorted[bisect_left(self._sorted, self._recent.popleft())]
        self._recent.append(power)
        insort(self._sorted, power)
        if len(self._sorted) < FIRST_WINDOWS:
            return math.nan
        return self._sorted[(len(self._sorted) - 1) * PERCENTILE // 100]
