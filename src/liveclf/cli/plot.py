"""`liveclf plot`: a recording -> a spectrogram as PNG, its emissions boxed and labelled."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from liveclf.cli.messages import say, silent
from liveclf.cli.options import add_settings, resolve
from liveclf.cli.run import classify
from liveclf.cli.stopping import stopped_by_signals
from liveclf.config import OutputSettings, PlotSettings, RunSettings, to_toml
from liveclf.errors import SourceError, UsageError
from liveclf.records import StreamInfo

if TYPE_CHECKING:
    from liveclf.plot.geometry import Mark


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    add_settings(parser, PlotSettings)


def execute(arguments: argparse.Namespace) -> int:
    """Draw one recording and return the exit code."""
    settings = resolve(arguments, PlotSettings)
    if arguments.show_config:
        print(to_toml(settings), end="")
        return 0
    return plot(settings)


def plot(settings: PlotSettings) -> int:
    """Read, draw and write.

    Returns:
        0; 130 or 143 if a signal ended the reading: then what came before is drawn.

    Raises:
        LiveclfError: It cannot be read, drawn or written.
    """
    # Imported here: `--help` and `--show-config` need none of them.
    from liveclf.dsp.decimate import Decimator
    from liveclf.live.pipeline import through
    from liveclf.plot.drawing import check_plots, draw
    from liveclf.plot.run_plot import (
        check_target,
        make_spectrogram,
        told,
        too_little,
        write_picture,
    )
    from liveclf.sources import open_source

    if settings.detect.wanted and not (settings.boxes.emissions or settings.boxes.annotations):
        return _run(settings)
    tell = silent if settings.boxes.quiet else say
    check_plots()
    source = open_source(settings.source)
    decimator = Decimator(settings.source.decimate)
    info = decimator.describe(source.info)
    path = _target(settings, info.files, info.name)
    check_target(path, info)
    marks, n_over = _marks(settings, info)
    spectrogram = make_spectrogram(info, settings.picture)
    for note in info.notes:
        tell(note)
    with (
        stopped_by_signals(source.close) as signals,
        _progress(info, is_shown=not settings.boxes.quiet) as show,
    ):
        try:
            for block in through([decimator, spectrogram], source.blocks()):
                show(len(block.iq))
        finally:
            source.close()
    if spectrogram.is_empty:
        raise SourceError(f"{info.name} cannot be drawn: {too_little(spectrogram)}.")
    picture = draw(spectrogram, marks, info.name, settings.picture)
    write_picture(path, picture)
    tell(told(path, spectrogram, picture, n_over))
    return 128 + signals[0] if signals else 0


def _run(settings: PlotSettings) -> int:
    """Find the emissions of a recording and draw them, in one pass."""
    from liveclf.sources import open_source

    path = settings.boxes.output
    if not path and settings.source.path != "-":
        source = open_source(settings.source)
        source.close()
        path = str(_target(settings, source.info.files, source.info.name))
    elif not path:
        path = str(_target(settings, (), "standard input"))
    output = OutputSettings(to=("null",), plot=path, quiet=settings.boxes.quiet)
    run = RunSettings(
        source=settings.source, detect=settings.detect, model=settings.model, output=output
    )
    return classify(run, settings.picture)


def _target(settings: PlotSettings, files: Sequence[Path], name: str) -> Path:
    """Return the path of the picture."""
    if settings.boxes.output:
        return Path(settings.boxes.output).expanduser()
    if not files:
        raise UsageError(f"{name} has no name for a picture; give one with -o OUT.png.")
    return Path(f"{files[0].stem}.png")


def _marks(settings: PlotSettings, info: StreamInfo) -> tuple[list[Mark], int]:
    """Return what gets a box, and how many emissions there was no room to keep."""
    from liveclf.plot.collection import Collection, read_emissions
    from liveclf.plot.geometry import mark_of, mark_of_annotation

    boxes, collection = settings.boxes, Collection()
    if boxes.emissions:
        collection = read_emissions(Path(boxes.emissions).expanduser(), info.name)
    annotations = info.annotations if boxes.annotations else ()
    marks = [mark_of_annotation(annotation) for annotation in annotations]
    return [*marks, *map(mark_of, collection.records())], collection.n_over


@contextmanager
def _progress(info: StreamInfo, *, is_shown: bool) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how far the reading is; yields what brings it up to date."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    is_shown = is_shown and console.is_terminal
    with Progress(console=console, transient=True, disable=not is_shown) as bar:
        task = bar.add_task("reading", total=info.n_samples)
        yield lambda n: bar.advance(task, n)
