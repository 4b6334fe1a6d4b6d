"""Limits of what a packed file may ask for, as entries of a session's configuration."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from networks import weights
from runtime import PLUGIN, constant, model, run, session, value
from test_network import network_node, refusal


@pytest.mark.parametrize(
    "name, number, words",
    [
        ("maximum_file_bytes", 1000, "the limit on file bytes is 1000"),
        ("maximum_tensors", 3, "the limit on tensors is 3"),
        ("maximum_nodes", 2, "18 nodes; the limit on nodes is 2"),
        ("maximum_elements", 100, "the limit on elements is 100"),
        ("maximum_weight_bytes", 1000, "the limit on weight bytes is 1000"),
        ("maximum_run_bytes", 1000, "the limit on run bytes is 1000"),
        ("maximum_work", 1000, "the limit on work is 1000"),
    ],
)
def test_a_network_beyond_each_limit(packed, name, number, words):
    node = network_node(packed)
    # Also while a session without limits holds the same file, and the other way round.
    held = session(node)
    text = refusal(lambda: session(node, **{name: number}))
    assert "node `digits`" in text and words in text
    kept = session(node, **{name: 2**64 - 1})
    x = np.ones((2, 1, 8, 8), np.float32)
    assert np.array_equal(run(kept, x)[0], run(held, x)[0])


def test_a_layer_beyond_a_limit(command, tmp_path, rng):
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="product")
    network = model([node], [value("x", ["N", 16])], [value("y", None)], [weights(rng, "w", 16, 4)], [helper.make_opsetid("", 16)])
    onnx.save(network, tmp_path / "one.onnx")
    command("quantize", "--layers-only", tmp_path / "one.onnx", "--output", tmp_path / "one.multipoint")
    file = constant("file", np.fromfile(tmp_path / "one.multipoint", np.uint8))
    nodes = [helper.make_node("Gemm", ["x", "file"], ["y"], name="it", domain="multipoint")]
    packed = model(nodes, [value("x", None)], [value("y", None)], [file])
    text = refusal(lambda: session(packed, maximum_elements=63))
    assert "node `it`" in text and "the limit on elements is 63" in text
    assert run(session(packed, maximum_elements=64), np.ones((3, 16), np.float32))[0].shape == (3, 4)


def test_a_batch_beyond_a_limit(packed):
    network = session(network_node(packed), maximum_run_bytes=1 << 20)
    one = run(network, np.ones((1, 1, 8, 8), np.float32))[0]
    text = refusal(lambda: run(network, np.ones((1000, 1, 8, 8), np.float32)))
    assert "node `digits`: batch 1000 needs" in text and "the limit on run bytes is 1048576" in text
    assert np.array_equal(run(network, np.ones((3, 1, 8, 8), np.float32))[0], np.repeat(one, 3, axis=0))


def test_a_batch_beyond_a_limit_is_refused_before_it_has_outputs(command, tmp_path, rng):
    """5 GB of them, for 1.3 MB of input, in a process that has no room for them."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Resize", ["c", "", "scales"], ["y"], mode="nearest", coordinate_transformation_mode="asymmetric",
                         nearest_mode="floor"),
    ]  # fmt: skip
    constants = [weights(rng, "w", 1, 1, 3, 3), constant("scales", np.array([1, 1, 64, 64], np.float32))]
    network = model(
        nodes, [value("x", ["N", 1, 8, 8])], [value("y", ["N", 1, 512, 512])], constants, [helper.make_opsetid("", 13)]
    )
    onnx.save(network, tmp_path / "large.onnx")
    np.save(tmp_path / "images.npy", rng.standard_normal((4, 1, 8, 8)).astype(np.float32))
    command(
        "quantize", tmp_path / "large.onnx", "--calibration", tmp_path / "images.npy", "--scale", 1, "--method", "w8a8",
        "--output", tmp_path / "large.multipoint",
    )  # fmt: skip
    command("export", tmp_path / "large.multipoint", "--output", tmp_path / "packed.onnx")
    program = f"""
import resource
import numpy as np
from pathlib import Path
from runtime import run, session
network = session(Path({str(tmp_path / "packed.onnx")!r}), maximum_run_bytes=64 << 20)
assert run(network, np.ones((1, 1, 8, 8), np.float32))[0].shape == (1, 1, 512, 512)
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
try:
    run(network, np.ones((5000, 1, 8, 8), np.float32))
except Exception as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert "batch 5000 needs" in result.stdout and "the limit on run bytes is 67108864" in result.stdout


@pytest.mark.parametrize("name", ["threads", "maximum_nodes", "maximum_work"])
@pytest.mark.parametrize("text", ["", "few", "-1", "+1", " 1", "1 ", "1.5", "0x10", str(2**64), "9" * 100])
def test_entries_that_are_no_number(name, text):
    most = 1024 if name == "threads" else 2**64 - 1
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry(f"multipoint.{name}", text)
    found = refusal(lambda: options.register_custom_ops_library(PLUGIN))
    assert f"the session's configuration has multipoint.{name} = `{text}`; a number from 0 to {most} is expected" in found
