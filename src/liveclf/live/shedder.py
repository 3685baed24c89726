"""Leaves out windows of a live stream that come too late to be worth their time.

When the network is slower than the radio, something has to go. Were it left to the capture
buffer, that would stay full: every label would be as late as the buffer is long, and samples
would be lost. So windows are left out before that, and counted.
"""

from __future__ import annotations

import numpy as np

from liveclf.records import Windows


class Shedder:
    """Passes on windows that are fresh enough.

    Attributes:
        shed: Windows left out.
    """

    def __init__(self, max_late_s: float) -> None:
        """Set the limit.

        Args:
            max_late_s: Longest from the arrival of a window's last sample until now.
        """
        self._max_late_s = max_late_s
        self._gap = 0  # samples lost before windows that were left out
        self.shed = 0

    def push(self, windows: Windows, now_s: float) -> Windows:
        """Return the windows that are to be classified; losses before others move to them."""
        fresh = now_s - windows.received_s <= self._max_late_s
        if fresh.all() and not self._gap:
            return windows
        self.shed += int(np.sum(~fresh))
        # Lost before window k of those left out belongs to the next one that is kept.
        before = np.cumsum(windows.gap_before) + self._gap
        kept = windows[fresh]
        told = before[fresh]
        self._gap = int(before[-1] - (told[-1] if len(told) else 0))
        kept.gap_before[:] = np.diff(told, prepend=0)
        return kept
