"""How long to wait before a device that has gone is looked for again."""

from __future__ import annotations

_FIRST_S = 0.5
_MOST_S = 30.0
# A device that delivers so many blocks, some seconds, has come back in earnest; one that dies
# at once each time is to be asked less and less often.
_EARNEST_BLOCKS = 200


class BackOff:
    """Waits that double from half a second to half a minute."""

    def __init__(self) -> None:
        self._wait_s = _FIRST_S
        self._heard = 0

    def next_s(self) -> float:
        """Return how long to wait now."""
        now_s, self._wait_s = self._wait_s, min(2 * self._wait_s, _MOST_S)
        self._heard = 0
        return now_s

    def heard(self) -> None:
        """Note that the device delivered a block."""
        self._heard += 1
        if self._heard >= _EARNEST_BLOCKS:
            self._wait_s = _FIRST_S
