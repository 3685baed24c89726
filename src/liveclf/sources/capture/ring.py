"""A bounded ring in shared memory: the capture process writes, this one reads.

The writer never waits. When the reader is late the oldest slots are overwritten; the reader
finds out by their sequence numbers, and by the positions in the slots how much that was.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from liveclf.errors import SourceError

# What stands before the bytes of a slot. `sequence` is that of the slot's content, -1 while it
# is being written. Losses are totals since the beginning, so that they survive lost slots.
_HEAD = np.dtype(
    [
        ("sequence", "i8"),
        ("n_bytes", "i8"),
        ("start_sample", "i8"),
        ("segment", "i8"),
        ("sample_rate_hz", "f8"),
        ("center_hz", "f8"),
        ("epoch_s", "f8"),
        ("received_s", "f8"),
        ("lost", "i8"),
        ("estimated", "i8"),
        ("settled", "i8"),
    ]
)
_SHARED_MEMORY = Path("/dev/shm")  # where Linux keeps it; small in many containers


@dataclass(frozen=True)
class Slot:
    """Samples on their way through the ring.

    Attributes:
        data: Bytes, whole samples, shape (n,) uint8.
        start_sample: Position of the first one since the capture began.
        segment: Changes where continuity ends without a known loss.
        sample_rate_hz: NaN if unknown.
        center_hz: NaN if unknown.
        epoch_s: UNIX time of position 0 on this segment's clock.
        received_s: `time.monotonic()` when the last sample arrived.
        lost: Samples that the device said were missing, up to here.
        estimated: Samples missing by the clock, up to here.
        settled: Samples left out after retunes, up to here.
    """

    data: NDArray[np.uint8]
    start_sample: int
    segment: int
    sample_rate_hz: float
    center_hz: float
    epoch_s: float
    received_s: float
    lost: int = 0
    estimated: int = 0
    settled: int = 0


_FIELDS = tuple(name for name in _HEAD.names or () if name not in ("sequence", "n_bytes"))


class Ring:
    """Slots of one size; one process puts, one takes."""

    def __init__(self, memory: SharedMemory, n_slots: int, slot_bytes: int) -> None:
        """Lay the ring over shared memory; see `create` and `attach`."""
        self._memory, self.n_slots, self.slot_bytes = memory, n_slots, slot_bytes
        assert memory.buf is not None
        heads = n_slots * _HEAD.itemsize
        self._count: NDArray[np.int64] = np.frombuffer(memory.buf, np.int64, 1)
        self._heads: NDArray[Any] = np.frombuffer(memory.buf, _HEAD, n_slots, 64)
        data = np.frombuffer(memory.buf, np.uint8, n_slots * slot_bytes, 64 + heads)
        self._data = data.reshape(n_slots, slot_bytes)
        self._next = 0  # of the reader

    @classmethod
    def create(cls, n_slots: int, slot_bytes: int) -> Self:
        """Make a ring of zeros.

        Raises:
            SourceError: There is not so much shared memory.
        """
        size = 64 + n_slots * (_HEAD.itemsize + slot_bytes)
        # Asked before: what does not fit is a bus error at the first write, not at the start.
        free = shutil.disk_usage(_SHARED_MEMORY).free if _SHARED_MEMORY.is_dir() else size
        if size > free:
            raise SourceError(
                f"The capture buffer takes {size / 1e6:.0f} MB of shared memory and"
                f" {free / 1e6:.0f} MB are free; give a shorter --buffer, or the container a"
                " larger /dev/shm."
            )
        memory = SharedMemory(create=True, size=size)
        ring = cls(memory, n_slots, slot_bytes)
        ring._heads["sequence"] = -1
        ring._count[0] = 0
        return ring

    @classmethod
    def attach(cls, name: str, n_slots: int, slot_bytes: int) -> Self:
        """Open the ring that another process made."""
        return cls(SharedMemory(name), n_slots, slot_bytes)

    @property
    def name(self) -> str:
        """By which another process attaches it."""
        return self._memory.name

    def put(self, slot: Slot) -> None:
        """Append a slot, over the oldest one."""
        sequence = int(self._count[0])
        at = sequence % self.n_slots
        head = self._heads[at]
        head["sequence"] = -1
        n_bytes = len(slot.data)
        self._data[at, :n_bytes] = slot.data
        head["n_bytes"] = n_bytes
        for name in _FIELDS:
            head[name] = getattr(slot, name)
        head["sequence"] = sequence
        self._count[0] = sequence + 1

    @property
    def fill(self) -> float:
        """Share that waits to be taken, 0 to 1."""
        return min(1.0, (int(self._count[0]) - self._next) / self.n_slots)

    def take(self) -> Slot | None:
        """Return the next slot, the oldest that is still there, or None if all are taken."""
        while self._next < (count := int(self._count[0])):
            # The very oldest may be overwritten at any moment: one slot of distance.
            self._next = max(self._next, count - self.n_slots + 1)
            at = self._next % self.n_slots
            head = self._heads[at].copy()
            data = self._data[at, : int(head["n_bytes"])].copy()
            whole = head["sequence"] == self._next == self._heads[at]["sequence"]
            self._next += 1
            if whole:
                return Slot(data, *(head[name].item() for name in _FIELDS))
        return None

    def close(self, *, unlink: bool) -> None:
        """Let go of the memory, and have the system free it when `unlink`ed."""
        del self._count, self._heads, self._data  # views of it, which would keep it open
        self._memory.close()
        if unlink:
            self._memory.unlink()
