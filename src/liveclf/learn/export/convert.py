"""A bundle's network for other runtimes: fp32 ONNX, SavedModel, LiteRT.

    model.keras -> written beside -> run on real windows -> moved to its place

What does not compute what the network computes is not left behind.
"""

from __future__ import annotations

import os
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from liveclf.errors import BundleError, MissingExtraError, SinkError, TrainingError, UsageError
from liveclf.model.bundle import KERAS_FILE, WINDOW_SAMPLES, Bundle
from liveclf.records import FloatArray

# Between networks that are the same but for rounding, over the largest logit.
TOLERANCE = 1e-4
_BATCH = 32

Predict = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Format:
    """Something that a network can be written as.

    Attributes:
        write: Called with the Keras model and the path.
        run: Returns what computes the logits of at most `_BATCH` windows; called with the
            path.
    """

    write: Callable[[Any, Path], None]
    run: Callable[[Path], Predict]


def convert(bundle: Bundle, form: str, out: Path, x: FloatArray) -> float:
    """Write the network of a bundle in another format, and compare the two.

    Args:
        bundle: With the Keras network.
        form: A key of `FORMATS`.
        out: File, or folder for a SavedModel; it must not be there.
        x: Windows to compare on, shape (n, 2, 1024) float32, unit mean power.

    Returns:
        The largest difference in logits.

    Raises:
        UsageError: `out` is there, or Keras runs on another backend than TensorFlow.
        MissingExtraError: A package is not installed.
        BundleError: Keras refuses the network.
        TrainingError: The two differ.
        SinkError: `out` cannot be written.
    """
    if out.exists():
        raise UsageError(f"--out {out} is there already; remove it, or choose another name.")
    check_backend()
    try:
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
            beside = Path(scratch) / out.name
            model = _load(bundle)
            FORMATS[form].write(model, beside)
            difference, largest = _compare(FORMATS[form].run(beside), model, x)
            if not difference < TOLERANCE * largest:  # nor if it is no number
                raise TrainingError(
                    f"The {form} export differs from the network by {difference:.2g} in logits "
                    f"of up to {largest:.2g}; it was not kept."
                )
            os.replace(beside, out)
    except OSError as error:
        reason = error.strerror or error
        raise SinkError(f"--out {out} cannot be written: {reason}.") from error
    return difference


def check_backend() -> None:
    """Make sure that Keras is there and runs on the one backend that exports.

    Raises:
        UsageError: It runs on another.
        MissingExtraError: It, or TensorFlow, is not installed.
    """
    asked = os.environ.get("KERAS_BACKEND", "tensorflow")
    if asked == "tensorflow":
        try:
            import keras
        except ImportError as error:
            raise MissingExtraError(
                f"Export needs {error.name or 'keras'}", 'pip install "liveclf[train]"'
            ) from error
        asked = keras.backend.backend()  # its configuration file may say otherwise
    if asked != "tensorflow":
        raise UsageError(
            f"Keras on {asked} does not export; run this with KERAS_BACKEND=tensorflow."
        )


def _load(bundle: Bundle) -> Any:
    import keras

    import liveclf.model.vgg16  # noqa: F401  registers the layers

    path = bundle.file(KERAS_FILE)
    try:
        return keras.models.load_model(path, compile=False)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        first_line = str(error).partition("\n")[0]
        raise BundleError(f"Keras cannot load {path}: {first_line}") from error


def _compare(run: Predict, model: Any, x: FloatArray) -> tuple[float, float]:
    """Return the largest difference between the two, and the largest logit."""
    batches = [x[k : k + _BATCH] for k in range(0, len(x), _BATCH)]
    got = np.concatenate([run(batch) for batch in batches])
    wanted = np.concatenate([np.asarray(model(batch, training=False)) for batch in batches])
    return float(np.max(np.abs(got - wanted))), float(np.max(np.abs(wanted)))


def _write_onnx(model: Any, path: Path) -> None:
    from liveclf.learn.export.bundling import export_onnx

    export_onnx(model, path)


def _run_onnx(path: Path) -> Predict:
    from liveclf.model.engines.onnx_engine import OnnxEngine

    return OnnxEngine(path, "fp32", _BATCH).predict


def _write_saved_model(model: Any, path: Path) -> None:
    model.export(path, format="tf_saved_model", verbose=False)


def _run_saved_model(path: Path) -> Predict:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    return lambda x: np.asarray(loaded.serve(x))


def _write_litert(model: Any, path: Path) -> None:
    import tensorflow as tf

    _litert_interpreter()  # before the work, whether it can be checked
    with tempfile.TemporaryDirectory() as scratch:
        _write_saved_model(model, Path(scratch))
        path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(scratch).convert())


def _run_litert(path: Path) -> Predict:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # TensorFlow's is to go one day
        interpreter = _litert_interpreter()(str(path))
    before = interpreter.get_input_details()[0]["index"]
    after = interpreter.get_output_details()[0]["index"]

    def predict(x: FloatArray) -> FloatArray:
        interpreter.resize_tensor_input(before, [len(x), 2, WINDOW_SAMPLES])
        interpreter.allocate_tensors()
        interpreter.set_tensor(before, x)
        interpreter.invoke()
        logits: FloatArray = interpreter.get_tensor(after)
        return logits

    return predict


def _litert_interpreter() -> Any:
    """Return LiteRT's interpreter, its own or the one that TensorFlow still brings.

    Raises:
        MissingExtraError: There is neither.
    """
    for module in ("ai_edge_litert.interpreter", "tensorflow.lite.python.interpreter"):
        try:
            return import_module(module).Interpreter
        except (ImportError, AttributeError):
            continue
    raise MissingExtraError(
        "Checking a LiteRT file needs ai-edge-litert", "pip install ai-edge-litert"
    )


FORMATS: dict[str, Format] = {
    "onnx-fp32": Format(_write_onnx, _run_onnx),
    "savedmodel": Format(_write_saved_model, _run_saved_model),
    "litert": Format(_write_litert, _run_litert),
}
