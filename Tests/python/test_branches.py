"""If nodes: the branch that a size decides runs, as in ONNX Runtime; what the elements of an input decide is refused."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from exported import Exported, float_reference
from test_folding import compare


@pytest.fixture
def check(command, tmp_path):
    """Runs a model by the command, and compares every output with ONNX Runtime's."""

    def check(network: Exported, *options: object, batches=(1, 3)) -> None:
        path = tmp_path / "network.onnx"
        onnx.save(network.model(), path)
        for batch in batches:
            arrays = network.arrays(batch)
            compare(command, tmp_path, path, arrays, float_reference(path, arrays), *options)

    return check


def has_size(network: Exported, x: str, axis: int, size: int) -> str:
    """`x.size(axis) == size`, as PyTorch writes it."""
    found = network.add("Gather", network.add("Shape", x), network.scalar(axis), axis=0)
    return network.add("Equal", found, network.scalar(size))


def graph(name: str, nodes: list[onnx.NodeProto], outputs: list[str], weights: dict[str, np.ndarray] | None = None) -> onnx.GraphProto:
    """A branch. Values of equal names may stand in several."""
    return helper.make_graph(
        nodes, name, [], [helper.make_tensor_value_info(output, TensorProto.FLOAT, None) for output in outputs],
        [numpy_helper.from_array(array, weight) for weight, array in (weights or {}).items()],
    )  # fmt: skip


def decide(network: Exported, condition: str, then: onnx.GraphProto, other: onnx.GraphProto) -> list[str]:
    outputs = [f"decided{len(network.nodes)}_{index}" for index in range(len(then.output))]
    name = f"If_{len(network.nodes)}"
    network.nodes.append(helper.make_node("If", [condition], outputs, name=name, then_branch=then, else_branch=other))
    return outputs


@pytest.mark.parametrize("size", [8, 5])
def test_squeeze(check, rng, size) -> None:
    """`squeeze(2)` where the exporter did not know the height, which is 8."""
    network = Exported(rng, dimensions=("N", 4, "height", 6))
    pooled = network.add("MaxPool", "x", kernel_shape=[size, 1], strides=[size, 1])
    squeezed = graph("then", [helper.make_node("Squeeze", [pooled, "axes"], ["inner"])], ["inner"], {"axes": np.array([2], np.int64)})
    left = graph("else", [helper.make_node("Neg", [pooled], ["inner"])], ["inner"])
    (result,) = decide(network, has_size(network, "x", 2, size), squeezed, left)
    network.outputs = [network.add("Sigmoid", result)]
    check(network, "--input-shape", "N,4,8,6")


def random_branch(rng: np.random.Generator, known: list[str], depth: int, condition: tuple[str, str]) -> onnx.GraphProto:
    """Two outputs: from a chain of operators with weights of its own, a decision inside of it, and values from outside. All values
    have the same shape."""
    nodes: list[onnx.NodeProto] = []
    weights: dict[str, np.ndarray] = {}
    values = list(known)
    for index in range(rng.integers(0, 4)):
        # Unique on the way from the outermost graph to here only.
        output, weight = f"value_{depth}_{index}", f"weight_{depth}_{index}"
        kind = rng.integers(3)
        if kind == 0:
            nodes.append(helper.make_node("Tanh", [str(rng.choice(values))], [output], name=f"node_{index}"))
        elif kind == 1:
            weights[weight] = rng.normal(0, 0.5, (4, 4, 1, 1)).astype(np.float32)
            nodes.append(helper.make_node("Conv", [str(rng.choice(values)), weight], [output], name=f"node_{index}"))
        elif depth < 3:
            branches = [random_branch(rng, values, depth + 1, condition) for _ in range(2)]
            other = f"other_{depth}_{index}"
            nodes.append(
                helper.make_node(
                    "If", [str(rng.choice(condition))], [output, other], then_branch=branches[0], else_branch=branches[1]
                )
            )
            values.append(other)
        else:
            nodes.append(helper.make_node("Add", [str(value) for value in rng.choice(values, 2)], [output]))
        values.append(output)
    made = [output for node in nodes for output in node.output]
    results = [str(value) for value in rng.choice(made if made and rng.random() < 0.7 else values, 2)]
    # ONNX Runtime wants outputs of a branch to be its own.
    for index, result in enumerate(results):
        if result not in made or result in results[:index]:
            nodes.append(helper.make_node("Identity", [result], [f"result_{depth}_{index}"]))
            results[index] = f"result_{depth}_{index}"
    return graph(f"branch_{depth}", nodes, results, weights)


