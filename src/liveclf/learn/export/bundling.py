"""From a trained model to a bundle: Keras file, ONNX fp32 and int8, temperatures, thresholds."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import platform
import tomllib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import keras
import numpy as np
from scipy.special import softmax

from liveclf import __version__
from liveclf.config import STUDENT_PRESET, TrainSettings, to_toml
from liveclf.errors import MissingExtraError, TrainingError
from liveclf.learn.data.material import Material
from liveclf.learn.data.truth import TruthSet
from liveclf.learn.export.layers import cut
from liveclf.learn.export.noise import NOISE, favour_noise, noise_windows
from liveclf.learn.export.quantise import quantise
from liveclf.learn.fit.teaching import networks_in
from liveclf.learn.score.calibrate import fit_temperature, fit_threshold
from liveclf.learn.score.evaluate import predict, score
from liveclf.model.bundle import (
    FORMAT,
    KERAS_FILE,
    LAYER_FILES,
    NORMALISATION,
    ONNX_FILES,
    WINDOW_SAMPLES,
    Accuracy,
    BundleInfo,
    write_info,
)
from liveclf.model.engines.onnx_engine import OnnxEngine
from liveclf.model.vgg16 import PRESETS, build_vgg16
from liveclf.records import FloatArray
from liveclf.signals.classes import FAMILY_OF

RATE_ADVICE = "2 to 16 samples per symbol: decimate a recording that is much wider than its signal"
OPSET = 17
_BATCH = 128


@dataclass(frozen=True)
class _Fitted:
    """What held-out windows say of one set of weights."""

    temperature: float
    threshold: float
    accuracy: Accuracy


def write_bundle(
    model: keras.Model,
    folder: Path,
    settings: TrainSettings,
    material: Material,
    name: str = "",
    noise_bias: float | None = None,
    student: float | None = None,
) -> BundleInfo:
    """Write everything that running the network needs.

    Args:
        model: Trained network; see `teaching.networks_in`.
        folder: Of the bundle; made if need be.
        settings: What it was trained with.
        material: What it was trained on: the first chunk gives the int8 ranges, the windows
            held out give temperatures, thresholds and accuracies.
        name: What to call the bundle; the preset if empty.
        noise_bias: What the model's logit of noise has been given by an earlier export;
            None for one that has just been trained.
        student: Width of the student that the model is; None if it is none.

    Raises:
        MissingExtraError: The ONNX exporter is not installed.
        TrainingError: The exported network does not agree with the model.
    """
    network, check = settings.network, material.check
    preset = network.preset if student is None else STUDENT_PRESET
    width = student or network.width or PRESETS[preset].width
    # Built anew: without optimiser, loss and students, in float32 whatever it was trained in.
    bare = build_vgg16(len(check.classes), preset, width)
    for layer in (layer for layer in bare.layers if layer.weights):
        layer.set_weights(model.get_layer(layer.name).get_weights())
    if noise_bias is None:
        noise_bias = _favour_noise(bare, settings, material)
    _write_networks(bare, folder, material)
    families = {name: FAMILY_OF.get(name, name) for name in check.classes}
    fitted = {
        precision: _fit(folder / file, precision, check, families, settings.fit.error_share)
        for precision, file in ONNX_FILES.items()
    }
    right = {precision: fit.accuracy.overall for precision, fit in fitted.items()}
    info = BundleInfo(
        format=FORMAT,
        name=name or preset,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        liveclf=__version__,
        classes=check.classes,
        families=families,
        window_samples=WINDOW_SAMPLES,
        normalisation=NORMALISATION,
        rate_advice=RATE_ADVICE,
        preset=preset,
        width=width,
        temperature={precision: fit.temperature for precision, fit in fitted.items()},
        min_probability=0.0,
        thresholds={precision: fit.threshold for precision, fit in fitted.items()},
        training=tomllib.loads(to_toml(settings)),
        data_sha256=material.fingerprint,
        split_seed=settings.fit.seed if material.split is not None else None,
        versions=_versions(),
        accuracy=tuple(fit.accuracy for fit in fitted.values()),
        noise_bias=round(noise_bias, 4),
        int8_loss=round(right["fp32"] - right["int8"], 4),
    )
    return write_info(folder, info)


def _favour_noise(bare: keras.Model, settings: TrainSettings, material: Material) -> float:
    """Return what the logit of noise was given, 0 where a data set of the user's says all."""
    fit, data, classes = settings.fit, settings.data, material.check.classes
    if material.data is not None or NOISE not in classes or fit.noise_share == 1:
        return 0.0
    windows = noise_windows(fit.seed, (data.snr_min_db, data.snr_max_db))
    return favour_noise(bare, windows, classes.index(NOISE), fit.noise_share)


