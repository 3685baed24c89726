"""Export: a network that is not exported faithfully is not shipped."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

from liveclf.errors import TrainingError
from liveclf.learn.evaluate import TruthSet, score
from liveclf.learn.export import _check_same, _whole_tens
from liveclf.model.bundle import BundleInfo
from liveclf.signals.generator import Labelled


def test_an_export_that_differs_from_the_network_is_refused(
    network: keras.Model, written: tuple[Path, BundleInfo], check: Labelled
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
    assert operators.count("Conv") == 13
    assert "BatchNormalization" not in operators
    assert operators.count("QuantizeLinear") > 13
    eight_bit = [t for t in graph.initializer if t.data_type == onnx.TensorProto.INT8]
    assert sum(len(t.dims) >= 3 for t in eight_bit) == 13
    assert {dim.dim_value for dim in graph.input[0].type.tensor_type.shape.dim} == {0, 2, 1024}


def test_snr_is_grouped_in_whole_tens_and_zero_has_no_sign() -> None:
    snr_db = np.array([-4.9, -0.1, 4.9, 5.1, 14, -6, 29.9], np.float32)
    groups = _whole_tens(snr_db)
    assert groups.tolist() == [0, 0, 0, 10, 10, -10, 30]
    truth = TruthSet("set", np.zeros((7, 2, 1024), np.float32), np.zeros(7, int), groups, ("A",))
    kept = score(np.zeros((7, 1), np.float32), truth, ("A",), {"A": "A"}).as_accuracy("fp32")
    assert set(kept.by_snr) == {"-10", "0", "10", "30"}
