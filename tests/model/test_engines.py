"""The engines: the same answers from the same bundle, whatever the batch."""

from __future__ import annotations

import builtins
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import keras
import msgspec
import numpy as np
import pytest

from liveclf.config import ModelSettings
from liveclf.errors import BundleError, MissingExtraError, UsageError
from liveclf.model.bundle import DEFAULT, Bundle, BundleInfo, load_bundle, packaged_names
from liveclf.model.engines import batch_shapes, open_engine
from liveclf.model.engines.keras_engine import KerasEngine
from liveclf.model.engines.onnx_engine import OnnxEngine
from liveclf.protocols import Engine
from liveclf.records import FloatArray
from liveclf.signals.generator import Labelled, make_chunk

BATCH = 20  # no power of two, and between two of the shapes that engines warm up


@pytest.fixture(scope="module")
def bundle(written: tuple[Path, BundleInfo]) -> Bundle:
    return load_bundle(str(written[0]))


def opened(bundle: Bundle, engine: str, precision: str) -> Engine:
    return open_engine(bundle, ModelSettings(engine=engine, precision=precision, batch=BATCH))[0]


@pytest.fixture(scope="module")
def on_keras(bundle: Bundle) -> Engine:
    return opened(bundle, "keras", "fp32")


@pytest.fixture(scope="module")
def on_onnx(bundle: Bundle) -> Engine:
    return opened(bundle, "onnx", "fp32")


@pytest.fixture(scope="module")
def x(check: Labelled) -> FloatArray:
    return check.x[:BATCH].astype(np.float32)


def test_all_engines_give_the_logits_of_the_network(
    network: keras.Model, on_keras: Engine, on_onnx: Engine, x: FloatArray
) -> None:
    wanted = np.asarray(network(x, training=False))
    assert np.ptp(wanted) > 1  # so that agreement says something
    for engine in (on_keras, on_onnx):
        logits = engine.predict(x)
        assert logits.dtype == np.float32
        assert np.abs(logits - wanted).max() < 1e-3


def test_int8_is_close_to_fp32(bundle: Bundle, on_onnx: Engine, x: FloatArray) -> None:
    exact = on_onnx.predict(x)
    rough = opened(bundle, "onnx", "int8").predict(x)
    assert not np.array_equal(rough, exact)
    # Each window's logits keep their pattern: 8 bits through 14 layers cost a few percent.
    centred = [v - v.mean(axis=1, keepdims=True) for v in (exact, rough)]
    likeness = np.sum(centred[0] * centred[1], axis=1) / np.prod(
        [np.linalg.norm(c, axis=1) for c in centred], axis=0
    )
    assert likeness.min() > 0.97


@pytest.mark.parametrize("which", ["on_keras", "on_onnx"])
def test_padding_to_a_fixed_shape_changes_no_answer(
    which: str, x: FloatArray, request: pytest.FixtureRequest
) -> None:
    """Fewer windows than a shape, one by one or many: each gets the same logits."""
    engine: Engine = request.getfixturevalue(which)
    whole = engine.predict(x)
    for n in (1, 2, 7, 8, 9, 19):
        part = engine.predict(x[:n])
        assert part.shape == (n, whole.shape[1])
        assert np.allclose(part, whole[:n], atol=1e-4)
    one_by_one = np.concatenate([engine.predict(x[k : k + 1]) for k in range(BATCH)])
    assert np.allclose(one_by_one, whole, atol=1e-4)


@pytest.mark.parametrize("which", ["on_keras", "on_onnx"])
def test_a_window_that_is_not_finite_spoils_no_other(
    which: str, x: FloatArray, request: pytest.FixtureRequest
) -> None:
    engine: Engine = request.getfixturevalue(which)
    bad = x.copy()
    bad[3, 0, 100] = np.nan
    rest = np.arange(BATCH) != 3
    assert np.allclose(engine.predict(bad)[rest], engine.predict(x)[rest], atol=1e-4)


