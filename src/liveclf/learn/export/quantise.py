"""The int8 network: static, per channel, QDQ, 8-bit activations."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from liveclf.records import FloatArray

_BATCH = 64
# Between convolutions nothing but these; each of them costs a conversion if left out.
_ALWAYS = {"Conv", "Relu", "MaxPool"}


def quantise(fp32: Path, int8: Path, x: FloatArray) -> None:
    """Make the int8 network.

    The convolutions and the large dense layers compute in eight bits. What comes before them
    (spectra span decades), beside them (what is known of the symbols) and after them (statistics,
    logits) stays as it is: in eight bits it would cost more accuracy than all convolutions
    together.

    Args:
        fp32: The network, as ONNX.
        int8: File to write.
        x: Windows from which the ranges of the activations are taken.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as scratch:
        folded = Path(scratch) / "folded.onnx"  # batch norm folded into the convolutions
        quant_pre_process(fp32, folded, skip_symbolic_shape=True)
        kinds = _worth_it(folded)
        quantize_static(
            folded,
            int8,
            _reader(x),
            quant_format=QuantFormat.QDQ,
            # Else the ranges of all other tensors are taken too, which is most of the work.
            op_types_to_quantize=sorted(set(kinds.values())),
            nodes_to_quantize=list(kinds),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


def _worth_it(network: Path) -> dict[str, str]:
    """Return the names of the nodes that compute in eight bits, and the kind of each."""
    import onnx

    nodes = onnx.load(network, load_external_data=False).graph.node
    return {n.name: n.op_type for n in nodes if n.op_type in _ALWAYS or "/dense" in n.name}


def _reader(x: FloatArray) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime is untyped
        def __init__(self) -> None:
            self._batches: Iterator[FloatArray] = iter(np.split(x, range(_BATCH, len(x), _BATCH)))

        def get_next(self) -> dict[str, Any] | None:
            batch = next(self._batches, None)
            return None if batch is None else {"iq": batch}

    return Reader()
