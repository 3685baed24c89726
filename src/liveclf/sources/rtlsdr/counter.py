"""The exact test for lost samples: in test mode an RTL-SDR sends a counter instead of a signal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CounterLosses:
    """What is missing in a stretch of the counter.

    The counter has 8 bits and goes up by one a byte, so a hole shows its length modulo 256
    bytes, which are 128 samples, and one of exactly a multiple of that does not show.

    Attributes:
        lost_bytes: At least so many are missing.
        holes: In so many places.
        last: The last byte, to go on with.
    """

    lost_bytes: int
    holes: int
    last: int | None

    @property
    def lost_samples(self) -> float:
        """At least so many samples are missing."""
        return self.lost_bytes / 2


def counter_losses(data: bytes | NDArray[np.uint8], previous: int | None = None) -> CounterLosses:
    """Compare bytes that were received in test mode with the counter that was sent.

    Args:
        data: As received, I and Q alternating.
        previous: The byte before them (`last` of the call before), None at the beginning.
    """
    count = np.frombuffer(data, np.uint8)
    if not len(count):
        return CounterLosses(0, 0, previous)
    first = (int(count[0]) - 1) % 256 if previous is None else previous
    missing = np.diff(count, prepend=np.uint8(first)) - np.uint8(1)
    return CounterLosses(
        int(missing.sum(dtype=np.int64)), int(np.count_nonzero(missing)), int(count[-1])
    )
