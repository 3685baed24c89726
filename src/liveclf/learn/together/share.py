"""The part of the windows that one of several machines makes, when they train together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from liveclf.learn.data.feed import Chunks
from liveclf.signals.generator import Labelled


@dataclass(frozen=True)
class Share:
    """Which part is whose.

    Attributes:
        rank: Number of the machine, from 0.
        machines: How many there are.
    """

    rank: int = 0
    machines: int = 1

    def chunks(self, chunks: Chunks) -> Chunks:
        """Return every so manyth chunk: no two machines make, or read, the same."""
        return chunks if self.machines == 1 else _Every(chunks, self.rank, self.machines)

    def batch(self, batch: int) -> int:
        """Return how many of the windows of a step are made here."""
        return batch // self.machines

    def of(self, rows: NDArray[Any], replicas: int) -> NDArray[Any]:
        """Return the rows that are this machine's, as many as everyone's.

        Args:
            rows: All of them, the same on every machine.
            replicas: Devices of all machines; what does not divide among them is left out.
        """
        n = len(rows) - len(rows) % replicas
        return rows[self.rank : n : self.machines]


@dataclass(frozen=True)
class _Every:
    """Every `step`th chunk from `first` on; it travels to other processes."""

    chunks: Chunks
    first: int
    step: int

    def __call__(self, index: int) -> Labelled:
        """Return the chunk."""
        return self.chunks(self.first + index * self.step)
