"""The emissions that were told, their samples, and their corrected labels."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from liveclf.emissions import Emission, Emissions
from liveclf.live.history import History
from liveclf.view.clips import Clip, cut_clip
from liveclf.view.hub import Posted, Poster
from liveclf.view.wire import emission_fields, text

MOST_EMISSIONS = 1000
# Of a thread's time, for samples nobody has asked for yet; without it they may be gone by then.
_SHARE, _CREDIT_S = 0.2, 1.0
_AT_ONCE = 200  # records in a message

Key = tuple[int, int]
"""Stream and number of an emission."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one.

    Attributes:
        emission: As it was told last.
        clip: Its samples, None if they were not cut.
        corrected: The label that somebody gave it, None if nobody did.
    """

    emission: Emission
    clip: Clip | None = None
    corrected: str | None = None


class Told:
    """Keeps the newest emissions and posts what is new; a `Sink`.

    `write` and `close` are called by its own thread, the others by the server's.

    Attributes:
        not_cut: Ended emissions whose samples were not kept when they were told.
    """

    def __init__(self, histories: Sequence[History], hub: Poster, limit_bytes: int) -> None:
        """Begin with none.

        Args:
            histories: Of each stream.
            hub: Told of what is new.
            limit_bytes: Most that the samples of all may take.
        """
        self._histories, self._hub, self._limit_bytes = histories, hub, limit_bytes
        self._entries: OrderedDict[Key, Entry] = OrderedDict()
        self._n_bytes = self.not_cut = 0
        self._lock = Lock()
        self._budget_s, self._reckoned_s = _CREDIT_S, time.monotonic()

    def write(self, report: Emissions) -> None:
        """Take one batch."""
        for emission in report.rows():
            clip = self._cut_in_time(emission) if emission.state == "closed" else None
            self._put(emission, clip)
        self._hub.post(Posted(text("emissions", items=[self._fields(e) for e in report.rows()])))

    def close(self, summary: dict[str, Any]) -> None:
        """Say that the run has ended."""
        self._hub.post(Posted(text("figures", figures=summary), key="figures"))
        self._hub.post(Posted(text("ended"), key="ended"))

    def find(self, key: Key) -> Entry | None:
        """Return what is known of one, with its samples if they are still there."""
        with self._lock:
            entry = self._entries.get(key)
        if entry is None or entry.clip is not None:
            return entry
        return replace(entry, clip=cut_clip(entry.emission, self._histories[key[0]]))

    def correct(self, key: Key, label: str) -> None:
        """Remember a corrected label, and tell everybody."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return
            self._entries[key] = replace(entry, corrected=label)
        self._hub.post(Posted(text("emissions", items=[self._fields(entry.emission)])))

    def newest(self) -> list[str]:
        """Return the messages that a newcomer gets, oldest first."""
        with self._lock:
            entries = list(self._entries.values())
        items = [emission_fields(entry.emission, entry.corrected) for entry in entries]
        parts = [items[k : k + _AT_ONCE] for k in range(0, len(items), _AT_ONCE)]
        return [text("emissions", items=part) for part in parts]

    def _fields(self, emission: Emission) -> dict[str, Any]:
        entry = self._entries.get((emission.stream, emission.id))
        return emission_fields(emission, entry.corrected if entry else None)

    def _cut_in_time(self, emission: Emission) -> Clip | None:
        """Cut the samples, if not too much time went into that already."""
        now_s = time.monotonic()
        credit_s = self._budget_s + _SHARE * (now_s - self._reckoned_s)
        self._budget_s, self._reckoned_s = min(_CREDIT_S, credit_s), now_s
        clip = None
        if self._budget_s > 0:
            clip = cut_clip(emission, self._histories[emission.stream])
            self._budget_s -= time.monotonic() - now_s
        self.not_cut += clip is None
        return clip

    def _put(self, emission: Emission, clip: Clip | None) -> None:
        key = (emission.stream, emission.id)
        with self._lock:
            before = self._entries.pop(key, None)
            self._entries[key] = Entry(emission, clip, before.corrected if before else None)
            self._n_bytes += _size(self._entries[key]) - _size(before)
            while len(self._entries) > MOST_EMISSIONS:
                _, gone = self._entries.popitem(last=False)
                self._n_bytes -= _size(gone)
            for old, entry in self._entries.items():
                if self._n_bytes <= self._limit_bytes:
                    break
                self._n_bytes -= _size(entry)
                self._entries[old] = replace(entry, clip=None)


def _size(entry: Entry | None) -> int:
    return entry.clip.iq.nbytes if entry and entry.clip else 0
