"""Packed layers in models that this library cannot run: `quantize --layers-only`, activations quantized as they come."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import multipoint
import numpy as np
import onnx
import pytest
from onnx import helper

from networks import sampling_network, weights
from runtime import OPERATORS, constant, float_session, model, run, session, signal_to_noise, value
from test_layers import layer_nodes


@pytest.fixture(scope="module")
def sampling(command, tmp_path_factory) -> Path:
    """A folder with a network that has GridSample, `If` and images of any size, and its layers packed to 8 bits and to points."""
    folder = tmp_path_factory.mktemp("sampling")
    onnx.save(sampling_network(np.random.default_rng(30)), folder / "network.onnx")
    for name, method in [("points", []), ("w8a8", ["--method", "w8a8"])]:
        packed, output = folder / f"{name}.multipoint", folder / f"{name}.onnx"
        command("quantize", "--layers-only", *method, folder / "network.onnx", "--output", packed)
        command("export", "--granularity", "layer", packed, folder / "network.onnx", "--output", output)
    return folder


def test_its_nodes(sampling):
    graph = onnx.load(sampling / "points.onnx").graph
    # The second one's node has no name.
    assert [node.name for node in layer_nodes(graph)] == ["stem", "Conv_o", "mix", "classifier"]
    assert {"GridSample", "If", "Tanh", "ReduceSum"} < {node.op_type for node in graph.node}
    assert not any(node.op_type == "Conv" and node.domain == "" for node in graph.node)
    assert {entry.name for entry in graph.initializer} == {"points.multipoint", "two", "zero"}


# Points of 4 bits, rounded without calibration, leave half a per cent of each layer's output, 23 dB, in four layers one after another.
@pytest.mark.parametrize("name, decibels", [("points", 15), ("w8a8", 35)])
def test_it_is_close_to_the_float_network(sampling, rng, name, decibels):
    packed, exact = session(sampling / f"{name}.onnx"), float_session(sampling / "network.onnx")
    for shape in [(1, 3, 32, 32), (4, 3, 17, 23), (2, 3, 32, 32), (1, 3, 2, 40)]:
        x = rng.standard_normal(shape).astype(np.float32)
        assert signal_to_noise(run(packed, x)[0], run(exact, x)[0]) > decibels


def test_many_shapes(sampling, rng):
    """More than the plugin keeps compiled, twice."""
    packed, exact = session(sampling / "w8a8.onnx"), float_session(sampling / "network.onnx")
    images = [rng.standard_normal((1, 3, 8 + size, 20 - size // 2)).astype(np.float32) for size in range(20)]
    results = [run(packed, x)[0] for x in images]
    for x, result in zip(images, results):
        assert np.array_equal(run(packed, x)[0], result)
        assert signal_to_noise(result, run(exact, x)[0]) > 30


def single_layer(command, folder: Path, node: onnx.NodeProto, constants, shape, rank_known: bool = True) -> Any:
    """Sessions of a network with one layer, packed, and the layer as the C interface reads it."""
    dimensions = [None] * len(shape) if rank_known else None
    network = model([node], [value("x", dimensions)], [value("y", None)], constants, [helper.make_opsetid("", 16)])
    onnx.save(network, folder / "one.onnx")
    command("quantize", "--layers-only", folder / "one.onnx", "--output", folder / "one.multipoint")
    command("export", "--granularity", "layer", folder / "one.multipoint", folder / "one.onnx", "--output", folder / "packed.onnx")
    return session(folder / "packed.onnx"), multipoint.Model(folder / "one.multipoint").layer(node.name)


def quantized(x: np.ndarray) -> np.ndarray:
    """One image or row as the plugin rounds it to 8 bits: real values, in double precision."""
    if x.min() >= 0:
        scale, zero = np.float32(x.max()) / np.float32(255), 0
    else:
        scale, zero = max(np.float32(x.max()) / np.float32(127), np.float32(-x.min()) / np.float32(128)), 128
    codes = np.clip(np.rint(x * (np.float32(1) / scale)), -zero, 255 - zero)
    return codes.astype(np.float64) * np.float64(scale)


def reconstructed(layer: multipoint.Layer, shape) -> np.ndarray:
    """The weights that a packed layer stands for, from its rows."""
    rows = layer.rows()
    sums = np.zeros((shape[0], rows.values.shape[1]))
    np.add.at(sums, rows.channels, rows.values.astype(np.float64) * rows.scales[:, None])
    return sums.reshape(shape)


CONVOLUTIONS = [
    {"strides": [1, 1], "pads": [1, 1, 1, 1], "group": 1},
    {"strides": [2, 1], "pads": [0, 1, 2, 0], "group": 2, "dilations": [1, 2]},
    {"pads": [1, 1, 1, 1], "group": 8},
    {"auto_pad": "VALID", "strides": [3, 3]},
]


@pytest.mark.parametrize("attributes", CONVOLUTIONS)
@pytest.mark.parametrize("sign", ["positive", "mixed", "both"])
def test_a_convolution_quantizes_its_input_as_it_comes(command, tmp_path, rng, attributes, sign):
    group = attributes.get("group", 1)
    w = rng.standard_normal((8, 8 // group, 3, 3)).astype(np.float32)
    bias = rng.standard_normal(8).astype(np.float32)
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], name="conv", **attributes)
    x = rng.standard_normal((3, 8, 11, 9)).astype(np.float32) * 5
    if sign != "mixed":
        x[: 3 if sign == "positive" else 2] = np.abs(x[: 3 if sign == "positive" else 2])
    network, layer = single_layer(command, tmp_path, node, [constant("w", w), constant("b", bias)], x.shape)
    result = run(network, x)[0]

    # The same product of rounded numbers, by ONNX Runtime in floats.
    exact = model(
        [node], [value("x", x.shape)], [value("y", None)],
        [constant("w", reconstructed(layer, w.shape).astype(np.float32)), constant("b", bias)], [helper.make_opsetid("", 16)],
    )  # fmt: skip
    expected = run(float_session(exact), np.stack([quantized(image) for image in x]).astype(np.float32))[0]
    assert result.shape == expected.shape
    assert np.abs(result - expected).max() < 1e-5 * np.abs(expected).max()
    for index in range(3):
        assert np.array_equal(run(network, x[index : index + 1])[0][0], result[index]), "it depends on the rest of the batch"


@pytest.mark.parametrize("shape", [(5, 20), (1, 20), (2, 3, 20), (2, 1, 4, 20)])
def test_a_matrix_product_maps_the_last_axis(command, tmp_path, rng, shape):
    w = rng.standard_normal((20, 7)).astype(np.float32)
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="product")
    network, layer = single_layer(command, tmp_path, node, [constant("w", w)], shape)
    x = rng.standard_normal(shape).astype(np.float32)
    x[..., 0, :] = np.abs(x[..., 0, :])
    rows = np.stack([quantized(row) for row in x.reshape(-1, 20)])
    expected = (rows @ reconstructed(layer, (7, 20)).T).reshape(*shape[:-1], 7)
    result = run(network, x)[0]
    assert result.shape == expected.shape
    assert np.abs(result - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("scale", [0, 1e-44, 1e-30, 1e30])
def test_extreme_ranges(command, tmp_path, rng, scale):
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], name="product", transB=1)
    w, bias = rng.standard_normal((4, 16)).astype(np.float32), rng.standard_normal(4).astype(np.float32)
    network, layer = single_layer(command, tmp_path, node, [constant("w", w), constant("b", bias)], (2, 16))
    x = (rng.uniform(-1, 1, (2, 16)) * scale).astype(np.float32)
    expected = x.astype(np.float64) @ reconstructed(layer, (4, 16)).T + bias
    assert np.allclose(run(network, x)[0], expected, rtol=0.02, atol=0.05 * max(scale, 1e-6))


@pytest.mark.parametrize("operator", ["Conv", "Gemm"])
def test_a_large_bias_beside_small_weights(command, tmp_path, rng, operator):
    """Products that are as large as what a float of the bias's size leaves of them: they come from weights far smaller than it."""
    shape, attributes = ((4, 16), {"transB": 1}) if operator == "Gemm" else ((4, 16, 1, 1), {})
    w, bias = (rng.standard_normal(shape) * 1e-6).astype(np.float32), rng.uniform(1e4, 2e4, 4).astype(np.float32)
    node = helper.make_node(operator, ["x", "w", "b"], ["y"], name="layer", **attributes)
    x = (rng.uniform(-1, 1, (2, *shape[1:])) * 1e7).astype(np.float32)
    network, layer = single_layer(command, tmp_path, node, [constant("w", w), constant("b", bias)], x.shape)
    rows = np.stack([quantized(row) for row in x.reshape(2, 16)])
    expected = rows @ reconstructed(layer, (4, 16)).T + bias
    result = run(network, x)[0].reshape(2, 4)
    # Half a step of a float of this size, and as much for what the products were rounded to.
    assert np.abs(result - expected).max() <= np.spacing(np.float32(expected.max()))


