"""What exporters write around shapes and constants, through the command and ONNX Runtime, for batches of one and of three."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from exported import Exported, float_reference, quantized_activations_removed, write_quantized


@pytest.fixture
def check(command, tmp_path):
    """Runs a model by the command, and compares every output with ONNX Runtime's."""

    def check(exported: Exported, *options: object, batches=(1, 3)) -> None:
        path = tmp_path / "network.onnx"
        onnx.save(exported.model(), path)
        for batch in batches:
            arrays = exported.arrays(batch)
            compare(command, tmp_path, path, arrays, float_reference(path, arrays), *options)

    return check


def compare(command, folder, path, arrays, expected, *options) -> None:
    inputs, outputs = [], [folder / f"output{index}.npy" for index in range(len(expected))]
    for index, array in enumerate(arrays):
        np.save(folder / f"input{index}.npy", array)
        inputs += ["--input", folder / f"input{index}.npy"]
    written = [argument for output in outputs for argument in ("--output", output)]
    command("run", path, *inputs, *written, "--layout", "nchw", "--threads", 1, *options)
    for output, reference in zip(outputs, expected, strict=True):
        found = np.load(output)
        assert found.shape == reference.shape
        scale = np.abs(reference).max(initial=0)
        assert (np.abs(found - reference) <= 1e-4 * np.abs(reference) + 1e-5 * scale).all()


def size(network: Exported, x: str, axis: int) -> str:
    """`x.size(axis)` as PyTorch exports it, for a following Concat."""
    gathered = network.add("Gather", network.add("Shape", x), network.scalar(axis), axis=0)
    return network.add("Unsqueeze", gathered, network.integers(0))


def view_of_the_batch(n: Exported) -> str:
    """`x.view(x.size(0), -1)`."""
    return n.add("Reshape", "x", n.add("Concat", size(n, "x", 0), n.integers(-1), axis=0))


def channel_shuffle(n: Exported) -> str:
    """`view(b, groups, c // groups, h, w).transpose(1, 2).contiguous().view(b, c, h, w)`, all of it computed from the shape."""
    b, c, h, w = (size(n, "x", axis) for axis in range(4))
    groups = n.add("Concat", b, n.integers(2), n.add("Div", c, n.integers(2)), h, w, axis=0)
    turned = n.add("Transpose", n.add("Reshape", "x", groups), perm=[0, 2, 1, 3, 4])
    return n.add("Reshape", turned, n.add("Concat", b, c, h, w, axis=0))


