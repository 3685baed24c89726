"""`liveclf evaluate`: a bundle against labelled windows, of data sets or recordings."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from liveclf.cli.messages import say
from liveclf.config import (
    DetectSettings,
    ModelSettings,
    RunSettings,
    SourceSettings,
    WindowSettings,
    load,
)
from liveclf.errors import UsageError

if TYPE_CHECKING:
    from liveclf.cli.answering import Choice
    from liveclf.learn.score.verdicts import Network
    from liveclf.model.bundle import BundleInfo

TEST = "test"
PARTS = ("train", "validation", TEST)
# Settings of recordings that are flags here.
_SOURCE = SourceSettings()
_RECORDING = {
    "decimate": _SOURCE.decimate,
    "checksum": _SOURCE.checksum,
    "hop": WindowSettings().hop,
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument("bundle", help="name of a bundle in the package, or a bundle folder")
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        action="append",
        metavar="FILE",
        help="HDF5 with X, Y and, if known, Z, or a SigMF recording whose annotations name its "
        "modulations; may be given several times",
    )
    parser.add_argument("--classes", type=Path, metavar="FILE", help="class names of an HDF5")
    parser.add_argument(
        "--split", type=Path, metavar="FILE", help="split of the HDF5, as a training run wrote it"
    )
    parser.add_argument("--part", choices=PARTS, help=f"rows of --split (default: {TEST})")
    parser.add_argument(
        "--ignore-unknown",
        action="store_true",
        help="measure how classes that the bundle does not know are rejected",
    )
    parser.add_argument(
        "--radioml", action="store_true", help="score the 24 classes of RadioML 2018.01A only"
    )
    model = ModelSettings()
    parser.add_argument("--engine", default=model.engine, help="auto, onnx or keras")
    parser.add_argument("--precision", default=model.precision, help="auto, fp32, int8 or mixed")
    parser.add_argument(
        "--decimate",
        type=int,
        default=_RECORDING["decimate"],
        metavar="N",
        help="of recordings: low-pass and keep one sample of N (default: %(default)s)",
    )
    parser.add_argument(
        "--hop",
        type=int,
        metavar="N",
        help="of recordings: samples from one window to the next; none: the window length",
    )
    parser.add_argument(
        "--checksum",
        action=argparse.BooleanOptionalAction,
        default=_RECORDING["checksum"],
        help="of recordings: verify the SHA-512 before they are read (default: %(default)s)",
    )
    parser.add_argument(
        "--detect",
        action=argparse.BooleanOptionalAction,
        default=DetectSettings().wanted,
        help="of recordings: also find their emissions, as run does, and compare these with the "
        "annotations (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write evaluation.json, pictures and report.html"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Measure, and print accuracies."""
    settings = _settings(arguments)
    from liveclf.cli.answering import Work, progress
    from liveclf.cli.evaluation_tables import print_figures
    from liveclf.learn.score.found import score_found
    from liveclf.learn.score.groups import pooled
    from liveclf.learn.score.measure import evaluate
    from liveclf.learn.score.report import figures, prepare, write_report
    from liveclf.model.bundle import load_bundle
    from liveclf.model.engines import open_engine

    bundle = load_bundle(arguments.bundle)
    engine, precision = open_engine(bundle, settings.model)
    network = _network(bundle.info, engine.name, precision)
    if arguments.out:
        prepare(arguments.out)
    with progress() as begin:
        choice = _choice(arguments)
        work = Work(choice, settings, engine, network, bundle.info.data_sha256, begin)
        parts = [work.answer(path) for path in arguments.data]
    notes = [note for _, told in parts for note in told]
    answered = [answers for answers, _ in parts if answers]
    evaluation = evaluate(pooled(answered), network, notes) if answered else None
    # A note is told once: of windows where there are any.
    emissions = score_found(work.outcomes, () if answered else notes) if work.outcomes else None
    if arguments.json:
        print(figures(evaluation, emissions).decode())
    else:
        print_figures(evaluation, emissions)
    if arguments.out:
        say(f"report: {write_report(evaluation, arguments.out, emissions)}")
    return 0


def _settings(arguments: argparse.Namespace) -> RunSettings:
    """Return the settings of engine and recordings.

    Raises:
        UsageError: A value is out of range, or flags do not go together.
    """
    from liveclf.cli.annotated import is_recording

    recordings = [is_recording(path) for path in arguments.data]
    asked = {key: getattr(arguments, key) for key in _RECORDING}
    of_recordings = [
        f"--no-{key}" if value is False else f"--{key}"
        for key, value in asked.items()
        if value != _RECORDING[key]
    ]
    if of_recordings and not any(recordings):
        raise UsageError(f"{of_recordings[0]} is for recordings, and no --data is one.")
    if arguments.classes and all(recordings):
        raise UsageError("--classes is for HDF5, and no --data is one.")
    if arguments.part and not arguments.split:
        raise UsageError(f"--part {arguments.part} is of a split; give it with --split FILE.")
    if arguments.split and recordings != [False]:
        raise UsageError("--split is of one HDF5; give that alone with --data.")
    hop = {} if arguments.hop is None else {"hop": arguments.hop}
    flags = {
        "model": {
            "bundle": arguments.bundle,
            "engine": arguments.engine,
            "precision": arguments.precision,
        },
        "source": {"decimate": arguments.decimate, "checksum": arguments.checksum},
        "detect": {"wanted": False},  # of the windows
        "window": hop,
    }
    return load(RunSettings, None, flags)


def _choice(arguments: argparse.Namespace) -> Choice:
    from liveclf.cli.answering import Choice
    from liveclf.signals.classes import RADIOML_2018_CLASSES

    return Choice(
        class_file=arguments.classes,
        split=arguments.split,
        part=arguments.part or TEST,
        only=RADIOML_2018_CLASSES if arguments.radioml else None,
        ignore_unknown=arguments.ignore_unknown,
        finds=arguments.detect,
    )


def _network(info: BundleInfo, engine: str, precision: str) -> Network:
    from liveclf.learn.score.verdicts import Network

    return Network(
        name=info.name,
        engine=engine,
        precision=precision,
        classes=info.classes,
        families=info.families,
        temperature=info.temperature[precision],
        min_probability=info.threshold(precision),
    )
