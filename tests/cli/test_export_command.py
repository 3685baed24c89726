"""`liveclf export`: what is written computes what the network computes, or is not kept."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up notes on stderr

import keras
import numpy as np
import onnxruntime as ort
import pytest
import tensorflow as tf

from liveclf.cli import main
from liveclf.learn.export import convert
from liveclf.learn.export.convert import FORMATS, Format
from liveclf.model.bundle import KERAS_FILE, BundleInfo, write_info
from liveclf.model.vgg16 import build_vgg16
from liveclf.records import FloatArray
from liveclf.signals.classes import CLASSES, FAMILY_OF

INFO = BundleInfo(
    format=1,
    name="small",
    created="2026-01-01T00:00:00Z",
    liveclf="0.1.0",
    classes=CLASSES,
    families=FAMILY_OF,
    window_samples=1024,
    normalisation="unit-power",
    rate_advice="",
    preset="vgg16-slim",
    width=0.125,
    temperature={},
    min_probability=0.0,
    training={},
)


def never(*_: Any, **__: Any) -> None:
    pytest.fail("work was begun")


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """Return a network in which no weight has its start value, as after training."""
    keras.utils.set_random_seed(1)
    model = build_vgg16(len(CLASSES), INFO.preset, INFO.width)
    rng = np.random.default_rng(1)
    for weight in model.weights:
        value = np.asarray(weight)
        if weight.name in ("gamma", "moving_variance"):
            value = rng.uniform(0.6, 1.6, value.shape)
        elif weight.name in ("beta", "moving_mean", "bias"):
            value = rng.normal(0, 0.3, value.shape)
        weight.assign(value)
    return model


@pytest.fixture(scope="module")
def bundle(network: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a bundle with nothing but the Keras network."""
    folder = tmp_path_factory.mktemp("bundles") / "small"
    folder.mkdir()
    network.save(folder / KERAS_FILE)
    write_info(folder, INFO)
    return str(folder)


def by_onnx(path: Path, x: FloatArray) -> Any:
    return ort.InferenceSession(path).run(None, {"iq": x})[0]


def by_saved_model(path: Path, x: FloatArray) -> Any:
    (answer,) = (
        tf.saved_model.load(str(path)).signatures["serving_default"](tf.constant(x)).values()
    )
    return answer.numpy()


def by_litert(path: Path, x: FloatArray) -> Any:
    interpreter = tf.lite.Interpreter(str(path))
    first, last = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    assert tuple(first["shape_signature"]) == (-1, 2, 1024)
    interpreter.allocate_tensors()  # as it is: one window
    answers = []
    for window in x:
        interpreter.set_tensor(first["index"], window[None])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(last["index"])[0])
    return np.stack(answers)


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning")
@pytest.mark.parametrize(
    ("form", "run"), [("onnx-fp32", by_onnx), ("savedmodel", by_saved_model), ("litert", by_litert)]
)
def test_another_runtime_gives_the_logits_of_the_network(
    form: str,
    run: Callable[[Path, FloatArray], Any],
    network: keras.Model,
    bundle: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "my network"
    assert main(["export", bundle, "--to", form, "--out", str(out)]) == 0
    line = capfd.readouterr().out
    said = rf"{out}: small as {form}; on 280 windows .* differ by (\d\.\de[-+]\d\d) at most\n"
    match = re.fullmatch(said, line)
    assert match, line
    assert float(match[1]) < 5e-3
    assert os.listdir(tmp_path) == ["my network"]
    x = np.random.default_rng(2).standard_normal((3, 2, 1024), np.float32)
    wanted = np.asarray(network(x, training=False))
    assert np.std(wanted) > 0.3
    assert run(out, x) == pytest.approx(wanted, abs=5e-3)


@pytest.mark.parametrize("wrong", [0.1, float("nan")])
def test_what_differs_from_the_network_is_not_kept(
    wrong: float,
    network: keras.Model,
    bundle: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One logit of one window, the last, which is in a batch of its own."""

    def predict(x: FloatArray) -> FloatArray:
        logits = np.array(network(x, training=False))
        logits[-1, 7] += wrong if len(x) < convert._BATCH else 0
        return logits

    wrongly = Format(lambda _, path: path.touch(), lambda path: path.is_file() and predict)
    monkeypatch.setitem(FORMATS, "savedmodel", wrongly)
    out = tmp_path / "model"
    assert main(["export", bundle, "--to", "savedmodel", "--out", str(out)]) == 1
    said = capfd.readouterr().err
    assert f"The savedmodel export differs from the network by {wrong:.2g} in logits of" in said
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("is_folder", [False, True])
def test_what_is_in_the_way_stays(
    is_folder: bool,
    bundle: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "there"
    out.mkdir() if is_folder else out.write_text("precious")
    monkeypatch.setattr(convert, "_load", never)
    assert main(["export", bundle, "--to", "savedmodel", "--out", str(out)]) == 2
    assert f"--out {out} is there already; remove it, or choose" in capfd.readouterr().err
    assert out.is_dir() or out.read_text() == "precious"


@pytest.mark.parametrize("by_variable", [False, True])
def test_on_another_backend_it_says_which_one_exports(
    by_variable: bool,
    bundle: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if by_variable:  # it need not be installed
        monkeypatch.setenv("KERAS_BACKEND", "jax")
    else:
        monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(convert, "_load", never)
    assert main(["export", bundle, "--to", "litert", "--out", str(tmp_path / "x")]) == 2
    said = capfd.readouterr().err
    assert "Keras on jax does not export; run this with KERAS_BACKEND=tensorflow." in said


@pytest.mark.parametrize(
    ("form", "missing", "words"),
    [
        (
            "savedmodel",
            ["keras"],
            'Export needs keras; install it with: pip install "liveclf[train]',
        ),
        ("onnx-fp32", ["tf2onnx"], "Export to ONNX needs tf2onnx; install it with: pip"),
        (
            "litert",
            ["ai_edge_litert.interpreter", "tensorflow.lite.python.interpreter"],
            "Checking a LiteRT file needs ai-edge-litert; install it with: pip install ai-edge-lit",
        ),
    ],
)
def test_what_is_missing_is_named_with_the_line_that_installs_it(
    form: str,
    missing: list[str],
    words: str,
    bundle: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in missing:
        monkeypatch.setitem(sys.modules, module, None)
    assert main(["export", bundle, "--to", form, "--out", str(tmp_path / "x")]) == 3
    assert words in capfd.readouterr().err
    assert os.listdir(tmp_path) == []


def test_a_network_that_keras_refuses_is_one_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / KERAS_FILE).write_text("no network")
    write_info(tmp_path, INFO)
    out = tmp_path / "x"
    assert main(["export", str(tmp_path), "--to", "savedmodel", "--out", str(out)]) == 1
    assert f"Keras cannot load {tmp_path / KERAS_FILE}: " in capfd.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (
            "--to torchscript --out x",
            2,
            "argument --to: invalid choice: 'torchscript' (choose from",
        ),
        ("--to savedmodel", 2, "the following arguments are required: --out"),
        ("--to savedmodel --out no/where/x", 1, "--out no/where/x cannot be written: No such file"),
    ],
)
def test_wrong_use_is_one_sentence(
    flags: str, code: int, words: str, bundle: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", bundle, *flags.split()]) == code
    assert words in capfd.readouterr().err
