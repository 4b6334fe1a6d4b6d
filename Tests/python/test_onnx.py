"""ONNX networks through the command and the library, against ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper

import multipoint
from networks import Network, run_reference

OPSETS = [7, 9, 11, 13, 17, 22]


@pytest.fixture
def check(command, tmp_path):
    """Converts a model without packing, runs it and compares every output with ONNX Runtime's, for two batch sizes."""

    def check(network: Network, *outputs: str, external: bool = False) -> None:
        model = network.model(*outputs)
        path = tmp_path / "network.onnx"
        if external:
            onnx.save(
                model, path, save_as_external_data=True, all_tensors_to_one_file=True, location="weights.bin",
                size_threshold=0,
            )  # fmt: skip
        else:
            onnx.save(model, path)
        compare(command, tmp_path, path, network)

    return check


def compare(command, folder, path, network: Network) -> None:
    samples = network.rng.normal(0, 1, (4, *network.shape)).astype(np.float32)
    np.save(folder / "samples.npy", samples)
    packed = folder / "network.multipoint"
    command(
        "quantize", path, "--calibration", folder / "samples.npy", "--layout", "nchw", "--method", "float",
        "--output", packed,
    )  # fmt: skip
    with multipoint.Model(packed) as model, model.session(maximum_batch=3) as session:
        for batch in (1, 3):
            x = samples[:batch]
            expected = run_reference(str(path), x)
            found = session.run(x)
            found = found if isinstance(found, tuple) else (found,)
            assert len(found) == len(expected)
            for mine, reference in zip(found, expected):
                assert mine.shape == reference.shape
                tolerance = 1e-4 * np.abs(reference) + 1e-5 * np.abs(reference).max(initial=0)
                assert (np.abs(mine - reference) <= tolerance).all(), float(np.abs(mine - reference).max())


# ----------------------------------------------------------------------------------------------------------------------
# One operator at a time: what it is called, the first operator set that has it so, and how to add it to a network


def flattened(network: Network) -> tuple[str, int]:
    return network.add("Flatten", "x"), int(np.prod(network.shape))


def gemm(network: Network, **options) -> str:
    x, features = flattened(network)
    transposed = options.get("transB", 0)
    weight = network.normal(*((7, features) if transposed else (features, 7)), spread=0.1)
    return network.add("Gemm", x, weight, network.normal(7), **options)


def gemm_with_scalar_offset(network: Network) -> str:
    x, features = flattened(network)
    return network.add("Gemm", x, network.normal(features, 7, spread=0.1), network.normal(1))


def gemm_without_offset(network: Network) -> str:
    x, features = flattened(network)
    return network.add("Gemm", x, network.normal(features, 7, spread=0.1))


def pooled(network: Network, operator: str, **attributes) -> str:
    return network.add(operator, "x", **attributes)


def reshaped(network: Network, *shape: int) -> str:
    return network.add("Reshape", "x", network.integers(*shape))


def constant_nodes(network: Network) -> str:
    node = helper.make_node(
        "Constant", [], ["shift"], value=onnx.numpy_helper.from_array(np.float32([[[0.5]]]), "value")
    )
    network.nodes.append(node)
    return network.add("Add", "x", "shift")


def constant_numbers(network: Network) -> str:
    network.nodes.append(helper.make_node("Constant", [], ["factor"], value_float=1.5))
    network.nodes.append(helper.make_node("Constant", [], ["shape"], value_ints=[0, -1]))
    return network.add("Reshape", network.add("Mul", "x", "factor"), "shape")


