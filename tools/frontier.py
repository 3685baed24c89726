"""Compare slim networks trained alike: how much is right against how many windows a second.

    python tools/frontier.py --data own.hdf5 --out DIR [--windows 98304] [--steps 2000]

Each network learns from nothing, the same generated windows in the same order, for the same
number of steps: far fewer than the shipped one had, so what counts is how they stand to each
other. What comes before the weights is computed once for all windows, compiled. Each is then
quantised, and its int8 layers are run in the engine of `liveclf run`, all in turn, with the
shipped bundle beside them. The set is one that they were not trained on (`make_gnuradio_set.py`),
scored in the classes of RadioML 2018.01A. Networks in DIR that are trained stay as they are;
prints a table, and writes `frontier.json` and `frontier.png`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up notes on stderr

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from liveclf.model.vgg16 import PRESETS

SLIM = PRESETS["vgg16-slim"]
VARIANTS = {
    "width 0.125": replace(SLIM, width=0.125),
    "width 0.25 (vgg16-slim)": SLIM,
    "width 0.375": replace(SLIM, width=0.375),
    "width 0.5": replace(SLIM, width=0.5),
    "width 0.25, stem of 15, every other sample": replace(SLIM, stem_kernel=15, stem_stride=2),
    "width 0.5, stem of 15, every other sample": replace(
        SLIM, width=0.5, stem_kernel=15, stem_stride=2
    ),
}
SHIPPED = "shipped vgg16-slim (eight stages)"
SEED, SNR_DB = 77, (-4.0, 30.0)
BATCH, LEARNING_RATE = 128, 1.5e-3
ENGINE_BATCH = 32
REPORTED_DB = (10.0, 20.0)


@dataclass(frozen=True)
class Point:
    """Where a network stands.

    Attributes:
        name: Of the variant.
        weights: How many floats its layers hold.
        right: Share of windows labelled right, by SNR in dB.
        windows_per_s: Median of the rounds, int8, the whole engine.
    """

    name: str
    weights: int
    right: dict[str, float]
    windows_per_s: float


def main() -> None:
    """Train what is missing, measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="HDF5 to measure on")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--windows", type=int, default=98_304, help="to train on")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--only", default="", help="parts of names, with commas")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--no-train", action="store_true", help="measure what is there")
    asked = parser.parse_args()
    wanted = [name for name in VARIANTS if any(part in name for part in asked.only.split(","))]
    asked.out.mkdir(parents=True, exist_ok=True)
    if not asked.no_train and any(not _folder(asked.out, name).exists() for name in wanted):
        pool = made_once(asked.out, asked.windows)
        for name in wanted:
            if not _folder(asked.out, name).exists():
                learn(name, pool, asked.steps, _folder(asked.out, name))
    points = measure([n for n in wanted if _folder(asked.out, n).exists()], asked)
    (asked.out / "frontier.json").write_text(json.dumps([asdict(p) for p in points], indent=1))
    Console(width=110).print(table(points))
    draw(points, asked.out / "frontier.png")


def _folder(out: Path, name: str) -> Path:
    return out / "".join(c if c.isalnum() or c == "." else "_" for c in name)