@pytest.mark.parametrize("largest", [1, 2, 8, 9, 32, 33, 128, 4096])
def test_any_number_of_windows_up_to_the_batch_has_a_shape(largest: int) -> None:
    shapes = batch_shapes(largest)
    assert max(shapes) == largest
    assert list(shapes) == sorted(set(shapes))
    assert len(shapes) <= 4
    assert min(shapes) == 1  # one window alone is not padded


@pytest.mark.parametrize(
    ("engine", "precision", "name", "used"),
    [
        ("auto", "auto", "onnx int8", "int8"),
        ("onnx", "auto", "onnx int8", "int8"),
        ("onnx", "fp32", "onnx fp32", "fp32"),
    ],
)
def test_auto_takes_int8_on_onnx(
    bundle: Bundle, engine: str, precision: str, name: str, used: str
) -> None:
    settings = ModelSettings(engine=engine, precision=precision, batch=1, threads=1)
    found, precision_used = open_engine(bundle, settings)
    assert found.name == f"{name}, 1 threads"
    assert found.batch_size == 1
    assert precision_used == used


def test_auto_takes_fp32_where_there_is_no_int8(bundle: Bundle) -> None:
    files = {k: v for k, v in bundle.info.files.items() if "int8" not in k}
    without = Bundle(bundle.folder, _replaced(bundle.info, files))
    assert open_engine(without, ModelSettings(batch=1))[1] == "fp32"
    with pytest.raises(BundleError, match=r"no model\.int8\.onnx"):
        open_engine(without, ModelSettings(precision="int8"))


def _replaced(info: BundleInfo, files: dict[str, str]) -> BundleInfo:
    return msgspec.structs.replace(info, files=files)


@pytest.mark.parametrize("engine", ["onnx", "keras"])
@pytest.mark.parametrize("n_classes", [1, 29, 31])
def test_a_network_with_other_outputs_than_classes_is_a_bundle_error(
    bundle: Bundle, engine: str, n_classes: int
) -> None:
    classes = (*bundle.info.classes, "one more")[:n_classes]
    other = Bundle(bundle.folder, msgspec.structs.replace(bundle.info, classes=classes))
    with pytest.raises(BundleError, match=f"names {n_classes} classes, .* has 30 outputs"):
        open_engine(other, ModelSettings(engine=engine, batch=1))


