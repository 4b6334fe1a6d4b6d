"""ONNX networks made by onnx.helper, written the way that each version of the operator set wants them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


@dataclass
class Network:
    """Nodes and initializers in the making. `add` appends a node and returns its output's name."""

    rng: np.random.Generator
    opset: int
    #: The input's dimensions after the batch.
    shape: tuple[int, ...] = (6, 9, 10)
    #: Initializers as raw bytes, or as lists of numbers.
    raw: bool = True
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, operator: str, *inputs: str, **attributes) -> str:
        output = f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=f"node_{output}", **attributes))
        return output

    def constant(self, array) -> str:
        array = np.asarray(array)
        name = f"constant{len(self.initializers)}"
        if self.raw:
            tensor = numpy_helper.from_array(array, name)
        else:
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            tensor = helper.make_tensor(name, kind, array.shape, array.reshape(-1).tolist())
        self.initializers.append(tensor)
        return name

    def normal(self, *shape: int, spread: float = 1.0) -> str:
        return self.constant(self.rng.normal(0, spread, shape).astype(np.float32))

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    # Operators whose arguments moved from attributes to inputs as the operator set grew.

    def clip(self, x: str, low: float | None, high: float | None) -> str:
        if self.opset < 11:
            limits = {"min": low, "max": high}  # left out where there is none
            return self.add("Clip", x, **{name: float(value) for name, value in limits.items() if value is not None})
        names = ["" if value is None else self.constant(np.float32(value)) for value in (low, high)]
        return self.add("Clip", x, *(names if high is not None else names[:1]))

    def squeeze(self, x: str, *axes: int) -> str:
        return self._axes("Squeeze", x, axes)

    def unsqueeze(self, x: str, *axes: int) -> str:
        return self._axes("Unsqueeze", x, axes)

    def _axes(self, operator: str, x: str, axes: tuple[int, ...]) -> str:
        if self.opset < 13:
            return self.add(operator, x, axes=list(axes))
        return self.add(operator, x, self.integers(*axes))

    def slice(self, x: str, starts, ends, axes, steps=None) -> str:
        if self.opset < 10:
            return self.add("Slice", x, starts=starts, ends=ends, axes=axes)
        names = [self.integers(*values) for values in (starts, ends, axes)]
        return self.add("Slice", x, *names, *([self.integers(*steps)] if steps else []))

    def pad(self, x: str, pads, value: float | None = None) -> str:
        if self.opset < 11:
            return self.add("Pad", x, pads=pads, mode="constant", **({} if value is None else {"value": value}))
        return self.add("Pad", x, self.integers(*pads), *([] if value is None else [self.constant(np.float32(value))]))

    def dropout(self, x: str) -> str:
        if self.opset < 12:
            return self.add("Dropout", x, ratio=0.3)
        return self.add("Dropout", x, self.constant(np.float32(0.3)))

    def convolution(self, x: str, inputs: int, outputs: int, kernel=(3, 3), bias=True, group=1, **attributes) -> str:
        weight = self.normal(outputs, inputs // group, *kernel, spread=0.3)
        operands = [x, weight] + ([self.normal(outputs)] if bias else [])
        return self.add("Conv", *operands, kernel_shape=list(kernel), group=group, **attributes)

    def batch_normalization(self, x: str, channels: int) -> str:
        scale, offset, mean = (self.normal(channels) for _ in range(3))
        variance = self.constant(self.rng.uniform(0.1, 2, channels).astype(np.float32))
        return self.add("BatchNormalization", x, scale, offset, mean, variance, epsilon=1e-3)

    def model(self, *outputs: str) -> onnx.ModelProto:
        """The finished model, with the outputs' shapes found by ONNX's own inference, and checked by ONNX."""
        # Before IR version 4 initializers had to be inputs too.
        old = self.opset < 9
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *self.shape])]
        if old:
            inputs += [
                helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
                for tensor in self.initializers
            ]
        graph = helper.make_graph(
            self.nodes,
            "network",
            inputs,
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            self.initializers,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        model.ir_version = 3 if old else 8
        model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        onnx.checker.check_model(model)
        return model


def run_reference(model: onnx.ModelProto | str, x: np.ndarray) -> list[np.ndarray]:
    """The network in ONNX Runtime, its graph left as it is."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    source = model if isinstance(model, str) else model.SerializeToString()
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})
