"""`liveclf synth`: a data set of generated windows, written as HDF5."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from liveclf.cli.options import add_settings, resolve
from liveclf.config import SynthSettings, to_toml
from liveclf.errors import UsageError


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument("out", type=Path, metavar="OUT.hdf5", help="the file to write")
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")
    add_settings(parser, SynthSettings)


def execute(arguments: argparse.Namespace) -> int:
    """Write the data set and say what is in it."""
    settings = resolve(arguments, SynthSettings)
    if arguments.show_config:
        print(to_toml(settings), end="")
        return 0
    out: Path = arguments.out
    if out.is_dir():
        raise UsageError(f"{out} is a folder; name a file in it.")
    if out.exists() and not arguments.force:
        raise UsageError(f"{out} is there already; choose another name, or add --force.")
    from liveclf.signals.dataset import classes_of, write_dataset

    data = settings.data
    with _ended_by_sigterm(), _progress(data.windows) as advance:
        write_dataset(out, settings, advance)
    print(
        f"{out}: {data.windows:,} windows of {len(classes_of(data))} classes, "
        f"{data.snr_min_db:g} to {data.snr_max_db:g} dB, seed {data.seed}, "
        f"{out.stat().st_size / 1e6:,.1f} MB"
    )
    return 0


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM, too, leave neither files nor processes behind."""

    def leave(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _progress(n_windows: int) -> Iterator[Callable[[int], None]]:
    """Draw a bar on stderr; yields what moves it."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    with Progress(
        MofNCompleteColumn(),
        TextColumn("windows"),
        BarColumn(),
        TextColumn("{task.fields[rate]:,.0f} windows/s"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task("synth", total=n_windows, rate=0.0)

        def advance(n: int) -> None:
            bar.update(task, advance=n)
            bar.update(task, rate=bar.tasks[0].speed or 0.0)

        yield advance
