"""multipoint.Conv and multipoint.Gemm: packed layers in a graph whose other nodes are ONNX Runtime's."""

from __future__ import annotations

from pathlib import Path

import multipoint
import numpy as np
import onnx
import pytest

from networks import folding_network, mixed_network
from runtime import float_session, run, session, signal_to_noise, value


def layer_nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    return [node for node in graph.node if node.domain == "multipoint"]


def layer_name(node: onnx.NodeProto) -> str:
    return next(attribute.s.decode() for attribute in node.attribute if attribute.name == "layer")


def all_values(exported: Path, *inputs: np.ndarray) -> dict[str, np.ndarray]:
    """What every multipoint node of a model reads and computes, by name."""
    model = onnx.load(exported)
    given = {entry.name for entry in model.graph.input}
    known = given | {entry.name for entry in model.graph.output}
    for node in layer_nodes(model.graph):
        for name in (node.input[0], node.output[0]):
            if name not in known:
                model.graph.output.append(value(name, None))
                known.add(name)
    network = session(model)
    values = dict(zip([output.name for output in network.get_outputs()], run(network, *inputs)))
    return values | dict(zip([entry.name for entry in network.get_inputs()], inputs))


def check_every_layer(packed: Path, exported: Path, *inputs: np.ndarray) -> None:
    """Bit for bit what a plan of the C interface makes of the same input."""
    values = all_values(exported, *inputs)
    nodes = layer_nodes(onnx.load(exported).graph)
    assert nodes
    with multipoint.Model(packed) as model:
        for node in nodes:
            source, result = values[node.input[0]], values[node.output[0]]
            sizes = {"height": source.shape[2], "width": source.shape[3]} if node.op_type == "Conv" else {}
            with model.layer(layer_name(node)) as layer, layer.plan(batch=len(source), threads=1, **sizes) as plan:
                assert np.array_equal(result, plan.execute(source)), node.name


@pytest.fixture(scope="module")
def folding(command, tmp_path_factory) -> Path:
    """A folder with folding.onnx, its input and folding.multipoint."""
    folder = tmp_path_factory.mktemp("folding")
    rng = np.random.default_rng(20)
    onnx.save(folding_network(rng), folder / "folding.onnx")
    np.save(folder / "x.npy", rng.standard_normal((40, 3, 12, 12)).astype(np.float32))
    command(
        "quantize", folder / "folding.onnx", "--calibration", folder / "x.npy", "--scale", 1, "--method", "w8a8",
        "--output", folder / "folding.multipoint",
    )  # fmt: skip
    return folder


def test_every_layer_of_digits_equals_the_c_interface(command, packed, digits, images, tmp_path):
    command("export", "--granularity", "layer", packed, digits / "digits.onnx", "--output", tmp_path / "layers.onnx")
    check_every_layer(packed, tmp_path / "layers.onnx", images[:32])


@pytest.mark.parametrize("name", ["ladder", "greedy"])
def test_files_of_the_tree(command, trained, digits, images, tmp_path, name):
    command("export", "--granularity", "layer", trained[name], digits / "digits.onnx", "--output", tmp_path / "layers.onnx")
    check_every_layer(trained[name], tmp_path / "layers.onnx", images[:32])


def test_digits_beside_the_whole_network(command, packed, digits, images, tmp_path):
    """Between the layers, values are floats here and 8 bits in a session of the C interface, which rounds what it adds to a
    shortcut and what it pools: the answers differ by less than both differ from the float network's."""
    command("export", "--granularity", "layer", packed, digits / "digits.onnx", "--output", tmp_path / "layers.onnx")
    logits = run(session(tmp_path / "layers.onnx"), images)[0]
    exact = run(float_session(digits / "digits.onnx"), images)[0]
    with multipoint.Model(packed) as model, model.session(maximum_batch=len(images), threads=1) as network:
        whole = network.run(images)
    assert (logits.argmax(1) == whole.argmax(1)).mean() >= 0.995
    assert signal_to_noise(logits, whole) > 40 > signal_to_noise(whole, exact)
    assert signal_to_noise(logits, exact) > signal_to_noise(whole, exact) - 0.5


def test_without_the_original_it_is_the_same_network(command, packed, digits, images, tmp_path):
    command("export", "--granularity", "layer", packed, digits / "digits.onnx", "--output", tmp_path / "replaced.onnx")
    command("export", "--granularity", "layer", packed, "--output", tmp_path / "own.onnx")
    results = [run(session(tmp_path / name), images)[0] for name in ("replaced.onnx", "own.onnx")]
    assert np.array_equal(*results)


