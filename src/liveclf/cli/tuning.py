"""`liveclf train --data DIR --from BUNDLE`: tune a network on annotated recordings.

source --Block--> cut_annotated --windows of each emission--> Recorded
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liveclf.cli.annotated import ENDINGS, is_recording
from liveclf.config import SourceSettings, TrainSettings, tuning_defaults
from liveclf.errors import TrainingError, UsageError
from liveclf.live.annotated import CutEmission, cut_annotated
from liveclf.records import Annotation
from liveclf.sources import open_source

if TYPE_CHECKING:
    from liveclf.learn.data.recorded import Recorded, RecordedEmission
    from liveclf.model.bundle import BundleInfo, Change

Tell = Callable[[str], None]

UNKNOWN = "unknown"
_META, _ARCHIVE = ENDINGS[0], ENDINGS[2]
_NAMED = 3  # recordings, in a message
_SHOWN_LETTERS = 40  # of a label that is none


def is_of_recordings(settings: TrainSettings) -> bool:
    """Tell whether --data is recordings, rather than windows."""
    path = Path(settings.data.file)
    return bool(settings.data.file) and (path.is_dir() or is_recording(path))


def defaults_of(settings: TrainSettings) -> dict[str, Any]:
    """Return the defaults of a run on recordings: another way to train, the bundle's network.

    Args:
        settings: As they are without them.

    Raises:
        UsageError: Something else is asked for that goes with windows only.
        BundleError: The bundle does not load.
    """
    from liveclf.model.bundle import load_bundle

    network, file = settings.network, settings.data.file
    if not network.start:
        raise UsageError(
            f"--data {file} is recordings, on which a trained network is tuned; say which with "
            "--from, such as --from vgg16-slim."
        )
    if network.recipe != "ours":
        raise UsageError(
            f"--data {file} is recordings, and --recipe {network.recipe} trains on windows only."
        )
    if settings.data.class_file:
        raise UsageError(f"--classes is for HDF5, and --data {file} is recordings.")
    info = load_bundle(network.start).info
    kind = {"preset": info.preset, "width": info.width}
    return tuning_defaults(TrainSettings) | {"network": kind}


def read_recordings(settings: TrainSettings, tell: Tell) -> Recorded:
    """Read the emissions of --data.

    Args:
        settings: Of a run on recordings.
        tell: Takes sentences on what was left out.

    Raises:
        UsageError: A label is no class of the network, or an added class has no emission.
        SourceError: A recording cannot be read.
        TrainingError: There is no recording, or no emission in them to train on.
    """
    from liveclf.learn.data.recorded import Recorded
    from liveclf.model.bundle import load_bundle

    path = Path(settings.data.file)
    info = load_bundle(settings.network.start).info
    labels = _Labels(info, settings.network.added)
    reading = _Reading(path, labels, info.window_samples, checksum=settings.data.checksum)
    emissions = tuple(one for file in _files(path) for one in reading.emissions(file))
    reading.labels.refuse_unknown(path)
    for sentence in reading.told():
        tell(sentence)
    if not emissions:
        raise TrainingError(
            f"--data {path}: no recording has an emission to train on; label them in the "
            f"annotations of the {_META} files, key core:label."
        )
    absent = [n for n in settings.network.added if n not in {one.label for one in emissions}]
    if absent:
        raise UsageError(f"--add-class {absent[0]}: no emission in {path} is labelled so.")
    return Recorded(path.name, reading.labels.classes, emissions)


def tell_changes(found: tuple[Change, ...], tell: Tell) -> None:
    """Print what has changed, and say it if the network has forgotten."""
    from liveclf.learn.score.change import FORGOTTEN

    for one in found:
        print(
            f"{one.data}, {one.n:,} {one.counted}, {one.precision}: {one.before:.1%} right before, "
            f"{one.after:.1%} after"
        )
    old = found[0]
    if old.before - old.after > FORGOTTEN:
        tell(
            f"the network has forgotten: {old.before - old.after:.1%} of the old set less are "
            "right; try a smaller --lr, a smaller --recorded-share, or fewer --steps"
        )


@dataclass
class _Labels:
    """What labels mean to a network."""

    info: BundleInfo
    added: tuple[str, ...]
    unknown: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse to add what is there."""
        names = [name.lower() for name in (*self.info.classes, UNKNOWN)]
        for name in self.added:
            if name.lower() in names:
                raise UsageError(f"--add-class {name}: {self.info.name} has that class.")
            names.append(name.lower())
        self._spelt = {name.lower(): name for name in self.classes}

    @property
    def classes(self) -> tuple[str, ...]:
        """Those of the network that comes of it."""
        return (*self.info.classes, *self.added)

    def name(self, label: str, recording: str) -> str | None:
        """Return the class of a label, in any case; None, and remember it, if it has none."""
        found = self._spelt.get(label.strip().lower())
        if found is None:
            self.unknown.setdefault(label, []).append(recording)
        return found

    def refuse_unknown(self, path: Path) -> None:
        """Raise a `UsageError` if there was a label that is no class."""
        if not self.unknown:
            return
        (label, recordings), *others = self.unknown.items()
        more = f", and {len(others)} other labels" if others else ""
        named = ", ".join(dict.fromkeys(recordings[:_NAMED]))
        raise UsageError(
            f"--data {path}: {_short(label)!r}, a label in {named}{more}, {self._advice(label)}; "
            f"classes: {', '.join(self.classes)}."
        )

    def _advice(self, label: str) -> str:
        families = {family.lower() for family in self.info.families.values()}
        if label.lower() in families:
            return "is a family; write which class of it"
        return (
            f"is no class of {self.info.name}; correct core:label there, set it to {UNKNOWN} to "
            "leave the emission out, or make it a new class with --add-class"
        )


