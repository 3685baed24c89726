"""ONNX Runtime, for CPUs and small boards."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime as ort

from liveclf.config import ModelSettings
from liveclf.errors import BundleError
from liveclf.model.bundle import LAYER_FILES, ONNX_FILES, WINDOW_SAMPLES, Bundle
from liveclf.model.engines.tuning import Key, cpu_model, tuned
from liveclf.protocols import Engine
from liveclf.records import FloatArray

# Windows to the other inputs of the layers with weights; see `blind.front`.
Front = Callable[[FloatArray], tuple[FloatArray, ...]]

_SHORT_S = 2.0  # a wait that needs no explanation


def open_engine(
    bundle: Bundle, settings: ModelSettings, tell: Callable[[str], None]
) -> tuple[Engine, str]:
    """Load the int8 network if there is one, or the one asked for."""
    precision = quickest(bundle) if settings.precision == "auto" else settings.precision
    engine, file = engine_of(bundle, precision, settings.batch or 1, settings.threads, tell)
    if not settings.threads or not settings.batch:
        key = Key(
            network=bundle.info.files[file],
            runtime=f"onnxruntime {ort.__version__}",
            cpu=cpu_model(),
            cores=cores(),
            threads=int(settings.threads),
            batch=int(settings.batch),
        )
        choice = tuned(key, engine, tell)
        engine.use(choice.threads, choice.batch)
    engine.predict(np.zeros((engine.batch_size, 2, WINDOW_SAMPLES), np.float32))  # allocates
    return engine, precision


def quickest(bundle: Bundle) -> str:
    """Return the precision that a CPU runs fastest of those that a bundle has."""
    return "int8" if bundle.has("int8") else "fp32"


def engine_of(
    bundle: Bundle, precision: str, batch: int, threads: int, tell: Callable[[str], None]
) -> tuple[OnnxEngine, str]:
    """Load the layers behind what is compiled here, or the whole network.

    Returns:
        The engine, and the name of its file.

    Raises:
        BundleError: The bundle has no file of this precision, or ONNX Runtime refuses it.
    """
    before = compiled_front(tell) if LAYER_FILES[precision] in bundle.info.files else None
    file = (LAYER_FILES if before else ONNX_FILES)[precision]
    return OnnxEngine(bundle.file(file), precision, batch, threads, before), file


def compiled_front(tell: Callable[[str], None]) -> Front | None:
    """Return what comes before the layers with weights, compiled, or None if it cannot be."""
    try:
        from liveclf.model.blind.front import front
    except ImportError as error:
        tell(f"The network runs two to four times slower without numba: {error}.")
        return None
    # Most starts find it compiled, in the cache beside the code.
    late = threading.Timer(_SHORT_S, tell, ["Compiling for this CPU, once: up to a minute ..."])
    late.start()
    try:
        front(np.zeros((1, 2, WINDOW_SAMPLES), np.float32))
    finally:
        late.cancel()
    return front


class OnnxEngine:
    """One session; the windows of a batch are shared out to threads that each run all of it.

    Each also computes what comes before the layers with weights, where that is compiled.

    Threads inside an operation would have to meet after each of its hundreds, most of which
    take microseconds. A batch of any size is run as it is: no shape costs a compilation.
    """

    def __init__(
        self, path: Path, precision: str, batch: int, threads: int = 0, before: Front | None = None
    ) -> None:
        """Load the network.

        Args:
            path: The ONNX file, of all of it or of its layers.
            precision: What to call it, fp32 or int8.
            batch: Most windows per call.
            threads: 0 for one per core.
            before: What computes the other inputs of the layers from windows.

        Raises:
            BundleError: ONNX Runtime refuses it.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3  # its warnings are about graph clean-up
        try:
            self._session = ort.InferenceSession(str(path), options, ["CPUExecutionProvider"])
        except Exception as error:  # its exceptions share no other base
            raise BundleError(f"ONNX Runtime refuses {path}: {error}.") from error
        self._inputs = [value.name for value in self._session.get_inputs()]
        self._before = before
        self._precision = precision
        self._begin(threads or cores(), batch)

    def use(self, threads: int, batch: int) -> None:
        """Set how many threads share a batch, and the most windows per call."""
        self.close()
        self._begin(threads, batch)

    def _begin(self, threads: int, batch: int) -> None:
        self._pool = ThreadPoolExecutor(threads, "onnx")  # begins a thread when one is needed
        self._threads = threads
        self.batch_size = int(batch)
        self.name = f"onnx {self._precision}, {threads} threads"

    def submit(self, x: FloatArray) -> Callable[[], FloatArray]:
        """Begin to run windows (n, 2, 1024), n at most `batch_size`."""
        parts = np.array_split(x, min(self._threads, len(x)) or 1)
        logits = [self._pool.submit(self._run, part) for part in parts]
        return lambda: np.concatenate([part.result() for part in logits])

    def predict(self, x: FloatArray) -> FloatArray:
        """Return logits (n, n_classes) of windows (n, 2, 1024), n at most `batch_size`."""
        return self.submit(x)() if self._threads > 1 < len(x) else self._run(x)

    def close(self) -> None:
        """End the threads, which wait for work; those of an engine let go of end by themselves."""
        self._pool.shutdown(wait=False)

    def _run(self, x: FloatArray) -> FloatArray:
        given = (x, *self._before(x)) if self._before else (x,)
        logits: FloatArray = self._session.run(None, dict(zip(self._inputs, given, strict=True)))[0]
        return logits


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
