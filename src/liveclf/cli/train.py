"""`liveclf train`: settings -> run folder -> bundle."""

from __future__ import annotations

import argparse
import os
import shlex
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from liveclf.cli.messages import say
from liveclf.cli.options import add_flags, add_settings, resolve, resolve_flags
from liveclf.config import ClusterSettings, TogetherSettings, TrainSettings, load, to_toml
from liveclf.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from liveclf.learn.together.cluster import Cluster
    from liveclf.model.bundle import BundleInfo

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
    add_flags(parser, TogetherSettings)


def execute(arguments: argparse.Namespace) -> int:
    """Train, write the bundle and say where it is."""
    together = resolve_flags(arguments, TogetherSettings).cluster
    # What another machine resumes is on machine 0, and comes from there.
    elsewhere = bool(together.rank and arguments.resume)
    settings = None if elsewhere else _settings(arguments)
    if arguments.show_config and settings:
        print(to_toml(settings), end="")
        return 0
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up notes on stderr
    try:
        import keras
    except ImportError as error:
        raise MissingExtraError(
            f"Training needs {error.name or 'keras'}", 'pip install "liveclf[train]"'
        ) from error
    from liveclf.learn.fit.train import check_run

    run = arguments.run or Path("runs") / datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    # What can be known before hours of work is known before them.
    if settings and not together.rank:
        check_run(settings, run, resume=arguments.resume)
    if settings:
        _refuse_conflicts(settings, together)
    if together.address:
        return _together(together, settings, run, resume=arguments.resume)
    assert settings is not None  # only another machine lacks them
    if settings.network.recipe == "as-posted":
        return _as_posted(settings, run)
    return _ours(settings, run, keras.backend.backend(), resume=arguments.resume)


def _together(
    together: ClusterSettings, settings: TrainSettings | None, run: Path, *, resume: bool
) -> int:
    """Train with other machines; only machine 0 has something to go on with."""
    from liveclf.learn import CONFIG
    from liveclf.learn.together.cluster import card_of, joined

    card = card_of(together, settings, resume=resume)
    with joined(together, card, run, _tell, resume=resume) as cluster:
        settings = settings or load(TrainSettings, cluster.run / CONFIG, {})
        if cluster.writes:
            return _ours(settings, run, "jax", resume=resume, cluster=cluster)
        _work(settings, cluster.run, resume=resume, exports=False, cluster=cluster)
    return 0


def _ours(
    settings: TrainSettings,
    run: Path,
    backend: str,
    *,
    resume: bool,
    cluster: Cluster | None = None,
) -> int:
    """Train, and say how to go on where something is left to do."""
    from liveclf.learn import CHECKPOINT
    from liveclf.learn.export.bundling import check_exporter

    go_on = f"liveclf train --run {shlex.quote(str(run))} --resume"
    exports = backend == "tensorflow"
    later = (
        f"Keras on {backend} trains, but only TensorFlow writes the bundle; "
        f"after the training: KERAS_BACKEND=tensorflow {go_on}"
    )
    if exports:
        check_exporter()
    else:
        _tell(later)
    try:
        _work(settings, run, resume=resume, exports=exports, cluster=cluster)
    except KeyboardInterrupt:
        if not (run / CHECKPOINT).exists() or cluster:
            raise
        _tell(f"interrupted; go on with: {go_on}")
        return INTERRUPTED
    if not exports:
        _tell(later)
    return 0


