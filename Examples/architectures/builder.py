"""Builds ONNX graphs with random weights, and runs every node on a sample of images as soon as it is there.

The values of the sample are what makes random weights behave like trained ones: a batch normalization's mean and variance are
those of its input, and a layer without one is scaled and its bias shifted until its results have about unit variance. Shapes come
from the values too, so that an architecture can ask for them as a PyTorch module would.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

# Of a channel with few values in the sample, mean and variance are drawn towards those of all channels, as if it had so many more
# values.
PRIOR_VALUES = 16
# Mean of a layer's results before its activation, where their deviation is 1. With 0 half of what a layer computes is cut off,
# and deep networks of random weights are chaotic: differences grow from layer to layer (Yang et al. 2019, "A mean field theory of
# batch normalization").
OFFSET = 0.5


class Builder:
    """Appends nodes. Methods take names of values and return the name of the result (a list of names, where there are several)."""

    def __init__(
        self,
        sample: np.ndarray,
        *,
        opset: int,
        folded: bool,
        initializers: bool = False,
        width: float = 1,
        depth: int | None = None,
        seed: int = 1,
    ):
        """
        Args:
            sample: images, the first axis being the batch.
            opset: the version of the operator set, 11 to 17, which decides what is an attribute and what an input.
            folded: batch normalizations after convolutions are folded into them, as exporters do in inference mode.
            initializers: constants other than weights are initializers too, as in tf2onnx, and not Constant nodes, as in PyTorch.
            width: factor on the numbers of channels.
            depth: a block is repeated so many times at most.
        """
        self.opset, self.folded, self.constants_are_initializers = opset, folded, initializers
        self.width, self.depth = width, depth
        self.random = np.random.default_rng(seed)
        self.nodes, self.initializers = [], []
        self.values = {"input": sample}
        self.options = onnxruntime.SessionOptions()
        self.options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self.options.log_severity_level = 3
        # Nodes are many and mostly small: threads would wait for each other.
        self.options.intra_op_num_threads = 1

    # What a small network has less of.

    def channels(self, count: int) -> int:
        return count if self.width == 1 else max(8, round(count * self.width / 8) * 8)

    def classes(self, count: int) -> int:
        return count if self.width == 1 else count // 10

    def blocks(self, count: int) -> int:
        return count if self.depth is None else min(count, self.depth)

    # Nodes

    def shape(self, x: str) -> tuple[int, ...]:
        return self.values[x].shape

    def node(self, operator: str, *inputs: str, results: int = 1, **attributes):
        node = self._node(operator, inputs, results, attributes)
        for name, value in zip(node.output, self._run(node, {name: self.values[name] for name in inputs if name})):
            self.values[name] = value
        return node.output[0] if results == 1 else list(node.output)

    def constant(self, values, kind=np.float32) -> str:
        tensor = numpy_helper.from_array(np.asarray(values, kind))
        if not self.constants_are_initializers:
            return self.node("Constant", value=tensor)
        return self._initializer(f"const_{len(self.initializers)}", values, kind)

    def integers(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def _node(self, operator: str, inputs: Sequence[str], results: int, attributes: dict) -> onnx.NodeProto:
        name = f"{operator}_{len(self.nodes)}"
        outputs = [f"{name}_output_{index}" for index in range(results)]
        attributes = {key: value for key, value in attributes.items() if value is not None}
        self.nodes.append(helper.make_node(operator, list(inputs), outputs, name=name, **attributes))
        return self.nodes[-1]

    def _initializer(self, name: str, values, kind=np.float32, *, keep: bool = True) -> str:
        values = np.ascontiguousarray(values, kind)
        self.initializers.append(numpy_helper.from_array(values, name))
        if keep:
            self.values[name] = values
        return name

    def _run(self, node: onnx.NodeProto, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The node's outputs, by ONNX Runtime."""
        infos = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape) for name, x in inputs.items()
        ]
        graph = helper.make_graph([node], "node", infos, [onnx.ValueInfoProto(name=name) for name in node.output])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        session = onnxruntime.InferenceSession(model.SerializeToString(), self.options, providers=["CPUExecutionProvider"])
        return session.run(None, inputs)

    # Layers

    def conv(self, x: str, channels: int, kernel=1, stride=1, pads=0, *, bias=True, gain=1.0, offset=OFFSET, **geometry) -> str:
        """Without batch normalization; its results have about this mean and deviation. Geometry is as in `_product`."""
        node, weight, product = self._product("Conv", x, channels, kernel, stride, pads, geometry)
        return self._unnormalized(node, weight, product, bias, gain, offset)

    def conv_transpose(self, x: str, channels: int, kernel: int, stride: int) -> str:
        node, weight, product = self._product("ConvTranspose", x, channels, kernel, stride, 0, {})
        return self._unnormalized(node, weight, product, offset=OFFSET)

    def conv_norm(
        self, x: str, channels: int, kernel=1, stride=1, pads=0, *, bias=False, epsilon=1e-5, gain=1.0, **geometry
    ) -> str:
        """A convolution and its batch normalization, which scales by about `gain`."""
        node, weight, product = self._product("Conv", x, channels, kernel, stride, pads, geometry)
        shift = self._normal(channels, 0.2) if bias else None
        if shift is not None:
            product += shift.reshape(-1, 1, 1)
        scale, offset, mean, variance = self._statistics(product, gain)
        if not self.folded:
            self._complete(node, weight, shift, product)
            return self._batch_normalization(node.output[0], scale, offset, mean, variance, epsilon)
        factor = scale / np.sqrt(variance + np.float32(epsilon))
        constant = offset + factor * ((0 if shift is None else shift) - mean)
        weight *= factor.reshape(-1, 1, 1, 1)
        product = factor.reshape(-1, 1, 1) * (product - mean.reshape(-1, 1, 1)) + offset.reshape(-1, 1, 1)
        return self._complete(node, weight, constant, product)

    def batch_norm(self, x: str, epsilon=1e-5) -> str:
        return self._batch_normalization(x, *self._statistics(self.values[x], 1.0), epsilon)

    def linear(self, x: str, channels: int) -> str:
        """Gemm with the weights as PyTorch stores them: outputs × inputs."""
        inputs = self.shape(x)[1]
        weight = self._normal((channels, inputs), np.sqrt(2 / inputs))
        node = self._node("Gemm", [x], 1, {"alpha": 1.0, "beta": 1.0, "transB": 1})
        return self._unnormalized(node, weight, self.values[x] @ weight.T)

    def dense(self, x: str, channels: int) -> str:
        """MatMul and Add, with the weights as TensorFlow stores them: inputs × outputs."""
        inputs = self.shape(x)[1]
        weight = self._normal((inputs, channels), np.sqrt(2 / inputs))
        product = self._node("MatMul", [x], 1, {})
        name = self._unnormalized(product, weight, self.values[x] @ weight, bias=False)
        return self.node("Add", name, self.parameter(self._normal(channels, 0.2), "bias"))

    def parameter(self, values, kind: str = "weight") -> str:
        """A trained parameter that is not a layer's; of another kind than "weight" and "bias" it is a constant that PyTorch
        stores."""
        return self._initializer(f"{len(self.nodes)}.{kind}", values)

    def _product(self, operator: str, x: str, channels: int, kernel, stride, pads, geometry: dict):
        """The node, not complete, its weights, and their product with the sample.

        Kernel, stride and dilation are numbers or pairs; pads a number, a pair of those before and behind alike, or all four.
        Geometry may have `group`, `dilation`, and `auto_pad` in place of pads.
        """
        kernel, strides, dilations = pair(kernel), pair(stride), pair(geometry.get("dilation", 1))
        group, inputs = geometry.get("group", 1), self.shape(x)[1]
        attributes = {"dilations": dilations, "group": group, "kernel_shape": kernel, "strides": strides}
        if "auto_pad" in geometry:
            attributes["auto_pad"] = geometry["auto_pad"]
        else:
            attributes["pads"] = list(pads) if isinstance(pads, Sequence) and len(pads) == 4 else pair(pads) * 2
        fan_in = inputs // group * kernel[0] * kernel[1]
        if operator == "Conv":
            weight = self._normal((channels, inputs // group, *kernel), np.sqrt(2 / fan_in))
        else:
            weight = self._normal((inputs, channels // group, *kernel), np.sqrt(2 * strides[0] * strides[1] / fan_in))
        node = self._node(operator, [x], 1, attributes)
        with_weight = onnx.NodeProto()
        with_weight.CopyFrom(node)
        with_weight.input.append("weight")
        (product,) = self._run(with_weight, {x: self.values[x], "weight": weight})
        return node, weight, product

    def _unnormalized(self, node: onnx.NodeProto, weight: np.ndarray, product: np.ndarray, bias=True, gain=1.0, offset=0.0) -> str:
        shape = (-1, *[1] * (product.ndim - 2))
        if not bias:
            factor = np.float32(gain / max(np.sqrt(np.mean(np.square(product))), 1e-6))
            weight *= factor
            return self._complete(node, weight, None, product * factor)
        _, _, mean, variance = self._statistics(product, 1.0)
        factor = np.float32(gain / np.sqrt(max(variance.mean(), 1e-12)))
        weight *= factor
        constant = np.float32(offset) + self._normal(len(mean), 0.2 * gain) - factor * mean
        return self._complete(node, weight, constant, product * factor + constant.reshape(shape))

    def _complete(self, node: onnx.NodeProto, weight: np.ndarray, bias: np.ndarray | None, value: np.ndarray) -> str:
        node.input.append(self._initializer(f"{node.name}.weight", weight, keep=False))
        if bias is not None:
            node.input.append(self._initializer(f"{node.name}.bias", bias, keep=False))
        self.values[node.output[0]] = np.ascontiguousarray(value, np.float32)
        return node.output[0]

    def _batch_normalization(self, x: str, scale, offset, mean, variance, epsilon: float) -> str:
        name = f"{len(self.nodes)}.norm"
        parameters = {"weight": scale, "bias": offset, "running_mean": mean, "running_var": variance}
        names = [self._initializer(f"{name}.{kind}", values) for kind, values in parameters.items()]
        training = {} if self.opset < 14 else {"training_mode": 0}
        return self.node("BatchNormalization", x, *names, epsilon=epsilon, momentum=0.9, **training)

    def _statistics(self, x: np.ndarray, gain: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """A batch normalization's scale, offset, mean and variance, each one per channel."""
        axes = (0, *range(2, x.ndim))
        count = x.size // x.shape[1]
        part = count / (count + PRIOR_VALUES)
        mean = part * x.mean(axes) + (1 - part) * x.mean()
        variance = part * x.var(axes) + (1 - part) * x.var()
        scale = gain * self.random.uniform(0.6, 1.2, len(mean))
        offset = gain * self.random.normal(OFFSET, 0.3, len(mean))
        return tuple(np.asarray(values, np.float32) for values in (scale, offset, mean, np.maximum(variance, 1e-6)))

    def _normal(self, shape, deviation: float) -> np.ndarray:
        return self.random.standard_normal(shape, np.float32) * np.float32(deviation)

    # Operators whose form depends on the operator set

    def relu(self, x: str) -> str:
        return self.node("Relu", x)

    def relu6(self, x: str) -> str:
        return self.node("Clip", x, self.constant(0.0), self.constant(6.0))

    def sigmoid(self, x: str) -> str:
        return self.node("Sigmoid", x)

    def silu(self, x: str) -> str:
        return self.node("Mul", x, self.sigmoid(x))

    def hard_sigmoid(self, x: str) -> str:
        return self.node("HardSigmoid", x, alpha=1 / 6, beta=0.5)

    def hard_swish(self, x: str) -> str:
        return self.node("Mul", x, self.hard_sigmoid(x)) if self.opset < 14 else self.node("HardSwish", x)

    def add(self, a: str, b: str) -> str:
        return self.node("Add", a, b)

    def concat(self, *values: str, axis: int = 1) -> str:
        return self.node("Concat", *values, axis=axis)

    def split(self, x: str, sizes: Sequence[int], axis: int = 1) -> list[str]:
        if self.opset < 13:
            return self.node("Split", x, results=len(sizes), axis=axis, split=list(sizes))
        return self.node("Split", x, self.integers(*sizes), results=len(sizes), axis=axis)

    def slice(self, x: str, axis: int, start: int, end: int, step: int = 1) -> str:
        return self.node("Slice", x, *(self.integers(number) for number in (start, end, axis, step)))

    def squeeze(self, x: str, *axes: int) -> str:
        return self._axes("Squeeze", x, axes)

    def unsqueeze(self, x: str, *axes: int) -> str:
        return self._axes("Unsqueeze", x, axes)

    def _axes(self, operator: str, x: str, axes: Sequence[int]) -> str:
        return self.node(operator, x, axes=list(axes)) if self.opset < 13 else self.node(operator, x, self.integers(*axes))

    def reduce_sum(self, x: str, axis: int) -> str:
        if self.opset < 13:
            return self.node("ReduceSum", x, axes=[axis], keepdims=1)
        return self.node("ReduceSum", x, self.integers(axis), keepdims=1)

    def max_pool(self, x: str, kernel: int, stride: int, pads: int = 0, ceil_mode: int = 0) -> str:
        return self.node("MaxPool", x, kernel_shape=pair(kernel), strides=pair(stride), pads=pair(pads) * 2, ceil_mode=ceil_mode)

    def average_pool(self, x: str, kernel: int, stride: int) -> str:
        return self.node("AveragePool", x, kernel_shape=pair(kernel), strides=pair(stride), pads=[0] * 4)

    def global_pool(self, x: str) -> str:
        return self.node("GlobalAveragePool", x)

    def flatten(self, x: str) -> str:
        return self.node("Flatten", x, axis=1)

    def pad(self, x: str, top: int, left: int, bottom: int, right: int) -> str:
        pads = self.integers(0, 0, top, left, 0, 0, bottom, right)
        return self.node("Pad", x, pads, self.constant(0.0), mode="constant")

    def transpose(self, x: str, *order: int) -> str:
        return self.node("Transpose", x, perm=list(order))

    # Shape arithmetic as PyTorch's exporter traces it

    def size(self, x: str, axis: int) -> str:
        """x.size(axis), a scalar."""
        return self.node("Gather", self.node("Shape", x), self.constant(axis, np.int64), axis=0)

    def view(self, x: str, *sizes: int | str) -> str:
        """x.view(sizes), of numbers and of scalars computed in the graph."""
        if not any(isinstance(size, str) for size in sizes):
            return self.node("Reshape", x, self.integers(*sizes))
        parts = [self.unsqueeze(size, 0) if isinstance(size, str) else self.integers(size) for size in sizes]
        return self.node("Reshape", x, self.concat(*parts, axis=0))

    def resize(self, x: str, *, scales=None, sizes: str | None = None, **attributes) -> str:
        """Before operator set 13 the input `roi` must be there, and `scales` even where `sizes` count: both empty."""
        empty = "" if self.opset >= 13 else self.constant([])
        if sizes is None:
            return self.node("Resize", x, empty, self.constant(scales), **attributes)
        return self.node("Resize", x, empty, empty, sizes, **attributes)

    def upsample_nearest(self, x: str) -> str:
        """By 2."""
        attributes = {
            "coordinate_transformation_mode": "asymmetric",
            "cubic_coeff_a": -0.75,
            "mode": "nearest",
            "nearest_mode": "floor",
        }
        return self.resize(x, scales=[1, 1, 2, 2], **attributes)

    def interpolate(self, x: str, factor: float, *, align_corners: bool = False) -> str:
        """F.interpolate(x, scale_factor=factor, mode="bilinear")."""
        return self.resize(x, scales=[1, 1, factor, factor], **bilinear(align_corners))

    def interpolate_to(self, x: str, other: str, *, align_corners: bool = False) -> str:
        """F.interpolate(x, size=other.shape[2:], mode="bilinear"): batch and channels from x, height and width from the other."""
        plane = self.concat(*(self.unsqueeze(self.size(other, axis), 0) for axis in (2, 3)), axis=0)
        start = self.node("Slice", self.node("Shape", x), *(self.integers(number) for number in (0, 2, 0)))
        sizes = self.concat(start, self.node("Cast", plane, to=TensorProto.INT64), axis=0)
        return self.resize(x, sizes=sizes, **bilinear(align_corners))

    # The model

    def model(self, name: str, outputs: Sequence[str]) -> onnx.ModelProto:
        """The batch is called N."""
        results = {source: "output" if len(outputs) == 1 else f"output_{index}" for index, source in enumerate(outputs)}
        for node in self.nodes:
            for names in (node.input, node.output):
                names[:] = [results.get(name, name) for name in names]

        def info(name: str, value: np.ndarray) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *value.shape[1:]])

        graph = helper.make_graph(
            self.nodes,
            name,
            [info("input", self.values["input"])],
            [info(result, self.values[source]) for source, result in results.items()],
            self.initializers,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        model.producer_name = "tf2onnx" if self.constants_are_initializers else "pytorch"
        return model


def bilinear(align_corners: bool) -> dict:
    mode = "align_corners" if align_corners else "pytorch_half_pixel"
    return {"coordinate_transformation_mode": mode, "cubic_coeff_a": -0.75, "mode": "linear", "nearest_mode": "floor"}


def pair(size) -> list[int]:
    return [size, size] if isinstance(size, int) else list(size)