def made_once(out: Path, n: int) -> dict[str, NDArray[Any]]:
    """Make windows and all that has no weights, or read what an earlier call made."""
    path = out / f"pool-{n}.npz"
    if not path.exists():
        from liveclf.signals.generator import CHUNK

        with ProcessPoolExecutor(os.cpu_count()) as workers:
            chunks = workers.map(_chunk, range(-(-n // CHUNK)))
            parts = list(track(chunks, "windows", total=-(-n // CHUNK)))
        columns = {key: np.concatenate([part[key] for part in parts])[:n] for key in parts[0]}
        np.savez(path, **cast(Any, columns))
    with np.load(path) as file:
        return {key: file[key] for key in file.files}


def _chunk(index: int) -> dict[str, NDArray[Any]]:
    from liveclf.model.blind.front import front
    from liveclf.signals.generator import make_chunk

    made = make_chunk(SEED, index, SNR_DB)
    matched, symbols = front(made.x.astype(np.float32))
    return {"x": made.x, "matched": matched.astype(np.float16), "symbols": symbols, "y": made.y}


def learn(name: str, pool: dict[str, NDArray[Any]], steps: int, folder: Path) -> None:
    """Train a variant and write its layers for the engine."""
    import keras

    from liveclf.config import FitSettings, TrainSettings
    from liveclf.learn.export.bundling import export_onnx, write_layers
    from liveclf.learn.export.quantise import quantise
    from liveclf.learn.fit.optimiser import compile_model
    from liveclf.model.bundle import ONNX_FILES
    from liveclf.model.vgg16 import build_vgg16
    from liveclf.signals.classes import CLASSES

    keras.utils.set_random_seed(SEED)
    whole = build_vgg16(len(CLASSES), VARIANTS[name])
    seen = [whole.input, *(whole.get_layer(k).output for k in ("matched", "constellation"))]
    weighty = keras.Model(seen, whole.output)
    fit = FitSettings(
        steps=steps, warmup_steps=steps // 20, learning_rate=LEARNING_RATE, average=0.0
    )
    compile_model(weighty, TrainSettings(fit=fit))
    began_s = time.perf_counter()
    weighty.fit(_batches(pool), steps_per_epoch=steps, epochs=1, verbose=0, shuffle=False)
    took_s = time.perf_counter() - began_s
    _settle(weighty, pool)
    scratch = folder.with_name(folder.name + ".part")
    scratch.mkdir(exist_ok=True)
    export_onnx(whole, scratch / ONNX_FILES["fp32"])
    quantise(
        scratch / ONNX_FILES["fp32"],
        scratch / ONNX_FILES["int8"],
        pool["x"][:512].astype(np.float32),
    )
    write_layers(scratch)
    scratch.rename(folder)
    print(f"{name}: {steps} steps in {took_s:.0f} s", flush=True)


def _batches(pool: dict[str, NDArray[Any]]) -> Iterator[Any]:
    rng = np.random.default_rng(SEED)
    n = len(pool["y"])
    while True:
        order = rng.permutation(n)
        for k in range(0, n - BATCH + 1, BATCH):
            yield _rows(pool, order[k : k + BATCH])


def _rows(pool: dict[str, NDArray[Any]], rows: NDArray[Any]) -> Any:
    inputs = tuple(pool[key][rows].astype(np.float32) for key in ("x", "matched", "symbols"))
    return inputs, pool["y"][rows]


def _settle(model: Any, pool: dict[str, NDArray[Any]]) -> None:
    """Bring the running statistics to the last weights, which learn no more."""
    for k in range(10):
        inputs, _ = _rows(pool, np.arange(k * 512, (k + 1) * 512) % len(pool["y"]))
        model(inputs, training=True)


def measure(names: list[str], asked: argparse.Namespace) -> list[Point]:
    """Run all of them in turn, and on the set."""
    from liveclf.learn.data.datasets import read_hdf5
    from liveclf.learn.score.evaluate import predict, score
    from liveclf.model.blind.front import front
    from liveclf.model.bundle import LAYER_FILES, load_bundle
    from liveclf.model.engines.onnx_engine import OnnxEngine
    from liveclf.signals.classes import CLASSES, FAMILY_OF, RADIOML_2018_CLASSES

    bundle = load_bundle("vgg16-slim")
    folders = {name: _folder(asked.out, name) for name in names} | {SHIPPED: bundle.folder}
    opened = partial(OnnxEngine, precision="int8", batch=ENGINE_BATCH, before=front)
    engines = {name: opened(folder / LAYER_FILES["int8"]) for name, folder in folders.items()}
    truth = read_hdf5(asked.data)
    classes = dict.fromkeys(names, CLASSES) | {SHIPPED: bundle.info.classes}
    scores = {
        name: score(
            predict(engine, truth.x.astype(np.float32)),
            truth, classes[name], FAMILY_OF, only=RADIOML_2018_CLASSES,
        )
        for name, engine in engines.items()
    }  # fmt: skip
    rates = _rates(engines, truth.x[: 32 * ENGINE_BATCH].astype(np.float32), asked.rounds)
    weights = {name: _weights(folder / LAYER_FILES["fp32"]) for name, folder in folders.items()}
    return [
        Point(
            name,
            weights[name],
            {f"{db:g}": scores[name].by_snr[db][1] for db in REPORTED_DB},
            rates[name],
        )
        for name in folders
    ]


def _weights(layers: Path) -> int:
    import onnx

    held = onnx.load(layers).graph.initializer
    return int(sum(np.prod(tensor.dims) for tensor in held if tensor.data_type == tensor.FLOAT))


def _rates(engines: dict[str, Any], x: Any, rounds: int) -> dict[str, float]:
    rates: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds):
        for name, engine in engines.items():
            began_s = time.perf_counter()
            waits = [engine.submit(x[k : k + ENGINE_BATCH]) for k in range(0, len(x), ENGINE_BATCH)]
            for wait in waits:
                wait()
            rates[name].append(len(x) / (time.perf_counter() - began_s))
    return {name: float(np.median(of)) for name, of in rates.items()}


def table(points: list[Point]) -> Table:
    """Lay out what was measured."""
    shown = Table("network", "weights", *(f"right at {db:g} dB" for db in REPORTED_DB))
    shown.add_column("windows/s")
    shown.add_column("over the shipped")
    base = next(p.windows_per_s for p in points if p.name == SHIPPED)
    for p in points:
        rights = (f"{right:.1%}" for right in p.right.values())
        ratio = f"{p.windows_per_s / base:.2f}"
        shown.add_row(p.name, f"{p.weights:,}", *rights, f"{p.windows_per_s:,.0f}", ratio)
    return shown


def draw(points: list[Point], path: Path) -> None:
    """Draw the frontier."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(7, 4.4))
    for k, p in enumerate(points):
        color = "black" if p.name == SHIPPED else f"C{k}"
        for db, marker in zip(REPORTED_DB, "ov", strict=True):
            label = p.name if marker == "o" else None
            axis.plot(p.windows_per_s, 100 * p.right[f"{db:g}"], marker, label=label, color=color)
    axis.axvline(2344, color="grey", lw=0.6, ls=":")
    axis.text(2344, axis.get_ylim()[0], " 2.4 MS/s", va="bottom", fontsize=7, color="grey")
    axis.set(
        xlabel="windows/s, int8 on two cores",
        ylabel="right, %: circles at 10 dB, triangles at 20 dB",
    )
    axis.legend(fontsize=7, loc="lower left", bbox_to_anchor=(0, 1.01), ncols=2)
    figure.tight_layout()
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    main()
