"""Compare what can run a network on this CPU, in one run.

    python tools/bench_engines.py [--model NAME|DIR] [--seconds 2] [--rounds 3]
    python tools/bench_engines.py --preset vgg16 --width 0.5     # untrained: speed alone

Prints a table: windows per second and processor time per window of the engine of `liveclf run`
(what has no weights compiled, the rest by ONNX Runtime or OpenVINO) and of the whole by each
runtime in fp32 and int8 (ONNX Runtime, OpenVINO, LiteRT, TensorFlow), their ratio to that engine in
int8, and how often they give the label of the fp32 network; then the ratios
to `model.predict` in batches of 128 and window by window. All take turns, round by round, so
that other programs disturb all alike; what is not installed or fails is a line below.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from liveclf.config import ModelSettings
from liveclf.model.bundle import KERAS_FILE, LAYER_FILES, ONNX_FILES, load_bundle
from liveclf.model.engines.cpu import CpuEngine, compiled_front, cores
from liveclf.model.engines.onnx_engine import OnnxEngine
from liveclf.model.engines.openvino_engine import OpenVinoEngine
from liveclf.model.engines.tuning import candidates, measure
from liveclf.records import FloatArray
from liveclf.signals.classes import CLASSES
from liveclf.signals.generator import make_chunk

BATCH = 128
STREAM = 32  # windows a request, where several run at once
SNR_DB = (6.0, 30.0)
Predict = Callable[[FloatArray], FloatArray]


@dataclass
class Row:
    """One way to run the network, and what was measured of it."""

    name: str
    predict: Predict
    batch: int = BATCH
    rates: list[float] = field(default_factory=list)
    busy_ms: list[float] = field(default_factory=list)
    agreement: float = float("nan")

    def measure(self, x: FloatArray, seconds: float) -> None:
        """Run batches for some time, at least one."""
        n, began_s, busy_s = 0, time.perf_counter(), time.process_time()
        while not n or time.perf_counter() - began_s < seconds:
            self.predict(x[: self.batch])
            n += self.batch
        self.rates.append(n / (time.perf_counter() - began_s))
        self.busy_ms.append((time.process_time() - busy_s) / n * 1e3)


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    made = make_chunk(20_000_003, 1, SNR_DB)
    x = made.x[: arguments.windows].astype(np.float32)
    console = Console(width=max(110, Console().width))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) if arguments.preset else load_bundle(arguments.model).folder
        if arguments.preset:
            _write_untrained(arguments.preset, arguments.width, folder, x)
        rows, missing = _rows(folder, Path(scratch), x)
        exact = _labels(next(row for row in rows if "fp32" in row.name), x)
        for row in rows:
            few = x[:256] if row.batch == 1 else x
            row.agreement = float(np.mean(_labels(row, few) == exact[: len(few)]))
        for _ in range(arguments.rounds):
            for row in rows:
                row.measure(x, arguments.seconds / arguments.rounds)
    console.print(_table(rows), *missing, sep="\n", soft_wrap=True)
    _print_ratios(console, rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default=ModelSettings().bundle)
    parser.add_argument("--preset", help="an untrained network instead of a bundle")
    parser.add_argument("--width", type=float)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each, over all rounds")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--windows", type=int, default=1024, help="whose labels are compared")
    return parser.parse_args()


def _write_untrained(preset: str, width: float | None, folder: Path, x: FloatArray) -> None:
    """Write the files of a network that has learnt nothing."""
    from liveclf.learn.export.bundling import export_onnx, write_layers
    from liveclf.learn.export.quantise import quantise
    from liveclf.model.vgg16 import PRESETS, build_vgg16

    model = build_vgg16(len(CLASSES), preset, width)
    model.save(folder / KERAS_FILE)
    export_onnx(model, folder / ONNX_FILES["fp32"])
    quantise(folder / ONNX_FILES["fp32"], folder / ONNX_FILES["int8"], x[:256])
    if PRESETS[preset].joint_stem:
        write_layers(folder)


def _rows(folder: Path, scratch: Path, x: FloatArray) -> tuple[list[Row], list[str]]:
    """Open everything; our engine first, where it differs from ONNX Runtime."""
    openers: dict[str, Callable[[], Row]] = {}
    for precision, file in LAYER_FILES.items():
        path = folder / ONNX_FILES[precision]
        if (folder / file).exists():
            for on, runtime in (("", OnnxEngine), (" on OpenVINO", OpenVinoEngine)):
                openers[f"liveclf {precision}{on}"] = partial(
                    _ours, runtime, folder / file, precision
                )
        for kind, opener in (("ONNX Runtime", _onnx), ("OpenVINO", _openvino)):
            openers[f"{kind} {precision}"] = lambda o=opener, p=path, k=precision: o(p, k)  # type: ignore[misc]
        openers[f"LiteRT {precision}"] = lambda k=precision: _litert(folder, scratch, k, x)  # type: ignore[misc]
    openers["ONNX Runtime int8, threads inside"] = lambda: _onnx_inside(folder)
    openers["TensorFlow fp32, compiled"] = lambda: _tensorflow(folder)
    openers["model.predict"] = lambda: _keras(folder, BATCH)
    openers["model.predict, one by one"] = lambda: _keras(folder, 1)
    rows, missing = [], []
    for name, open_row in openers.items():
        try:
            row = open_row()
            row.predict(x[: row.batch])  # what is compiled or allocated at the first call
        except ImportError as error:
            missing.append(f"{name}: not measured, {error.name} is not installed.")
        except Exception as error:  # runtimes have no base of their errors in common
            missing.append(f"{name}: failed: {str(error).splitlines()[0][:140]}")
        else:
            row.name = f"{name}{row.name}"
            rows.append(row)
    return rows, missing


def _ours(kind: type[CpuEngine], path: Path, precision: str) -> Row:
    return _tuned(kind(path, precision, 1, before=compiled_front(print)))


def _onnx(path: Path, precision: str) -> Row:
    return _tuned(OnnxEngine(path, precision, 1))


def _tuned(engine: CpuEngine) -> Row:
    choice = measure(engine, candidates(cores(), 0, 0))
    engine.use(choice.threads, choice.batch)
    return Row(f", {choice.threads} threads", engine.predict, choice.batch)


def _onnx_inside(folder: Path) -> Row:
    """Open the session as it comes: threads within each operation."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = cores()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    file = str(folder / ONNX_FILES["int8"])
    session = ort.InferenceSession(file, options, ["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return Row("", lambda x: np.asarray(session.run(None, {name: x})[0]))


def _openvino(path: Path, precision: str) -> Row:
    """As many requests at once as it likes best, all cores."""
    import openvino

    settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_NUM_THREADS": cores()}
    # ONNX Runtime's fp32 stays fp32 here, whatever the CPU could do.
    settings["INFERENCE_PRECISION_HINT"] = "f32"
    network = openvino.Core().compile_model(str(path), "CPU", settings)
    queue = openvino.AsyncInferQueue(network)

    def predict(x: FloatArray) -> FloatArray:
        parts: dict[int, Any] = {}
        queue.set_callback(lambda done, k: parts.update({k: done.get_output_tensor().data.copy()}))
        for k in range(0, len(x), STREAM):
            queue.start_async([x[k : k + STREAM]], k)
        queue.wait_all()
        return np.concatenate([parts[k] for k in sorted(parts)])

    return Row(f", {len(queue)} requests", predict)


def _litert(folder: Path, scratch: Path, precision: str, x: FloatArray) -> Row:
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    saved = scratch / "saved"
    if not saved.exists():
        _load(folder).export(saved, verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
    if precision == "int8":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([x[k : k + 32]] for k in range(0, 256, 32))
    interpreter = Interpreter(model_content=converter.convert(), num_threads=cores())
    into, out = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.resize_tensor_input(into["index"], [STREAM, *x.shape[1:]])
    interpreter.allocate_tensors()

    def predict(x: FloatArray) -> FloatArray:
        interpreter.set_tensor(into["index"], x)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(out["index"]))

    return Row("", predict, STREAM)


def _tensorflow(folder: Path) -> Row:
    import tensorflow as tf

    model = _load(folder)
    compiled = tf.function(lambda x: model(x, training=False))
    return Row("", lambda x: np.asarray(compiled(tf.constant(x))))


def _keras(folder: Path, batch: int) -> Row:
    model = _load(folder)
    return Row("", lambda x: np.asarray(model.predict(x, batch_size=batch, verbose=0)), batch)


def _load(folder: Path) -> Any:
    import keras

    import liveclf.model.vgg16  # noqa: F401  registers its layers

    return keras.models.load_model(folder / KERAS_FILE, compile=False)


def _labels(row: Row, x: FloatArray) -> Any:
    whole = len(x) - len(x) % row.batch
    steps = range(0, whole, row.batch)
    labels = np.concatenate([row.predict(x[k : k + row.batch]).argmax(1) for k in steps])
    return np.pad(labels, (0, len(x) - whole), constant_values=-1)


def _table(rows: list[Row]) -> Table:
    columns = (
        "windows a call",
        "windows/s",
        "CPU ms a window",
        "to liveclf int8",
        "same label as fp32",
    )
    table = Table("runtime", *columns)
    base = _base(rows)
    for row in rows:
        ratio = statistics.median(a / b for a, b in zip(row.rates, base.rates, strict=True))
        table.add_row(
            row.name,
            f"{row.batch}",
            f"{statistics.median(row.rates):,.0f}",
            f"{statistics.median(row.busy_ms):.2f}",
            f"{ratio:.3f}",
            f"{row.agreement:.1%}",
        )
    return table


def _base(rows: list[Row]) -> Row:
    """Return the engine of `liveclf run`; one without compiled parts is ONNX Runtime alone."""
    int8 = [row for row in rows if row.name.startswith(("liveclf int8", "ONNX Runtime int8"))]
    return int8[0] if int8 else rows[0]


def _print_ratios(console: Console, rows: list[Row]) -> None:
    engine = _base(rows)
    for row in rows:
        if row.name.startswith("model.predict"):
            pairs = zip(engine.rates, row.rates, strict=True)
            ratio = statistics.median(a / b for a, b in pairs)
            console.print(f"{engine.name} over {row.name}: {ratio:.1f} times", soft_wrap=True)


if __name__ == "__main__":
    main()
