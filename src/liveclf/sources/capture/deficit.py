"""Samples that went missing without a word: what was delivered against the clock."""

from __future__ import annotations

import math

_INTERVAL_S = 0.5
_CONFIRM_INTERVALS = 3
# A crystal may be wrong by this much, which no radio's loss is told from.
_CRYSTAL = 150e-6
# Less than this is jitter of the transport. Source: an RTL2832's own buffer holds some 1 ms.
_LEAST_S = 2e-3


class DeficitMeter:
    """Estimates lost samples from when how many arrived.

    How far delivery lags behind the clock varies, as transports deliver in bursts and programs
    wait for their turn; but some block of every interval comes as early as any. When even the
    earliest of several intervals in a row stay late, what is missing will not come any more.
    """

    def __init__(self, sample_rate_hz: float) -> None:
        """Begin at the first sample.

        Args:
            sample_rate_hz: Of the device; NaN: nothing can be told.
        """
        self._rate_hz = sample_rate_hz
        self._tolerance = (_LEAST_S + _CRYSTAL * _INTERVAL_S) * sample_rate_hz
        self._began_s = self._interval_end_s = math.nan
        self._delivered = 0
        self._least = math.inf  # smallest lag in this interval, samples
        self._usual: float | None = None  # smallest lag of the last good interval
        self._late_least = math.inf  # over the late intervals in a row, but the first
        self._n_late = 0

    def push(self, n_samples: int, at_s: float) -> int:
        """Count samples that arrived.

        Args:
            n_samples: How many.
            at_s: When the last of them was there, on a monotonic clock.

        Returns:
            How many samples are lost and were not reported before, as far as is certain.
        """
        if math.isnan(self._rate_hz):
            return 0
        if math.isnan(self._began_s):
            self._began_s, self._interval_end_s = at_s, at_s + _INTERVAL_S
            return 0
        self._delivered += n_samples
        lag = (at_s - self._began_s) * self._rate_hz - self._delivered
        lost = self._close_interval(at_s) if at_s >= self._interval_end_s else 0
        self._least = min(self._least, lag)
        return lost

    def told(self, n_samples: int) -> None:
        """Take note of losses that were reported by others, so that they do not count twice."""
        self._delivered += n_samples

    def _close_interval(self, at_s: float) -> int:
        least, self._least = self._least, math.inf
        self._interval_end_s = at_s + _INTERVAL_S
        if math.isinf(least):
            return 0
        if self._usual is None or least <= self._usual + self._tolerance:
            self._usual, self._n_late, self._late_least = least, 0, math.inf
            return 0
        self._n_late += 1
        if self._n_late > 1:  # the loss may lie within the first
            self._late_least = min(self._late_least, least)
        if self._n_late < _CONFIRM_INTERVALS:
            return 0
        lost = round(self._late_least - self._usual)
        self._delivered += lost
        self._n_late, self._late_least = 0, math.inf
        return lost
