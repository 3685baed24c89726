"""The engines that run a network, and the one table that names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module

import numpy as np

from liveclf.config import ModelSettings
from liveclf.errors import BundleError, UsageError
from liveclf.model.bundle import WINDOW_SAMPLES, Bundle
from liveclf.protocols import Engine
from liveclf.records import FloatArray

# name -> module with `open_engine(bundle, settings, tell) -> (engine, precision)`
ENGINES = {
    "onnx": "liveclf.model.engines.onnx_engine",
    "keras": "liveclf.model.engines.keras_engine",
}
PRECISIONS = ("fp32", "int8")


def open_engine(
    bundle: Bundle, settings: ModelSettings, tell: Callable[[str], None] = lambda line: None
) -> tuple[Engine, str]:
    """Load and warm up the engine of the settings.

    Args:
        bundle: The network.
        settings: Which engine, and how it runs.
        tell: Takes a line for the user, if something is worth one.

    Returns:
        The engine, and the precision of its weights, fp32 or int8.

    Raises:
        UsageError: Unknown engine or precision, or the engine cannot run that precision.
        MissingExtraError: What the engine needs is not installed.
        BundleError: The bundle has no file for it, or names more or fewer classes than the
            network has logits.
    """
    name = "onnx" if settings.engine == "auto" else settings.engine
    if name not in ENGINES:
        raise UsageError(f"--engine {name!r} is not known; choose auto or {', '.join(ENGINES)}.")
    if settings.precision not in ("auto", *PRECISIONS):
        raise UsageError(
            f"--precision {settings.precision!r} is not known; "
            f"choose auto or {', '.join(PRECISIONS)}."
        )
    open_named: Callable[[Bundle, ModelSettings, Callable[[str], None]], tuple[Engine, str]]
    open_named = import_module(ENGINES[name]).open_engine
    engine, precision = open_named(bundle, settings, tell)
    logits = engine.predict(np.zeros((1, 2, WINDOW_SAMPLES), np.float32))
    if logits.shape != (1, len(bundle.info.classes)):
        raise BundleError(
            f"Bundle {bundle.folder} names {len(bundle.info.classes)} classes, but its network "
            f"has {logits.shape[-1]} outputs; copy the bundle again."
        )
    return engine, precision


def batch_shapes(largest: int) -> tuple[int, ...]:
    """Return the batch sizes that an engine runs: few, so that each can be warmed up."""
    return tuple(sorted({n for n in (1, 8, 32) if n < largest} | {largest}))


def padded(x: FloatArray, shapes: Sequence[int]) -> FloatArray:
    """Fill a batch up with zeros to the smallest of `shapes` that holds it.

    Args:
        x: Windows, shape (n, 2, window) float32, n at most the last of `shapes`.
        shapes: Batch sizes, ascending.
    """
    missing = next(size for size in shapes if size >= len(x)) - len(x)
    return np.concatenate([x, np.zeros((missing, *x.shape[1:]), np.float32)]) if missing else x
