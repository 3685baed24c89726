"""Recordings whose own annotations say what is in them, as windows of known modulation.

    source --Block--> [decimator] --> framer --Windows--> those wholly inside an annotation

The windows are those that `liveclf run` cuts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from liveclf.config import RunSettings
from liveclf.dsp.decimate import Decimator
from liveclf.dsp.framer import Framer
from liveclf.errors import TrainingError
from liveclf.learn.score.verdicts import Network, check_known
from liveclf.model.bundle import WINDOW_SAMPLES
from liveclf.protocols import Source
from liveclf.records import Annotation, Block, FloatArray, Windows
from liveclf.sources import open_source

ENDINGS = (".sigmf-meta", ".sigmf-data", ".sigmf")
"""Of recordings that carry annotations."""

_NOWHERE, _AMBIGUOUS = -1, -2


class AnnotatedRecording:
    """A recording, read once from its beginning to its end.

    Attributes:
        name: How reports call it.
        classes: What its annotations say; spelt as the network does where it knows it.
    """

    def __init__(
        self,
        settings: RunSettings,
        network: Network,
        *,
        only: Collection[str] | None,
        ignore_unknown: bool,
        whole_band: bool = False,
    ) -> None:
        """Open it.

        Args:
            settings: Which recording, its decimation, and the hop of the windows.
            network: Whose classes and families the labels are compared with, in any case.
            only: Take windows of these classes alone; None for all.
            ignore_unknown: Take also what the network does not know.
            whole_band: Take no windows for what is annotated in a part of the band.

        Raises:
            SourceError: It cannot be read.
            TrainingError: It has no labels, or the network does not know one.
        """
        self._source: Source = open_source(settings.source)
        self._decimator = Decimator(settings.source.decimate)
        self._framer = Framer(WINDOW_SAMPLES, settings.window.hop)
        info = self._decimator.describe(self._source.info)
        self.name = info.name
        if not info.annotations:
            raise TrainingError(
                f"Recording {self.name} has no annotation with a label; without one nothing "
                "tells what is in it."
            )
        known = (*network.families.values(), *network.classes)  # of the same name, a class wins
        spelt = {name.lower(): name for name in known}
        annotations = [
            replace(a, label=spelt.get(a.label.lower(), a.label)) for a in info.annotations
        ]
        self.classes = tuple(dict.fromkeys(a.label for a in annotations))
        wanted = [name for name in self.classes if only is None or name in only]
        if not ignore_unknown:
            check_known(wanted, self.name, network)
        self._wanted = np.array([name in wanted for name in self.classes], bool)
        if whole_band:
            annotations = [a for a in annotations if not _is_of_a_part(a, info.sample_rate_hz)]
        self._truth = _TruthTable(annotations, self.classes, set(known))
        self._y: list[NDArray[np.int64]] = []

    def windows(self) -> Iterator[FloatArray]:
        """Yield the windows of known modulation, shape (any number, 2, 1024), in order.

        Raises:
            SourceError: The recording can no longer be read.
        """
        for windows in self._cut():
            y = self._truth.of(windows)
            self._y.append(y)
            taken = y >= 0
            taken[taken] = self._wanted[y[taken]]
            if taken.any():
                yield windows.x[taken]

    @property
    def has_windows(self) -> bool:
        """Whether any was yielded so far."""
        y = self._all()
        return bool(self._wanted[y[y >= 0]].any())

    def labels(self) -> NDArray[np.int64]:
        """Return what the windows yielded so far are, as index into `classes`.

        Raises:
            TrainingError: There were none.
        """
        y = self._all()
        y = np.asarray(y[y >= 0])
        y = np.asarray(y[self._wanted[y]])
        if not len(y):
            raise TrainingError(
                f"Recording {self.name} has no window of {WINDOW_SAMPLES} samples wholly inside "
                "an annotation that is asked for."
            )
        return y

    def notes(self) -> list[str]:
        """Return sentences on the windows that were not taken."""
        y = self._all()
        left_out = {
            f"lie wholly inside no annotation of {self.name}": int(np.sum(y == _NOWHERE)),
            f"lie in annotations of {self.name} that contradict each other": int(
                np.sum(y == _AMBIGUOUS)
            ),
            **{f"of {self.name} are {why}": n for why, n in self._framer.skipped.items()},
        }
        return [f"{n:,} windows {why}: not measured." for why, n in left_out.items() if n]

    def _all(self) -> NDArray[np.int64]:
        return np.concatenate(self._y) if self._y else np.zeros(0, np.int64)

    def _cut(self) -> Iterator[Windows]:
        try:
            for block in self._blocks():
                yield from self._framer.push(block)
        finally:
            self._source.close()

    def _blocks(self) -> Iterator[Block]:
        for block in self._source.blocks():
            yield from self._decimator.push(block)
        yield from self._decimator.flush()


class _TruthTable:
    """Finds the label of the annotations that hold a whole window."""

    def __init__(
        self, annotations: list[Annotation], names: tuple[str, ...], known: set[str]
    ) -> None:
        self._start = np.array([a.start_sample for a in annotations], np.int64)
        self._stop = np.array([a.stop_sample for a in annotations], np.int64)
        self._name = np.array([names.index(a.label) for a in annotations], np.int64)
        self._is_known = np.array([a.label in known for a in annotations], bool)

    def of(self, windows: Windows) -> NDArray[np.int64]:
        """Return an index into the names per window; _NOWHERE or _AMBIGUOUS if there is none.

        A name that the network knows goes before one that it does not: a note over a band
        of signals is no contradiction to the names of these.
        """
        first = windows.start_sample[:, None]
        inside = (self._start <= first) & (first + windows.window_samples <= self._stop)
        by_known = self._agreed(inside & self._is_known)
        return np.where(by_known == _NOWHERE, self._agreed(inside), by_known)

    def _agreed(self, inside: NDArray[np.bool_]) -> NDArray[np.int64]:
        most = np.iinfo(np.int64).max
        lowest = np.where(inside, self._name, most).min(axis=1, initial=most)
        highest = np.where(inside, self._name, _NOWHERE).max(axis=1, initial=_NOWHERE)
        return np.where((highest < 0) | (lowest == highest), highest, _AMBIGUOUS)


def _is_of_a_part(annotation: Annotation, rate_hz: float) -> bool:
    """Tell whether an annotation is of less than half the band, so not of a window of all of it."""
    if annotation.lower_hz is None or annotation.upper_hz is None:
        return False
    return annotation.upper_hz - annotation.lower_hz < rate_hz / 2


def is_recording(path: Path) -> bool:
    """Tell a recording from a data set, by its name."""
    return path.name.lower().endswith(ENDINGS)