def write_students(
    model: keras.Model, folder: Path, settings: TrainSettings, material: Material
) -> Iterator[tuple[Path, BundleInfo]]:
    """Write a bundle of each student beside that of its teacher, and yield where it is.

    Args:
        model: As the training left it.
        folder: Of the teacher's bundle.
        settings: What they were trained with.
        material: What they were trained on.
    """
    for width, student in zip(settings.network.students, networks_in(model)[1:], strict=True):
        beside = folder.with_name(f"{folder.name}-{width:g}")
        yield beside, write_bundle(student, beside, settings, material, student=width)


_COMPARED, _TIES = 128, 0.05


def _write_networks(bare: keras.Model, folder: Path, material: Material) -> None:
    """Write the Keras file and both ONNX files."""
    folder.mkdir(parents=True, exist_ok=True)
    bare.save(folder / KERAS_FILE)
    fp32, int8 = (folder / ONNX_FILES[precision] for precision in ("fp32", "int8"))
    export_onnx(bare, fp32)
    _check_same(bare, fp32, material.check.x[:_COMPARED])
    quantise(fp32, int8, material.chunks(0).x.astype(np.float32))
    if any(layer.name == "matched" for layer in bare.layers):
        write_layers(folder)


def write_layers(folder: Path) -> None:
    """Write what a bundle of a joint network has beside its ONNX files; see `layers`.

    Raises:
        TrainingError: The graph is another than expected.
    """
    for precision, file in LAYER_FILES.items():
        cut(folder / ONNX_FILES[precision], folder / file)


def _fit(
    file: Path, precision: str, check: TruthSet, families: dict[str, str], error_share: float
) -> _Fitted:
    """Fit temperature and threshold to a set of weights, and measure how good they are."""
    logits = predict(OnnxEngine(file, precision, _BATCH), check.x)
    temperature = round(fit_temperature(logits, check.y), 4)
    probability = np.max(softmax(logits / np.float32(temperature), axis=1), axis=1)
    right = np.argmax(logits, axis=1) == check.y
    threshold = fit_threshold(probability, right, error_share).min_probability
    accuracy = score(logits, check, check.classes, families).as_accuracy(precision)
    return _Fitted(temperature, threshold, accuracy)


def _versions() -> dict[str, str]:
    """Return the versions that a figure may depend on."""
    backend = keras.backend.backend()
    packages = {"numpy": "numpy", "onnxruntime": "onnxruntime", backend: backend}
    known = {
        "liveclf": __version__,
        "python": platform.python_version(),
        "keras": keras.__version__,
    }
    return known | {key: importlib.metadata.version(name) for key, name in packages.items()}


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
    model(np.zeros((1, 2, WINDOW_SAMPLES), np.float32))
    # The exporter prints its progress and warns of its own use of NumPy.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore", FutureWarning)
        model.export(path, format="onnx", opset_version=OPSET, verbose=False)


def _check_same(model: keras.Model, onnx_file: Path, x: FloatArray) -> None:
    """Compare the exported network with the model on real input."""
    got = OnnxEngine(onnx_file, "fp32", len(x)).predict(x)
    differences = np.max(np.abs(got - np.asarray(model(x, training=False))), axis=1)
    # Powers of sums in single precision, in another order. A few windows have two lines of a
    # spectrum so equally high that the order decides which is the higher one.
    difference = float(np.quantile(differences, 1 - _TIES))
    if not difference < 1e-2:
        raise TrainingError(
            f"The ONNX export differs from the model by {difference:.2g} in logits."
        )
