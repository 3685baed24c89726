"""How often a network is right: overall, per SNR, per class and per family."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from liveclf.errors import TrainingError
from liveclf.learn.data.truth import TruthSet
from liveclf.learn.score.verdicts import Answers, Network, Verdicts, judge
from liveclf.model.bundle import Accuracy
from liveclf.protocols import Engine
from liveclf.records import FloatArray

# Windows, share of them labelled right, share labelled with the right family. The first
# share is NaN where of no window more than the family is known.
Tally = tuple[int, float, float]

# A set with more SNRs than this was made at continuous ones: they are reported together
# to the nearest multiple of the step.
MOST_SNRS = 64
SNR_STEP_DB = 2.0

Key = TypeVar("Key")


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
    by_snr: dict[float, Tally]
    by_class: dict[str, Tally]

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


def predict_stream(
    engine: Engine, parts: Iterable[FloatArray], on_windows: Callable[[int], Any]
) -> FloatArray:
    """Run an engine over windows that need not fit into memory together.

    Args:
        engine: What runs the network.
        parts: The windows, shape (any number, 2, 1024) each.
        on_windows: Called with the number of windows done since the last call.

    Returns:
        Logits, shape (n, n_classes); (0, 0) of no windows.
    """
    logits: list[FloatArray] = []
    held: list[FloatArray] = []

    def run() -> None:
        x = np.concatenate(held)
        held.clear()
        if len(x):
            logits.append(predict(engine, x))
            on_windows(len(x))

    for part in parts:
        held.append(part)
        if sum(map(len, held)) >= engine.batch_size:
            run()
    if held:
        run()
    return np.concatenate(logits) if logits else np.zeros((0, 0), np.float32)


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
    network = Network("", "", "", tuple(classes), family_of, temperature=1.0, min_probability=0.0)
    answers = Answers(truth.name, logits, truth.y, truth.snr_db, truth.classes)
    verdicts = judge(answers, network)
    if only is not None:
        verdicts = verdicts[np.isin(np.array(truth.classes)[truth.y], only)]
    return score_verdicts(verdicts, truth.name)


def score_verdicts(verdicts: Verdicts, data: str) -> Score:
    """Count how many verdicts are right.

    Args:
        verdicts: On windows of which the network knows the family at least.
        data: Name of the set.

    Raises:
        TrainingError: There is none.
    """
    n = len(verdicts)
    if not n:
        raise TrainingError(f"Data set {data} has no windows to score.")
    # All in one group, for the overall shares.
    _, overall, family = tally(verdicts, np.zeros(n, np.int64), ("all",))["all"]
    return Score(
        data=data,
        n=n,
        overall=overall,
        family=family,
        by_snr=tally(verdicts, *snr_groups(verdicts.snr_db)),
        by_class=tally(verdicts, verdicts.truth, verdicts.names),
    )


def tally(verdicts: Verdicts, group: NDArray[np.int64], keys: Sequence[Key]) -> dict[Key, Tally]:
    """Count windows and shares per group; one without windows is left out.

    Args:
        verdicts: Of n windows.
        group: Index into `keys`, shape (n,), -1 for windows that are in none.
        keys: What the groups are called.
    """
    rows, size = group >= 0, len(keys)
    index = group[rows]

    def count(what: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.bincount(index, what[rows], size).astype(np.float64)

    n = np.bincount(index, minlength=size)
    with np.errstate(invalid="ignore", divide="ignore"):
        right = count(verdicts.right) / count(verdicts.true_class >= 0)
        family = count(verdicts.family_right) / n
    columns = zip(keys, n.tolist(), right.tolist(), family.tolist(), strict=True)
    return {key: (windows, r, f) for key, windows, r, f in columns if windows}


def snr_groups(snr_db: FloatArray) -> tuple[NDArray[np.int64], list[float]]:
    """Group windows by SNR, continuous ones to the nearest multiple of `SNR_STEP_DB`.

    Returns:
        The group of each window, -1 where the SNR is not known, and the SNR of each group.
    """
    known = np.isfinite(snr_db)
    values = snr_db[known].astype(np.float64)
    if len(np.unique(values)) > MOST_SNRS:
        values = np.round(values / SNR_STEP_DB) * SNR_STEP_DB + 0.0  # + 0: there is no SNR of -0
    keys, index = np.unique(values, return_inverse=True)
    group = np.full(len(snr_db), -1, np.int64)
    group[known] = index
    return group, keys.tolist()
