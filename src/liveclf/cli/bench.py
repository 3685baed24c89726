"""`liveclf bench`: how fast this machine classifies, stage by stage and as a whole."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from liveclf.cli.options import add_settings, resolve
from liveclf.cli.stopping import stopped_by_signals
from liveclf.config import BenchSettings, to_toml


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    add_settings(parser, BenchSettings)


def execute(arguments: argparse.Namespace) -> int:
    """Measure and print; 130 or 143 if a signal ended it, after what was measured so far."""
    settings = resolve(arguments, BenchSettings)
    if arguments.show_config:
        print(to_toml(settings), end="")
        return 0
    import msgspec

    from liveclf.bench.measuring import measure
    from liveclf.cli.bench_tables import print_result

    is_over = False

    def end() -> None:
        nonlocal is_over
        is_over = True

    with stopped_by_signals(end) as signals, _progress() as progress:
        result = measure(settings, progress, lambda: is_over)
    if settings.bench.json:
        print(msgspec.json.format(msgspec.json.encode(result), indent=1).decode())
    else:
        print_result(result)
    return 128 + signals[0] if signals else 0


@contextmanager
def _progress() -> Iterator[Callable[[str], Callable[[float], None]]]:
    """Show a bar on a terminal for each part while it is measured."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:

        def begin(name: str) -> Callable[[float], None]:
            task = bar.add_task(name, total=1.0)
            return lambda share: bar.advance(task, share)

        yield begin
