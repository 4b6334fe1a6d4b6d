"""ONNX networks with random weights."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from runtime import constant, model, value


def weights(rng: np.random.Generator, name: str, *shape: int) -> onnx.TensorProto:
    return constant(name, (rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32))


def normalization(rng: np.random.Generator, name: str, channels: int) -> list[onnx.TensorProto]:
    """Scale, bias, mean, variance."""
    scale, bias, mean = rng.standard_normal((3, channels)).astype(np.float32)
    variance = rng.uniform(0.5, 2, channels).astype(np.float32)
    return [
        constant(f"{name}_{what}", array)
        for what, array in zip("sbmv", (np.abs(scale) + 0.5, bias, mean, variance))
    ]


def folding_network(rng: np.random.Generator) -> onnx.ModelProto:
    """Everything that packing folds into a layer: pads, batch normalization, factors and terms per channel, an identity; and a value
    between convolution and normalization that is used elsewhere, which keeps that normalization out of its layer."""
    nodes = [
        helper.make_node("Pad", ["x", "pads"], ["padded"], name="pad"),
        helper.make_node("Conv", ["padded", "w1", "b1"], ["c1"], name="first"),
        helper.make_node("BatchNormalization", ["c1", "n1_s", "n1_b", "n1_m", "n1_v"], ["n1"], name="norm1"),
        helper.make_node("Relu", ["n1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], name="second", pads=[1, 1, 1, 1], group=2),
        helper.make_node("Mul", ["c2", "factor"], ["m2"], name="scale2"),
        helper.make_node("Add", ["term", "m2"], ["a2"], name="shift2"),
        helper.make_node("Identity", ["a2"], ["i2"], name="same"),
        helper.make_node("Conv", ["r1", "w3"], ["c3"], name="third", pads=[1, 1, 1, 1], strides=[1, 1]),
        helper.make_node("BatchNormalization", ["c3", "n3_s", "n3_b", "n3_m", "n3_v"], ["n3"], name="norm3"),
        helper.make_node("Add", ["i2", "n3"], ["sum"]),
        helper.make_node("Add", ["sum", "c3"], ["sum2"]),
        helper.make_node("Relu", ["sum2"], ["r3"]),
        helper.make_node("GlobalAveragePool", ["r3"], ["pool"]),
        helper.make_node("Flatten", ["pool"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w4"], ["product"], name="classifier"),
        helper.make_node("Add", ["product", "b4"], ["y"], name="bias"),
    ]
    constants = [
        constant("pads", np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64)),
        weights(rng, "w1", 8, 3, 3, 3), weights(rng, "b1", 8), *normalization(rng, "n1", 8),
        weights(rng, "w2", 8, 4, 3, 3), weights(rng, "factor", 8, 1, 1), weights(rng, "term", 1, 8, 1, 1),
        weights(rng, "w3", 8, 8, 3, 3), *normalization(rng, "n3", 8), weights(rng, "w4", 8, 5), weights(rng, "b4", 5),
    ]  # fmt: skip
    return model(nodes, [value("x", ["N", 3, 12, 12])], [value("y", ["N", 5])], constants, [helper.make_opsetid("", 16)])


def mixed_network(rng: np.random.Generator) -> onnx.ModelProto:
    """Operators whose canonical form differs from what is common: integer results, constants that broadcast, inputs left out."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("HardSwish", ["a"], ["b"]),
        helper.make_node("Resize", ["b", "", "scales"], ["c"], mode="nearest"),
        helper.make_node("ReduceMean", ["c", "axes"], ["mean"], keepdims=1),
        helper.make_node("LayerNormalization", ["c", "ones", "zeros"], ["normal"], axis=-1),
        helper.make_node("ArgMax", ["normal"], ["largest"], axis=1),
        helper.make_node("Cast", ["largest"], ["position"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["position", "mean"], ["y"]),
    ]
    constants = [
        weights(rng, "w", 4, 3, 3, 3), constant("scales", np.array([1, 1, 2, 2], np.float32)),
        constant("axes", np.array([2, 3], np.int64)), constant("ones", np.ones(12, np.float32)),
        constant("zeros", np.zeros(12, np.float32)),
    ]  # fmt: skip
    return model(nodes, [value("x", ["N", 3, 6, 6])], [value("y", ["N", 4, 12, 12])], constants, [helper.make_opsetid("", 18)])


def sampling_network(rng: np.random.Generator) -> onnx.ModelProto:
    """What this library does not run: GridSample, images of any size, and a branch that reads a layer's result."""
    positive = helper.make_graph(
        [helper.make_node("Mul", ["c", "two"], ["then_y"])], "then", [], [value("then_y", None)]
    )
    negative = helper.make_graph([helper.make_node("Neg", ["c"], ["else_y"])], "else", [], [value("else_y", None)])
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["a"], name="stem", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["features"]),
        helper.make_node("Conv", ["features", "w2", "b2"], ["o"], auto_pad="SAME_UPPER"),
        helper.make_node("Tanh", ["o"], ["tanh"]),
        helper.make_node("Transpose", ["tanh"], ["grid"], perm=[0, 2, 3, 1]),
        helper.make_node("GridSample", ["features", "grid"], ["sampled"], padding_mode="border"),
        helper.make_node("Conv", ["sampled", "w3"], ["c"], name="mix", group=2, strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("ReduceSum", ["c"], ["total"], keepdims=0),
        helper.make_node("Greater", ["total", "zero"], ["is_positive"]),
        helper.make_node("If", ["is_positive"], ["branch"], then_branch=positive, else_branch=negative),
        helper.make_node("GlobalAveragePool", ["branch"], ["pool"]),
        helper.make_node("Flatten", ["pool"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w4", "b4"], ["y"], name="classifier", transB=1),
    ]
    constants = [
        weights(rng, "w1", 16, 3, 3, 3), weights(rng, "b1", 16), weights(rng, "w2", 2, 16, 3, 3), weights(rng, "b2", 2),
        weights(rng, "w3", 32, 8, 3, 3), weights(rng, "w4", 10, 32), weights(rng, "b4", 10),
        constant("two", np.float32(2)), constant("zero", np.float32(0)),
    ]  # fmt: skip
    return model(
        nodes, [value("x", ["N", 3, "H", "W"])], [value("y", ["N", 10])], constants, [helper.make_opsetid("", 16)]
    )
