"""Windows whose modulation is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

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
        groups: What else is known of each window, by name of the column, shape (n,) text
            or numbers.
    """

    name: str
    x: FloatArray
    y: NDArray[Any]
    snr_db: FloatArray
    classes: tuple[str, ...]
    groups: dict[str, NDArray[Any]] = field(default_factory=dict)
