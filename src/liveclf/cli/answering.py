"""From the files of `--data` to what a network answers to their windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import structs
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from liveclf.cli.annotated import AnnotatedRecording, is_recording
from liveclf.cli.finding import outcome_of
from liveclf.config import RunSettings
from liveclf.learn.data.datasets import Dataset, Rows, open_dataset
from liveclf.learn.data.split import read_split
from liveclf.learn.score.evaluate import predict_stream
from liveclf.learn.score.matching import Outcome
from liveclf.learn.score.verdicts import Answers, Network, rows_to_score
from liveclf.protocols import Engine

# Called with a name and the number of windows, None if not known; returns what is called
# with the number of windows done.
Begin = Callable[[str, int | None], Callable[[int], Any]]
# Answers, None where there was nothing to answer to, and sentences on that.
Answered = tuple[Answers | None, list[str]]

_READ_WINDOWS = 2048


@dataclass(frozen=True)
class Choice:
    """Which windows of a file are measured.

    Attributes:
        class_file: Names of the classes of a data set; None for those in the file.
        split: Split of a data set; None to take all of it.
        part: Which part of the split.
        only: The true classes to take; None for all.
        ignore_unknown: Take also what the network does not know.
        finds: Look for the emissions of recordings, too.
    """

    class_file: Path | None
    split: Path | None
    part: str
    only: tuple[str, ...] | None
    ignore_unknown: bool
    finds: bool


@dataclass(frozen=True)
class Work:
    """What turns files into answers.

    Attributes:
        choice: Which windows of theirs.
        settings: Of recordings.
        engine: Runs the network.
        network: What is measured.
        trained_on: Fingerprint of the data set that it was trained on; empty if not known.
        begin: Shows how far it has come with a file.
        outcomes: What was found in each recording so far.
    """

    choice: Choice
    settings: RunSettings
    engine: Engine
    network: Network
    trained_on: str
    begin: Begin
    outcomes: list[Outcome] = field(default_factory=list)

    def answer(self, path: Path) -> Answered:
        """Put a file before the network.

        Raises:
            LiveclfError: It cannot be read, or there is nothing in it to measure.
        """
        return self._recording(path) if is_recording(path) else self._dataset(path)

    def _recording(self, path: Path) -> Answered:
        source = structs.replace(self.settings.source, path=str(path))
        settings = structs.replace(self.settings, source=source)
        recording = AnnotatedRecording(
            settings,
            self.network,
            only=self.choice.only,
            ignore_unknown=self.choice.ignore_unknown,
            whole_band=self.choice.finds,
        )
        done = self.begin(recording.name, None)
        logits = predict_stream(self.engine, recording.windows(), done)
        if self.choice.finds:
            self.outcomes.append(outcome_of(settings, self.network))
            if not recording.has_windows:
                return None, [f"Of {recording.name} the emissions alone were measured."]
        y = recording.labels()
        snr_db = np.full(len(y), np.nan, np.float32)
        answers = Answers(recording.name, logits, y, snr_db, recording.classes)
        return answers, recording.notes()

    def _dataset(self, path: Path) -> Answered:
        data = open_dataset(path, self.choice.class_file)
        rows = rows_to_score(
            data,
            self._part(data),
            self.network,
            only=self.choice.only,
            ignore_unknown=self.choice.ignore_unknown,
        )
        parts = (x for x, _ in data.batches(rows, _READ_WINDOWS))
        logits = predict_stream(self.engine, parts, self.begin(data.name, len(rows)))
        groups = {name: column[rows] for name, column in data.groups.items()}
        answers = Answers(data.name, logits, data.y[rows], data.snr_db[rows], data.classes, groups)
        return answers, [*data.notes, *self._warnings(data)]

    def _part(self, data: Dataset) -> Rows:
        """Return the rows that --split and --part leave."""
        if not self.choice.split:
            return np.arange(len(data))
        split = read_split(self.choice.split, data)
        rows: Rows = getattr(split, self.choice.part)
        return rows

    def _warnings(self, data: Dataset) -> Iterator[str]:
        if self.trained_on and not self.choice.split and data.fingerprint() == self.trained_on:
            yield (
                f"The network was trained on windows of {data.name}; --split FILE, of that "
                "training, leaves those that it has not seen."
            )


@contextmanager
def progress() -> Iterator[Begin]:
    """Show a bar on a terminal for each file while it is worked on."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("windows"),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:

        def begin(name: str, n: int | None) -> Callable[[int], Any]:
            task = bar.add_task(name, total=n)
            return lambda done: bar.advance(task, done)

        yield begin
