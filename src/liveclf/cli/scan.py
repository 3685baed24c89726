"""`liveclf scan`: recordings -> workers -> a folder of results."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from liveclf.cli.messages import say, silent
from liveclf.cli.options import add_settings, resolve
from liveclf.cli.stopping import stopped_by_signals
from liveclf.config import ModelSettings, ScanSettings, to_toml
from liveclf.errors import LiveclfError, UsageError

if TYPE_CHECKING:
    from liveclf.cli.scan_progress import Totals
    from liveclf.scan.crew import Workplace
    from liveclf.scan.folder import Folder
    from liveclf.scan.labeller import Labeller, Refusal
    from liveclf.scan.listing import Found, Listing


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    add_settings(parser, ScanSettings)


def execute(arguments: argparse.Namespace) -> int:
    """Label many recordings and return the exit code."""
    settings = resolve(arguments, ScanSettings)
    if arguments.show_config:
        print(to_toml(settings), end="")
        return 0
    return scan(settings)


def scan(settings: ScanSettings) -> int:
    """List, leave out what is done, label the rest, and sort the results.

    Returns:
        0; 1 if a recording could not be read; 130 or 143 if a signal ended it.

    Raises:
        LiveclfError: Nothing can be labelled at all, or the results cannot be written.
    """
    from liveclf.model.bundle import load_bundle
    from liveclf.scan.folder import Folder
    from liveclf.scan.labeller import Labeller
    from liveclf.scan.ticket import ticket_of

    _check(settings)
    tell = silent if settings.work.quiet else say
    output = Path(settings.results.output).absolute()
    settings = structs.replace(
        settings, results=structs.replace(settings.results, output=str(output))
    )
    info = load_bundle(settings.model.bundle).info
    listing = _listed(settings, output)
    made_with = ticket_of(settings, info.name, info.sha256)
    with Folder(output, made_with, settings.results.overwrite, tell) as folder:
        todo, totals = _left(listing, folder)
        tell(
            f"{len(listing.files):,} recordings, {totals.kept:,} of them done before; "
            f"{listing.n_other:,} other files; {info.name}"
        )
        signals = _label(settings, Labeller(settings, info.sha256), todo, folder, totals, tell)
        if not signals:
            folder.results.sort()
        n_others = len(folder.results) - totals.done - totals.kept
    tell(totals.summary(n_others, output))
    for trouble in listing.troubles:
        say(f"liveclf: {trouble}")
    if signals:
        return 128 + signals[0]
    return int(bool(totals.failed or listing.troubles))


def _check(settings: ScanSettings) -> None:
    """Say what is wrong before anything is done.

    Raises:
        UsageError: Something is missing or cannot be.
    """
    from liveclf.dsp.formats import sample_format
    from liveclf.scan.labeller import source_settings
    from liveclf.sources.names import Hints

    if not settings.source.paths:
        raise UsageError("No recording is given; name files, or folders that hold some.")
    if not settings.results.output:
        raise UsageError("No folder for the results is given; name one with --output.")
    for name in ("max_age_s", "max_late_s"):
        if (value := getattr(settings.model, name)) != getattr(ModelSettings(), name):
            raise UsageError(f"model.{name} = {value:g} is of live streams; a scan has none.")
    Hints.from_flags(source_settings(settings, ""))
    if settings.source.format:
        sample_format(settings.source.format)


def _listed(settings: ScanSettings, output: Path) -> Listing:
    from liveclf.scan.listing import list_recordings
    from liveclf.sources import names_recording

    listing = list_recordings(settings.source.paths, names_recording, output)
    if not listing.files and not listing.troubles:
        raise UsageError(
            f"No recording is in {', '.join(settings.source.paths)}: {listing.n_other:,} files "
            "have other endings; name files that are recordings all the same one by one."
        )
    return listing


def _left(listing: Listing, folder: Folder) -> tuple[list[Found], Totals]:
    """Return the recordings that are not done yet, and the totals to begin with."""
    from liveclf.cli.scan_progress import Totals

    todo = [found for found in listing.files if not folder.has(found)]
    return todo, Totals(n_files=len(listing.files), kept=len(listing.files) - len(todo))


def _label(
    settings: ScanSettings,
    labeller: Labeller,
    todo: list[Found],
    folder: Folder,
    totals: Totals,
    tell: Callable[[str], None],
) -> list[int]:
    """Label, and write each result as it comes; return the signals that ended it."""
    from liveclf.cli.scan_progress import shown
    from liveclf.scan.crew import work_through
    from liveclf.scan.labeller import Refusal

    if not todo:
        return []
    workplace = _workplace(settings, labeller)
    try:
        with stopped_by_signals() as signals, shown(totals, settings.work) as tell_and_show:
            outcomes = work_through(todo, workplace, lambda: bool(signals), tell)
            try:
                for outcome in outcomes:
                    if isinstance(outcome.result, Refusal):
                        raise _refused(outcome.result)
                    folder.results.add(outcome.result)
                    folder.log(outcome, outcome.result)
                    totals.count(outcome.result)
                    tell_and_show(outcome.result)
            finally:
                outcomes.close()
        return signals
    finally:
        workplace.close()


def _workplace(settings: ScanSettings, labeller: Labeller) -> Workplace:
    work = settings.work
    if work.cluster:
        from liveclf.scan.cluster import RayWorkplace

        return RayWorkplace(labeller, work.workers, work.cluster)
    from liveclf.scan.local import LocalWorkplace

    return LocalWorkplace(labeller, work.workers)


def _refused(refusal: Refusal) -> LiveclfError:
    error = LiveclfError(refusal.message)
    error.exit_code = refusal.exit_code
    return error
