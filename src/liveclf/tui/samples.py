"""The samples of the emission that is chosen, looked at while the screen goes on."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from liveclf.tui.listing import Item
from liveclf.view.clips import drawn
from liveclf.view.told import Key, Told

_AGAIN_S = 1.0  # after which those of one that lasts are looked at again


class Samples:
    """What is drawn of the samples of one emission at a time."""

    def __init__(self, told: Told) -> None:
        """Begin with none.

        Args:
            told: Knows the samples.
        """
        self._told = told
        self._clip: dict[str, Any] | str = ""
        self._looked_at: tuple[Key, int] | None = None
        self._looked_s = -math.inf
        self._task: asyncio.Task[None] | None = None

    def of(self, item: Item, now_s: float) -> dict[str, Any] | str:
        """Return what is known so far, and look anew where that is due.

        Args:
            item: The emission.
            now_s: Monotonic time.

        Returns:
            As `view.clips.drawn` makes it; else why there is nothing, or nothing yet.
        """
        wanted = (item.key, item.emission.n_samples)
        is_new = self._looked_at is None or self._looked_at[0] != item.key
        if is_new:
            self._clip = ""
        is_due = is_new or now_s - self._looked_s >= _AGAIN_S
        if wanted != self._looked_at and is_due and self._task is None:
            self._looked_at, self._looked_s = wanted, now_s
            self._task = asyncio.create_task(self._look(item.key))
        return self._clip

    async def _look(self, key: Key) -> None:
        try:
            entry = await asyncio.to_thread(self._told.find, key)
            clip: dict[str, Any] | str = "its samples are no longer there"
            if entry and entry.clip:
                clip = await asyncio.to_thread(drawn, entry.clip)
            if self._looked_at and self._looked_at[0] == key:
                self._clip = clip
        finally:
            self._task = None
