"""Which recorded emissions a network is tuned on, and which are held out for the test."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from liveclf.errors import TrainingError, UsageError
from liveclf.learn.data.recorded import LEAST_TO_PART, Recorded, RecordedEmission
from liveclf.learn.data.truth import TruthSet

EMISSION = "emission"
"""The column of a set that tells its emissions apart."""


class _Part(msgspec.Struct, frozen=True):
    """One emission, as a run writes it down."""

    recording: str
    start: float
    label: str
    windows: int
    part: str


class _Parts(msgspec.Struct, frozen=True):
    """What a run writes down."""

    fingerprint: str
    emissions: list[_Part]


@dataclass(frozen=True, eq=False)
class Tuning:
    """Recorded emissions in two parts.

    Attributes:
        recorded: All of them.
        held: Whether each is held out, shape (n_emissions,).
    """

    recorded: Recorded
    held: NDArray[np.bool_]

    @property
    def trained_on(self) -> list[RecordedEmission]:
        """Those that are trained on."""
        return [self.recorded.emissions[k] for k in np.flatnonzero(~self.held)]

    def test(self) -> TruthSet | None:
        """Return those held out; None if there is none."""
        which = np.flatnonzero(self.held).tolist()
        if not which:
            return None
        x, y = self.recorded.windows(which)
        number = np.repeat(which, [len(self.recorded.emissions[k].x) for k in which])
        return TruthSet(
            name=f"{self.recorded.name}, held out",
            x=x,
            y=y,
            snr_db=np.full(len(y), np.nan, np.float32),
            classes=self.recorded.classes,
            groups={EMISSION: number},
        )

    def told(self) -> Iterator[str]:
        """Yield sentences on the parts."""
        emissions, n_held = self.recorded.emissions, int(self.held.sum())
        n_windows = sum(len(one.x) for one in emissions)
        labels = Counter(one.label for one in emissions)
        named = ", ".join(f"{n} {label}" for label, n in labels.most_common())
        yield (
            f"{self.recorded.name}: {len(emissions)} emissions with {n_windows:,} windows "
            f"({named}), {n_held} of them held out"
        )
        measured = {emissions[k].label for k in np.flatnonzero(self.held)}
        few = [label for label in labels if label not in measured]
        if few:
            yield (
                f"of {', '.join(few)} none is held out, as there are fewer than {LEAST_TO_PART} "
                "apart: how well these are learned is not measured"
            )


def write_parts(path: Path, tuning: Tuning) -> None:
    """Write which emission is in which part; replaced whole.

    Raises:
        TrainingError: It cannot be written.
    """
    text = msgspec.json.format(msgspec.json.encode(_parts(tuning)), indent=1)
    beside = path.with_suffix(".new.json")
    try:
        beside.write_bytes(text + b"\n")
        os.replace(beside, path)
    except OSError as error:
        raise TrainingError(f"{path} cannot be written: {error.strerror}.") from error


def check_parts(path: Path, tuning: Tuning) -> None:
    """Make sure that a run goes on with the emissions, labels and parts it began with.

    Raises:
        UsageError: They have changed.
        TrainingError: What was written down is not there, or damaged.
    """
    try:
        began = msgspec.json.decode(path.read_bytes(), type=_Parts)
    except FileNotFoundError:
        raise TrainingError(f"{path} is not there; begin the run anew.") from None
    except (OSError, msgspec.MsgspecError) as error:
        raise TrainingError(f"{path} is damaged: {error}; begin the run anew.") from error
    if began != _parts(tuning):
        raise UsageError(
            f"--resume: the recordings of {tuning.recorded.name}, or their labels, are not those "
            "that the run began with; begin another run."
        )


def _parts(tuning: Tuning) -> _Parts:
    emissions = [
        _Part(e.recording, e.start, e.label, len(e.x), "test" if held else "train")
        for e, held in zip(tuning.recorded.emissions, tuning.held.tolist(), strict=True)
    ]
    return _Parts(tuning.recorded.fingerprint(), emissions)