def test_rows_of_several_points_are_added(command, tmp_path, rng):
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], name="conv", pads=[1, 1, 1, 1])
    w, bias = rng.standard_t(2, (8, 5, 3, 3)).astype(np.float32), rng.standard_normal(8).astype(np.float32)
    x = rng.standard_normal((3, 5, 7, 6)).astype(np.float32)
    x[1] = np.abs(x[1])
    network, layer = single_layer(command, tmp_path, node, [constant("w", w), constant("b", bias)], x.shape)
    assert layer.info.rows > 8, "no channel has a further row"
    exact = model(
        [node], [value("x", x.shape)], [value("y", None)],
        [constant("w", reconstructed(layer, w.shape).astype(np.float32)), constant("b", bias)], [helper.make_opsetid("", 16)],
    )  # fmt: skip
    expected = run(float_session(exact), np.stack([quantized(image) for image in x]).astype(np.float32))[0]
    assert np.abs(run(network, x)[0] - expected).max() < 1e-5 * np.abs(expected).max()


def dilated(command, folder: Path, rng, dilations) -> Path:
    """A model of one convolution with these dilations, a kernel of 2 in each direction that has one, and a bias."""
    kernel = [2 if size > 1 else 1 for size in dilations]
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], name="conv", dilations=dilations)
    constants = [weights(rng, "w", 1, 1, *kernel), constant("b", np.full(1, 3, np.float32))]
    single_layer(command, folder, node, constants, (1, 1, 1, 1))
    return folder / "packed.onnx"


