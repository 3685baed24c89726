"""Batches for training: a pool of windows that is renewed as it is used.

Windows come in chunks, made or read in other processes. Chunks enter the pool on a
schedule that depends on the step alone, so the data of a run are the same for any number
of workers, and a resumed run sees what it would have.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from liveclf.config import DataSettings
from liveclf.errors import TrainingError
from liveclf.records import FloatArray
from liveclf.signals.classes import CLASSES
from liveclf.signals.generator import CHUNK, Labelled, make_chunk
from liveclf.signals.workers import Makers

# Chunk numbers from here on are for validation: no training run gets that far.
HELDOUT_CHUNK = 1_000_000_000


class Chunks(Protocol):
    """An endless sequence of chunks, the same whoever asks; it travels to other processes."""

    def __call__(self, index: int) -> Labelled:
        """Return chunk number `index`, of `CHUNK` windows."""


@dataclass(frozen=True)
class GeneratedChunks:
    """Chunks of the generator.

    Attributes:
        seed: Which data set.
        snr_db: Lowest and highest SNR.
        classes: What the labels index, all of which it makes.
    """

    seed: int
    snr_db: tuple[float, float]
    classes: tuple[str, ...] = CLASSES

    def __call__(self, index: int) -> Labelled:
        """Make a chunk."""
        return make_chunk(self.seed, index, self.snr_db, self.classes)


class Feed:
    """Endless (windows, labels) batches, made in other processes while training runs."""

    def __init__(
        self,
        chunks: Chunks,
        data: DataSettings,
        seed: int,
        batch: int,
        first_step: int = 0,
        rank: int = 0,
    ) -> None:
        """Start the workers and begin to fill the pool.

        Args:
            chunks: Where windows come from.
            data: How much of them to keep, and how long.
            seed: Of what is drawn.
            batch: Windows per step.
            first_step: Step of the first batch, above 0 for a resumed run.
            rank: Of the machine, if several train together, each from chunks of its own.
        """
        self._rank = rank
        self._data, self._seed, self._batch, self._step = data, seed, batch, first_step
        self._capacity = max(1, data.pool_windows // CHUNK)
        self._chunks: deque[Labelled] = deque(maxlen=self._capacity)
        self._pending: deque[Future[Labelled]] = deque()
        self._makers = Makers(chunks, data.workers)
        self._next = max(0, self._due(first_step) - self._capacity)
        self._entered = self._next

    def __iter__(self) -> Iterator[tuple[FloatArray, NDArray[np.int32]]]:
        """Yield batches for ever, x (batch, 2, 1024) float32 and y (batch,) int32."""
        while True:
            self._renew()
            yield self._draw()
            self._step += 1

    def close(self) -> None:
        """Stop the workers; what they are at is not waited for."""
        self._makers.close()

    def __enter__(self) -> Self:
        """Return the feed."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the workers."""
        self.close()

    def _due(self, step: int) -> int:
        """Return how many chunks have entered the pool when a step is drawn."""
        first = min(self._capacity, 16)  # 16 k windows are enough to begin with
        return first + math.floor(step * self._batch / CHUNK / self._data.reuse)

    def _renew(self) -> None:
        """Bring the pool to the state of this step, and keep the workers busy ahead of it."""
        due = self._due(self._step)
        ahead = due + 2 * self._data.workers + 2
        while self._next < ahead:
            self._pending.append(self._makers.submit(self._next))
            self._next += 1
        while self._entered < due:
            try:
                self._chunks.append(self._pending.popleft().result())
            except BrokenProcessPool as error:
                raise TrainingError(
                    "A process that makes windows was killed, perhaps for want of memory; go on "
                    "from the last checkpoint with --resume, or try fewer --workers."
                ) from error
            self._entered += 1

    def _draw(self) -> tuple[FloatArray, NDArray[np.int32]]:
        rng = np.random.default_rng([self._seed, self._step, 1, self._rank])
        which = rng.integers(len(self._chunks), size=self._batch)
        row = rng.integers(CHUNK, size=self._batch)
        drawn = [(self._chunks[c], r) for c, r in zip(which, row, strict=True)]
        x = np.stack([chunk.x[r] for chunk, r in drawn]).astype(np.float32)
        y = np.array([chunk.y[r] for chunk, r in drawn], np.int32)
        return turned(x, rng), y


def turned(x: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Give every window (n, 2, samples) a new carrier phase."""
    angle = rng.uniform(0, 2 * np.pi, (len(x), 1))
    cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    i, q = x[:, 0], x[:, 1]
    return np.stack([i * cos - q * sin, i * sin + q * cos], axis=1)


def heldout(data: DataSettings, seed: int, classes: tuple[str, ...] = CLASSES) -> Labelled:
    """Make windows that no training step sees.

    Args:
        data: How many, and their SNR.
        seed: Of the training.
        classes: What is made, and what the labels index.

    Returns:
        At least `data.heldout_windows` of them, whole chunks.
    """
    chunks = GeneratedChunks(seed, (data.snr_min_db, data.snr_max_db), classes)
    n_chunks = math.ceil(data.heldout_windows / CHUNK)
    parts = [chunks(HELDOUT_CHUNK + k) for k in range(n_chunks)]
    return Labelled(
        np.concatenate([p.x for p in parts]),
        np.concatenate([p.y for p in parts]),
        np.concatenate([p.snr_db for p in parts]),
    )
