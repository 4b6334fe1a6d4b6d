"""The benchmark networks as ONNX files with random weights: their speed does not depend on the values.

Weights are He's normal initialization (He, Zhang, Ren, Sun 2015). Batch normalizations are folded into the convolutions, as every
runtime does before it runs, so each convolution has a bias; the last convolution of a residual branch has a smaller gain, so that
activations neither grow nor vanish with depth.
"""

import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPERATOR_SET = 17


class Builder:
    """Appends nodes; every method takes the names of values and returns the name of its result."""

    def __init__(self, name: str, image: tuple[int, int, int], seed: int = 1):
        self.name, self.image = name, image
        self.random = np.random.default_rng(seed)
        self.nodes, self.initializers = [], []
        self.channels = {"input": image[0]}

    def constant(self, name: str, values) -> str:
        self.initializers.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    def node(self, operator: str, inputs: list[str], channels: int, **attributes) -> str:
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [f"{name}_y"], name=name, **attributes))
        self.channels[f"{name}_y"] = channels
        return f"{name}_y"

    def weights(self, shape: tuple[int, ...], gain: float) -> list[str]:
        number = len(self.initializers)
        deviation = np.sqrt(gain / np.prod(shape[1:]))
        return [
            self.constant(f"w{number}", self.random.standard_normal(shape) * deviation),
            self.constant(f"b{number}", self.random.standard_normal(shape[0]) * 0.05),
        ]

    def activation(self, x: str, kind: str | None) -> str:
        if kind is None:
            return x
        if kind == "relu":
            return self.node("Relu", [x], self.channels[x])
        if not any(initializer.name == "six" for initializer in self.initializers):
            self.constant("zero", 0.0), self.constant("six", 6.0)
        return self.node("Clip", [x, "zero", "six"], self.channels[x])

    def conv(self, x: str, channels: int, kernel: int, stride=1, pad=0, group=1, activation=None, gain=None) -> str:
        gain = (2.0 if activation else 1.0) if gain is None else gain
        weights = self.weights((channels, self.channels[x] // group, kernel, kernel), gain)
        y = self.node(
            "Conv", [x, *weights], channels, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, group=group
        )
        return self.activation(y, activation)

    def dense(self, x: str, channels: int, activation=None) -> str:
        weights = self.weights((channels, self.channels[x]), 2.0 if activation else 1.0)
        return self.activation(self.node("Gemm", [x, *weights], channels, transB=1), activation)

    def add(self, a: str, b: str) -> str:
        return self.node("Add", [a, b], self.channels[a])

    def concat(self, *values: str) -> str:
        return self.node("Concat", list(values), sum(self.channels[value] for value in values), axis=1)

    def max_pool(self, x: str, kernel: int, stride: int, pad=0, ceil_mode=0) -> str:
        return self.node(
            "MaxPool", [x], self.channels[x], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, ceil_mode=ceil_mode
        )

    def global_pool(self, x: str) -> str:
        return self.flatten(self.node("GlobalAveragePool", [x], self.channels[x]), self.channels[x])

    def flatten(self, x: str, channels: int) -> str:
        return self.node("Flatten", [x], channels, axis=1)

    def save(self, output: str, path: str) -> None:
        """The batch dimension is called N."""
        self.nodes[-1].output[0] = "output"
        graph = helper.make_graph(
            self.nodes,
            self.name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", *self.image])],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", self.channels[output]])],
            self.initializers,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPERATOR_SET)], producer_name="multipoint benchmarks")
        model.ir_version = 8
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)


def resnet20(b: Builder) -> str:
    x = b.conv("input", 16, 3, pad=1, activation="relu")
    for stage, channels in enumerate([16, 32, 64]):
        for block in range(3):
            stride = 2 if stage > 0 and block == 0 else 1
            y = b.conv(x, channels, 3, stride, 1, activation="relu")
            y = b.conv(y, channels, 3, 1, 1, gain=0.3)
            shortcut = b.conv(x, channels, 1, stride) if stride > 1 else x
            x = b.activation(b.add(y, shortcut), "relu")
    return b.dense(b.global_pool(x), 10)


