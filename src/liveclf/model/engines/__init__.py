"""The engines that run a network, and the one table that names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from liveclf.config import Auto, ModelSettings
from liveclf.errors import BundleError, MissingExtraError, UsageError
from liveclf.model.bundle import WIDE, WINDOW_SAMPLES, Bundle, load_bundle
from liveclf.model.engines.choice import gpu_is_visible, obstacle
from liveclf.protocols import Engine

# name -> module with `open_engine(bundle, settings, tell) -> (engine, precision)`
ENGINES = {
    "onnx": "liveclf.model.engines.onnx_engine",
    "openvino": "liveclf.model.engines.openvino_engine",
    "keras": "liveclf.model.engines.keras_engine",
}
# What each can be told to run.
_ON_CPU = ("fp32", "int8")
PRECISIONS = {"onnx": _ON_CPU, "openvino": _ON_CPU, "keras": ("fp32", "mixed")}


def open_engine(
    bundle: Bundle, settings: ModelSettings, tell: Callable[[str], None] = lambda line: None
) -> tuple[Engine, str]:
    """Load and warm up the engine of the settings.

    Args:
        bundle: Holds the network.
        settings: Which engine, and how it runs.
        tell: Takes a sentence for the user, if something is worth one.

    Returns:
        The engine, and the precision of its weights, fp32 or int8.

    Raises:
        UsageError: Unknown engine or precision, or the engine cannot run that precision.
        MissingExtraError: What the engine needs is not installed.
        BundleError: The bundle has no file for it, or names more or fewer classes than the
            network has logits.
    """
    _check_names(settings)
    name = _auto(bundle, settings, tell) if settings.engine == "auto" else settings.engine
    if settings.precision not in ("auto", *PRECISIONS[name]):
        raise UsageError(
            f"--precision {settings.precision} conflicts with --engine {name}, "
            f"which runs {' and '.join(PRECISIONS[name])}."
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


def find_bundle(settings: ModelSettings) -> Bundle:
    """Load the bundle of the settings; "auto" is the wide one where a GPU will run it.

    Two cores run the slim one at 2.4 MS/s and the wide one at half of that; a GPU runs the wide
    one at hundreds of MS/s.

    Raises:
        BundleError: See `load_bundle`.
    """
    may_use_gpu = settings.engine in ("auto", "keras") and gpu_is_visible()
    if settings.bundle == "auto" and may_use_gpu:
        wide = load_bundle(WIDE)
        with suppress(MissingExtraError):  # `open_engine` says it, once
            if not obstacle(wide, settings) and import_module(ENGINES["keras"]).finds_gpu():
                return wide
    return load_bundle(settings.bundle)


def _check_names(settings: ModelSettings) -> None:
    if settings.engine not in ("auto", *ENGINES):
        raise UsageError(
            f"--engine {settings.engine!r} is not known; choose auto or {', '.join(ENGINES)}."
        )
    known = dict.fromkeys(name for names in PRECISIONS.values() for name in names)
    if settings.precision not in ("auto", *known):
        raise UsageError(
            f"--precision {settings.precision!r} is not known; choose auto or {', '.join(known)}."
        )


def _auto(bundle: Bundle, settings: ModelSettings, tell: Callable[[str], None]) -> str:
    """Return Keras where there is a GPU for it; TensorFlow is not imported where there is none."""
    if not gpu_is_visible():
        return _on_cpu(bundle, settings, tell)
    reason = obstacle(bundle, settings)
    if not reason:
        try:
            if import_module(ENGINES["keras"]).finds_gpu():
                return "keras"
            reason = (
                'Keras finds no GPU: its CUDA libraries are missing (pip install "liveclf[gpu]")'
            )
        except MissingExtraError as error:
            reason = str(error)
    tell(f"There is a GPU, but the network runs on the CPU: {reason}.")
    return _on_cpu(bundle, settings, tell)


def _on_cpu(bundle: Bundle, settings: ModelSettings, tell: Callable[[str], None]) -> str:
    """Return the faster of ONNX Runtime and OpenVINO where both are installed, as measured."""
    if find_spec("openvino") is None or settings.precision == "mixed":
        return "onnx"
    free = replace(settings, threads=Auto(0), batch=Auto(0))
    rates = {}
    for name in ("onnx", "openvino"):
        engine, _ = import_module(ENGINES[name]).open_engine(bundle, free, tell)
        rates[name] = engine.windows_per_s
        engine.close()
    return max(rates, key=lambda name: rates[name])


def batch_shapes(largest: int) -> tuple[int, ...]:
    """Return the batch sizes that an engine runs: few, so that each can be warmed up."""
    return tuple(sorted({n for n in (1, 8, 32) if n < largest} | {largest}))


def padded(x: NDArray[Any], shapes: Sequence[int]) -> NDArray[Any]:
    """Fill a batch up with zeros to the smallest of `shapes` that holds it.

    Args:
        x: Windows, shape (n, ...), n at most the last of `shapes`.
        shapes: Batch sizes, ascending.
    """
    missing = next(size for size in shapes if size >= len(x)) - len(x)
    return np.concatenate([x, np.zeros((missing, *x.shape[1:]), x.dtype)]) if missing else x