def test_a_session_costs_nothing_of_the_size_of_a_dilated_kernel(command, tmp_path, rng):
    """Of 20,001 x 20,001: in another process, whose memory has a limit."""
    path = dilated(command, tmp_path, rng, [20_000, 20_000])
    program = f"""
import resource
import numpy as np
from pathlib import Path
from runtime import run, session
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
network = session(Path({str(path)!r}))
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
try:
    run(network, np.zeros((1, 1, 5, 5), np.float32))
except Exception as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert int(re.search(r"peak (\d+)", result.stdout)[1]) < 300_000, "kilobytes: an image of the kernel's size has 400,000"
    assert "exceeds the padded input 5 × 5" in result.stdout


def test_a_widely_dilated_kernel(command, tmp_path, rng):
    path = dilated(command, tmp_path, rng, [1, 20_000])
    x = np.abs(rng.standard_normal((1, 1, 1, 20_003))).astype(np.float32)
    w = reconstructed(multipoint.Model(tmp_path / "one.multipoint").layer("conv"), (1, 2))
    values = quantized(x)[0, 0, 0]
    expected = w[0, 0] * values[:3] + w[0, 1] * values[20_000:] + 3
    assert np.abs(run(session(path), x)[0][0, 0, 0] - expected).max() < 1e-5 * np.abs(expected).max()


def test_calls_that_come_together_find_the_bias(command, tmp_path, rng):
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], name="conv", pads=[1, 1, 1, 1])
    constants = [weights(rng, "w", 4, 3, 3, 3), constant("b", np.arange(1, 5, dtype=np.float32))]
    images = [rng.standard_normal((2, 3, 5 + size, 6)).astype(np.float32) for size in range(8)]
    first, _ = single_layer(command, tmp_path, node, constants, images[0].shape)
    expected = [run(first, x)[0] for x in images]
    for _ in range(5):
        network = session(tmp_path / "packed.onnx")
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda x: run(network, x)[0], images))
        assert all(np.array_equal(a, b) for a, b in zip(results, expected))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_named(command, tmp_path, rng, bad):
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="product")
    w = rng.standard_normal((16, 4)).astype(np.float32)
    network, _ = single_layer(command, tmp_path, node, [constant("w", w)], (2, 16))
    x = np.zeros((2, 16), np.float32)
    x[1, 3] = bad
    with pytest.raises(Exception, match="node `product`, input 0: number 1 of the batch has a value that is not finite"):
        run(network, x)


def test_wrong_shapes_are_named(command, tmp_path, rng):
    convolution = helper.make_node("Conv", ["x", "w"], ["y"], name="conv")
    w = constant("w", rng.standard_normal((4, 3, 3, 3)).astype(np.float32))
    network, _ = single_layer(command, tmp_path, convolution, [w], (1, 3, 8, 8), rank_known=False)
    for shape in [(1, 2, 8, 8), (3, 8, 8), (1, 3, 8, 8, 1)]:
        with pytest.raises(Exception, match=r"node `conv`, input 0: shape \[N, 3, height, width\] expected, found"):
            run(network, np.zeros(shape, np.float32))
    for shape in [(0, 3, 8, 8), (1, 3, 0, 8)]:
        with pytest.raises(Exception, match="is empty"):
            run(network, np.zeros(shape, np.float32))
    with pytest.raises(Exception, match="node `conv`: layer `conv`"):
        run(network, np.zeros((1, 3, 2, 8), np.float32))
    assert run(network, np.ones((1, 3, 3, 3), np.float32))[0].shape == (1, 4, 1, 1)


def test_what_is_no_layer_stays(command, tmp_path, rng):
    """Three-dimensional kernels, computed weights, 16-bit weights, padding that depends on the size: left to ONNX Runtime."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="good", pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["a", "w"], ["b"], name="same", auto_pad="SAME_LOWER", strides=[2, 2]),
        helper.make_node("MatMul", ["b", "b"], ["c"], name="computed"),
        helper.make_node("Unsqueeze", ["c", "axis"], ["d"]),
        helper.make_node("Conv", ["d", "w3"], ["e"], name="volume", pads=[1, 1, 1, 1, 1, 1]),
    ]
    constants = [weights(rng, "w", 3, 3, 3, 3), weights(rng, "w3", 2, 3, 3, 3, 3), constant("axis", np.array([2], np.int64))]
    network = model(nodes, [value("x", ["N", 3, 8, 8])], [value("e", None)], constants, [helper.make_opsetid("", 16)])
    onnx.save(network, tmp_path / "some.onnx")
    command("quantize", "--layers-only", tmp_path / "some.onnx", "--output", tmp_path / "some.multipoint")
    command("export", "--granularity", "layer", tmp_path / "some.multipoint", tmp_path / "some.onnx", "--output", tmp_path / "p.onnx")
    assert [node.name for node in layer_nodes(onnx.load(tmp_path / "p.onnx").graph)] == ["good"]
    x = rng.standard_normal((2, 3, 8, 8)).astype(np.float32)
    assert signal_to_noise(run(session(tmp_path / "p.onnx"), x)[0], run(float_session(tmp_path / "some.onnx"), x)[0]) > 15


