"""Keras on any of its backends, for GPUs; TensorFlow unless KERAS_BACKEND says otherwise."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from liveclf.config import ModelSettings
from liveclf.errors import BundleError, MissingExtraError, UsageError
from liveclf.model.bundle import KERAS_FILE, WINDOW_SAMPLES, Bundle
from liveclf.model.engines import batch_shapes, padded
from liveclf.protocols import Engine
from liveclf.records import FloatArray

_BATCH = 128  # where none is asked for


def open_engine(
    bundle: Bundle, settings: ModelSettings, tell: Callable[[str], None]
) -> tuple[Engine, str]:
    """Load the network in the precision it was trained in."""
    if settings.precision == "int8":
        raise UsageError("--precision int8 conflicts with --engine keras, which runs fp32 only.")
    if settings.threads > 0:
        raise UsageError(
            f"--threads {settings.threads} conflicts with --engine keras, "
            "which takes as many as its backend decides."
        )
    return KerasEngine(bundle.file(KERAS_FILE), settings.batch or _BATCH), "fp32"


class KerasEngine:
    """A compiled model with fixed batch shapes, each run once at load."""

    def __init__(self, path: Path, batch: int) -> None:
        """Load the network.

        Args:
            path: The .keras file.
            batch: Most windows per call.

        Raises:
            MissingExtraError: Keras or its backend is not installed.
            BundleError: Keras refuses the file.
        """
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up notes on stderr
        try:
            import keras

            import liveclf.model.vgg16  # noqa: F401  registers the pooling layer
        except ImportError as error:
            raise MissingExtraError(
                f"--engine keras needs {error.name or 'keras'}", 'pip install "liveclf[train]"'
            ) from error
        try:
            self._model = keras.models.load_model(path, compile=False)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            first_line = str(error).partition("\n")[0]
            raise BundleError(f"Keras cannot load {path}: {first_line}") from error
        # XLA pays on a GPU; on a CPU its convolutions are slower than oneDNN's.
        jit = keras.backend.backend() == "jax" or _has_gpu(keras.distribution)
        self._model.compile(jit_compile=jit)
        self._shapes = batch_shapes(batch)
        self.batch_size = batch
        self.name = f"keras fp32 on {keras.backend.backend()}"
        for n in self._shapes:
            self._model.predict_on_batch(np.zeros((n, 2, WINDOW_SAMPLES), np.float32))

    def predict(self, x: FloatArray) -> FloatArray:
        """Return logits (n, n_classes) of windows (n, 2, 1024), n at most `batch_size`."""
        return np.asarray(self._model.predict_on_batch(padded(x, self._shapes)))[: len(x)]


def _has_gpu(distribution: Any) -> bool:
    """Ask Keras; its JAX raises where there is none, and its PyTorch has no answer."""
    try:
        return bool(distribution.list_devices("gpu"))
    except (AttributeError, RuntimeError):
        return False
