"""What a run trains on and what it is checked with: generated windows, or those of a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from liveclf.config import TrainSettings
from liveclf.learn import SPLIT
from liveclf.learn.data.datasets import Dataset, FileChunks, open_dataset
from liveclf.learn.data.feed import Chunks, GeneratedChunks, heldout
from liveclf.learn.data.split import Split, make_split, read_split, write_split
from liveclf.learn.data.truth import TruthSet
from liveclf.signals.classes import CLASSES


@dataclass(frozen=True)
class Material:
    """Windows to train on, and windows held out.

    Attributes:
        chunks: Those to train on.
        check: Those held out, in no order; `check.classes` are those of the network.
        fingerprint: SHA-256 that other data would not have.
        data: The file they come from; None if they are generated.
        split: Which rows of the file are which.
    """

    chunks: Chunks
    check: TruthSet
    fingerprint: str
    data: Dataset | None = None
    split: Split | None = None

    def keep(self, run: Path) -> None:
        """Write down in the folder of a run which rows are which.

        Raises:
            TrainingError: It cannot be written.
        """
        if self.data is not None and self.split is not None:
            write_split(run / SPLIT, self.split, self.data)


def gather(
    settings: TrainSettings, run: Path, tell: Callable[[str], None], *, resume: bool = False
) -> Material:
    """Open or make what a run needs.

    Args:
        settings: Of the run.
        run: Its folder, where a resumed run has its split.
        tell: Takes a sentence on anything odd about the file.
        resume: Whether it is resumed.

    Raises:
        LiveclfError: The file, or what is asked of it, is unusable.
    """
    if settings.data.file:
        return _of_file(settings, run, tell, resume=resume)
    data, seed = settings.data, settings.fit.seed
    made = heldout(data, seed)
    check = TruthSet(
        name="own generator, held out",
        x=made.x.astype(np.float32),
        y=made.y.astype(np.int32),
        snr_db=made.snr_db,
        classes=CLASSES,
    )
    chunks = GeneratedChunks(seed, (data.snr_min_db, data.snr_max_db))
    return Material(chunks, check, hashlib.sha256(made.x.tobytes()).hexdigest())


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
