"""Which of many windows to take, when only a share of them can be: evenly spaced ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ONE = 1 << 24  # a share of 1; whole numbers add up to the same however they are split


class EvenChoice:
    """Takes a share of what passes, each as far from the one before as the next from it.

    Bresenham's line: the shares of all that passed are summed, and where the sum reaches the
    next whole number, that one is taken. So for one share the choice is the same however the
    stream is split, the gaps differ by one window at most, and where the share changes there
    is no jump.
    """

    def __init__(self) -> None:
        """Begin with the first one, whatever the share."""
        self._sum = _ONE - 1

    def take(self, n: int, share: float) -> NDArray[np.bool_]:
        """Tell which of the next `n` to take.

        Args:
            n: How many pass.
            share: Of them to take, 0 to 1.

        Returns:
            Shape (n,), true for those to take.
        """
        step = min(_ONE, max(0, round(share * _ONE)))
        sums = self._sum + step * np.arange(n + 1, dtype=np.int64)
        self._sum = int(sums[-1]) % _ONE
        taken: NDArray[np.bool_] = np.diff(sums // _ONE) > 0
        return taken
