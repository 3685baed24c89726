"""How fine the detector looks, in time and frequency."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

# Where no rate is known: what most recordings without one have been taken at.
NOMINAL_RATE_HZ = 1e6
# Short enough for the pulses of remote controls, long enough to part channels of 12.5 kHz.
_ROW_S = 0.45e-3
_LEAST_BINS, _MOST_BINS = 128, 2048
HOLD_ROWS = 96
"""An ended signal waits so long for what ended with it."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """Numbers of bins, rows and samples.

    Attributes:
        n_bins: Length of the transform.
        hop_samples: From one row to the next.
        chunk_rows: Rows looked at together.
        floor_rows: From which the floor is first known.
        gap_rows: Pauses inside an emission that are not its end.
    """

    n_bins: int
    hop_samples: int
    chunk_rows: int
    floor_rows: int
    gap_rows: int

    @property
    def memory_rows(self) -> int:
        """Rows after which everything that is not a lasting signal has been told."""
        return self.floor_rows + self.gap_rows + HOLD_ROWS + 4 * self.chunk_rows

    @classmethod
    def at(cls, sample_rate_hz: float, gap_s: float) -> Self:
        """Choose for a sample rate; NaN is taken for `NOMINAL_RATE_HZ`.

        Args:
            sample_rate_hz: Of the stream.
            gap_s: Longest pause inside an emission.
        """
        rate_hz = sample_rate_hz if sample_rate_hz > 0 else NOMINAL_RATE_HZ
        wanted = 2 ** round(math.log2(rate_hz * _ROW_S))
        n_bins = min(_MOST_BINS, max(_LEAST_BINS, wanted))
        hop = n_bins // 2
        return cls(
            n_bins=n_bins,
            hop_samples=hop,
            chunk_rows=64,
            floor_rows=max(64, round(0.25 * rate_hz / hop)),
            gap_rows=max(4, round(gap_s * rate_hz / hop)),
        )
