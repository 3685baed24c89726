"""Keras on any of its backends, for GPUs; TensorFlow unless KERAS_BACKEND says otherwise."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.config import ModelSettings
from liveclf.errors import BundleError, MissingExtraError, UsageError
from liveclf.model.bundle import KERAS_FILE, Bundle
from liveclf.model.engines import batch_shapes, padded
from liveclf.protocols import DeviceEngine
from liveclf.records import FloatArray, SampleFormat

_BATCH = 128  # where none is asked for


def open_engine(
    bundle: Bundle, settings: ModelSettings, tell: Callable[[str], None]
) -> tuple[DeviceEngine, str]:
    """Load the network; on a GPU the convolutions compute in half precision."""
    if settings.threads > 0:
        raise UsageError(
            f"--threads {settings.threads} conflicts with --engine keras, "
            "which takes as many as its backend decides."
        )
    precision = settings.precision
    if precision == "auto":
        precision = "mixed" if finds_gpu() else "fp32"
    return KerasEngine(bundle.file(KERAS_FILE), settings.batch or _BATCH, precision), "fp32"


def finds_gpu() -> bool:
    """Start the backend and ask it.

    Raises:
        MissingExtraError: Keras or its backend is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up notes on stderr
    # JAX would take three quarters of the GPU's memory; of TensorFlow see `prepare_backend`.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    try:
        import keras  # noqa: F401

        from liveclf.model.compiled import has_gpu, prepare_backend

        prepare_backend()
        return has_gpu()
    except ImportError as error:
        raise MissingExtraError(
            f"--engine keras needs {error.name or 'keras'}", 'pip install "liveclf[train]"'
        ) from error


class KerasEngine:
    """A compiled model with fixed batch shapes, each run once at load; a `DeviceEngine`."""

    def __init__(self, path: Path, batch: int, precision: str = "fp32") -> None:
        """Load the network.

        Args:
            path: The .keras file.
            batch: Most windows per call.
            precision: fp32, or mixed: convolutions in half precision, all else fp32.

        Raises:
            MissingExtraError: Keras or its backend is not installed.
            BundleError: Keras refuses the file.
        """
        # float16 has three bits more than bfloat16, and behind a normalisation its range does.
        half = "float16" if finds_gpu() else "bfloat16"
        import keras

        from liveclf.model.compiled import Compiled
        from liveclf.model.fold import folded

        policy = f"mixed_{half}" if precision == "mixed" else "float32"
        self._shapes = batch_shapes(batch)
        self._network = Compiled(folded(_load(path), policy), self._shapes)
        self._offsets: dict[np.dtype[Any], float] = {}  # of native windows
        self.batch_size = int(batch)
        shown = f"mixed {half}" if precision == "mixed" else precision
        self.name = f"keras {shown} on {keras.backend.backend()}"

    def accept(self, fmt: SampleFormat) -> bool:
        """Return whether windows of this format are normalised on the device."""
        from liveclf.model.compiled import NATIVE_DTYPES

        # Two formats of one type and two offsets could not be told apart.
        known = fmt.dtype in NATIVE_DTYPES
        return known and self._offsets.setdefault(fmt.dtype, fmt.offset) == fmt.offset

    def submit(self, x: NDArray[Any]) -> Callable[[], FloatArray]:
        """Begin to run windows (n, 2, 1024), or native ones (n, 1024, 2)."""
        n, offset = len(x), self._offsets.get(x.dtype, 0.0)
        logits = self._network(padded(x, self._shapes), offset)
        return lambda: np.asarray(logits)[:n]

    def predict(self, x: NDArray[Any]) -> FloatArray:
        """Return logits (n, n_classes), n at most `batch_size`."""
        return self.submit(x)()


def _load(path: Path) -> Any:
    import keras

    import liveclf.model.vgg16  # noqa: F401  registers the layers

    try:
        return keras.models.load_model(path, compile=False)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        first_line = str(error).partition("\n")[0]
        raise BundleError(f"Keras cannot load {path}: {first_line}") from error
