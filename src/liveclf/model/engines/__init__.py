"""The engines that run a network, and the one table that names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    name, opened = settings.engine, None
    if name == "auto":
        name, opened = _auto(bundle, settings, tell)
    if settings.precision not in ("auto", *PRECISIONS[name]):
        raise UsageError(
            f"--precision {settings.precision} conflicts with --engine {name}, "
            f"which runs {' and '.join(PRECISIONS[name])}."
        )
    engine, precision = opened or _open(name, bundle, settings, tell)
    logits = engine.predict(np.zeros((1, 2, WINDOW_SAMPLES), np.float32))
    if logits.shape != (1, len(bundle.info.classes)):
        raise BundleError(
            f"Bundle {bundle.folder} names {len(bundle.info.classes)} classes, but its network "
            f"has {logits.shape[-1]} outputs; copy the bundle again."
        )
    return engine, precision


def _open(
    name: str, bundle: Bundle, settings: ModelSettings, tell: Callable[[str], None]
) -> tuple[Any, str]:
    opened: tuple[Any, str] = import_module(ENGINES[name]).open_engine(bundle, settings, tell)
    return opened


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
        if not _off_gpu(wide, settings):  # else `open_engine` says it, once
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


def _auto(
    bundle: Bundle, settings: ModelSettings, tell: Callable[[str], None]
) -> tuple[str, tuple[Any, str] | None]:
    """Return Keras where there is a GPU for it; TensorFlow is not imported where there is none.

    Returns:
        The name of an engine, and what it opened if it had to be opened for the choice.
    """
    if gpu_is_visible():
        reason = _off_gpu(bundle, settings)
        if not reason:
            return "keras", None
        tell(f"There is a GPU, but the network runs on the CPU: {reason}.")
    return _on_cpu(bundle, settings, tell)


def _off_gpu(bundle: Bundle, settings: ModelSettings) -> str:
    """Return what keeps the network off a GPU that is visible, empty if nothing does."""
    if reason := obstacle(bundle, settings):
        return reason
    try:
        if import_module(ENGINES["keras"]).finds_gpu():
            return ""
    except MissingExtraError as error:
        return str(error)
    return 'Keras finds no GPU: its CUDA libraries are missing (pip install "liveclf[gpu]")'


def _on_cpu(
    bundle: Bundle, settings: ModelSettings, tell: Callable[[str], None]
) -> tuple[str, tuple[Any, str] | None]:
    """Return the faster of ONNX Runtime and OpenVINO where both are installed, as measured."""
    if find_spec("openvino") is None or settings.precision == "mixed":
        return "onnx", None
    free = replace(settings, threads=Auto(0), batch=Auto(0))
    opened = {name: _open(name, bundle, free, tell) for name in ("onnx", "openvino")}
    fastest = max(opened, key=lambda name: opened[name][0].windows_per_s)
    kept = fastest if settings == free else ""
    for name, (engine, _) in opened.items():
        if name != kept:
            engine.close()
    return fastest, opened.get(kept)


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
