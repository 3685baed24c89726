"""The layers with weights alone, as ONNX: what comes before them is compiled where they run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from liveclf.errors import TrainingError

# The inputs, and between which Keras layers the graph is cut for them.
CUTS = {"matched": ("matched", "both"), "constellation": ("constellation", "symbols")}


def cut(whole: Path, layers: Path) -> None:
    """Write the part of a joint network that `model.blind` does not compute.

    Args:
        whole: ONNX file of it, fp32 or int8.
        layers: File to write; its inputs are "iq", as of the whole, and those of `CUTS`.

    Raises:
        TrainingError: The graph has no one tensor at a place to cut.
    """
    import onnx
    from onnx.utils import extract_model

    graph = onnx.load(whole).graph
    names = {_between(graph, *pair, whole): name for name, pair in CUTS.items()}
    inputs = [value.name for value in graph.input]
    extract_model(str(whole), str(layers), [*inputs, *names], [graph.output[0].name])
    model = onnx.load(layers)
    for node in model.graph.node:
        for k, name in enumerate(node.input):
            node.input[k] = names.get(name, name)
    for value in model.graph.input:
        value.name = names.get(value.name, value.name)
    onnx.checker.check_model(model)
    onnx.save(model, layers)


def _between(graph: Any, before: str, behind: str, path: Path) -> str:
    """Return the tensor that goes from one Keras layer to the next."""
    made = {name for node in _nodes(graph, before) for name in node.output}
    taken = {name for node in _nodes(graph, behind) for name in node.input}
    if len(both := made & taken) != 1:
        raise TrainingError(
            f"{path} has {len(both)} tensors from {before} to {behind}, not one: this version of "
            "TensorFlow or tf2onnx names them otherwise."
        )
    return str(both.pop())


def _nodes(graph: Any, layer: str) -> list[Any]:
    named = re.compile(rf"/{layer}(_\d+)?/")
    return [node for node in graph.node if named.search(node.name)]