def test_a_model_without_layers_is_refused(command, tmp_path):
    network = model([helper.make_node("Relu", ["x"], ["y"])], [value("x", ["N", 3])], [value("y", ["N", 3])])
    onnx.save(network, tmp_path / "none.onnx")
    error = command("quantize", "--layers-only", tmp_path / "none.onnx", "--output", tmp_path / "none.multipoint", fails=True)
    assert "has no Conv, Gemm or MatMul with constant weights" in error


def test_weights_in_another_file(command, tmp_path, rng):
    network = sampling_network(rng)
    onnx.save(
        network, tmp_path / "network.onnx", save_as_external_data=True, all_tensors_to_one_file=True, location="data", size_threshold=0
    )
    command("quantize", "--layers-only", tmp_path / "network.onnx", "--output", tmp_path / "p.multipoint")
    output = tmp_path / "packed.onnx"
    command("export", "--granularity", "layer", tmp_path / "p.multipoint", tmp_path / "network.onnx", "--output", output)
    x = rng.standard_normal((2, 3, 20, 20)).astype(np.float32)
    assert signal_to_noise(run(session(output), x)[0], run(float_session(tmp_path / "network.onnx"), x)[0]) > 18
    (tmp_path / "elsewhere").mkdir()
    moved = tmp_path / "elsewhere" / "packed.onnx"
    error = command("export", "--granularity", "layer", tmp_path / "p.multipoint", tmp_path / "network.onnx", "--output", moved, fails=True)
    assert "write the new one into the same folder" in error


def test_wrong_layers_are_refused_when_the_session_is_made(command, tmp_path, rng):
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="product")
    single_layer(command, tmp_path, node, [weights(rng, "w", 16, 4)], (2, 16))
    file = constant("file", np.fromfile(tmp_path / "one.multipoint", np.uint8))

    def made(kind: str, **attributes: Any) -> str:
        nodes = [helper.make_node(kind, ["x", "file"], ["y"], name="it", domain="multipoint", **attributes)]
        with pytest.raises(Exception) as refused:
            session(model(nodes, [value("x", None)], [value("y", None)], [file], OPERATORS))
        return str(refused.value)

    assert "node `it`: layer `product` is for a Gemm" in made("Conv")
    assert "`other`" in made("Gemm", layer="other")
    # A file with a single layer need not name it.
    nodes = [helper.make_node("Gemm", ["x", "file"], ["y"], name="it", domain="multipoint")]
    good = session(model(nodes, [value("x", None)], [value("y", None)], [file], OPERATORS))
    assert run(good, np.ones((3, 16), np.float32))[0].shape == (3, 4)
