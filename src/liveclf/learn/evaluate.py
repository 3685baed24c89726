"""How often a network is right: overall, per SNR, per class and per family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.errors import TrainingError
from liveclf.model.bundle import Accuracy
from liveclf.protocols import Engine
from liveclf.records import FloatArray


@dataclass(frozen=True)
class TruthSet:
    """Windows whose modulation is known.

    Attributes:
        name: How reports call it.
        x: Shape (n, 2, 1024) float32, unit mean power.
        y: Index into `classes`, shape (n,).
        snr_db: Shape (n,), NaN if unknown.
        classes: Names that `y` indexes.
    """

    name: str
    x: FloatArray
    y: NDArray[Any]
    snr_db: FloatArray
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Score:
    """What was measured on a set.

    Attributes:
        data: Name of the set.
        n: Windows.
        overall: Share of windows labelled right.
        family: Share of windows whose label is of the right family.
        by_snr: (windows, right, right family) as counts and shares, per SNR in dB.
        by_class: (windows, right, right family) per true class.
    """

    data: str
    n: int
    overall: float
    family: float
    by_snr: dict[float, tuple[int, float, float]]
    by_class: dict[str, tuple[int, float, float]]

    def as_accuracy(self, precision: str) -> Accuracy:
        """Return what a bundle keeps of it."""
        return Accuracy(
            data=self.data,
            precision=precision,
            overall=round(self.overall, 4),
            by_snr={f"{snr:g}": round(right, 4) for snr, (_, right, _) in self.by_snr.items()},
        )


def predict(engine: Engine, x: FloatArray) -> FloatArray:
    """Run an engine over many windows.

    Returns:
        Logits, shape (n, n_classes).
    """
    batch = engine.batch_size
    return np.concatenate([engine.predict(x[k : k + batch]) for k in range(0, len(x), batch)])


def score(
    logits: FloatArray,
    truth: TruthSet,
    classes: Sequence[str],
    family_of: Mapping[str, str],
    only: Sequence[str] | None = None,
) -> Score:
    """Compare logits with the truth.

    Args:
        logits: Shape (n, len(classes)) of the windows of `truth`.
        truth: What they are.
        classes: Names of the logits.
        family_of: Family of each of these.
        only: Score the windows of these true classes only; the network may still
            answer any class.

    Raises:
        TrainingError: The set has a class that the network does not know, or no window.
    """
    if unknown := [name for name in truth.classes if name not in classes]:
        raise TrainingError(f"The model does not know {', '.join(unknown)} of {truth.name}.")
    names = np.array(truth.classes)[truth.y]
    keep = np.isin(names, only) if only is not None else np.ones(len(names), bool)
    if not keep.any():
        raise TrainingError(f"Data set {truth.name} has no windows to score.")
    names, snr_db = names[keep], truth.snr_db[keep]
    answers = np.array(classes)[np.argmax(logits[keep], axis=1)]
    right = answers == names
    family = np.array([family_of[a] == family_of[n] for a, n in zip(answers, names, strict=True)])

    def share(rows: NDArray[np.bool_]) -> tuple[int, float, float]:
        return int(rows.sum()), float(right[rows].mean()), float(family[rows].mean())

    known = np.unique(snr_db[~np.isnan(snr_db)])
    return Score(
        data=truth.name,
        n=len(names),
        overall=float(right.mean()),
        family=float(family.mean()),
        by_snr={float(snr): share(snr_db == snr) for snr in known},
        by_class={name: share(names == name) for name in truth.classes if name in set(names)},
    )
