"""Networks as exporters and quantizers write them, and what ONNX Runtime makes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


@dataclass
class Exported:
    """Nodes and initializers in the making, in operator set 17. `add` appends a node and returns its output's name."""

    rng: np.random.Generator
    dimensions: tuple = ("N", 4, 8, 6)
    #: Set for a network of a fixed number of images.
    batch: int | None = None
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    #: Type and dimensions by name.
    inputs: dict[str, tuple[int, list]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        first = self.dimensions[0] if self.batch is None else self.batch
        self.inputs = {"x": (TensorProto.FLOAT, [first, *self.dimensions[1:]])}

    def add(self, operator: str, *inputs: str, **attributes) -> str:
        output = f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=f"node_{output}", **attributes))
        return output

    def constant(self, array) -> str:
        """Initializers and Constant nodes in turns: exporters write both."""
        name = f"constant{len(self.initializers)}_{len(self.nodes)}"
        tensor = numpy_helper.from_array(np.asarray(array), name)
        if (len(self.initializers) + len(self.nodes)) % 2:
            self.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        else:
            self.initializers.append(tensor)
        return name

    def normal(self, *shape: int) -> str:
        fan = float(np.prod(shape[1:])) if len(shape) > 1 else 1.0
        return self.constant(self.rng.normal(0, fan**-0.5, shape).astype(np.float32))

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def scalar(self, value: int) -> str:
        return self.constant(np.array(value, np.int64))

    def number(self, value: float) -> str:
        return self.constant(np.array(value, np.float32))

    def model(self) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "exported",
            [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in self.inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self.outputs],
            self.initializers,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def arrays(self, batch: int) -> list[np.ndarray]:
        """Values for every input; of open dimensions the height is 8 and the width 6."""
        sizes = {"N": batch, "height": 8, "width": 6}
        arrays = []
        for kind, dimensions in self.inputs.values():
            shape = [batch, *(sizes.get(size, size) for size in dimensions[1:])]
            if kind == TensorProto.FLOAT:
                arrays.append(self.rng.normal(0, 1, shape).astype(np.float32))
            else:
                largest = 256 if kind == TensorProto.UINT8 else 2
                arrays.append(self.rng.integers(0, largest, shape).astype(helper.tensor_dtype_to_np_dtype(kind)))
        return arrays


def float_reference(path: Path, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Every output in ONNX Runtime, the graph left as it is."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, {value.name: array for value, array in zip(session.get_inputs(), arrays, strict=True)})


def write_quantized(network: Exported, folder: Path, per_channel: bool, symmetric: bool) -> Path:
    """ONNX Runtime's static quantization in the QDQ format, calibrated on random images."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Samples(CalibrationDataReader):
        def __init__(self) -> None:
            self.rest = [{"x": network.arrays(1)[0]} for _ in range(8)]

        def get_next(self):
            return self.rest.pop() if self.rest else None

    onnx.save(network.model(), folder / "float.onnx")
    quantize_static(
        str(folder / "float.onnx"), str(folder / "quantized.onnx"), Samples(), quant_format=QuantFormat.QDQ, per_channel=per_channel,
        activation_type=QuantType.QInt8 if symmetric else QuantType.QUInt8, weight_type=QuantType.QInt8,
        extra_options={"ActivationSymmetric": symmetric},
    )  # fmt: skip
    return folder / "quantized.onnx"


def quantized_activations_removed(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without its pairs of QuantizeLinear and DequantizeLinear: only those of constants stay. Where a range begins at 0 and a
    layer's result goes in, a Clip to that range stands for the pair."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    producers = {output: node for node in model.graph.node for output in node.output}
    renamed: dict[str, str] = {}
    nodes = []
    for node in model.graph.node:
        inputs = [renamed.get(name, name) for name in node.input]
        if node.op_type == "QuantizeLinear":
            scale, zero = constants[node.input[1]], constants[node.input[2]]
            limits = np.iinfo(zero.dtype)
            source = producers.get(inputs[0])
            renamed[node.output[0]] = inputs[0]
            if zero == limits.min and source is not None and source.op_type in ("Conv", "Gemm", "Add"):
                low, high = f"{node.output[0]}_low", f"{node.output[0]}_high"
                top = np.float32(scale * (float(limits.max) - float(limits.min)))
                model.graph.initializer.extend(
                    [numpy_helper.from_array(np.float32(0), low), numpy_helper.from_array(top, high)]
                )
                nodes.append(helper.make_node("Clip", [inputs[0], low, high], [node.output[0]]))
                del renamed[node.output[0]]
        elif node.op_type == "DequantizeLinear" and node.input[0] not in constants:
            renamed[node.output[0]] = inputs[0]
        else:
            del node.input[:]
            node.input.extend(inputs)
            nodes.append(node)
    for output in model.graph.output:
        if output.name in renamed:
            nodes.append(helper.make_node("Identity", [renamed[output.name]], [output.name]))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model