def test_other_operators_without_the_original(command, rng, tmp_path):
    onnx.save(mixed_network(rng), tmp_path / "mixed.onnx")
    x = rng.standard_normal((20, 3, 6, 6)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    command(
        "quantize", tmp_path / "mixed.onnx", "--calibration", tmp_path / "x.npy", "--scale", 1, "--method", "w8a8",
        "--output", tmp_path / "mixed.multipoint",
    )  # fmt: skip
    command("export", "--granularity", "layer", tmp_path / "mixed.multipoint", "--output", tmp_path / "own.onnx")
    check_every_layer(tmp_path / "mixed.multipoint", tmp_path / "own.onnx", x)
    result, exact = run(session(tmp_path / "own.onnx"), x)[0], run(float_session(tmp_path / "mixed.onnx"), x)[0]
    # Where two channels are nearly equal, which is the larger may change.
    assert (np.abs(result - exact) < 0.1).mean() > 0.95


def test_the_file_beside_the_model(command, packed, digits, images, tmp_path):
    beside = tmp_path / "digits.multipoint"
    beside.write_bytes(packed.read_bytes())
    original = digits / "digits.onnx"
    command("export", "--granularity", "layer", "--external", beside, original, "--output", tmp_path / "a.onnx")
    command("export", "--granularity", "layer", beside, original, "--output", tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").stat().st_size < 5000
    assert np.array_equal(run(session(tmp_path / "a.onnx"), images)[0], run(session(tmp_path / "b.onnx"), images)[0])


def test_what_was_folded_goes_and_what_was_not_stays(command, folding, tmp_path):
    command(
        "export", "--granularity", "layer", folding / "folding.multipoint", folding / "folding.onnx",
        "--output", tmp_path / "layers.onnx",
    )  # fmt: skip
    model = onnx.load(tmp_path / "layers.onnx")
    kinds = [f"{node.domain}.{node.op_type}" for node in model.graph.node]
    assert sorted(kinds) == [
        # The two sums of computed values; norm3, whose input is used elsewhere.
        ".Add", ".Add", ".BatchNormalization", ".Flatten", ".GlobalAveragePool", ".Identity", ".Relu", ".Relu",
        "multipoint.Conv", "multipoint.Conv", "multipoint.Conv", "multipoint.Gemm",
    ]  # fmt: skip
    # Of the constants, the packed file and what norm3 reads.
    assert {entry.name for entry in model.graph.initializer} == {
        "folding.multipoint", "n3_s", "n3_b", "n3_m", "n3_v",
    }  # fmt: skip
    assert [node.name for node in layer_nodes(model.graph)] == ["first", "second", "third", "classifier"]


def test_folding_keeps_the_network(command, folding, tmp_path):
    command(
        "export", "--granularity", "layer", folding / "folding.multipoint", folding / "folding.onnx",
        "--output", tmp_path / "layers.onnx",
    )  # fmt: skip
    x = np.load(folding / "x.npy")
    check_every_layer(folding / "folding.multipoint", tmp_path / "layers.onnx", x)
    result = run(session(tmp_path / "layers.onnx"), x)[0]
    assert signal_to_noise(result, run(float_session(folding / "folding.onnx"), x)[0]) > 28
    command("export", "--granularity", "layer", folding / "folding.multipoint", "--output", tmp_path / "own.onnx")
    assert signal_to_noise(result, run(session(tmp_path / "own.onnx"), x)[0]) > 100


def test_a_model_of_another_network_is_refused(command, packed, folding, digits, tmp_path):
    output = ["--granularity", "layer", "--output", tmp_path / "none.onnx"]
    error = command("export", packed, folding / "folding.onnx", *output, fails=True)
    assert "layer `conv1` of `" in error and "was not packed from" in error
    # The same network with other weights.
    other = onnx.load(digits / "digits.onnx")
    weights = next(entry for entry in other.graph.initializer if len(entry.dims) == 4 and entry.dims[1] == 32)
    array = onnx.numpy_helper.to_array(weights)
    weights.CopyFrom(onnx.numpy_helper.from_array(array[::-1].copy(), weights.name))
    onnx.save(other, tmp_path / "other.onnx")
    assert "there it has other weights" in command("export", packed, tmp_path / "other.onnx", *output, fails=True)
    assert not (tmp_path / "none.onnx").exists()


def test_what_cannot_be_exported_is_refused(command, packed, digits, tmp_path):
    assert "--granularity layer" in command("export", packed, digits / "digits.onnx", "--output", tmp_path / "a.onnx", fails=True)
    error = command("export", "--external", packed, "--output", tmp_path / "a.onnx", fails=True)
    assert f"`{packed}` is not in the folder of" in error
    command("quantize", "--layers-only", digits / "digits.onnx", "--output", tmp_path / "weights.multipoint")
    error = command("export", tmp_path / "weights.multipoint", "--output", tmp_path / "a.onnx", fails=True)
    assert "holds weights only" in error
    assert not (tmp_path / "a.onnx").exists()
