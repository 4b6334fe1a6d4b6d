"""Small packed networks with what the digits network lacks: several inputs and outputs, a fixed batch, no graph at all."""

from __future__ import annotations

import numpy as np

from packed_file import content, float_tensors, layer_entry


def _layers() -> tuple[dict[str, np.ndarray], list[dict]]:
    weight = np.arange(1, 7, dtype=np.float32).reshape(3, 2, 1, 1) / 8
    return float_tensors("mix", weight), [layer_entry("mix", "Conv", weight.shape)]


def two_branches(batch: str | int) -> bytes:
    """`left` and `right` [batch, 2, 4, 5]; `mixed` = a 1x1 convolution of their sum, [batch, 3, 4, 5], and `average` of it,
    [batch, 3]."""
    tensors, layers = _layers()
    shape = [batch, 2, 4, 5]

    def node(name: str, operator: str, inputs: list[str], output: str, **more: object) -> dict:
        return {"name": name, "operator": operator, "inputs": inputs, "outputs": [output], **more}

    graph = {
        "operator_set": 17,
        "inputs": [{"name": name, "dtype": "float32", "shape": shape} for name in ("left", "right")],
        "outputs": [
            {"name": "mixed", "dtype": "float32", "shape": [batch, 3, 4, 5]},
            {"name": "average", "dtype": "float32", "shape": [batch, 3]},
        ],
        "nodes": [
            node("add", "Add", ["left", "right"], "sum"),
            node("mix", "Conv", ["sum"], "mixed", layer="mix"),
            node("pool", "GlobalAveragePool", ["mixed"], "pooled"),
            node("flatten", "Flatten", ["pooled"], "average"),
        ],
        "values": {},
    }
    return content(tensors, layers, graph, name="branches")


def weights_only() -> bytes:
    return content(*_layers(), name="weights")
