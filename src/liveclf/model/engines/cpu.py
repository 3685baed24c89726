"""What engines on a CPU have in common: threads that share a batch, and a front compiled here.

    windows -> a share for each thread -> front -> network -> logits

Threads inside an operation would have to meet after each of its hundreds, most of which take
microseconds.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from liveclf.config import ModelSettings
from liveclf.model.bundle import LAYER_FILES, ONNX_FILES, WINDOW_SAMPLES, Bundle
from liveclf.model.engines.tuning import Key, cpu_model, tuned
from liveclf.records import FloatArray

# Windows to the other inputs of the layers with weights; see `blind.front`.
Front = Callable[[FloatArray], tuple[FloatArray, ...]]
# All inputs of a network, in their order, to its logits; called by several threads at once.
Run = Callable[[Sequence[FloatArray]], FloatArray]

_SHORT_S = 2.0  # a wait that needs no explanation


class CpuEngine:
    """A network, by whatever runs it; a batch is shared out to threads that each run all of it.

    Each also computes what comes before the layers with weights, where that is compiled. A
    runtime is a class of its own, with a `label`, a `runtime` and a `_load`.

    Attributes:
        label: What the runtime is called.
        runtime: Its name and version, empty where it is not installed.
        batch_size: Most windows per call.
        name: For people.
        windows_per_s: As measured when its threads and batch were chosen; 0 if they were given.
    """

    label: str
    runtime: str

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
            BundleError: The runtime refuses it.
        """
        self._network, self._precision, self._before = self._load(path, threads), precision, before
        self.windows_per_s = 0.0
        self._begin(threads or cores(), batch)

    def _load(self, path: Path, threads: int) -> Run:
        """Return what runs a file; `threads` as given to the engine."""
        raise NotImplementedError

    def use(self, threads: int, batch: int) -> None:
        """Set how many threads share a batch, and the most windows per call."""
        self.close()
        self._begin(threads, batch)

    def _begin(self, threads: int, batch: int) -> None:
        # It begins a thread when one is needed.
        self._pool = ThreadPoolExecutor(threads, self.label)
        self._threads = threads
        self.batch_size = int(batch)
        self.name = f"{self.label} {self._precision}, {threads} threads"

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
        return self._network((x, *self._before(x)) if self._before else (x,))


def open_tuned(
    kind: type[CpuEngine], bundle: Bundle, settings: ModelSettings, tell: Callable[[str], None]
) -> tuple[CpuEngine, str]:
    """Load the int8 network if there is one, or the one asked for, with the best threads and batch.

    Raises:
        BundleError: See `engine_of`.
    """
    precision = quickest(bundle) if settings.precision == "auto" else settings.precision
    given = settings.batch or 1, int(settings.threads)
    engine, file = engine_of(kind, bundle, precision, *given, tell)
    if not settings.threads or not settings.batch:
        key = Key(
            network=bundle.info.files[file],
            runtime=kind.runtime,
            cpu=cpu_model(),
            cores=cores(),
            threads=int(settings.threads),
            batch=int(settings.batch),
        )
        choice = tuned(key, engine, tell)
        engine.use(choice.threads, choice.batch)
        engine.windows_per_s = choice.windows_per_s
    engine.predict(np.zeros((engine.batch_size, 2, WINDOW_SAMPLES), np.float32))  # allocates
    return engine, precision


def quickest(bundle: Bundle) -> str:
    """Return the precision that a CPU runs fastest of those that a bundle has."""
    return "int8" if bundle.has("int8") else "fp32"


def engine_of(
    kind: type[CpuEngine],
    bundle: Bundle,
    precision: str,
    batch: int,
    threads: int,
    tell: Callable[[str], None],
) -> tuple[CpuEngine, str]:
    """Load the layers behind what is compiled here, or the whole network.

    Returns:
        The engine, and the name of its file.

    Raises:
        BundleError: The bundle has no file of this precision, or the engine refuses it.
    """
    before = compiled_front(tell) if LAYER_FILES[precision] in bundle.info.files else None
    file = (LAYER_FILES if before else ONNX_FILES)[precision]
    return kind(bundle.file(file), precision, batch, threads, before), file


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


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
