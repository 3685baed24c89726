"""Windows of annotated emissions, parted by emission, and mixed with generated ones.

A network that is trained on a few emissions alone forgets the rest. So most windows of a step
are generated, of all classes that the generator can make (A. Robins, Catastrophic forgetting,
rehearsal and pseudorehearsal, Connection Science 7(2), 1995).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveclf.learn.data.feed import GeneratedChunks, turned
from liveclf.records import FloatArray
from liveclf.signals.generator import CHUNK, Labelled

# Of a class with fewer emissions than this none is held out.
LEAST_TO_PART = 4


@dataclass(frozen=True, eq=False)
class RecordedEmission:
    """The windows of one emission.

    Attributes:
        recording: Where it is.
        label: What its annotation says, as the network spells it.
        x: Shape (n, 2, 1024) float32, unit mean power, n at least 1.
        start: First sample, or second, on the axis.
        stop: Behind the last.
        axis: What start and stop count from: those of the same axis may be the same emission.
        lower_hz: Lower edge of its band, -inf if unknown.
        upper_hz: Upper edge, inf if unknown.
    """

    recording: str
    label: str
    x: FloatArray
    start: float
    stop: float
    axis: str
    lower_hz: float
    upper_hz: float

    def overlaps(self, other: RecordedEmission) -> bool:
        """Tell whether both share some of their time and of their band."""
        return (
            self.axis == other.axis
            and max(self.start, other.start) < min(self.stop, other.stop)
            and max(self.lower_hz, other.lower_hz) < min(self.upper_hz, other.upper_hz)
        )


@dataclass(frozen=True, eq=False)
class Recorded:
    """The emissions of some recordings.

    Attributes:
        name: How reports call them.
        classes: Of the network that is tuned on them: those it has, then those added.
        emissions: At least one.
    """

    name: str
    classes: tuple[str, ...]
    emissions: tuple[RecordedEmission, ...]

    def groups(self) -> NDArray[np.int64]:
        """Return a number per emission, the same for those that overlap, (n_emissions,)."""
        numbers = np.arange(len(self.emissions))
        order = sorted(numbers.tolist(), key=lambda k: self._place(k))
        for i, k in enumerate(order):
            for other in order[i + 1 :]:
                if self._place(other) >= (self.emissions[k].axis, self.emissions[k].stop):
                    break
                if self.emissions[k].overlaps(self.emissions[other]):
                    numbers[numbers == numbers[other]] = numbers[k]
        return numbers

    def fingerprint(self) -> str:
        """Return a SHA-256 that other emissions, labels or classes would not have."""
        digest = hashlib.sha256("\n".join(self.classes).encode())
        for one in self.emissions:
            digest.update(f"\n{one.recording}\n{one.label}\n".encode())
            digest.update(one.x.astype("<f2").tobytes())
        return digest.hexdigest()

    def windows(self, which: Sequence[int]) -> tuple[FloatArray, NDArray[np.int32]]:
        """Return the windows of some emissions and their classes."""
        some = [self.emissions[k] for k in which]
        y = np.repeat([self.classes.index(e.label) for e in some], [len(e.x) for e in some])
        x = [e.x for e in some] or [np.empty((0, 2, 1024), np.float32)]
        return np.concatenate(x), y.astype(np.int32)

    def _place(self, k: int) -> tuple[str, float]:
        return self.emissions[k].axis, self.emissions[k].start


def part(recorded: Recorded, share: float, seed: int) -> NDArray[np.bool_]:
    """Choose emissions to hold out: of each class a share, those that overlap together.

    Args:
        recorded: All of them.
        share: Of the emissions of a class, at least one of `LEAST_TO_PART` and more.
        seed: Of the draw.

    Returns:
        Whether each is held out, shape (n_emissions,).
    """
    rng = np.random.default_rng([seed, 4])
    groups = recorded.groups()
    labels = np.array([one.label for one in recorded.emissions])
    held = np.zeros(len(labels), bool)
    for label in dict.fromkeys(labels.tolist()):
        mine = np.unique(groups[labels == label])
        if len(mine) < LEAST_TO_PART:
            continue
        wanted = max(1, round(share * len(mine)))
        held |= np.isin(groups, rng.permutation(mine)[:wanted])
    return held


@dataclass(frozen=True, eq=False)
class MixedChunks:
    """Chunks of generated windows, among them a share of recorded ones; `Chunks`.

    Of the recorded windows every class comes up equally often, and of a class every emission,
    so that a long one does not count for more than a short one.

    Attributes:
        generated: What the others are.
        numbers: Index into the classes of the network, of each class that is generated.
        emissions: Recorded windows of each emission, (n, 2, 1024) float16.
        labels: Class of each emission.
        share: Of a chunk that is recorded.
    """

    generated: GeneratedChunks
    numbers: tuple[int, ...]
    emissions: tuple[NDArray[np.float16], ...]
    labels: tuple[int, ...]
    share: float

    def __call__(self, index: int) -> Labelled:
        """Make chunk number `index`."""
        made, rng = self.generated(index), np.random.default_rng([self.generated.seed, index, 5])
        x, y = made.x.copy(), np.array(self.numbers)[made.y]
        snr_db = made.snr_db.copy()
        rows = rng.permutation(CHUNK)[: round(self.share * CHUNK)]
        taken = [self._draw(rng) for _ in rows]
        windows = np.stack([self.emissions[k][r] for k, r in taken]).astype(np.float32)
        x[rows] = turned(windows, rng)
        y[rows] = np.array(self.labels)[[k for k, _ in taken]]
        snr_db[rows] = np.nan
        return Labelled(x, y.astype(np.int32), snr_db)

    def _draw(self, rng: np.random.Generator) -> tuple[int, int]:
        """Draw a class, an emission of it and a window of that."""
        label = rng.choice(np.unique(self.labels))
        k = int(rng.choice(np.flatnonzero(np.array(self.labels) == label)))
        return k, int(rng.integers(len(self.emissions[k])))
