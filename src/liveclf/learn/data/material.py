"""What a run trains on and what it is checked with: windows generated, of a file, or both.

Recorded emissions are trained on among generated windows, see `recorded`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from liveclf.config import TrainSettings
from liveclf.errors import UsageError
from liveclf.learn import RECORDINGS, SPLIT
from liveclf.learn.data.datasets import Dataset, FileChunks, open_dataset
from liveclf.learn.data.feed import Chunks, GeneratedChunks, heldout
from liveclf.learn.data.recorded import MixedChunks, Recorded, part
from liveclf.learn.data.split import Split, make_split, read_split, write_split
from liveclf.learn.data.truth import TruthSet
from liveclf.learn.data.tuning import Tuning, check_parts, write_parts
from liveclf.signals.classes import CLASSES
from liveclf.signals.generator import MODULATORS, Labelled


@dataclass(frozen=True)
class Material:
    """Windows to train on, and windows held out.

    Attributes:
        chunks: Those to train on.
        check: Those held out, in no order; `check.classes` are those of the network.
        fingerprint: SHA-256 that other data would not have.
        data: The file they come from; None if they are generated.
        split: Which rows of the file are which.
        tuning: The recorded emissions among them; None if there are none.
    """

    chunks: Chunks
    check: TruthSet
    fingerprint: str
    data: Dataset | None = None
    split: Split | None = None
    tuning: Tuning | None = None

    def keep(self, run: Path) -> None:
        """Write down in the folder of a run which rows, or emissions, are which.

        Raises:
            TrainingError: It cannot be written.
        """
        if self.data is not None and self.split is not None:
            write_split(run / SPLIT, self.split, self.data)
        if self.tuning is not None:
            write_parts(run / RECORDINGS, self.tuning)


def gather(
    settings: TrainSettings,
    run: Path,
    tell: Callable[[str], None],
    *,
    resume: bool = False,
    recorded: Recorded | None = None,
) -> Material:
    """Open or make what a run needs.

    Args:
        settings: Of the run.
        run: Its folder, where a resumed run has its split.
        tell: Takes a sentence on anything odd about the file.
        resume: Whether it is resumed.
        recorded: The emissions, where the network is tuned on recordings.

    Raises:
        LiveclfError: The file, or what is asked of it, is unusable.
    """
    if recorded is not None:
        return _tuned(settings, run, tell, recorded, resume=resume)
    if settings.data.file:
        return _of_file(settings, run, tell, resume=resume)
    data, seed = settings.data, settings.fit.seed
    made = heldout(data, seed)
    chunks = GeneratedChunks(seed, (data.snr_min_db, data.snr_max_db))
    return Material(chunks, _check(made, CLASSES, CLASSES), _fingerprint(made))


def _check(made: Labelled, made_classes: Sequence[str], classes: tuple[str, ...]) -> TruthSet:
    """Return generated windows as a set; their labels index the first, those of it the second."""
    numbers = np.array([classes.index(name) for name in made_classes])
    return TruthSet(
        name="own generator, held out",
        x=made.x.astype(np.float32),
        y=numbers[made.y].astype(np.int32),
        snr_db=made.snr_db,
        classes=classes,
    )


def _fingerprint(made: Labelled) -> str:
    return hashlib.sha256(made.x.tobytes()).hexdigest()


def _tuned(
    settings: TrainSettings,
    run: Path,
    tell: Callable[[str], None],
    recorded: Recorded,
    *,
    resume: bool,
) -> Material:
    data, seed = settings.data, settings.fit.seed
    tuning = Tuning(recorded, part(recorded, data.test_share, seed))
    if resume:
        check_parts(run / RECORDINGS, tuning)
    for sentence in tuning.told():
        tell(sentence)
    made_classes = tuple(name for name in recorded.classes if name in MODULATORS)
    if not made_classes:
        raise UsageError(
            f"--from {settings.network.start}: none of its classes can be generated, so all of "
            "them would be forgotten; train on an HDF5 that has windows of every class."
        )
    named = {emission.label for emission in recorded.emissions}
    if at_risk := [name for name in recorded.classes if name not in (*made_classes, *named)]:
        tell(
            f"the generator does not make {', '.join(at_risk)} and no recording is labelled so: "
            "they are not rehearsed, and may be forgotten"
        )
    chunks = MixedChunks(
        generated=GeneratedChunks(seed, (data.snr_min_db, data.snr_max_db), made_classes),
        numbers=tuple(recorded.classes.index(name) for name in made_classes),
        emissions=tuple(one.x.astype(np.float16) for one in tuning.trained_on),
        labels=tuple(recorded.classes.index(one.label) for one in tuning.trained_on),
        share=data.recorded_share,
    )
    made = heldout(data, seed, made_classes)
    check = _check(made, made_classes, recorded.classes)
    fingerprint = hashlib.sha256(f"{_fingerprint(made)} {recorded.fingerprint()}".encode())
    return Material(chunks, check, fingerprint.hexdigest(), tuning=tuning)


def _of_file(
    settings: TrainSettings, run: Path, tell: Callable[[str], None], *, resume: bool
) -> Material:
    wanted, seed = settings.data, settings.fit.seed
    class_file = Path(wanted.class_file) if wanted.class_file else None
    data = open_dataset(Path(wanted.file), class_file)
    for note in data.notes:
        tell(note)
    if resume:
        split = read_split(run / SPLIT, data)
    else:
        shares = wanted.test_share, wanted.validation_share
        split = make_split(data.y, data.snr_db, seed, *shares)
    chunks = FileChunks(data, split.train, seed)
    rng = np.random.default_rng([seed, 2])
    n = min(len(split.validation), wanted.heldout_windows)
    rows = np.sort(rng.choice(split.validation, n, replace=False))
    order = rng.permutation(n)  # files are sorted by class; the bundle uses the first for int8
    check = TruthSet(
        name=f"{data.name}, held out",
        x=data.read(rows)[order],
        y=data.y[rows][order],
        snr_db=data.snr_db[rows][order],
        classes=data.classes,
    )
    return Material(chunks, check, data.fingerprint(), data, split)