OPERATORS: dict[str, tuple[int, Callable[[Network], str]]] = {
    "conv": (7, lambda n: n.convolution("x", 6, 5)),
    "conv without bias": (7, lambda n: n.convolution("x", 6, 5, bias=False, strides=[2, 1])),
    "conv asymmetric pads": (7, lambda n: n.convolution("x", 6, 5, kernel=(3, 2), pads=[0, 2, 1, 0], strides=[1, 2])),
    "conv dilated": (7, lambda n: n.convolution("x", 6, 4, dilations=[2, 3], pads=[1, 1, 1, 1])),
    "conv groups": (7, lambda n: n.convolution("x", 6, 9, group=3)),
    "conv depthwise": (7, lambda n: n.convolution("x", 6, 6, group=6, pads=[1, 1, 1, 1])),
    "conv depthwise multiplier": (7, lambda n: n.convolution("x", 6, 12, kernel=(2, 3), group=6)),
    "conv same upper": (7, lambda n: n.convolution("x", 6, 5, kernel=(4, 3), auto_pad="SAME_UPPER", strides=[2, 2])),
    "conv same lower": (7, lambda n: n.convolution("x", 6, 5, kernel=(4, 3), auto_pad="SAME_LOWER", strides=[2, 3])),
    "conv valid": (7, lambda n: n.convolution("x", 6, 5, auto_pad="VALID")),
    "conv pointwise": (7, lambda n: n.convolution("x", 6, 20, kernel=(1, 1))),
    "gemm": (7, gemm),
    "gemm transposed": (7, lambda n: gemm(n, transB=1)),
    "gemm alpha beta": (7, lambda n: gemm(n, transB=1, alpha=0.5, beta=2.0)),
    "gemm scalar offset": (7, gemm_with_scalar_offset),
    "gemm without offset": (11, gemm_without_offset),
    "matmul": (7, lambda n: n.add("MatMul", n.add("Flatten", "x"), n.normal(int(np.prod(n.shape)), 4))),
    "matmul of four dimensions": (7, lambda n: n.add("MatMul", "x", n.normal(n.shape[-1], 7))),
    "matmul of three dimensions": (7, lambda n: n.add("MatMul", reshaped(n, 0, 54, 10), n.normal(10, 7))),
    "matmul of a convolution": (7, lambda n: n.add("MatMul", n.convolution("x", 6, 5), n.normal(8, 3))),
    "matmul and offset": (
        7,
        lambda n: n.add("Add", n.add("MatMul", n.add("Flatten", "x"), n.normal(int(np.prod(n.shape)), 4)), n.normal(4)),
    ),
    "batch normalization folded": (7, lambda n: n.batch_normalization(n.convolution("x", 6, 5, bias=False), 5)),
    "batch normalization folded with bias": (7, lambda n: n.batch_normalization(n.convolution("x", 6, 6, group=2), 6)),
    "batch normalization alone": (7, lambda n: n.batch_normalization("x", 6)),
    "batch normalization after relu": (7, lambda n: n.batch_normalization(n.add("Relu", n.convolution("x", 6, 5)), 5)),
    "relu": (7, lambda n: n.add("Relu", "x")),
    "clip": (7, lambda n: n.clip("x", -0.5, 0.75)),
    "clip six": (7, lambda n: n.clip(n.convolution("x", 6, 5), 0, 6)),
    "clip below": (7, lambda n: n.clip("x", -0.5, None)),
    "clip above": (7, lambda n: n.clip("x", None, 0.25)),
    "leaky relu": (7, lambda n: n.add("LeakyRelu", "x", alpha=0.2)),
    "leaky relu default": (7, lambda n: n.add("LeakyRelu", n.convolution("x", 6, 5))),
    "sigmoid": (7, lambda n: n.add("Sigmoid", "x")),
    "swish": (7, lambda n: n.add("Mul", "x", n.add("Sigmoid", "x"))),
    "add values": (7, lambda n: n.add("Add", n.add("Relu", "x"), "x")),
    "add broadcast values": (7, lambda n: n.add("Add", "x", n.add("GlobalAveragePool", "x"))),
    "add to itself": (7, lambda n: n.add("Add", "x", "x")),
    "add per channel": (7, lambda n: n.add("Add", "x", n.normal(6, 1, 1))),
    "add per column": (7, lambda n: n.add("Add", n.normal(10), "x")),
    "add scalar": (7, lambda n: n.add("Add", "x", n.constant(np.float32(0.25)))),
    "add image": (7, lambda n: n.add("Add", "x", n.normal(1, 6, 9, 10))),
    "residual": (7, lambda n: n.add("Relu", n.add("Add", n.convolution("x", 6, 6, pads=[1, 1, 1, 1]), "x"))),
    "mul per channel": (7, lambda n: n.add("Mul", "x", n.normal(6, 1, 1))),
    "mul scalar": (7, lambda n: n.add("Mul", n.constant(np.float32(-3)), "x")),
    "mul after conv": (7, lambda n: n.add("Mul", n.convolution("x", 6, 5), n.normal(1, 5, 1, 1))),
    "squeeze and excite": (
        7,
        lambda n: n.add("Mul", "x", n.add("Sigmoid", n.convolution(n.add("GlobalAveragePool", "x"), 6, 6, (1, 1)))),
    ),
    "max pool": (7, lambda n: pooled(n, "MaxPool", kernel_shape=[2, 3], strides=[2, 2])),
    "max pool padded": (7, lambda n: pooled(n, "MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 1, 2])),
    "max pool default strides": (7, lambda n: pooled(n, "MaxPool", kernel_shape=[2, 2])),
    "max pool same": (7, lambda n: pooled(n, "MaxPool", kernel_shape=[3, 2], strides=[2, 2], auto_pad="SAME_UPPER")),
    "max pool ceil": (11, lambda n: pooled(n, "MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)),
    "max pool ceil padded": (
        11,
        lambda n: pooled(n, "MaxPool", kernel_shape=[3, 3], strides=[3, 3], pads=[1, 1, 1, 1], ceil_mode=1),
    ),
    "max pool dilated": (11, lambda n: pooled(n, "MaxPool", kernel_shape=[2, 3], dilations=[3, 2])),
    "average pool": (7, lambda n: pooled(n, "AveragePool", kernel_shape=[2, 3], strides=[2, 1])),
    "average pool padded": (7, lambda n: pooled(n, "AveragePool", kernel_shape=[3, 3], pads=[1, 1, 0, 2])),
    "average pool counts padding": (
        7,
        lambda n: pooled(n, "AveragePool", kernel_shape=[3, 3], pads=[1, 1, 0, 2], count_include_pad=1),
    ),
    "average pool same": (7, lambda n: pooled(n, "AveragePool", kernel_shape=[2, 2], strides=[2, 3], auto_pad="SAME_LOWER")),
    "average pool ceil": (11, lambda n: pooled(n, "AveragePool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)),
    "average pool ceil counts padding": (
        # ONNX Runtime's own results for a window beyond the padding were fixed with operator set 19.
        22,
        lambda n: pooled(
            n, "AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1, count_include_pad=1
        ),
    ),
    "global average pool": (7, lambda n: n.add("GlobalAveragePool", "x")),
    "concat": (7, lambda n: n.add("Concat", "x", n.add("Relu", "x"), n.convolution("x", 6, 3, (1, 1)), axis=1)),
    "concat rows": (7, lambda n: n.add("Concat", "x", n.add("MaxPool", "x", kernel_shape=[3, 1]), axis=2)),
    "concat negative axis": (11, lambda n: n.add("Concat", "x", "x", axis=-1)),
    "flatten": (7, lambda n: n.add("Flatten", "x")),
    "flatten negative axis": (11, lambda n: n.add("Flatten", "x", axis=-3)),
    "reshape": (7, lambda n: reshaped(n, 0, -1)),
    "reshape images": (7, lambda n: reshaped(n, -1, 3, 2, 90)),
    "reshape keeps": (7, lambda n: reshaped(n, 0, 0, -1)),
    "transpose": (7, lambda n: n.add("Transpose", "x", perm=[0, 3, 1, 2])),
    "transpose rows": (7, lambda n: n.add("Transpose", n.add("Flatten", "x"), perm=[0, 1])),
    "slice": (7, lambda n: n.slice("x", [1, 2], [5, 8], [1, 3])),
    "slice negative": (7, lambda n: n.slice("x", [-4], [-1], [2])),
    "slice beyond": (7, lambda n: n.slice("x", [3], [1000], [3])),
    "slice to the end": (7, lambda n: n.slice("x", [3], [2**63 - 1], [2])),
    "slice steps": (11, lambda n: n.slice("x", [0, 1], [9, 10], [2, 3], [2, 3])),
    "slice backwards": (11, lambda n: n.slice("x", [-1], [-100], [3], [-2])),
    "pad": (7, lambda n: n.pad("x", [0, 0, 1, 2, 0, 0, 3, 0])),
    "pad value": (7, lambda n: n.pad("x", [0, 1, 0, 0, 0, 2, 0, 1], -0.5)),
    "pad then conv": (7, lambda n: n.convolution(n.pad("x", [0, 0, 1, 1, 0, 0, 1, 1]), 6, 5)),
    "squeeze": (7, lambda n: n.squeeze(n.add("GlobalAveragePool", "x"), 2, 3)),
    "squeeze negative": (11, lambda n: n.squeeze(n.add("GlobalAveragePool", "x"), -1)),
    "unsqueeze": (7, lambda n: n.unsqueeze(n.add("Flatten", "x"), 1, 3)),
    "unsqueeze negative": (11, lambda n: n.unsqueeze(n.add("Flatten", "x"), -1)),
    "softmax": (7, lambda n: n.add("Softmax", n.add("Flatten", "x"))),
    "softmax of images": (7, lambda n: n.add("Softmax", "x")),
    "softmax channels": (7, lambda n: n.add("Softmax", "x", axis=1)),
    "softmax rows": (7, lambda n: n.add("Softmax", "x", axis=3)),
    "softmax negative axis": (11, lambda n: n.add("Softmax", "x", axis=-2)),
    "identity": (7, lambda n: n.add("Relu", n.add("Identity", "x"))),
    "dropout": (7, lambda n: n.add("Relu", n.dropout(n.convolution("x", 6, 5)))),
    "constant node": (7, constant_nodes),
    "constant numbers": (13, constant_numbers),
}

CASES = [
    pytest.param(name, opset, id=f"{name}-{opset}")
    for name, (first, _) in OPERATORS.items()
    for opset in OPSETS
    if opset >= first
]


@pytest.mark.parametrize("name, opset", CASES)
def test_operator(rng, check, name, opset):
    network = Network(rng, opset, raw=bool(rng.integers(0, 2)))
    output = OPERATORS[name][1](network)
    check(network, output)


# ----------------------------------------------------------------------------------------------------------------------
# Networks


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "typed"])
def test_initializers(rng, check, raw):
    network = Network(rng, 17, raw=raw)
    features = network.add("Flatten", network.batch_normalization(network.convolution("x", 6, 5), 5))
    reshaped = network.add("Reshape", features, network.integers(-1, 280))
    check(network, network.add("Gemm", reshaped, network.normal(3, 280), network.normal(3), transB=1))


def test_external_data(rng, check):
    network = Network(rng, 17)
    hidden = network.add("Relu", network.convolution("x", 6, 16))
    check(network, network.convolution(hidden, 16, 8), external=True)


def test_several_outputs(rng, check):
    network = Network(rng, 17)
    hidden = network.add("Relu", network.convolution("x", 6, 8))
    pooled = network.add("Flatten", network.add("GlobalAveragePool", hidden))
    check(network, hidden, network.add("Gemm", pooled, network.normal(8, 3), network.normal(3)), pooled)


def test_nodes_in_any_channel_count(rng, check):
    """Channel counts on both sides of oneDNN's blocks of 8 and 16."""
    network = Network(rng, 17, shape=(1, 8, 8))
    x, channels = "x", 1
    for outputs in (7, 8, 15, 16, 17, 33, 3):
        x, channels = network.add("Relu", network.convolution(x, channels, outputs, pads=[1, 1, 1, 1])), outputs
    check(network, x)


def random_block(network: Network, x: str, channels: int) -> tuple[str, int]:
    """One random step that keeps the image's size."""
    rng = network.rng
    kind = int(rng.integers(0, 12))
    outputs = int(rng.integers(1, 20))
    if kind <= 1:
        return network.convolution(x, channels, outputs, pads=[1, 1, 1, 1]), outputs
    if kind == 2:
        hidden = network.batch_normalization(network.convolution(x, channels, channels, (1, 1), bias=False), channels)
        return network.add("Relu", network.add("Add", hidden, x)), channels
    if kind == 3:
        return network.clip(network.convolution(x, channels, channels, group=channels, pads=[1, 1, 1, 1]), 0, 6), channels
    if kind == 4:
        return network.add("Concat", x, network.convolution(x, channels, outputs, (1, 1)), axis=1), channels + outputs
    if kind == 5:
        return network.add("MaxPool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1]), channels
    if kind == 6:
        return network.add("AveragePool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1]), channels
    if kind == 7:
        return network.add("Mul", x, network.add("Sigmoid", network.add("GlobalAveragePool", x))), channels
    if kind == 8:
        return network.add("LeakyRelu", network.add("Add", x, network.normal(channels, 1, 1)), alpha=0.1), channels
    if kind == 9:
        half = channels // 2
        parts = [network.slice(x, [half], [channels], [1]), network.slice(x, [0], [half], [1])] if half else [x, x]
        return network.add("Concat", *parts, axis=1), channels if half else 2 * channels
    if kind == 10:
        padded = network.pad(x, [0, 0, 1, 0, 0, 0, 0, 2])
        return network.slice(padded, [1, 1], [8, 7], [2, 3]), channels
    wide = network.add("Relu", network.convolution(x, channels, 2 * channels, (3, 3), group=channels, pads=[1, 1, 1, 1]))
    return network.convolution(wide, 2 * channels, outputs, (1, 1)), outputs


def random_network(seed: int, blocks: int) -> tuple[Network, str]:
    """A random network and its output, five numbers per image."""
    rng = np.random.default_rng([41, seed])
    network = Network(rng, int(rng.choice(OPSETS)), shape=(int(rng.integers(1, 8)), 7, 6))
    x, channels = "x", network.shape[0]
    for _ in range(int(rng.integers(3, blocks))):
        x, channels = random_block(network, x, channels)
    x = network.add("Flatten", network.add("GlobalAveragePool", x))
    return network, network.add("Gemm", x, network.normal(channels, 5), network.normal(5))


@pytest.mark.parametrize("seed", range(25))
def test_random_network(seed, check):
    network, output = random_network(seed, blocks=12)
    check(network, network.add("Softmax", output))


@pytest.mark.parametrize("seed", range(25))
def test_random_network_packed(seed, command, tmp_path):
    """Packed into two 8-bit points per channel, the network computes what it did up to the noise of 8-bit activations."""
    network, output = random_network(seed, blocks=8)
    path, packed = tmp_path / "network.onnx", tmp_path / "network.multipoint"
    onnx.save(network.model(output), path)
    samples = network.rng.normal(0, 1, (64, *network.shape)).astype(np.float32)
    np.save(tmp_path / "samples.npy", samples)
    command(
        "quantize", path, "--calibration", tmp_path / "samples.npy", "--layout", "nchw", "--bits", "8",
        "--first-bits", "8", "--last-bits", "8", "--max-points", "2", "--output", packed,
    )  # fmt: skip
    exact = np.concatenate([run_reference(str(path), samples[start : start + 1])[0] for start in range(64)])
    with multipoint.Model(packed) as model, model.session(maximum_batch=3) as session:
        assert not any(info.is_float for info in model.layers)
        found = np.concatenate([session.run(samples[start : start + 3]) for start in range(0, 64, 3)])
    assert 10 * np.log10((exact**2).sum() / ((found - exact) ** 2).sum()) > 24


# ----------------------------------------------------------------------------------------------------------------------
# The whole chain


def top1(logits: np.ndarray, labels: np.ndarray) -> float:
    return 100 * float((logits.argmax(axis=1) == labels).mean())


def test_digits_at_four_bits(command, digits, tmp_path):
    """Packed to at most 5 bits per weight, the digits network keeps its accuracy within 0.6 points of float."""
    packed = tmp_path / "digits.multipoint"
    command(
        "quantize", digits / "digits.onnx", "--calibration", digits / "calibration_images.npy",
        "--scale", "0.0625", "--bits", "4", "--output", packed,
    )  # fmt: skip
    images = np.load(digits / "heldout_images.npy").transpose(0, 3, 1, 2).astype(np.float32) / 16
    labels = np.load(digits / "heldout_labels.npy")
    exact = run_reference(str(digits / "digits.onnx"), images)[0]
    with multipoint.Model(packed) as model, model.session(maximum_batch=50) as session:
        layers = [info for info in model.layers if not info.is_float]
        weights = sum(info.channels * info.row_length for info in layers)
        bits = sum(info.bits_per_weight * info.channels * info.row_length for info in layers) / weights
        logits = np.concatenate([session.run(images[start : start + 50]) for start in range(0, len(images), 50)])
    assert len(layers) > 5
    assert bits <= 5
    assert top1(logits, labels) >= top1(exact, labels) - 0.6
    noise = ((logits - exact) ** 2).sum()
    assert 10 * np.log10((exact**2).sum() / noise) > 10, "the logits are no longer those of the network"


def test_float_digits_equal_onnx_runtime(command, digits, tmp_path):
    path = tmp_path / "float.multipoint"
    command(
        "quantize", digits / "digits.onnx", "--calibration", digits / "calibration_images.npy",
        "--scale", "0.0625", "--method", "float", "--output", path,
    )  # fmt: skip
    images = np.load(digits / "heldout_images.npy").transpose(0, 3, 1, 2).astype(np.float32)[:64] / 16
    exact = run_reference(str(digits / "digits.onnx"), images)[0]
    with multipoint.Model(path) as model, model.session(maximum_batch=64) as session:
        assert all(info.is_float for info in model.layers)
        np.testing.assert_allclose(session.run(images), exact, rtol=1e-4, atol=1e-4)
