"""`liveclf export`: the network of a bundle for other runtimes."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

from liveclf.config import SourceSettings
from liveclf.learn.export.convert import FORMATS
from liveclf.records import FloatArray


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument("bundle", help="name of a bundle in the package, or a bundle folder")
    parser.add_argument("--to", required=True, choices=FORMATS, help="what to write")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="PATH", help="file, or folder of a SavedModel"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Write, and say how far the result is from the network."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up notes on stderr
    from liveclf.learn.export.convert import convert
    from liveclf.model.bundle import load_bundle

    bundle = load_bundle(arguments.bundle)
    x = _demonstration(bundle.info.window_samples)
    difference = convert(bundle, arguments.to, arguments.out, x)
    print(
        f"{arguments.out}: {bundle.info.name} as {arguments.to}; on {len(x)} windows of the "
        f"recording in the package its logits differ by {difference:.1e} at most"
    )
    return 0


def _demonstration(window_samples: int) -> FloatArray:
    """Return all windows of the recording in the package, as the network sees them."""
    from liveclf.dsp.framer import Framer
    from liveclf.sources import open_source

    source = open_source(SourceSettings(checksum=False))  # any windows do
    framer = Framer(window_samples)
    try:
        return np.concatenate([w.x for block in source.blocks() for w in framer.push(block)])
    finally:
        source.close()
