"""Writes the ONNX models and .npy files that fuzzing starts from: one small model per operator, from the package onnx's own operator
tests, and a few of more than one node. Tests/fuzz makes the packed files of them. Needs the packages onnx and numpy.

    python make_corpus.py FOLDER
"""
import io
import pathlib
import re
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

folder = pathlib.Path(sys.argv[1])
LARGEST = 700  # bytes
# Operators that the importer knows by name.
GRAPH = pathlib.Path(__file__).parents[2] / "Sources" / "MultipointGraph"
KNOWN = {word for path in GRAPH.rglob("*.swift") for word in re.findall(r'"([A-Z]\w+)"', path.read_text())}


def operator_models():
    """The smallest test model of every operator, its small constant inputs as initializers."""
    best = {}
    for case in collect_testcases(None):
        model = onnx.ModelProto()
        model.CopyFrom(case.model)
        if len(model.graph.node) != 1 or not case.data_sets:
            continue
        node = model.graph.node[0]
        if node.domain not in ("", "ai.onnx") or node.op_type not in KNOWN or any(a.HasField("g") for a in node.attribute):
            continue
        inputs = case.data_sets[0][0]
        for value, info in list(zip(inputs, model.graph.input))[1:]:
            if isinstance(value, np.ndarray) and value.size <= 128:
                model.graph.initializer.append(numpy_helper.from_array(value, info.name))
        model.doc_string = model.graph.doc_string = ""
        model.graph.name = "g"
        data = model.SerializeToString()
        if len(data) <= LARGEST and len(data) < len(best.get(node.op_type, b"x" * 10000)):
            best[node.op_type] = data
    return best


def network(name, nodes, initializers, shape=("N", 2, 6, 6), opset=13, functions=()):
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in initializers.items()])
    imports = [helper.make_opsetid("", opset)] + ([helper.make_opsetid("f", 1)] if functions else [])
    return name, helper.make_model(graph, opset_imports=imports, functions=functions).SerializeToString()


def networks():
    rng = np.random.default_rng(1)
    weights = lambda *shape: rng.normal(size=shape).astype(np.float32).round(1)
    node = helper.make_node
    yield network("convolutions", [
        node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1]), node("Relu", ["c"], ["r"]),
        node("Conv", ["r", "d"], ["e"], group=4, strides=[2, 2]), node("Add", ["e", "e"], ["s"]),
        node("GlobalAveragePool", ["s"], ["p"]), node("Flatten", ["p"], ["f"]), node("Gemm", ["f", "g"], ["y"], transB=1),
    ], {"w": weights(4, 2, 3, 3), "b": weights(4), "d": weights(4, 1, 3, 3), "g": weights(3, 4)})
    yield network("normalized", [
        node("Conv", ["x", "w"], ["c"]), node("BatchNormalization", ["c", "o", "z", "z", "o"], ["n"]),
        node("Clip", ["n", "low", "high"], ["k"]), node("MaxPool", ["k"], ["m"], kernel_shape=[2, 2]), node("Sigmoid", ["m"], ["y"]),
    ], {"w": weights(3, 2, 1, 1), "o": np.ones(3, np.float32), "z": np.zeros(3, np.float32), "low": np.float32(0), "high": np.float32(6)})
    yield network("reshaped", [
        node("Shape", ["x"], ["s"]), node("Gather", ["s", "zero"], ["n"]), node("Unsqueeze", ["n", "axis"], ["u"]),
        node("Concat", ["u", "minus"], ["t"], axis=0), node("Reshape", ["x", "t"], ["r"]), node("MatMul", ["r", "m"], ["y"]),
    ], {"zero": np.int64(0), "axis": np.array([0]), "minus": np.array([-1]), "m": weights(72, 2)})
    yield network("quantized", [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("DequantizeLinear", ["w", "s", "i"], ["v"]), node("Conv", ["d", "v"], ["c"]),
        node("QuantizeLinear", ["c", "s", "z"], ["o"]), node("DequantizeLinear", ["o", "s", "z"], ["y"]),
    ], {"s": np.float32(0.5), "z": np.uint8(3), "i": np.int8(0), "w": rng.integers(-9, 9, (2, 2, 3, 3)).astype(np.int8)})
    body = helper.make_function(
        "f", "Twice", ["a"], ["c"], [node("LeakyRelu", ["a"], ["b"]), node("Add", ["b", "b"], ["c"])], [helper.make_opsetid("", 13)])
    outer = helper.make_function(
        "f", "Four", ["a"], ["c"], [node("Twice", ["a"], ["b"], domain="f"), node("Twice", ["b"], ["c"], domain="f")],
        [helper.make_opsetid("", 13), helper.make_opsetid("f", 1)])
    yield network("functions", [node("Four", ["x"], ["h"], domain="f"), node("Twice", ["h"], ["y"], domain="f")], {},
                  functions=[body, outer])
    external = onnx.load_model_from_string(network("e", [node("Add", ["x", "w"], ["y"])], {"w": weights(6)})[1])
    tensor = external.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "w.bin", "offset": "0", "length": "24"}.items():
        tensor.external_data.add(key=key, value=value)
    yield "external", external.SerializeToString()


def arrays():
    for name, array in {
        "images": np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3), "floats": np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3),
        "labels": np.array([3, -1], np.int64), "scalar": np.float32(2), "integers": np.arange(4, dtype=np.int32).reshape(4, 1),
        "empty": np.zeros((0, 3), np.float32), "fortran": np.asfortranarray(np.ones((2, 2), np.float32)),
    }.items():
        out = io.BytesIO()
        np.save(out, array)
        yield name, out.getvalue()
    out = io.BytesIO()
    np.lib.format.write_array(out, np.ones(2, np.uint8), version=(2, 0))
    yield "version2", out.getvalue()


def write(target, name, data):
    path = folder / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


for name, data in sorted(operator_models().items()):
    write("onnx", name, data)
for name, data in networks():
    write("onnx", name, data)
for name, data in arrays():
    write("npy", name, data)