def interpolation_to_the_size_of_another(n: Exported) -> str:
    """`F.interpolate(small, size=x.shape[2:]) + x`."""
    small = n.add("MaxPool", "x", kernel_shape=[2, 2], strides=[2, 2])
    two, four = n.integers(2), n.integers(4)
    wanted = n.add("Slice", n.add("Shape", "x"), two, four, n.integers(0))
    kept = n.add("Slice", n.add("Shape", small), n.integers(0), two, n.integers(0))
    sizes = n.add("Concat", kept, wanted, axis=0)
    return n.add("Add", "x", n.add("Resize", small, "", "", sizes, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"))


def shapes_of_tensorflow(n: Exported) -> str:
    """tf2onnx: shapes cast to int32 and back, sliced by StridedSlice, packed by Concat."""
    shape = n.add("Cast", n.add("Shape", "x"), to=TensorProto.INT32)
    batch = n.add("Slice", shape, n.integers(0), n.integers(1), n.integers(0))
    rest = n.add("ReduceProd", n.add("Slice", shape, n.integers(1), n.integers(4), n.integers(0)), keepdims=1)
    target = n.add("Concat", batch, rest, axis=0)
    return n.add("Reshape", "x", n.add("Cast", target, to=TensorProto.INT64))


def flatten_from_an_axis(n: Exported) -> str:
    """`torch.flatten(x, 1, 2)` of old exporters."""
    shape = n.add("Shape", "x")
    first = n.add("Slice", shape, n.integers(0), n.integers(1), n.integers(0))
    last = n.add("Slice", shape, n.integers(-1), n.integers(2**63 - 1), n.integers(0))
    return n.add("Reshape", "x", n.add("Concat", first, n.integers(-1), last, axis=0))


def expansion(n: Exported) -> str:
    """`mean.expand(b, -1, h, w)`: a −1 keeps what is there, by ConstantOfShape, Mul, Equal, Where."""
    mean = n.add("GlobalAveragePool", "x")
    sizes = n.add("Concat", size(n, "x", 0), n.integers(-1), size(n, "x", 2), size(n, "x", 3), axis=0)
    ones = n.add("ConstantOfShape", n.integers(4), value=helper.make_tensor("one", TensorProto.INT64, [1], [1]))
    kept = n.add("Equal", sizes, n.add("Mul", ones, n.integers(-1)))
    return n.add("Add", "x", n.add("Expand", mean, n.add("Where", kept, ones, sizes)))


def grid(n: Exported) -> str:
    """A detector's grid of anchor centres: Range, Expand, Concat, Mul, Add of constants."""
    rows = n.add("Range", n.scalar(0), n.add("Gather", n.add("Shape", "x"), n.scalar(2)), n.scalar(1))
    columns = n.add("Range", n.scalar(0), n.add("Gather", n.add("Shape", "x"), n.scalar(3)), n.scalar(1))
    both = n.add("Concat", size(n, "x", 2), size(n, "x", 3), axis=0)
    y = n.add("Expand", n.add("Unsqueeze", rows, n.integers(1)), both)
    x = n.add("Expand", n.add("Unsqueeze", columns, n.integers(0)), both)
    centres = n.add("Concat", *(n.add("Unsqueeze", axis, n.integers(0)) for axis in (x, y)), axis=0)
    floats = n.add("Mul", n.add("Add", n.add("Cast", centres, to=TensorProto.FLOAT), n.number(0.5)), n.number(8))
    halves = n.add("Slice", "x", n.integers(0), n.integers(2), n.integers(1))
    return n.add("Add", halves, n.add("Unsqueeze", floats, n.integers(0)))


def weights_of_constants(n: Exported) -> str:
    """A kernel that is standardized in the graph (weight-standardized convolutions), and a bias that is a part of a constant."""
    weight = n.normal(6, 4, 3, 3)
    centred = n.add("Sub", weight, n.add("ReduceMean", weight, axes=[1, 2, 3]))
    variance = n.add("ReduceMean", n.add("Mul", centred, centred), axes=[1, 2, 3])
    standardized = n.add("Div", centred, n.add("Sqrt", n.add("Add", variance, n.number(1e-5))))
    bias = n.add("Gather", n.normal(3, 6), n.scalar(1))
    return n.add("Conv", "x", standardized, bias, pads=[1, 1, 1, 1])


def half_precision_weights(n: Exported) -> str:
    """Weights stored as float16 and cast, as converters for smaller files write them."""
    weight = n.constant(n.rng.normal(0, 1, (5, 4, 1, 1)).astype(np.float16))
    return n.add("Conv", "x", n.add("Cast", weight, to=TensorProto.FLOAT))


PATTERNS = {
    pattern.__name__: pattern
    for pattern in (
        view_of_the_batch, channel_shuffle, interpolation_to_the_size_of_another, shapes_of_tensorflow, flatten_from_an_axis, expansion,
        grid, weights_of_constants, half_precision_weights,
    )
}  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_with_an_open_batch(check, rng, pattern):
    network = Exported(rng)
    network.outputs = [PATTERNS[pattern](network)]
    check(network)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_with_a_batch_of_one(check, command, tmp_path, rng, pattern):
    """A model exported for one image, in which the batch is the constant 1."""
    network = Exported(rng, batch=1)
    network.outputs = [PATTERNS[pattern](network)]
    check(network, batches=(1,))
    # The same images together give what each gives alone.
    images = network.arrays(3)[0]
    np.save(tmp_path / "images.npy", images)
    command(
        "run", tmp_path / "network.onnx", "--input", tmp_path / "images.npy", "--output", tmp_path / "together.npy", "--layout",
        "nchw",
    )  # fmt: skip
    expected = np.concatenate([float_reference(tmp_path / "network.onnx", [image[None]])[0] for image in images])
    assert np.allclose(np.load(tmp_path / "together.npy"), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pattern", ["view_of_the_batch", "channel_shuffle", "interpolation_to_the_size_of_another", "expansion"])
def test_open_height_and_width(check, command, tmp_path, rng, pattern):
    network = Exported(rng, dimensions=("N", 4, "height", "width"))
    network.outputs = [PATTERNS[pattern](network)]
    check(network, "--input-shape", "N,4,8,6")
    check(network, "--input-shape", "x=N,4,8,6")
    with pytest.raises(AssertionError, match="--input-shape x=N,4,<height>,<width>"):
        check(network)
    with pytest.raises(AssertionError, match="dimension 1 is 4 in the file"):
        check(network, "--input-shape", "N,3,8,6")


def test_inputs_and_outputs_of_other_types(check, rng):
    """An image of bytes, scaled in the graph; a mask of integers; a result of integers."""
    network = Exported(rng)
    network.inputs = {"x": (TensorProto.UINT8, ["N", 4, 8, 6]), "mask": (TensorProto.INT64, ["N", 1, 8, 6])}
    scaled = network.add("Div", network.add("Cast", "x", to=TensorProto.FLOAT), network.number(255))
    masked = network.add("Mul", scaled, network.add("Cast", "mask", to=TensorProto.FLOAT))
    network.outputs = [network.add("Conv", masked, network.normal(6, 4, 3, 3)), network.add("GlobalAveragePool", scaled)]
    check(network)


def test_functions_of_the_model(command, tmp_path, rng):
    network = Exported(rng)
    network.nodes = [helper.make_node("Scaled", ["x"], ["y"], domain="local", factor=2.0)]
    network.outputs = ["y"]
    body = [
        helper.make_node("Constant", [], ["f"], value_floats=[0.5]),
        helper.make_node("LeakyRelu", ["a"], ["t"]),
        helper.make_node("Mul", ["t", "f"], ["b"]),
    ]
    body[1].attribute.append(onnx.AttributeProto(name="alpha", type=onnx.AttributeProto.FLOAT, ref_attr_name="factor"))
    function = helper.make_function("local", "Scaled", ["a"], ["b"], body, [helper.make_opsetid("", 17)], ["factor"])
    model = network.model()
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("local", 1))
    onnx.save(model, tmp_path / "network.onnx")
    arrays = network.arrays(3)
    compare(command, tmp_path, tmp_path / "network.onnx", arrays, float_reference(tmp_path / "network.onnx", arrays))


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("symmetric", [False, True])
def test_quantized_networks_are_taken_as_float_ones(command, tmp_path, rng, per_channel, symmetric):
    """ONNX Runtime's quantizer in the QDQ format. The reference is its file with the activations' pairs taken out: where the quantizer
    had removed a Relu because the range of 8 bits begins at 0, that range is a Clip."""
    network = Exported(rng)
    hidden = network.add("Relu", network.add("Conv", "x", network.normal(6, 4, 3, 3), network.normal(6)))
    joined = network.add("Add", network.add("Conv", hidden, network.normal(6, 6, 3, 3), pads=[1, 1, 1, 1]), hidden)
    flat = network.add("Flatten", network.add("MaxPool", network.add("Relu", joined), kernel_shape=[2, 2], strides=[2, 2]))
    network.outputs = [network.add("Gemm", flat, network.normal(36, 5), network.normal(5))]
    path = write_quantized(network, tmp_path, per_channel=per_channel, symmetric=symmetric)
    model = onnx.load(path)
    assert {node.op_type for node in model.graph.node} >= {"QuantizeLinear", "DequantizeLinear", "Conv"}
    onnx.save(quantized_activations_removed(model), tmp_path / "reference.onnx")
    for batch in (1, 3):
        arrays = network.arrays(batch)
        compare(command, tmp_path, path, arrays, float_reference(tmp_path / "reference.onnx", arrays))
