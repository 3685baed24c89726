"""Export: a network that is not exported faithfully is not shipped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from small_network import Small, shake

from liveclf.config import NetworkSettings, TrainSettings
from liveclf.errors import TrainingError
from liveclf.learn.data.material import Material
from liveclf.learn.data.truth import TruthSet
from liveclf.learn.export.bundling import _check_same, write_bundle
from liveclf.learn.fit.devices import computing_in
from liveclf.learn.score.evaluate import predict
from liveclf.model.bundle import BundleInfo, load_bundle
from liveclf.model.engines.onnx_engine import OnnxEngine
from liveclf.model.vgg16 import build_vgg16


def test_an_export_that_differs_from_the_network_is_refused(
    network: keras.Model, written: tuple[Path, BundleInfo], check: TruthSet
) -> None:
    x = check.x[:8].astype(np.float32)
    fp32 = written[0] / "model.fp32.onnx"
    _check_same(network, fp32, x)
    other = keras.models.clone_model(network)
    other.set_weights(network.get_weights())
    kernel = other.get_layer("conv3_2").kernel
    kernel.assign(np.asarray(kernel) * 1.05)
    with pytest.raises(TrainingError, match="ONNX export differs from the model"):
        _check_same(other, fp32, x)


def test_the_int8_network_computes_in_eight_bits(written: tuple[Path, BundleInfo]) -> None:
    """Batch norm is folded away, and every weight of a convolution is an int8 tensor."""
    graph = onnx.load(written[0] / "model.int8.onnx").graph
    operators = [node.op_type for node in graph.node]
    n = sum(layer.name.find("conv") >= 0 for layer in build_vgg16(3, "vgg16-slim", 0.125).layers)
    assert n == 13
    assert operators.count("Conv") == n
    assert "BatchNormalization" not in operators
    assert operators.count("QuantizeLinear") > n
    eight_bit = [t for t in graph.initializer if t.data_type == onnx.TensorProto.INT8]
    assert sum(len(t.dims) >= 3 for t in eight_bit) == n
    assert {dim.dim_value for dim in graph.input[0].type.tensor_type.shape.dim} == {0, 2, 1024}


def test_statistics_and_logits_are_not_rounded_to_eight_bits(
    written: tuple[Path, BundleInfo],
) -> None:
    """They span decades; in eight bits they would cost more than all convolutions together."""
    graph = onnx.load(written[0] / "model.int8.onnx").graph
    rounded = {
        name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.output
    }
    exact = ("/matched", "/constellation", "/mean_std", "/logits")
    seen = set()
    for node in graph.node:
        if part := next((p for p in exact if p in node.name), None):
            if "Linear" in node.op_type:
                continue
            seen.add(part)
            # What a last convolution gives comes in eight bits; from there on nothing does.
            inside = [i for i in node.input if i in rounded]
            assert not inside or part.endswith(("mean_std", "logits")), node.name
    assert seen == set(exact)
    weights = {t.name: t.data_type for t in graph.initializer if "logits" in t.name}
    assert onnx.TensorProto.FLOAT in weights.values()


def test_the_int8_network_answers_as_the_fp32_one(
    written: tuple[Path, BundleInfo], check: TruthSet
) -> None:
    folder, info = written
    logits = {p: OnnxEngine(folder / f"model.{p}.onnx", p, 64) for p in ("fp32", "int8")}
    fp32, int8 = (predict(logits[p], check.x) for p in ("fp32", "int8"))
    assert np.ptp(fp32) > 1  # so that agreement says something
    assert np.mean(np.abs(int8 - fp32)) < 0.05 * np.ptp(fp32)
    same = np.mean(fp32.argmax(axis=1) == int8.argmax(axis=1))
    assert same > 0.9
    fp32_right, int8_right = (a.overall for a in info.accuracy)
    assert info.int8_loss == pytest.approx(fp32_right - int8_right, abs=1e-4)


def test_any_classes_and_the_posted_network_trained_in_half_precision_are_bundled(
    check: TruthSet, tmp_path: Path
) -> None:
    """Its dense layers, most of it, compute in eight bits; the classes may be anybody's."""
    names = ("mine", "BPSK", "theirs")
    unknown = np.full(len(check.y), np.nan, np.float32)
    truth = replace(check, y=check.y % 3, classes=names, snr_db=unknown)
    preset, width = "vgg16-classic", 0.03125
    with computing_in("mixed_bfloat16"):
        model = build_vgg16(3, preset, width)
    assert model.get_layer("conv1_1").compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"  # as before
    shake(model)
    settings = TrainSettings(network=NetworkSettings(preset=preset, width=width))
    material = Material(Small(), truth, fingerprint="")
    info = write_bundle(model, tmp_path, settings, material, name="a name")
    bundle = load_bundle(str(tmp_path))
    assert bundle.info == info
    assert info.name == "a name"
    assert info.classes == names
    assert info.families == {"mine": "mine", "BPSK": "PSK", "theirs": "theirs"}
    for file in ("model.fp32.onnx", "model.int8.onnx"):
        assert OnnxEngine(bundle.file(file), "", 4).predict(check.x[:3]).shape == (3, 3)
    bare = keras.models.load_model(tmp_path / "model.keras")
    assert {layer.compute_dtype for layer in bare.layers} == {"float32"}
    weights = onnx.load(tmp_path / "model.int8.onnx").graph.initializer
    eight_bit = [t for t in weights if t.data_type == onnx.TensorProto.INT8]
    assert sum(len(t.dims) == 2 for t in eight_bit) == 2