def _work(
    settings: TrainSettings,
    run: Path,
    *,
    resume: bool,
    exports: bool,
    cluster: Cluster | None = None,
) -> None:
    from liveclf.cli.tuning import is_of_recordings, read_recordings, tell_changes
    from liveclf.learn.data.material import gather
    from liveclf.learn.export.bundling import write_bundle, write_students
    from liveclf.learn.fit.train import train
    from liveclf.learn.score.change import changes, measure
    from liveclf.model.bundle import OF_RUN, load_bundle, write_info

    recorded = read_recordings(settings, _tell) if is_of_recordings(settings) else None
    material = gather(settings, run, _tell, resume=resume, recorded=recorded)
    before = measure(load_bundle(settings.network.start), material) if recorded else []
    if cluster and material.data:
        cluster.same("the file of --data", material.fingerprint)
    model = train(settings, run, material, _tell, resume=resume, cluster=cluster)
    if not exports:
        return
    info = write_bundle(model, run / OF_RUN, settings, material)
    if recorded:
        found = changes(before, measure(load_bundle(str(run / OF_RUN)), material))
        write_info(run / OF_RUN, replace(info, tuned=found))
        tell_changes(found, _tell)
    _print(info, run / OF_RUN)
    for folder, of_student in write_students(model, run / OF_RUN, settings, material):
        _print(of_student, folder)


def _print(info: BundleInfo, folder: Path) -> None:
    for accuracy in info.accuracy:
        print(f"{accuracy.precision}: {accuracy.overall:.1%} on {accuracy.data}")
    print(f"{folder}")


def _as_posted(settings: TrainSettings, run: Path) -> int:
    from liveclf.learn.posted.run import run_as_posted

    history = run_as_posted(settings, run, _tell).history
    print(
        f"as posted: loss {history['loss'][-1]:.4f}, accuracy {history['accuracy'][-1]:.4f}, in "
        f"validation {history['val_loss'][-1]:.4f}, {history['val_accuracy'][-1]:.4f}"
    )
    print(f"{run}")
    return 0


def _tell(sentence: str) -> None:
    say(f"liveclf: {sentence}")


def _refuse_conflicts(settings: TrainSettings, together: ClusterSettings) -> None:
    """Refuse what is of recordings where there are none, and the reverse."""
    from liveclf.cli.tuning import is_of_recordings  # SciPy, which `--help` does without

    recordings = is_of_recordings(settings)
    if recordings and together.address:
        raise UsageError(
            f"--cluster trains on windows only, and --data {settings.data.file} is recordings."
        )
    if not settings.data.checksum and not recordings:
        raise UsageError(
            f"--no-checksum is for recordings, and --data {settings.data.file or '(none)'} is none."
        )
    if settings.network.added and not recordings:
        raise UsageError(
            f"--add-class {settings.network.added[0]} is of recordings, and --data "
            f"{settings.data.file or '(none)'} is none; the classes of an HDF5 are its own."
        )


def _settings(arguments: argparse.Namespace) -> TrainSettings:
    return _settings_of(arguments) if arguments.resume else _resolved(arguments)


def _resolved(arguments: argparse.Namespace) -> TrainSettings:
    """Return the settings of a new run, its files found from any folder it is resumed in."""
    from liveclf.cli.tuning import defaults_of, is_of_recordings

    settings = resolve(arguments, TrainSettings)
    if is_of_recordings(settings):
        settings = resolve(arguments, TrainSettings, defaults_of(settings))
        if Path(settings.network.start).exists():  # a resumed run measures it again
            start = str(Path(settings.network.start).resolve())
            settings = replace(settings, network=replace(settings.network, start=start))
    data = settings.data
    if not data.file:
        return settings
    named = {"file": data.file, "class_file": data.class_file}
    paths = {key: str(Path(name).resolve()) for key, name in named.items() if name}
    return replace(settings, data=replace(data, **paths))


def _settings_of(arguments: argparse.Namespace) -> TrainSettings:
    """Return the settings that a run began with; a resumed run has no others."""
    from liveclf.learn import CONFIG

    if arguments.run is None:
        raise UsageError("--resume needs --run DIR, the run to go on with.")
    given = sorted(
        k
        for k, v in vars(arguments).items()
        if "." in k and not k.startswith("cluster.") and v is not None
    )
    if given or arguments.config:
        also = ", ".join([*given, *(["--config"] if arguments.config else [])])
        raise UsageError(f"--resume conflicts with {also}: a run goes on with its own settings.")
    if not (arguments.run / CONFIG).is_file():
        raise UsageError(f"--run {arguments.run}: there is no run to resume, {CONFIG} is missing.")
    return load(TrainSettings, arguments.run / CONFIG, {})