@pytest.mark.parametrize("number", range(12))
def test_random_branches(check, rng, number) -> None:
    network = Exported(rng)
    conditions = has_size(network, "x", 2, 8), has_size(network, "x", 1, 3)
    values = ["x"]
    for _ in range(3):
        hidden = network.add("Relu", str(rng.choice(values)))
        branches = [random_branch(rng, [*values, hidden], 0, conditions) for _ in range(2)]
        values += [hidden, *decide(network, str(rng.choice(conditions)), *branches)]
    network.outputs = [network.add("Sum", *values)]
    check(network, batches=(2,))


def test_outputs_of_a_branch_that_it_does_not_make(command, rng, tmp_path) -> None:
    """A value from outside, and one value twice: ONNX Runtime refuses the first, so the answers are worked out here."""
    network = Exported(rng)
    hidden = network.add("Relu", "x")
    condition = has_size(network, "x", 1, 4)
    twice = [helper.make_node("Neg", [hidden], ["inner"])]
    other = graph("else", [helper.make_node("Exp", [hidden], [name]) for name in "abc"], ["a", "b", "c"])
    outputs = decide(network, condition, graph("then", twice, ["inner", hidden, "inner"]), other)
    network.outputs = [network.add("Add", "x", output) for output in outputs]
    path = tmp_path / "network.onnx"
    onnx.save(network.model(), path)
    (x,) = network.arrays(2)
    hidden = np.maximum(x, 0)
    compare(command, tmp_path, path, [x], [x - hidden, x + hidden, x - hidden])


def test_what_inputs_decide_is_refused(command, rng, tmp_path) -> None:
    network = Exported(rng)
    network.inputs["flag"] = (TensorProto.BOOL, [1])
    branches = [graph(name, [helper.make_node(name, ["x"], ["inner"])], ["inner"]) for name in ("Exp", "Neg")]
    (result,) = decide(network, "flag", *branches)
    network.outputs = [network.add("Relu", result)]
    onnx.save(network.model(), tmp_path / "network.onnx")
    with pytest.raises(AssertionError, match="which branch runs is decided by `flag`"):
        command("quantize", tmp_path / "network.onnx", "--method", "float", "-o", tmp_path / "f")


def test_branches_that_do_not_fit_are_refused(command, rng, tmp_path) -> None:
    for change, message in [
        (lambda node: node.output.append("more"), "`then_branch` has 1 outputs, the node 2"),
        (lambda node: node.attribute.pop(0), "a graph `then_branch` expected"),
        (lambda node: node.attribute[0].g.node[0].input.__setitem__(0, "nowhere"), "nothing defines its input `nowhere`"),
    ]:
        network = Exported(rng)
        branches = [graph(name, [helper.make_node(name, ["x"], ["inner"])], ["inner"]) for name in ("Exp", "Neg")]
        (result,) = decide(network, has_size(network, "x", 1, 4), *branches)
        network.outputs = [network.add("Relu", result)]
        model = network.model()
        node = next(node for node in model.graph.node if node.op_type == "If")
        node.attribute.sort(key=lambda attribute: attribute.name, reverse=True)
        change(node)
        onnx.save(model, tmp_path / "network.onnx")
        with pytest.raises(AssertionError, match=message):
            command("quantize", tmp_path / "network.onnx", "--method", "float", "-o", tmp_path / "f")
