"""`multipoint doctor`: what it says of networks, and its exit status."""

from __future__ import annotations

import json
import os
import subprocess

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from exported import Exported


@pytest.fixture
def doctor(tmp_path):
    """Exit status, diagnosis (None without one) and standard error for a network."""

    def doctor(exported: Exported | None, *options: object) -> tuple[int, dict | None, str]:
        path = tmp_path / "network.onnx"
        if exported is not None:
            onnx.save(exported.model(), path)
        result = subprocess.run(
            [os.environ["MULTIPOINT_COMMAND"], "doctor", str(path), "--json", *map(str, options)], capture_output=True, text=True
        )  # fmt: skip
        return result.returncode, json.loads(result.stdout) if result.stdout else None, result.stderr

    return doctor


def classifier(rng, **options) -> Exported:
    """A convolution with its activation, a product that cannot be 8 bits, shape arithmetic, a Gemm."""
    network = Exported(rng, **options)
    hidden = network.add("Relu", network.add("Conv", "x", network.normal(8, 4, 3, 3), pads=[1, 1, 1, 1]))
    shape = network.add("Shape", hidden)
    rows = network.add("Reshape", hidden, network.add("Concat", network.add("Slice", shape, network.integers(0), network.integers(2)),
                                                      network.integers(-1), axis=0))  # fmt: skip
    product = network.add("MatMul", rows, network.add("Transpose", rows, perm=[0, 2, 1]))
    flat = network.add("Flatten", product)
    network.outputs = [network.add("Gemm", flat, network.normal(64, 5), network.normal(5))]
    return network


def test_a_network_that_runs(doctor, command, rng, tmp_path):
    status, diagnosis, _ = doctor(classifier(rng))
    assert status == 0 and diagnosis["runs"]
    assert diagnosis["inputs"] == [{"name": "x", "shape": ["N", 4, 8, 6]}]
    assert [value["shape"] for value in diagnosis["outputs"]] == [["N", 5]]
    operators = {entry["operator"]: entry for entry in diagnosis["operators"]}
    assert operators["Conv"] == {"operator": "Conv", "nodes": 1, "int8": 1, "float": 0, "none": 0, "supported": 0, "unsupported": 0}
    assert operators["MatMul"]["float"] == 1 and operators["Gemm"]["int8"] == 1
    assert operators["Shape"]["none"] == operators["Concat"]["none"] == 1
    # By hand: 8 × 8 × 6 results of 4 × 3 × 3 products; 8 × 8 of 48; 5 of 64.
    convolution, product, gemm = 8 * 48 * 36, 8 * 8 * 48, 5 * 64
    assert diagnosis["multiply_adds"] == {"total": convolution + product + gemm, "int8": convolution + gemm}
    assert sum(entry["nodes"] for entry in diagnosis["operators"]) == len(diagnosis["nodes"])
    [reason] = [node["reason"] for node in diagnosis["nodes"] if node["operator"] == "MatMul"]
    assert "two computed values" in reason
    text = command("doctor", tmp_path / "network.onnx")
    assert ": runs" in text and "multiply-adds in 8 bits" in text and "MatMul `node_matmul" in text


def test_all_unsupported_nodes_are_named(doctor, rng):
    network = Exported(rng)
    first = network.add("NonZero", network.add("Conv", "x", network.normal(4, 4, 1, 1)))
    second = network.add("Relu", first)
    third = network.add("RandomNormalLike", "x")
    network.outputs = [network.add("Sigmoid", second), network.add("Add", third, "x")]
    status, diagnosis, _ = doctor(network)
    assert status == 1 and not diagnosis["runs"]
    verdicts = {node["operator"]: node["verdict"] for node in diagnosis["nodes"]}
    assert verdicts.pop("Constant", "none") == "none"
    assert verdicts == {
        "NonZero": "unsupported", "RandomNormalLike": "unsupported", "Conv": "supported", "Relu": "supported", "Sigmoid": "supported",
        "Add": "supported",
    }  # fmt: skip
    assert all("not supported" in node["reason"] for node in diagnosis["nodes"] if node["verdict"] == "unsupported")
    assert "multiply_adds" not in diagnosis


def test_sizes_that_nobody_states(doctor, rng, tmp_path):
    network = Exported(rng)
    network.outputs = [network.add("NonZero", "x")]
    doctor(network)
    model = onnx.load(tmp_path / "network.onnx")
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info(network.outputs[0], TensorProto.INT64, [4, "found"]))
    onnx.save(model, tmp_path / "network.onnx")
    status, diagnosis, _ = doctor(None)
    assert status == 1 and diagnosis["outputs"][0]["shape"] == [4, "?"]


def test_open_height_and_width(doctor, rng):
    network = classifier(rng, dimensions=("N", 4, "height", "width"))
    status, diagnosis, errors = doctor(network)
    assert status == 1 and diagnosis is None and "--input-shape x=N,4,<height>,<width>" in errors
    status, diagnosis, _ = doctor(network, "--input-shape", "x=N,4,8,6")
    assert status == 0 and diagnosis["inputs"][0]["shape"] == ["N", 4, 8, 6]
    # As shapes are printed.
    for argument in ("x=1×4×8×6", "1x4x8x6"):
        status, diagnosis, _ = doctor(network, "--input-shape", argument)
        assert status == 0 and diagnosis["inputs"][0]["shape"] == ["N", 4, 8, 6]
    status, _, errors = doctor(network, "--input-shape", "x=N,4,8,M")
    assert status == 64 and "--input-shape" in errors


def test_networks_that_contradict_themselves(doctor, rng):
    network = Exported(rng)
    network.nodes = [helper.make_node("Relu", ["b"], ["a"], name="first"), helper.make_node("Relu", ["a"], ["b"], name="second")]
    network.outputs = ["b"]
    status, diagnosis, errors = doctor(network)
    assert status == 1 and diagnosis is None and "a cycle" in errors and "node `" in errors
    status, _, errors = doctor(None, "--input-shape", "no-such-input=N,4,8,6")
    assert status == 1 and "no input `no-such-input`" in errors


def test_a_constant_output_is_a_problem(doctor, rng):
    network = Exported(rng)
    network.outputs = [network.add("Relu", "x"), network.add("Cast", network.constant(np.ones(3, np.int64)), to=TensorProto.FLOAT)]
    status, diagnosis, _ = doctor(network)
    assert status == 1 and "is a constant" in diagnosis["problem"]
