"""What a network said of windows whose modulation is known, column by column."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from liveclf.errors import TrainingError
from liveclf.records import FloatArray

_BLOCK = 65_536  # rows whose probabilities are held at a time


class Truth(Protocol):
    """What windows are: a data set, or a `TruthSet` in memory."""

    @property
    def name(self) -> str:
        """How reports call it."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names that `y` indexes."""
        ...

    @property
    def y(self) -> NDArray[Any]:
        """True class, shape (n,)."""
        ...


@dataclass(frozen=True)
class Network:
    """A bundle as an engine runs it.

    Attributes:
        name: Of the bundle.
        engine: How messages call what runs it.
        precision: Of its weights, fp32 or int8.
        classes: Names of the logits.
        families: Family of each.
        temperature: Divisor of the logits.
        min_probability: Below it the label is reported as unknown.
    """

    name: str
    engine: str
    precision: str
    classes: tuple[str, ...]
    families: Mapping[str, str]
    temperature: float
    min_probability: float

    @property
    def family_names(self) -> tuple[str, ...]:
        """Each family once, in the order of the classes."""
        return tuple(dict.fromkeys(self.families[name] for name in self.classes))


@dataclass(frozen=True)
class Answers:
    """Logits, and what the windows were that they were answered to.

    Attributes:
        name: Of the set, in reports.
        logits: Shape (n, n_classes) float32.
        y: Index into `classes`, shape (n,).
        snr_db: Shape (n,), NaN if unknown.
        classes: Names that `y` indexes; not those of the logits.
        groups: What else is known of each window, by name of the column, shape (n,) text
            or numbers.
    """

    name: str
    logits: FloatArray
    y: NDArray[Any]
    snr_db: FloatArray
    classes: tuple[str, ...]
    groups: Mapping[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdicts:
    """One row a window; an index is -1 where there is nothing to name.

    Attributes:
        names: What the windows truly are.
        classes: What the network can answer.
        families: Families of these.
        truth: Index into `names`, (n,) int64.
        true_class: Index into `classes`, -1 where only the family is known, or not even that.
        true_family: Index into `families`, -1 for what the network does not know.
        label: The most probable class, index into `classes`.
        family: Family of that class, index into `families`.
        summed_family: The family whose members are most probable together.
        probability: Of the most probable class, (n,) float32.
        snr_db: (n,) float32, NaN if unknown.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    families: tuple[str, ...]
    truth: NDArray[np.int64]
    true_class: NDArray[np.int64]
    true_family: NDArray[np.int64]
    label: NDArray[np.int64]
    family: NDArray[np.int64]
    summed_family: NDArray[np.int64]
    probability: FloatArray
    snr_db: FloatArray

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.truth)

    def __getitem__(self, rows: NDArray[np.bool_]) -> Self:
        """Return some of the windows, in order."""
        columns = [f.name for f in fields(self) if isinstance(getattr(self, f.name), np.ndarray)]
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the label is right; False where the true class has none."""
        return np.asarray(self.label == self.true_class)

    @property
    def family_right(self) -> NDArray[np.bool_]:
        """Whether the label is of the right family."""
        return np.asarray(self.family == self.true_family)


def check_known(names: Iterable[str], data: str, network: Network) -> None:
    """Make sure that a network knows what windows are, or their family at least.

    Args:
        names: What they are.
        data: Where they come from.
        network: Which is to know them.

    Raises:
        TrainingError: It does not.
    """
    known = {*network.classes, *network.family_names}
    if unknown := [name for name in names if name not in known]:
        raise TrainingError(
            f"The model does not know {', '.join(unknown)} of {data}; --ignore-unknown measures "
            "how well it rejects them instead."
        )


def rows_to_score(
    truth: Truth,
    among: NDArray[np.integer[Any]],
    network: Network,
    *,
    only: Collection[str] | None,
    ignore_unknown: bool,
) -> NDArray[np.integer[Any]]:
    """Choose the windows of a set that are put before a network.

    Args:
        truth: What they are.
        among: Rows to choose from, ascending.
        network: Which network.
        only: The true classes to take; None for all.
        ignore_unknown: Take also what the network does not know.

    Returns:
        Ascending row numbers.

    Raises:
        TrainingError: It does not know a class of theirs, or there is none.
    """
    wanted = np.array([only is None or name in only for name in truth.classes], bool)
    rows = np.asarray(among[wanted[truth.y[among]]])
    if not len(rows):
        raise TrainingError(f"Data set {truth.name} has no windows to score.")
    if not ignore_unknown:
        present = np.bincount(truth.y[rows], minlength=len(truth.classes)) > 0
        check_known(np.array(truth.classes)[present].tolist(), truth.name, network)
    return rows


def judge(answers: Answers, network: Network) -> Verdicts:
    """Turn logits into labels and probabilities, beside the truth."""
    families = network.family_names
    family_of = np.array([families.index(network.families[name]) for name in network.classes])
    members = np.eye(len(families), dtype=np.float32)[family_of]
    label = np.argmax(answers.logits, axis=1)
    probability = np.empty(len(label), np.float32)
    summed_family = np.empty(len(label), np.int64)
    for first in range(0, len(label), _BLOCK):
        rows = slice(first, first + _BLOCK)
        p = softmax(answers.logits[rows] / np.float32(network.temperature), axis=1)
        probability[rows] = np.take_along_axis(p, label[rows, None], axis=1)[:, 0]
        summed_family[rows] = np.argmax(p @ members, axis=1)
    true_class = _places(answers.classes, network.classes)
    by_class = np.where(true_class >= 0, family_of[true_class], -1)
    true_family = np.where(true_class >= 0, by_class, _places(answers.classes, families))
    return Verdicts(
        names=answers.classes,
        classes=network.classes,
        families=families,
        truth=answers.y.astype(np.int64),
        true_class=true_class[answers.y],
        true_family=true_family[answers.y],
        label=label,
        family=family_of[label],
        summed_family=summed_family,
        probability=probability,
        snr_db=answers.snr_db,
    )


def _places(names: Sequence[str], among: Sequence[str]) -> NDArray[np.int64]:
    """Return where each name stands in a list, -1 where it does not."""
    return np.array([among.index(name) if name in among else -1 for name in names], np.int64)