@pytest.mark.parametrize(
    ("engine", "precision", "words"),
    [
        ("tflite", "auto", r"--engine 'tflite' is not known; choose auto or onnx, openvino, keras"),
        ("onnx", "fp16", r"--precision 'fp16' is not known; choose auto or fp32, int8, mixed"),
        ("keras", "int8", r"--precision int8 conflicts with --engine keras, which runs fp32 and"),
        ("onnx", "mixed", r"--precision mixed conflicts with --engine onnx, which runs fp32 and"),
    ],
)
def test_an_engine_that_cannot_be_had_is_a_usage_error(
    bundle: Bundle, engine: str, precision: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        open_engine(bundle, ModelSettings(engine=engine, precision=precision))


def test_threads_of_keras_are_a_usage_error(bundle: Bundle) -> None:
    """Its backend sets them; ignored in silence they would spoil a measurement."""
    with pytest.raises(UsageError, match="--threads 2 conflicts with --engine keras"):
        open_engine(bundle, ModelSettings(engine="keras", threads=2))


@pytest.mark.parametrize("error", [RuntimeError, AttributeError])
def test_a_backend_that_knows_of_no_gpu_runs_all_the_same(
    bundle: Bundle, error: type[Exception], x: FloatArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JAX without one raises the first, PyTorch the second."""

    def list_devices(kind: str) -> list[str]:
        raise error(f"unknown backend: {kind}")

    monkeypatch.setattr(keras.distribution, "list_devices", list_devices)
    assert opened(bundle, "keras", "fp32").predict(x).shape == (BATCH, 30)


def test_an_import_that_fails_without_a_name_is_laid_to_keras(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def refusing(name: str, *rest: Any) -> Any:
        if name == "keras":
            raise ImportError("its backend does not load")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refusing)
    with pytest.raises(MissingExtraError, match="--engine keras needs keras; install"):
        KerasEngine(tmp_path / "model.keras", 1)


@pytest.mark.parametrize("content", [b"", b"no model at all", b"PK\x03\x04 no zip either"])
def test_a_file_that_holds_no_network_is_a_bundle_error(tmp_path: Path, content: bytes) -> None:
    """Its checksum may be right all the same: it was written like this."""
    for name in ("model.onnx", "model.keras"):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BundleError, match=r"model\.onnx"):
        OnnxEngine(tmp_path / "model.onnx", "fp32", 1)
    with pytest.raises(BundleError, match=r"model\.keras"):
        KerasEngine(tmp_path / "model.keras", 1)


def test_running_on_onnx_imports_neither_tensorflow_nor_keras(bundle: Bundle) -> None:
    """They take seconds to import, and need not be installed."""
    program = f"""
import sys
import numpy as np
from liveclf.config import ModelSettings
from liveclf.model.bundle import load_bundle
from liveclf.model.engines import open_engine
engine, _ = open_engine(load_bundle({str(bundle.folder)!r}), ModelSettings(batch=1))
assert engine.predict(np.zeros((1, 2, 1024), np.float32)).shape == (1, 30)
heavy = {{"tensorflow", "keras", "torch", "jax", "onnx", "tf2onnx", "h5py"}} & set(sys.modules)
sys.exit(f"imported {{heavy}}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


packaged = pytest.mark.skipif(
    DEFAULT not in packaged_names(), reason=f"no bundle {DEFAULT} in the package"
)


@pytest.fixture(scope="module")
def strong() -> Labelled:
    """Return windows of a seed that no network was trained on, well above the noise."""
    made = make_chunk(987_654, 3, (12.0, 30.0))
    return Labelled(made.x[:384], made.y[:384], made.snr_db[:384])


@packaged
def test_packaged_int8_gives_mostly_the_label_of_the_full_network(strong: Labelled) -> None:
    bundle = load_bundle(DEFAULT)
    x = strong.x[:128].astype(np.float32)
    full = open_engine(bundle, ModelSettings(engine="keras", batch=128))[0].predict(x)
    int8 = open_engine(bundle, ModelSettings(precision="int8", batch=128))[0].predict(x)
    assert np.mean(full.argmax(axis=1) == int8.argmax(axis=1)) > 0.8


@packaged
def test_the_packaged_network_has_learnt_its_classes(strong: Labelled) -> None:
    engine = open_engine(load_bundle(DEFAULT), ModelSettings(batch=384))[0]
    answers = engine.predict(strong.x.astype(np.float32)).argmax(axis=1)
    assert np.mean(answers == strong.y) > 0.4  # by chance: 0.03


@pytest.mark.parametrize("threads", [1, 2])
def test_batches_in_flight_share_the_threads(bundle: Bundle, x: FloatArray, threads: int) -> None:
    at_work, most, lock = [], [], threading.Lock()

    def note(_: FloatArray) -> tuple[FloatArray, ...]:
        with lock:
            at_work.append(1)
            most.append(len(at_work))
        time.sleep(0.01)  # so that all meet who may
        with lock:
            at_work.pop()
        return ()

    engine = OnnxEngine(bundle.file("model.fp32.onnx"), "fp32", BATCH, 4, note)
    engine.use(threads, BATCH)
    waits = [engine.submit(x[k:]) for k in range(4)]
    logits = [wait() for wait in waits]
    assert max(most) == threads
    for k in range(4):
        np.testing.assert_allclose(logits[k], engine.predict(x[k:]), atol=1e-5)
    engine.close()


def test_a_program_that_opens_a_network_still_knows_small_numbers(bundle: Bundle) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from liveclf.model.engines.onnx_engine import OnnxEngine\n"
        "smallest = float(sys.argv[2])\n"
        "OnnxEngine(Path(sys.argv[1]), 'fp32', 1).close()\n"
        "sys.exit(0 if smallest * 1.0 > 0 else 1)\n"
    )  # of its own, because ONNX Runtime sets a thread once, for the first network
    path = str(bundle.file("model.fp32.onnx"))
    assert subprocess.run([sys.executable, "-c", code, path, "5e-324"], timeout=60).returncode == 0
