"""Which of oneDNN's implementations run: none of the reference ones, which are hundreds of times slower, in networks of the shapes of
two trained ones (their weights do not matter here): ResNet-20 with Slice-Pad shortcuts, and MobileNetV1 0.25 with depthwise layers."""

from __future__ import annotations

import multipoint
import numpy as np
import onnx
import pytest
from networks import Network


def convolution(network: Network, x: str, inputs: int, outputs: int, kernel: int, stride: int = 1, group: int = 1) -> str:
    """Conv and BatchNormalization."""
    fan_in = inputs // group * kernel**2
    weights = network.normal(outputs, inputs // group, kernel, kernel, spread=(2 / fan_in) ** 0.5)
    before, after = (kernel - 1) // 2, kernel // 2
    y = network.add(
        "Conv", x, weights, group=group, kernel_shape=[kernel] * 2, strides=[stride] * 2,
        pads=[before, before, after, after],
    )  # fmt: skip
    scale, bias = network.constant(np.ones(outputs, np.float32)), network.constant(np.zeros(outputs, np.float32))
    return network.add("BatchNormalization", y, scale, bias, bias, scale)


def classifier(network: Network, x: str, channels: int, classes: int) -> str:
    mean = network.add("Flatten", network.add("GlobalAveragePool", x))
    return network.add("Gemm", mean, network.normal(classes, channels, spread=0.1), network.normal(classes), transB=1)


def resnet20(rng) -> tuple[Network, str]:
    network = Network(rng, 13, shape=(3, 32, 32))
    x, channels = network.add("Relu", convolution(network, "x", 3, 16, 3)), 16
    for outputs in (16, 32, 64):
        for block in range(3):
            stride = 2 if block == 0 and outputs > 16 else 1
            shortcut = x
            if stride == 2:
                half = network.slice(x, [0, 0], [2**31 - 1] * 2, [2, 3], [2, 2])
                margin = (outputs - channels) // 2
                shortcut = network.pad(half, [0, margin, 0, 0, 0, margin, 0, 0], 0)
            y = network.add("Relu", convolution(network, x, channels, outputs, 3, stride))
            y = convolution(network, y, outputs, outputs, 3)
            x, channels = network.add("Relu", network.add("Add", y, shortcut)), outputs
    return network, classifier(network, x, 64, 10)


def mobilenet_v1(rng) -> tuple[Network, str]:
    network = Network(rng, 13, shape=(3, 96, 96))
    x, channels = network.add("Relu", convolution(network, "x", 3, 8, 3, 2)), 8
    plan = [(16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2), (256, 1)]
    for outputs, stride in plan:
        x = network.add("Relu", convolution(network, x, channels, channels, 3, stride, group=channels))
        x, channels = network.add("Relu", convolution(network, x, channels, outputs, 1)), outputs
    return network, classifier(network, x, channels, 2)


@pytest.mark.parametrize("build", [resnet20, mobilenet_v1])
def test_no_reference_implementations(rng, command, tmp_path, build):
    network, output = build(rng)
    onnx.save(network.model(output), tmp_path / "net.onnx")
    np.save(tmp_path / "images.npy", rng.normal(0, 1, (8, *network.shape)).astype(np.float32))
    command(
        "quantize", tmp_path / "net.onnx", "--calibration", tmp_path / "images.npy", "--relative-epsilon", "0.005",
        "--output", tmp_path / "net.multipoint",
    )  # fmt: skip
    with multipoint.Model(tmp_path / "net.multipoint") as model:
        assert any(layer.rows > layer.channels for layer in model.layers), "no layer has extra rows"
        for threads in (1, 2):
            with model.session(maximum_batch=2, threads=threads) as session:
                for step in session.steps:
                    assert "ref" not in step.implementation, step