def resnet18(b: Builder) -> str:
    x = b.conv("input", 64, 7, 2, 3, activation="relu")
    x = b.max_pool(x, 3, 2, 1)
    for stage, channels in enumerate([64, 128, 256, 512]):
        for block in range(2):
            stride = 2 if stage > 0 and block == 0 else 1
            y = b.conv(x, channels, 3, stride, 1, activation="relu")
            y = b.conv(y, channels, 3, 1, 1, gain=0.3)
            shortcut = b.conv(x, channels, 1, stride) if stride > 1 else x
            x = b.activation(b.add(y, shortcut), "relu")
    return b.dense(b.global_pool(x), 1000)


def resnet50(b: Builder) -> str:
    """Version 1.5: the stride is in the 3 × 3 convolution."""
    x = b.conv("input", 64, 7, 2, 3, activation="relu")
    x = b.max_pool(x, 3, 2, 1)
    for stage, (channels, blocks) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)]):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            y = b.conv(x, channels, 1, activation="relu")
            y = b.conv(y, channels, 3, stride, 1, activation="relu")
            y = b.conv(y, 4 * channels, 1, gain=0.3)
            shortcut = b.conv(x, 4 * channels, 1, stride) if block == 0 else x
            x = b.activation(b.add(y, shortcut), "relu")
    return b.dense(b.global_pool(x), 1000)


def mobilenet_v2(b: Builder) -> str:
    x = b.conv("input", 32, 3, 2, 1, activation="relu6")
    stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for expansion, channels, blocks, first_stride in stages:
        for block in range(blocks):
            stride = first_stride if block == 0 else 1
            wide = b.channels[x] * expansion
            is_residual = stride == 1 and b.channels[x] == channels
            y = b.conv(x, wide, 1, activation="relu6") if expansion > 1 else x
            y = b.conv(y, wide, 3, stride, 1, group=wide, activation="relu6")
            y = b.conv(y, channels, 1, gain=0.5 if is_residual else 1.0)
            x = b.add(x, y) if is_residual else y
    x = b.conv(x, 1280, 1, activation="relu6")
    return b.dense(b.global_pool(x), 1000)


def squeezenet11(b: Builder) -> str:
    def fire(x: str, squeezed: int, expanded: int) -> str:
        x = b.conv(x, squeezed, 1, activation="relu")
        return b.concat(b.conv(x, expanded, 1, activation="relu"), b.conv(x, expanded, 3, 1, 1, activation="relu"))

    x = b.conv("input", 64, 3, 2, activation="relu")
    for squeezed, expanded, blocks in [(16, 64, 2), (32, 128, 2), (48, 192, 2), (64, 256, 2)]:
        if squeezed < 64:
            x = b.max_pool(x, 3, 2, ceil_mode=1)
        for _ in range(blocks):
            x = fire(x, squeezed, expanded)
    x = b.conv(x, 1000, 1, activation="relu")
    return b.global_pool(x)


def vgg16(b: Builder) -> str:
    x = "input"
    for blocks, channels in [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]:
        for _ in range(blocks):
            x = b.conv(x, channels, 3, 1, 1, activation="relu")
        x = b.max_pool(x, 2, 2)
    x = b.dense(b.flatten(x, 512 * 7 * 7), 4096, "relu")
    return b.dense(b.dense(x, 4096, "relu"), 1000)


# Name: how it is built, height and width of its images.
NETWORKS = {
    "ResNet-20": (resnet20, 32),
    "SqueezeNet 1.1": (squeezenet11, 224),
    "MobileNetV2": (mobilenet_v2, 224),
    "ResNet-18": (resnet18, 224),
    "ResNet-50": (resnet50, 224),
    "VGG-16": (vgg16, 224),
}


def file_name(network: str) -> str:
    return network.lower().replace(" ", "-")


def write(network: str, path: str) -> None:
    build, size = NETWORKS[network]
    builder = Builder(network, (3, size, size))
    temporary = path + ".part"
    builder.save(build(builder), temporary)
    os.replace(temporary, path)
