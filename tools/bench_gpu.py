"""Measure the networks on an accelerator, on TensorFlow or JAX; on a CPU too, for a trial.

    python tools/bench_gpu.py [--seconds 2] [--output figures.json]
    KERAS_BACKEND=jax python tools/bench_gpu.py    # needs keras, numpy, h5py and jax alone
    python tools/bench_gpu.py --models vgg16 --width 0.125 --batches 8 --seconds 0.3

Prints, for `vgg16-slim` as it is in the package and for an untrained `vgg16` (its weights do
not change the arithmetic): windows a second by batch size, from float32 windows and from 8-bit
integers, in float32 and mixed precision, two batches in flight; the share of the device's
peak; bytes a window over the bus; and the latency of windows from the arrival of their last
sample, through the framer and the batcher, at the rates of radios.

The peak is that of --peak-tflops, of the table below, and of a large product of matrices in
the same run; the share is of the first of them that is known, and it says of which.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import itertools
import json
import os
import platform
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

import liveclf
from liveclf.dsp.formats import FORMATS
from liveclf.dsp.framer import Framer
from liveclf.dsp.normalise import NativeWindows
from liveclf.live.batcher import Batcher
from liveclf.model import WINDOW_SAMPLES
from liveclf.model.compiled import Compiled, has_gpu, prepare_backend
from liveclf.model.fold import flops_per_window, folded
from liveclf.model.vgg16 import build_vgg16
from liveclf.records import Block

_SLIM = Path(liveclf.__file__).parent / "bundles" / "vgg16-slim" / "model.keras"
_CLASSES = 30
_FMT = FORMATS["cu8"]
_MAX_AGE_S = 0.01  # of a paced batch
_BLOCK_S = 0.005  # as a driver delivers samples
_BEHIND_S = 1.0  # then it does not keep up, and the trial ends
# Dense TFLOP/s without sparsity, (float32 outside tensor cores, float16 in them).
# Source: NVIDIA's data sheets of these cards; where they tell the figure with sparsity, half.
_PEAK_TFLOPS = {
    "H200": (67.0, 989.0),
    "H100 PCIe": (51.0, 756.0),
    "H100": (67.0, 989.0),
    "A100": (19.5, 312.0),
    "V100": (15.7, 125.0),
    "L4": (30.3, 121.0),
    "T4": (8.1, 65.0),
}


@dataclass(frozen=True)
class _Device:
    """What the networks run on."""

    name: str
    policy: str  # of Keras, for mixed precision
    given_tflops: float | None

    def peak(self, policy: str) -> tuple[float, str]:
        """Return TFLOP/s and where the figure is from."""
        if self.given_tflops:
            return self.given_tflops, "--peak-tflops"
        for name, peaks in _PEAK_TFLOPS.items():
            if name in self.name:
                return peaks[policy != "float32"], "data sheet"
        return measured_tflops("float32" if policy == "float32" else policy[6:]), "measured product"


def main() -> None:
    """Measure, print, and write."""
    arguments = _arguments()
    prepare_backend()
    device = _device(arguments.peak_tflops)
    versions = {p: importlib.metadata.version(p) for p in ("keras", "numpy")}
    figures: dict[str, Any] = {
        "device": device.name,
        "gpu": has_gpu(),
        "backend": keras.backend.backend(),
        "versions": versions,
        "seconds": arguments.seconds,
        "throughput": [],
        "latency": [],
    }
    print(f"{device.name}, Keras {versions['keras']} on {keras.backend.backend()}")
    for dtype in ("float32", device.policy[6:]):
        figures[f"product_{dtype}_tflops"] = tflops = measured_tflops(dtype)
        print(f"product of matrices, {dtype}: {tflops:,.2f} TFLOP/s")
    of = {"float32": ["float32"], "mixed": [device.policy]}
    policies = of.get(arguments.precision, ["float32", device.policy])
    for name in arguments.models:
        model = _load(name, arguments.width)
        for policy in policies:
            _measure(name, model, policy, device, arguments, figures)
    if arguments.output:
        arguments.output.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["vgg16-slim", "vgg16"])
    parser.add_argument("--width", type=float, help="of an untrained network, in place of these")
    parser.add_argument("--precision", choices=("both", "float32", "mixed"), default="both")
    parser.add_argument("--batches", nargs="+", type=int, default=[32, 128, 512, 2048])
    parser.add_argument("--rates", nargs="+", type=float, default=[2.4e6, 20e6, 61.44e6])
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement")
    parser.add_argument("--peak-tflops", type=float, help="of the device, for every precision")
    parser.add_argument("--output", type=Path, help="JSON file of all figures")
    return parser.parse_args()


def _measure(
    name: str,
    model: keras.Model,
    policy: str,
    device: _Device,
    arguments: argparse.Namespace,
    figures: dict[str, Any],
) -> None:
    """Measure one network in one precision."""
    network = Compiled(folded(model, policy), arguments.batches)
    flops = flops_per_window(model)
    peak_tflops, source = device.peak(policy)
    print(
        f"\n{name}, {policy}: {flops / 1e6:,.0f} MFLOP a window; peak {peak_tflops:,.2f}, {source}"
    )
    print(f"{'input':>8} {'batch':>6} {'windows/s':>12} {'of peak':>8} {'bytes/window':>13}")
    speed: dict[int, float] = {}
    for kind, n in itertools.product(("float32", "cu8"), arguments.batches):
        x = _noise(kind, n)
        speed[n] = windows_per_s = _throughput(network, x, arguments.seconds)
        row = {
            "model": name,
            "policy": policy,
            "input": kind,
            "batch": n,
            "windows_per_s": windows_per_s,
            "flops_per_window": flops,
            "peak_tflops": peak_tflops,
            "peak_from": source,
            "share_of_peak": windows_per_s * flops / (peak_tflops * 1e12),
            "bytes_per_window_to_device": x.nbytes // n,
            "bytes_per_window_from_device": 4 * model.output.shape[1],
        }
        figures["throughput"].append(row)
        both = row["bytes_per_window_to_device"] + row["bytes_per_window_from_device"]
        print(f"{kind:>8} {n:>6} {windows_per_s:>12,.0f} {row['share_of_peak']:>8.1%} {both:>13,}")
    for rate_hz in arguments.rates:
        row = {
            "model": name,
            "policy": policy,
            **_paced(network, speed, rate_hz, arguments.seconds),
        }
        figures["latency"].append(row)
        print(_told(row))


def _throughput(network: Compiled, x: NDArray[Any], seconds: float) -> float:
    """Return windows a second, two batches in flight."""
    np.asarray(network(x, _FMT.offset))
    waiting: deque[Any] = deque()
    n_batches, began_s = 0, time.perf_counter()
    while time.perf_counter() - began_s < seconds or not n_batches:
        if len(waiting) == 2:
            np.asarray(waiting.popleft())
            n_batches += 1
        waiting.append(network(x, _FMT.offset))
    n_batches += len(waiting)
    for logits in waiting:
        np.asarray(logits)
    return n_batches * len(x) / (time.perf_counter() - began_s)


def _paced(
    network: Compiled, speed: dict[int, float], rate_hz: float, seconds: float
) -> dict[str, Any]:
    """Classify a radio of this rate, and return latencies and the batch policy."""
    wanted = rate_hz / WINDOW_SAMPLES
    # The smallest batch that is fast enough with some room; else the fastest.
    fit = [n for n in sorted(speed) if speed[n] > 1.25 * wanted]
    batch = fit[0] if fit else max(speed, key=lambda n: speed[n])
    framer = Framer(WINDOW_SAMPLES, normalise=NativeWindows(lambda _: True))
    batcher = Batcher(batch, _MAX_AGE_S)
    latencies: list[NDArray[np.float64]] = []
    waiting: deque[Any] = deque()

    def answer_oldest() -> None:
        logits, received_s = waiting.popleft()
        np.asarray(logits)
        latencies.append(time.monotonic() - received_s)

    behind_s = 0.0
    for block in _radio(rate_hz, seconds):
        behind_s = time.monotonic() - block.received_s
        full = [b for windows in framer.push(block) for b in batcher.push(windows)]
        for windows in [*full, *batcher.expire(block.received_s)]:
            if len(waiting) == 2:
                answer_oldest()
            x = windows.x
            padded = np.concatenate([x, np.zeros((batch - len(x), *x.shape[1:]), x.dtype)])
            waiting.append((network(padded, _FMT.offset), windows.received_s))
        while waiting and behind_s < _BLOCK_S:
            answer_oldest()
        if behind_s > _BEHIND_S:
            break
    while waiting:
        answer_oldest()
    late_s = np.concatenate(latencies)
    p50, p99, most = np.percentile(late_s, [50, 99, 100]) * 1e3
    policy = {"batch": batch, "max_age_ms": _MAX_AGE_S * 1e3, "block_ms": _BLOCK_S * 1e3}
    found = {"p50_ms": p50, "p99_ms": p99, "max_ms": most, "windows": len(late_s)}
    return {"rate_hz": rate_hz, **policy, **found, "keeps_up": behind_s < _BEHIND_S / 4}


def _radio(rate_hz: float, seconds: float) -> Iterator[Block]:
    """Yield noise at this rate; a block is stamped when its last sample is due."""
    n = max(1, round(rate_hz * _BLOCK_S))
    iq = np.random.default_rng(2).integers(0, 256, (n, 2), np.uint8)
    began_s = time.monotonic()
    for k in range(max(2, round(seconds / _BLOCK_S))):
        due_s = began_s + (k + 1) * n / rate_hz
        time.sleep(max(0.0, due_s - time.monotonic()))
        yield Block(iq, _FMT, k * n, 0, rate_hz, 0.0, 0.0, due_s)


def _told(row: dict[str, Any]) -> str:
    policy = (
        f"batches of {row['batch']} or {row['max_age_ms']:g} ms, blocks of {row['block_ms']:g} ms"
    )
    if not row["keeps_up"]:
        return f"{row['rate_hz'] / 1e6:>6g} MS/s: does not keep up ({policy})"
    return (
        f"{row['rate_hz'] / 1e6:>6g} MS/s: p50 {row['p50_ms']:.1f}, p99 {row['p99_ms']:.1f}, "
        f"max {row['max_ms']:.1f} ms ({policy})"
    )


@cache
def measured_tflops(dtype: str) -> float:
    """Return what a product of large square matrices reaches, TFLOP/s."""
    side = 8192 if has_gpu() else 1024
    a = ops.cast(np.random.default_rng(1).standard_normal((side, side), np.float32), dtype)
    total = ops.sum(ops.matmul(a, a))  # warms up
    np.asarray(ops.cast(total, "float32"))
    times_s = []
    for _ in range(3):
        began_s, b = time.perf_counter(), a
        for _ in range(4):
            b = ops.matmul(a, b)
        np.asarray(ops.cast(b[0, 0], "float32"))
        times_s.append((time.perf_counter() - began_s) / 4)
    return 2 * side**3 / min(times_s) / 1e12


def _noise(kind: str, n: int) -> NDArray[Any]:
    rng = np.random.default_rng(1)
    if kind == "float32":
        return rng.standard_normal((n, 2, WINDOW_SAMPLES), np.float32)
    return rng.integers(0, 256, (n, WINDOW_SAMPLES, 2), np.uint8)


def _load(name: str, width: float | None) -> keras.Model:
    if name == "vgg16-slim" and width is None and _SLIM.is_file():
        return keras.models.load_model(_SLIM, compile=False)
    return build_vgg16(_CLASSES, name, width)


def _device(given_tflops: float | None) -> _Device:
    if not has_gpu():
        return _Device(f"CPU ({platform.machine()})", "mixed_bfloat16", given_tflops)
    if keras.backend.backend() == "jax":
        import jax

        name = str(jax.devices("gpu")[0].device_kind)
    else:
        import tensorflow as tf

        gpu = tf.config.list_physical_devices("GPU")[0]
        name = str(tf.config.experimental.get_device_details(gpu).get("device_name", "GPU"))
    return _Device(name, "mixed_float16", given_tflops)


if __name__ == "__main__":
    main()