@dataclass
class _Reading:
    """Reads recordings, and counts what of them is left out."""

    path: Path
    labels: _Labels
    window: int
    checksum: bool
    left_out: Counter[str] = field(default_factory=Counter)

    def emissions(self, file: Path) -> Iterator[RecordedEmission]:
        """Yield what of a recording can be trained on."""
        source = open_source(SourceSettings(path=str(file), checksum=self.checksum))
        try:
            info = source.info
            self.left_out["recordings have no annotation with a label"] += not info.annotations
            wanted = [a for a in info.annotations if self._is_wanted(a, info.name)]
            if not wanted:
                return
            for cut in cut_annotated(source.blocks(), wanted, info.n_samples or 0, self.window):
                self.left_out["windows are of emissions that have many more"] += cut.n_left_out
                if cut.why_none:
                    self.left_out[f"labelled emissions are {cut.why_none}"] += 1
                else:
                    yield self._recorded(cut, info.name)
        finally:
            source.close()

    def told(self) -> Iterator[str]:
        """Yield sentences on what was left out."""
        yield from (f"{n:,} {why}: left out" for why, n in self.left_out.items() if n)

    def _is_wanted(self, annotation: Annotation, recording: str) -> bool:
        if annotation.label.strip().lower() == UNKNOWN:
            self.left_out["emissions are labelled unknown"] += 1
            return False
        return self.labels.name(annotation.label, recording) is not None

    def _recorded(self, cut: CutEmission, recording: str) -> RecordedEmission:
        from liveclf.learn.data.recorded import RecordedEmission

        a = cut.annotation
        label = self.labels.name(a.label, recording)
        assert label is not None
        by_clock = not math.isnan(cut.first_s)
        return RecordedEmission(
            recording=recording,
            label=label,
            x=cut.x,
            start=cut.first_s if by_clock else a.start_sample,
            stop=cut.last_s if by_clock else a.stop_sample,
            # The same emission may have been kept as unknown, and again from the page.
            axis="UTC" if by_clock else recording,
            lower_hz=-math.inf if a.lower_hz is None else a.lower_hz,
            upper_hz=math.inf if a.upper_hz is None else a.upper_hz,
        )


def _files(path: Path) -> list[Path]:
    """Return the recordings of a folder, in the order of their names; or the one."""
    if not path.is_dir():
        return [path]
    files = sorted(f for f in path.iterdir() if f.name.lower().endswith((_META, _ARCHIVE)))
    if not files:
        raise TrainingError(
            f"--data {path}: the folder holds no SigMF recording ({_META} or {_ARCHIVE})."
        )
    return files


def _short(label: str) -> str:
    return label if len(label) <= _SHOWN_LETTERS else f"{label[:_SHOWN_LETTERS]}..."
