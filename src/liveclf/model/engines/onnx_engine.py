"""ONNX Runtime, for CPUs and small boards."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnxruntime as ort

from liveclf.config import ModelSettings
from liveclf.errors import BundleError
from liveclf.model.bundle import ONNX_FILES, WINDOW_SAMPLES, Bundle
from liveclf.model.engines import batch_shapes, padded
from liveclf.protocols import Engine
from liveclf.records import FloatArray


def open_engine(bundle: Bundle, settings: ModelSettings) -> tuple[Engine, str]:
    """Load the int8 network if there is one, or the one asked for."""
    precision = settings.precision
    if precision == "auto":
        precision = "int8" if ONNX_FILES["int8"] in bundle.info.files else "fp32"
    path = bundle.file(ONNX_FILES[precision])
    return OnnxEngine(path, precision, settings.batch, settings.threads), precision


class OnnxEngine:
    """A session with fixed batch shapes, each run once at load."""

    def __init__(self, path: Path, precision: str, batch: int, threads: int = 0) -> None:
        """Load the network.

        Args:
            path: The ONNX file.
            precision: What to call it, fp32 or int8.
            batch: Most windows per call.
            threads: 0 for one per core.

        Raises:
            BundleError: ONNX Runtime refuses it.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or _cores()
        options.log_severity_level = 3  # its warnings are about graph clean-up
        # Threads that spin between calls would take the cores from the framer.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(str(path), options, ["CPUExecutionProvider"])
        except Exception as error:  # its exceptions share no other base
            raise BundleError(f"ONNX Runtime refuses {path}: {error}.") from error
        self._input = self._session.get_inputs()[0].name
        self._shapes = batch_shapes(batch)
        self.batch_size = batch
        self.name = f"onnx {precision}, {options.intra_op_num_threads} threads"
        for n in self._shapes:
            self._run(np.zeros((n, 2, WINDOW_SAMPLES), np.float32))

    def predict(self, x: FloatArray) -> FloatArray:
        """Return logits (n, n_classes) of windows (n, 2, 1024), n at most `batch_size`."""
        return self._run(padded(x, self._shapes))[: len(x)]

    def _run(self, x: FloatArray) -> FloatArray:
        logits: FloatArray = self._session.run(None, {self._input: x})[0]
        return logits


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
