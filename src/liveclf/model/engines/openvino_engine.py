"""OpenVINO, for CPUs that multiply matrices of integers: several times as fast there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from liveclf.config import ModelSettings
from liveclf.errors import BundleError, MissingExtraError
from liveclf.model.bundle import Bundle
from liveclf.model.engines import padded
from liveclf.model.engines.cpu import CpuEngine, Run, cores, open_tuned
from liveclf.protocols import Engine
from liveclf.records import FloatArray

# A share of a batch is filled up to one of these: the first run of a shape compiles it, for
# some 30 ms, and a label should not wait for that.
_SHAPES = (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64)


def open_engine(
    bundle: Bundle, settings: ModelSettings, tell: Callable[[str], None]
) -> tuple[Engine, str]:
    """Load the int8 network if there is one, or the one asked for.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        BundleError: See `cpu.engine_of`.
    """
    if not OpenVinoEngine.runtime:
        raise MissingExtraError(
            "--engine openvino needs OpenVINO", 'pip install "liveclf[openvino]"'
        )
    return open_tuned(OpenVinoEngine, bundle, settings, tell)


def _runtime() -> str:
    try:
        return f"openvino {version('openvino')}"
    except PackageNotFoundError:
        return ""


class OpenVinoEngine(CpuEngine):
    """One compiled network, a stream of one thread for each core, run in every shape at load."""

    label, runtime = "openvino", _runtime()

    def _load(self, path: Path, threads: int) -> Run:
        import openvino

        streams = max(int(threads), cores())
        wanted = {
            "INFERENCE_NUM_THREADS": streams,
            "NUM_STREAMS": streams,
            "ENABLE_CPU_PINNING": False,  # others need the cores too
            "INFERENCE_PRECISION_HINT": "f32",  # else what is not int8 is bfloat16
        }
        try:
            network = openvino.Core().compile_model(str(path), "CPU", wanted)
        except RuntimeError as error:
            last_line = str(error).strip().splitlines()[-1]
            raise BundleError(f"OpenVINO refuses {path}: {last_line}.") from error
        _warm_up(network, streams)
        requests = threading.local()

        def run(given: Sequence[FloatArray]) -> FloatArray:
            if not hasattr(requests, "own"):
                requests.own = network.create_infer_request()
            n = len(given[0])
            found = requests.own.infer([_filled_up(x) for x in given], share_inputs=True)
            return np.array(found[0][:n])  # the next run overwrites it

        return run


def _filled_up(x: FloatArray) -> FloatArray:
    """Append zeros to the next of the shapes, or beyond them of multiples of the last."""
    last = _SHAPES[-1]
    return np.ascontiguousarray(padded(x, (*_SHAPES, -(-len(x) // last) * last)))


def _warm_up(network: Any, streams: int) -> None:
    """Run every shape on every stream: as many requests at a time as there are of them."""
    requests = [network.create_infer_request() for _ in range(streams)]
    for shape in _SHAPES:
        inputs = [np.zeros((shape, *_of_one(value)), np.float32) for value in network.inputs]
        for request in requests:
            request.start_async(inputs)
        for request in requests:
            request.wait()


def _of_one(value: Any) -> list[int]:
    """Return the shape of an input for one window."""
    return [side.get_length() for side in list(value.partial_shape)[1:]]
