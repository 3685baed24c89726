"""From a trained model to a bundle: Keras file, ONNX fp32 and int8, temperatures."""

from __future__ import annotations

import contextlib
import io
import tempfile
import tomllib
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np

from liveclf import __version__
from liveclf.config import TrainSettings, to_toml
from liveclf.errors import MissingExtraError, TrainingError
from liveclf.learn.calibrate import fit_temperature
from liveclf.learn.evaluate import TruthSet, predict, score
from liveclf.model.bundle import (
    FORMAT,
    KERAS_FILE,
    NORMALISATION,
    ONNX_FILES,
    WINDOW_SAMPLES,
    BundleInfo,
    write_info,
)
from liveclf.model.engines.onnx_engine import OnnxEngine
from liveclf.model.vgg16 import PRESETS, build_vgg16
from liveclf.records import FloatArray
from liveclf.signals.classes import CLASSES, FAMILY_OF
from liveclf.signals.generator import Labelled

RATE_ADVICE = "2 to 16 samples per symbol: decimate a recording that is much wider than its signal"
OPSET = 17
_RANGE_WINDOWS = 512
_BATCH = 128


def write_bundle(
    model: keras.Model, folder: Path, settings: TrainSettings, check: Labelled, name: str = ""
) -> BundleInfo:
    """Write everything that running the network needs.

    Args:
        model: Trained network.
        folder: Of the bundle; made if need be.
        settings: What it was trained with.
        check: Windows that were not trained on: the first give the int8 ranges, the
            rest the temperatures and the accuracy on the generator.
        name: What to call the bundle; the preset if empty.

    Raises:
        MissingExtraError: The ONNX exporter is not installed.
        TrainingError: The exported network does not agree with the model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    network = settings.network
    # Built anew: without optimiser and loss, and in float32 whatever it was trained in.
    bare = build_vgg16(len(CLASSES), network.preset, network.width)
    bare.set_weights(model.get_weights())
    bare.save(folder / KERAS_FILE)
    x = check.x.astype(np.float32)
    export_onnx(bare, folder / ONNX_FILES["fp32"])
    _check_same(bare, folder / ONNX_FILES["fp32"], x[:32])
    quantise(folder, x[:_RANGE_WINDOWS])

    rest = slice(_RANGE_WINDOWS, None)
    held_out = TruthSet(
        "own generator, held out", x[rest], check.y[rest], _whole_tens(check.snr_db[rest]), CLASSES
    )
    temperature, measured = {}, []
    for precision, file in ONNX_FILES.items():
        logits = predict(OnnxEngine(folder / file, precision, _BATCH), held_out.x)
        temperature[precision] = round(fit_temperature(logits, held_out.y), 4)
        measured.append(score(logits, held_out, CLASSES, FAMILY_OF).as_accuracy(precision))

    return write_info(
        folder,
        BundleInfo(
            format=FORMAT,
            name=name or network.preset,
            created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            liveclf=__version__,
            classes=CLASSES,
            families=dict(FAMILY_OF),
            window_samples=WINDOW_SAMPLES,
            normalisation=NORMALISATION,
            rate_advice=RATE_ADVICE,
            preset=network.preset,
            width=network.width or PRESETS[network.preset].width,
            temperature=temperature,
            min_probability=0.0,
            training=tomllib.loads(to_toml(settings)),
            accuracy=tuple(measured),
        ),
    )


def check_exporter() -> None:
    """Make sure that an export will find what it needs.

    Raises:
        MissingExtraError: tf2onnx is not installed, or does not load.
    """
    try:
        import tf2onnx  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "Export to ONNX needs tf2onnx", 'pip install "liveclf[train]"'
        ) from error


def export_onnx(model: keras.Model, path: Path) -> None:
    """Write a model as fp32 ONNX with a dynamic batch axis.

    Raises:
        MissingExtraError: See `check_exporter`.
    """
    check_exporter()
    # The exporter wants a model that was called.
    model.predict_on_batch(np.zeros((1, 2, WINDOW_SAMPLES), np.float32))
    # The exporter prints its progress and warns of its own use of NumPy.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore", FutureWarning)
        model.export(path, format="onnx", opset_version=OPSET, verbose=False)


def quantise(folder: Path, x: FloatArray) -> None:
    """Make the int8 network: static, per channel, QDQ, 8-bit activations.

    Args:
        folder: With the fp32 ONNX.
        x: Windows from which the ranges of the activations are taken.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime is untyped
        def __init__(self) -> None:
            self._batches = iter(np.array_split(x, max(1, len(x) // 64)))

        def get_next(self) -> dict[str, Any] | None:
            batch = next(self._batches, None)
            return None if batch is None else {"iq": batch}

    with tempfile.TemporaryDirectory() as scratch:
        folded = Path(scratch) / "folded.onnx"  # batch norm folded into the convolutions
        quant_pre_process(folder / ONNX_FILES["fp32"], folded, skip_symbolic_shape=True)
        quantize_static(
            folded,
            folder / ONNX_FILES["int8"],
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


def _check_same(model: keras.Model, onnx_file: Path, x: FloatArray) -> None:
    """Compare the exported network with the model on real input."""
    got = OnnxEngine(onnx_file, "fp32", len(x)).predict(x)
    difference = float(np.max(np.abs(got - np.asarray(model.predict_on_batch(x)))))
    if not difference < 1e-3:
        raise TrainingError(
            f"The ONNX export differs from the model by {difference:.2g} in logits."
        )


def _whole_tens(snr_db: FloatArray) -> FloatArray:
    """Group a continuous SNR for reporting."""
    return (np.round(snr_db / 10) * 10 + 0.0).astype(np.float32)  # + 0: there is no SNR of -0
