"""`liveclf train`: settings -> run folder -> bundle."""

from __future__ import annotations

import argparse
import os
from datetime import datetime
from pathlib import Path

from liveclf.cli.options import add_settings, resolve
from liveclf.config import TrainSettings, load, to_toml
from liveclf.errors import MissingExtraError, UsageError


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    run = parser.add_argument_group("run")
    run.add_argument(
        "--run", type=Path, metavar="DIR", help="folder of the run (default: runs/DATE-TIME)"
    )
    run.add_argument(
        "--resume",
        action="store_true",
        help="go on from the last checkpoint of --run, with its settings",
    )
    add_settings(parser, TrainSettings)


def execute(arguments: argparse.Namespace) -> int:
    """Train, write the bundle and say where it is."""
    settings = _settings_of(arguments) if arguments.resume else resolve(arguments, TrainSettings)
    if arguments.show_config:
        print(to_toml(settings), end="")
        return 0
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up notes on stderr
    try:
        import keras  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            f"Training needs {error.name}", 'pip install "liveclf[train]"'
        ) from error
    from liveclf.learn.export import write_bundle
    from liveclf.learn.feed import heldout
    from liveclf.learn.train import train

    run = arguments.run or Path("runs") / datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    check = heldout(settings.data, settings.fit.seed)
    model = train(settings, run, check, resume=arguments.resume)
    info = write_bundle(model, run / "bundle", settings, check)
    for accuracy in info.accuracy:
        print(f"{accuracy.precision}: {accuracy.overall:.1%} on {accuracy.data}")
    print(f"{run / 'bundle'}")
    return 0


def _settings_of(arguments: argparse.Namespace) -> TrainSettings:
    """Return the settings that a run began with; a resumed run has no others."""
    from liveclf.learn import CONFIG

    if arguments.run is None:
        raise UsageError("--resume needs --run DIR, the run to go on with.")
    given = sorted(k for k, v in vars(arguments).items() if "." in k and v is not None)
    if given or arguments.config:
        also = ", ".join([*given, *(["--config"] if arguments.config else [])])
        raise UsageError(f"--resume conflicts with {also}: a run goes on with its own settings.")
    if not (arguments.run / CONFIG).is_file():
        raise UsageError(f"--run {arguments.run}: there is no run to resume, {CONFIG} is missing.")
    return load(TrainSettings, arguments.run / CONFIG, {})
