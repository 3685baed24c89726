"""`liveclf record`: a source -> SigMF, every sample as it came, every gap as a capture."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liveclf.cli.messages import say, silent
from liveclf.cli.options import add_settings, resolve
from liveclf.cli.stopping import stopped_by_signals
from liveclf.config import RecordSettings, to_toml
from liveclf.errors import SourceError, UsageError
from liveclf.records import StreamInfo

if TYPE_CHECKING:
    from liveclf.live.recorder import Recorder
    from liveclf.live.stats import Stats

_ENDINGS = (".sigmf-meta", ".sigmf-data")
_SHOWN_S = 0.2


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument("out", type=Path, metavar="OUT.sigmf-meta", help="the recording to write")
    add_settings(parser, RecordSettings)


def execute(arguments: argparse.Namespace) -> int:
    """Record one stream and return the exit code."""
    settings = resolve(arguments, RecordSettings)
    if arguments.show_config:
        print(to_toml(settings), end="")
        return 0
    return record(_target(arguments.out, overwrite=settings.record.overwrite), settings)


def record(out: Path, settings: RecordSettings) -> int:
    """Write what comes until the end, a limit or a signal, and report.

    Returns:
        0; 130 or 143 if a signal ended it.

    Raises:
        LiveclfError: The source broke or the disk is full; what came before is stored.
    """
    # Imported here: `--help` and `--show-config` need none of them.
    from liveclf.dsp.decimate import Decimator
    from liveclf.dsp.shift import Shifter
    from liveclf.live.pipeline import through
    from liveclf.live.recorder import Recorder
    from liveclf.live.stats import Stats
    from liveclf.sources import open_source

    tell = silent if settings.record.quiet else say
    source = open_source(settings.source, settings.radio, tell)
    info = source.info
    _protect(out, info.files)
    # As `run` sees it; without --offset and --decimate both pass everything on as it is.
    shifter = Shifter(float(settings.radio.offset_hz))
    decimator = Decimator(settings.source.decimate)
    stats = Stats({})
    recorder = Recorder(
        out,
        _about(info, settings),
        annotations=decimator.describe(info).annotations,
        overwrite=settings.record.overwrite,
    )
    with stopped_by_signals(source.close) as signals, _progress(settings.record.quiet) as show:
        try:
            for note in info.notes:
                tell(note)
            for block in through([shifter, decimator], stats.counting(source.blocks())):
                recorder.write(block)
                show(_so_far(recorder, stats))
        finally:
            source.close()
            recorder.close()
    if not recorder.n_samples and not signals:
        raise SourceError(f"No sample came from {info.name}, so nothing was recorded.")
    _report(recorder, stats)
    return 128 + signals[0] if signals else 0


def _target(out: Path, *, overwrite: bool) -> Path:
    """Return the path of the metadata, checked before anything is opened."""
    if out.suffix not in _ENDINGS:
        raise UsageError(f"{out} is no name of a recording; let it end in .sigmf-meta.")
    if not out.parent.is_dir():
        raise UsageError(f"{out} cannot be written: there is no folder {out.parent}; make it.")
    for there in map(out.with_suffix, _ENDINGS):
        if there.exists() and not overwrite:
            raise UsageError(f"{there} is there already; choose another name, or add --overwrite.")
    return out.with_suffix(_ENDINGS[0])


def _protect(out: Path, read: Sequence[Path]) -> None:
    for there in map(out.with_suffix, _ENDINGS):
        if there.exists() and any(there.samefile(file) for file in read):
            raise UsageError(f"{there} is what is recorded from; choose another name.")


def _about(info: StreamInfo, settings: RecordSettings) -> dict[str, Any]:
    """Return what SigMF's global object says besides format and rate."""
    is_radio = info.is_live and not settings.source.realtime
    return {
        "core:hw": info.name if is_radio else "",
        "core:author": settings.record.author,
        # How the radio was set, as it says itself.
        "core:description": settings.record.description
        or (" ".join(info.notes) if is_radio else f"Recorded from {info.name}."),
    }


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[str], None]]:
    """Show a line on a terminal; yields what brings it up to date."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    is_shown = console.is_terminal and not quiet
    with Progress(*columns, console=console, transient=True, disable=not is_shown) as bar:
        task = bar.add_task("waiting for samples")
        next_s = time.monotonic()

        def show(so_far: str) -> None:
            nonlocal next_s
            if is_shown and time.monotonic() >= next_s:
                next_s = time.monotonic() + _SHOWN_S
                bar.update(task, description=so_far)

        yield show


def _so_far(recorder: Recorder, stats: Stats) -> str:
    captures, estimated = recorder.n_captures, stats.samples_lost_estimated
    by_clock = f" (about {estimated:,} of them by the clock)" if estimated else ""
    return (
        f"{recorder.n_samples:,} samples, {recorder.n_bytes / 1e6:,.1f} MB,"
        f" {captures} capture{'s' * (captures != 1)}, {stats.samples_lost:,} samples lost{by_clock}"
    )


def _report(recorder: Recorder, stats: Stats) -> None:
    if not recorder.n_samples:
        print("Nothing was recorded: no sample had come.")
        return
    names = ", ".join(str(file.path) for file in recorder.files)
    print(f"{names}: {_so_far(recorder, stats)}, {recorder.files[0].format.name}")
