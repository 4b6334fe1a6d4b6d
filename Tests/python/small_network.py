"""A small network as a packed file made with NumPy, and what it computes."""

from __future__ import annotations

import numpy as np

from packed_file import content, float_tensors, layer_entry, packed_tensors, quantization
from reference import Geometry, apply_rows, expected_rows, odd_codebook, per_channel, quantize, sum_rows


class SmallNetwork:
    """Conv - Relu - MaxPool - Conv - Add - Relu - GlobalAveragePool - Flatten - Gemm, with every kind of weights: a ladder,
    free scales and float."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.conv1 = Geometry((8, 3, 3, 3), pads=(1, 1, 1, 1))
        self.conv2 = Geometry((8, 8, 3, 3), pads=(1, 0, 1, 2), dilations=(1, 1))
        self.parts: dict[str, tuple] = {}
        for name, geometry, ladder in (("conv1", self.conv1, [2, 2]), ("conv2", self.conv2, None)):
            points = rng.integers(1, 4, 8).astype(np.uint8)
            codebooks = [odd_codebook(3), odd_codebook(1), odd_codebook(1)]
            codes = [
                rng.integers(0, len(book), (int((points > level).sum()), geometry.row_length)).astype(np.uint8)
                for level, book in enumerate(codebooks)
            ]
            count = 8 if ladder else int(points.sum())
            scales = (rng.uniform(0.5, 1, count) * 0.01).astype(np.float32)
            bias = rng.normal(0, 0.1, 8).astype(np.float32)
            self.parts[name] = (points, codes, codebooks, scales, ladder, bias)
        self.input1 = (float(np.float32(1 / 255)), 0)
        self.input2 = (float(np.float32(0.01)), 0)
        self.weight = rng.normal(0, 1, (5, 8)).astype(np.float32)
        self.bias = rng.normal(0, 1, 5).astype(np.float32)
        self.constant = rng.normal(0, 0.2, (1, 8, 1, 1)).astype(np.float32)

    def encoded(self) -> bytes:
        layers = []
        tensors = float_tensors("classifier", self.weight, self.bias)
        for (name, geometry), stored in zip(
            (("conv1", self.conv1), ("conv2", self.conv2)), (self.input1, self.input2)
        ):
            points, codes, codebooks, scales, ladder, bias = self.parts[name]
            tensors |= packed_tensors(name, points, codes, codebooks, scales, bias)
            entry = layer_entry(name, "Conv", geometry.shape, pads=list(geometry.pads), input=quantization(*stored))
            layers.append(entry | ({"ladder": ladder} if ladder else {}))
        layers.append(layer_entry("classifier", "Gemm", self.weight.shape))
        tensors["shift"] = self.constant
        return content(tensors, layers, self.graph(), name="small")

    def graph(self) -> dict:
        def node(name, operator, inputs, output, layer=None, **attributes):
            entry = {"name": name, "operator": operator, "inputs": inputs, "outputs": [output]}
            if layer is not None:
                entry["layer"] = layer
            return entry | ({"attributes": attributes} if attributes else {})

        return {
            "operator_set": 17,
            "inputs": [{"name": "image", "dtype": "float32", "shape": ["N", 3, 8, 8]}],
            "outputs": [{"name": "logits", "dtype": "float32", "shape": ["N", 5]}],
            "nodes": [
                node("shift", "Constant", [], "shift", value="shift"),
                node("conv1", "Conv", ["image"], "a", layer="conv1"),
                node("relu1", "Relu", ["a"], "b"),
                node("pool", "MaxPool", ["b"], "c", kernel_shape=[2, 2], strides=[2, 2]),
                node("conv2", "Conv", ["c"], "d", layer="conv2"),
                node("add", "Add", ["d", "shift"], "e"),
                node("relu2", "Relu", ["e"], "f"),
                node("average", "GlobalAveragePool", ["f"], "g"),
                node("flatten", "Flatten", ["g"], "h"),
                node("classifier", "Gemm", ["h"], "logits", layer="classifier"),
            ],
            "values": {
                "image": quantization(*self.input1),
                "b": quantization(*self.input2),
                "c": quantization(*self.input2),
            },
        }

    def layer_output(self, name: str, geometry: Geometry, x: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
        points, codes, codebooks, scales, ladder, bias = self.parts[name]
        rows = expected_rows(points, codes, codebooks, scales, ladder, geometry.row_length)
        centred = quantize(x, scale, zero_point).astype(np.int64) - zero_point
        raw = apply_rows(geometry, centred, rows.values, rows.channels)
        return scale * sum_rows(raw, rows.scales, rows.channels, 8) + per_channel(bias, 4)

    def expected(self, x: np.ndarray) -> np.ndarray:
        b = np.maximum(self.layer_output("conv1", self.conv1, x, *self.input1), 0)
        c = b.reshape(len(x), 8, 4, 2, 4, 2).max(axis=(3, 5))
        d = self.layer_output("conv2", self.conv2, c, *self.input2)
        f = np.maximum(d + self.constant, 0)
        return f.mean(axis=(2, 3)) @ self.weight.T.astype(np.float64) + self.bias
