"""`liveclf evaluate`: a bundle against a labelled data set."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from liveclf.config import ModelSettings

if TYPE_CHECKING:
    from liveclf.learn.evaluate import Score


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument("bundle", help="name of a bundle in the package, or a bundle folder")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="FILE", help="HDF5 with X, Y and, if known, Z"
    )
    parser.add_argument("--engine", default=ModelSettings().engine, help="auto, onnx or keras")
    parser.add_argument("--precision", default=ModelSettings().precision, help="auto, fp32 or int8")
    parser.add_argument(
        "--radioml", action="store_true", help="score the 24 classes of RadioML 2018.01A only"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")


def execute(arguments: argparse.Namespace) -> int:
    """Measure, and print accuracies."""
    from liveclf.learn.datasets import read_hdf5
    from liveclf.learn.evaluate import predict, score
    from liveclf.model.bundle import load_bundle
    from liveclf.model.engines import open_engine
    from liveclf.signals.classes import RADIOML_2018_CLASSES

    bundle = load_bundle(arguments.bundle)
    settings = ModelSettings(engine=arguments.engine, precision=arguments.precision)
    engine, _ = open_engine(bundle, settings)
    truth = read_hdf5(arguments.data)
    only = RADIOML_2018_CLASSES if arguments.radioml else None
    result = score(predict(engine, truth.x), truth, bundle.info.classes, bundle.info.families, only)
    if arguments.json:
        print(msgspec.json.encode(result).decode())
    else:
        _print(result, engine.name)
    return 0


def _print(result: Score, engine: str) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print(
        f"{result.data}, {result.n} windows, {engine}: "
        f"{result.overall:.1%} right, family {result.family:.1%}",
        highlight=False,
    )
    for title, rows in (("SNR dB", result.by_snr), ("class", result.by_class)):
        table = Table(title, "windows", "right", "family right")
        for key, (n, right, family) in rows.items():
            name = f"{key:g}" if isinstance(key, float) else key
            table.add_row(name, str(n), f"{right:.1%}", f"{family:.1%}")
        console.print(table)
