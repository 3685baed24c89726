"""ONNX Runtime, for CPUs and small boards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import onnxruntime as ort

from liveclf.config import ModelSettings
from liveclf.errors import BundleError
from liveclf.model.bundle import Bundle
from liveclf.model.engines.cpu import CpuEngine, Run, open_tuned
from liveclf.protocols import Engine
from liveclf.records import FloatArray


def open_engine(
    bundle: Bundle, settings: ModelSettings, tell: Callable[[str], None]
) -> tuple[Engine, str]:
    """Load the int8 network if there is one, or the one asked for."""
    return open_tuned(OnnxEngine, bundle, settings, tell)


class OnnxEngine(CpuEngine):
    """One session. A batch of any size is run as it is: no shape costs a compilation."""

    label, runtime = "onnx", f"onnxruntime {ort.__version__}"

    def _load(self, path: Path, threads: int) -> Run:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3  # its warnings are about graph clean-up
        try:
            session = ort.InferenceSession(str(path), options, ["CPUExecutionProvider"])
        except Exception as error:  # its exceptions share no other base
            raise BundleError(f"ONNX Runtime refuses {path}: {error}.") from error
        inputs = [value.name for value in session.get_inputs()]

        def run(given: Sequence[FloatArray]) -> FloatArray:
            logits: FloatArray = session.run(None, dict(zip(inputs, given, strict=True)))[0]
            return logits

        return run
