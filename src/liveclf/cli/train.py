"""`liveclf train`: settings -> run folder -> bundle."""

from __future__ import annotations

import argparse
import os
import shlex
from datetime import datetime
from pathlib import Path

from liveclf.cli.messages import say
from liveclf.cli.options import add_settings, resolve
from liveclf.config import TrainSettings, load, to_toml
from liveclf.errors import MissingExtraError, UsageError

INTERRUPTED = 130


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
        import keras
    except ImportError as error:
        raise MissingExtraError(
            f"Training needs {error.name or 'keras'}", 'pip install "liveclf[train]"'
        ) from error
    from liveclf.learn import CHECKPOINT
    from liveclf.learn.export import check_exporter
    from liveclf.learn.train import check_run

    run = arguments.run or Path("runs") / datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    go_on = f"liveclf train --run {shlex.quote(str(run))} --resume"
    # What can be known before hours of work is known before them.
    check_run(settings, run, resume=arguments.resume)
    backend = keras.backend.backend()
    exports = backend == "tensorflow"
    later = (
        f"liveclf: Keras on {backend} trains, but only TensorFlow writes the bundle; "
        f"after the training: KERAS_BACKEND=tensorflow {go_on}"
    )
    if exports:
        check_exporter()
    else:
        say(later)
    try:
        _work(settings, run, resume=arguments.resume, exports=exports)
    except KeyboardInterrupt:
        if not (run / CHECKPOINT).exists():
            raise
        say(f"liveclf: interrupted; go on with: {go_on}")
        return INTERRUPTED
    if not exports:
        say(later)
    return 0


def _work(settings: TrainSettings, run: Path, *, resume: bool, exports: bool) -> None:
    from liveclf.learn.export import write_bundle
    from liveclf.learn.feed import heldout
    from liveclf.learn.train import train

    check = heldout(settings.data, settings.fit.seed)
    model = train(settings, run, check, resume=resume, tell=_tell)
    if not exports:
        return
    info = write_bundle(model, run / "bundle", settings, check)
    for accuracy in info.accuracy:
        print(f"{accuracy.precision}: {accuracy.overall:.1%} on {accuracy.data}")
    print(f"{run / 'bundle'}")


def _tell(sentence: str) -> None:
    say(f"liveclf: {sentence}")


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
