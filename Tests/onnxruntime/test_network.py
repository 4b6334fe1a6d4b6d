"""multipoint.Network: a whole packed network as one node, bit for bit what the C interface answers."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import multipoint
import numpy as np
import onnx
import pytest
from onnx import helper

from runtime import constant, float_session, model, run, session, value


def answers(path: Path, images: np.ndarray, threads: int = 1) -> np.ndarray:
    with multipoint.Model(path) as packed, packed.session(maximum_batch=len(images), threads=threads) as network:
        return network.run(images)


def network_node(packed: Path, inputs=("file", "x"), **attributes) -> onnx.ModelProto:
    """Made by hand, with no shape stated, so that the plugin is the one to check them."""
    constants = [constant("file", np.fromfile(packed, np.uint8))] if "file" in inputs else []
    node = helper.make_node("Network", inputs, ["y"], name="digits", domain="multipoint", **attributes)
    return model([node], [value("x", None)], [value("y", None)], constants)


@pytest.mark.parametrize("batch", [1, 2, 50, 450])
def test_digits_equal_the_c_interface(command, packed, images, tmp_path, batch):
    command("export", packed, "--output", tmp_path / "network.onnx")
    network = session(tmp_path / "network.onnx")
    for first in range(0, 450, batch) if batch > 2 else range(5):
        part = images[first : first + batch]
        assert np.array_equal(run(network, part)[0], answers(packed, part))


@pytest.mark.parametrize("name", ["ladder", "greedy"])
def test_files_of_the_tree(command, trained, images, tmp_path, name):
    command("export", trained[name], "--output", tmp_path / "network.onnx")
    assert np.array_equal(run(session(tmp_path / "network.onnx"), images)[0], answers(trained[name], images))


def test_its_right_answers(command, packed, images, digits, tmp_path):
    command("export", packed, "--output", tmp_path / "network.onnx")
    labels = np.load(digits / "heldout_labels.npy")
    logits = run(session(tmp_path / "network.onnx"), images)[0]
    assert (logits.argmax(1) == labels).mean() > 0.98


def test_the_file_beside_the_model(command, packed, images, tmp_path):
    (tmp_path / "below").mkdir()
    beside = tmp_path / "below" / "digits.multipoint"
    beside.write_bytes(packed.read_bytes())
    command("export", "--external", beside, "--output", tmp_path / "network.onnx")
    assert (tmp_path / "network.onnx").stat().st_size < 1000
    assert np.array_equal(run(session(tmp_path / "network.onnx"), images)[0], answers(packed, images))


def test_the_file_as_an_attribute(packed, images):
    by_hand = network_node(packed, inputs=["x"], file=packed.read_bytes())
    assert np.array_equal(run(session(by_hand), images)[0], answers(packed, images))


def test_files_made_to_be_taken_for_each_other(packed, images, tmp_path):
    """Differences that cancel each other in a hash without a secret: in a word of 8 bytes the highest bit, and 32 bytes later that
    bit and the 34th. Here they change the signs of two biases. Without its checksum a file of either content is a right one."""
    content = bytearray(packed.read_bytes())
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    del header["__metadata__"]["crc32"]
    content[8:end] = json.dumps(header, separators=(",", ":")).encode().ljust(end - 8)
    bias = end + header["classifier.bias"]["data_offsets"][0]
    assert bias % 8 == 0
    paths = [tmp_path / "one.multipoint", tmp_path / "other.multipoint"]
    paths[0].write_bytes(content)
    content[bias + 7] ^= 0x80
    content[bias + 32 + 7] ^= 0x80
    content[bias + 32 + 4] ^= 0x04
    paths[1].write_bytes(content)

    networks = [session(network_node(path)) for path in paths]
    results = [run(network, images)[0] for network in networks]
    assert not np.array_equal(*results)
    for path, result in zip(paths, results):
        assert np.array_equal(result, answers(path, images))


def test_threads_do_not_change_the_answers(packed, images):
    expected = answers(packed, images)
    for threads in (0, 1, 2, 3, None):
        assert np.array_equal(run(session(network_node(packed), threads=threads), images)[0], expected)


def test_many_threads_on_one_session(packed, images):
    network = session(network_node(packed))
    parts = [images[first : first + 1 + first % 6] for first in range(0, 400, 5)]
    expected = [answers(packed, part) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            results = pool.map(lambda part: run(network, part)[0], parts)
            assert all(np.array_equal(a, b) for a, b in zip(results, expected))


def test_several_inputs_and_outputs(command, rng, tmp_path):
    nodes = [
        helper.make_node("Conv", ["a", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["c", "b"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["first"]),
        helper.make_node("GlobalAveragePool", ["first"], ["second"]),
    ]
    weights = constant("w", rng.standard_normal((4, 2, 3, 3)).astype(np.float32))
    inputs = [value("a", ["N", 2, 6, 5]), value("b", ["N", 4, 6, 5])]
    outputs = [value("first", ["N", 4, 6, 5]), value("second", ["N", 4, 1, 1])]
    onnx.save(model(nodes, inputs, outputs, [weights]), tmp_path / "two.onnx")
    arrays = [rng.standard_normal((8, 2, 6, 5)).astype(np.float32), rng.standard_normal((8, 4, 6, 5)).astype(np.float32)]
    for name, array in zip("ab", arrays):
        np.save(tmp_path / f"{name}.npy", array)
    command(
        "quantize", tmp_path / "two.onnx", "--calibration", tmp_path / "a.npy", "--calibration", tmp_path / "b.npy", "--scale", 1,
        "--method", "w8a8", "--output", tmp_path / "two.multipoint",
    )  # fmt: skip
    command("export", tmp_path / "two.multipoint", "--output", tmp_path / "packed.onnx")
    network = session(tmp_path / "packed.onnx")
    assert [output.name for output in network.get_outputs()] == ["first", "second"]
    assert [output.shape for output in network.get_outputs()] == [["N", 4, 6, 5], ["N", 4, 1, 1]]
    with multipoint.Model(tmp_path / "two.multipoint") as packed, packed.session(maximum_batch=8) as reference:
        for result, expected in zip(run(network, *arrays), reference.run(*arrays)):
            assert np.array_equal(result, expected)
    for result, expected in zip(run(network, *arrays), run(float_session(tmp_path / "two.onnx"), *arrays)):
        assert np.abs(result - expected).max() < 0.05 * np.abs(expected).max()


def refusal(what) -> str:
    with pytest.raises(Exception) as refused:
        what()
    return str(refused.value)


def test_wrong_inputs_are_named(packed):
    network = session(network_node(packed))
    for shape in [(2, 1, 8, 9), (1, 8, 8), (1, 3, 8, 8)]:
        text = refusal(lambda: run(network, np.zeros(shape, np.float32)))
        assert f"node `digits`, input `image`: shape [N, 1, 8, 8] expected, found {list(shape)}" in text
    assert "input `image` of shape [0, 1, 8, 8] is empty" in refusal(lambda: run(network, np.zeros((0, 1, 8, 8), np.float32)))
    assert np.isfinite(run(network, np.zeros((1, 1, 8, 8), np.float32))[0]).all()


def test_wrong_types_are_named(packed):
    node = helper.make_node("Network", ["file", "x"], ["y"], name="digits", domain="multipoint")
    doubles = model(
        [node], [value("x", None, onnx.TensorProto.DOUBLE)], [value("y", None)], [constant("file", np.fromfile(packed, np.uint8))]
    )
    text = refusal(lambda: run(session(doubles), np.zeros((1, 1, 8, 8))))
    assert "node `digits`, input `image` is no tensor of type float" in text


def test_wrong_files_are_refused_when_the_session_is_made(packed, tmp_path):
    content = packed.read_bytes()
    (tmp_path / "short").write_bytes(content[:9000])
    damaged = bytearray(content)
    damaged[-10] ^= 1
    (tmp_path / "damaged").write_bytes(damaged)
    (tmp_path / "none").write_bytes(b"")
    for name, problem in [("short", "truncated"), ("damaged", "crc32"), ("none", "multipoint: node `digits`, input 0")]:
        assert problem in refusal(lambda: session(network_node(tmp_path / name)))


def test_wrong_nodes_are_refused_when_the_session_is_made(packed):
    text = refusal(lambda: session(network_node(packed, inputs=["file", "x", "x"])))
    assert "1 inputs and 1 outputs are expected, as the packed network has; found 2 and 1" in text
    assert "no packed file: the attribute `file`, or a constant of type uint8 as input 0" in refusal(
        lambda: session(network_node(packed, inputs=["x"]))
    )
    node = helper.make_node("Network", ["file", "x"], ["y"], name="digits", domain="multipoint")
    floats = model([node], [value("x", None)], [value("y", None)], [constant("file", np.zeros(8, np.float32))])
    assert "input 0: a packed file as uint8 is expected" in refusal(lambda: session(floats))
