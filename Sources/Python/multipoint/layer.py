"""Single layers: from a packed file, or from the caller's own arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional, Union

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import _library
from ._handle import Closeable, Handle
from ._library import make, text
from ._tensors import constant_array, pointer
from .plan import Activation, Layout, Plan, plan_options
from .weights import PackedWeights, WeightsView

_OPERATORS = {"Conv": _library.CONV, "Gemm": _library.GEMM}
_OPERATOR_NAMES = {number: name for name, number in _OPERATORS.items()}


@dataclass(frozen=True)
class Quantization:
    """How a real value is stored in 8 bits: real = scale * (stored - zero_point), stored 0 to 255."""

    scale: float
    zero_point: int

    @staticmethod
    def from_numbers(scale: float, zero_point: int) -> Optional[Quantization]:
        """None for a scale of 0, which is how the C interface says that there is none."""
        return Quantization(scale, zero_point) if scale != 0 else None


@dataclass(frozen=True)
class LayerInfo:
    """A layer, described."""

    name: str
    #: "Conv" or "Gemm" (with transB = 1).
    operator: str
    #: Conv: (out, in / group, kernel height, kernel width). Gemm: (out, in).
    shape: tuple[int, ...]
    #: Height, width; 1, 1 for Gemm.
    strides: tuple[int, int]
    #: Top, left, bottom, right.
    pads: tuple[int, int, int, int]
    #: Height, width.
    dilations: tuple[int, int]
    group: int
    channels: int
    #: Weights in one output channel's vector.
    row_length: int
    #: True if the weights are kept in float; then points, bits and rows are 0.
    is_float: bool
    has_bias: bool
    #: Points of all channels together, and of the channel that has most.
    points: int
    maximum_points: int
    #: Width of the base level's codes.
    base_bits: int
    #: Stored bits per weight with points, scales and codebooks counted; 32 in float.
    bits_per_weight: float
    #: int8 rows that are multiplied, and how many of them stand for several points folded into one.
    rows: int
    folded_rows: int
    input_quantization: Optional[Quantization]
    output_quantization: Optional[Quantization]
    #: Bytes of the layer's tensors in the file.
    bytes: int
    #: How the layer runs, in words.
    execution: str

    @staticmethod
    def from_struct(info: _library.LayerInfo) -> LayerInfo:
        """From the C struct."""
        top, left, bottom, right = info.pads
        return LayerInfo(
            name=text(info.name),
            operator=_OPERATOR_NAMES.get(info.op, str(info.op)),
            shape=tuple(info.shape[: info.rank]),
            strides=(info.strides[0], info.strides[1]),
            pads=(top, left, bottom, right),
            dilations=(info.dilations[0], info.dilations[1]),
            group=info.group,
            channels=info.channels,
            row_length=info.row_length,
            is_float=bool(info.is_float),
            has_bias=bool(info.has_bias),
            points=info.points,
            maximum_points=info.maximum_points,
            base_bits=info.base_bits,
            bits_per_weight=info.bits_per_weight,
            rows=info.rows,
            folded_rows=info.folded_rows,
            input_quantization=Quantization.from_numbers(info.input_scale, info.input_zero_point),
            output_quantization=Quantization.from_numbers(info.output_scale, info.output_zero_point),
            bytes=info.bytes,
            execution=text(info.execution),
        )


@dataclass(frozen=True)
class Rows:
    """A layer's int8 rows: what an int32 destination holds, in its order."""

    #: int8 [rows, row_length], every entry within -64 to 64.
    values: NDArray[np.int8]
    #: float32 [rows].
    scales: NDArray[np.float32]
    #: int32 [rows]: the output channel of each row. The first rows are one per channel, in channel order.
    channels: NDArray[np.int32]


class Layer(Closeable):
    """One layer's rows and scales. Immutable; threads may share it. Plans made from it stay usable after it is closed.

    Layers come from `Model.layer(name)` or `Layer.create(...)`.
    """

    __slots__ = ()

    def __init__(self) -> None:
        raise TypeError("layers are made by Model.layer() and Layer.create()")

    @classmethod
    def _from_handle(cls, handle: Handle) -> Layer:
        layer = cls.__new__(cls)
        layer._handle = handle
        return layer

    @classmethod
    def create(
        cls,
        shape: Sequence[int],
        weights: Union[PackedWeights, ArrayLike],
        *,
        bias: Optional[ArrayLike] = None,
        strides: Sequence[int] = (1, 1),
        pads: Sequence[int] = (0, 0, 0, 0),
        dilations: Sequence[int] = (1, 1),
        group: int = 1,
        input_quantization: Optional[Quantization] = None,
        output_quantization: Optional[Quantization] = None,
        name: str = "",
    ) -> Layer:
        """A layer from the caller's own arrays, which are copied.

        Args:
            shape: Conv: (out, in / group, kernel height, kernel width). Gemm: (out, in). The rank tells which of them.
            weights: packed weights, or a float array of `shape`.
            bias: [out].
            strides: height, width.
            pads: top, left, bottom, right.
            dilations: height, width.
            group: Conv's groups; the number of input channels for a depthwise convolution.
            input_quantization: of the input, where a plan will not say it.
            output_quantization: of a uint8 output, likewise.
            name: for messages.

        Raises:
            InvalidArgumentError: naming the field that is wrong.
            UnsupportedError: more than 131,586 weights in a channel (an int32 sum could overflow).
            TypeError, ValueError: an array of another dtype or shape.
        """
        rank = len(shape)
        if rank not in (2, 4):
            raise ValueError(f"shape: 4 dimensions for Conv or 2 for Gemm are expected, found {rank}")
        view, floats = None, None
        if isinstance(weights, PackedWeights):
            view = WeightsView(weights)
        else:
            floats = constant_array(weights, np.float32, shape, "weights")
        biases = None if bias is None else constant_array(bias, np.float32, (shape[0],), "bias")
        descriptor = make(
            _library.LayerDescriptor,
            name=name.encode("utf-8", "replace"),
            op=_library.CONV if rank == 4 else _library.GEMM,
            shape=_integers(shape, 4, "shape", exact=False),
            strides=_integers(strides, 2, "strides"),
            pads=_integers(pads, 4, "pads"),
            dilations=_integers(dilations, 2, "dilations"),
            group=group,
            weights=None if view is None else ctypes.pointer(view.struct),
            float_weights=pointer(floats, ctypes.c_float),
            bias=pointer(biases, ctypes.c_float),
        )
        _assign_quantization(descriptor, input=input_quantization, output=output_quantization)
        return cls._from_handle(
            Handle("multipoint_layer_create", "multipoint_layer_destroy", ctypes.byref(descriptor))
        )

    @property
    def info(self) -> LayerInfo:
        """The layer's description."""
        handle = self._open_handle()
        info = make(_library.LayerInfo)
        _library.call("multipoint_layer_describe", handle.pointer, ctypes.byref(info))
        return LayerInfo.from_struct(info)

    def rows(self) -> Rows:
        """The layer's rows, copied.

        Raises:
            UnsupportedError: the layer is kept in float.
        """
        handle = self._open_handle()
        rows = make(_library.Rows)
        _library.call("multipoint_layer_rows", handle.pointer, ctypes.byref(rows))
        count, length = rows.row_count, rows.row_length
        return Rows(
            values=np.ctypeslib.as_array(rows.values, (count, length)).copy(),
            scales=np.ctypeslib.as_array(rows.scales, (count,)).copy(),
            channels=np.ctypeslib.as_array(rows.channels, (count,)).copy(),
        )

    def plan(
        self,
        *,
        batch: int = 1,
        height: int = 0,
        width: int = 0,
        source_dtype: DTypeLike = np.float32,
        destination_dtype: DTypeLike = np.float32,
        residual_dtype: Optional[DTypeLike] = None,
        source_layout: Layout = "NCHW",
        destination_layout: Layout = "NCHW",
        source_quantization: Optional[Quantization] = None,
        destination_quantization: Optional[Quantization] = None,
        residual_quantization: Optional[Quantization] = None,
        activation: Activation = "identity",
        alpha: float = 0.0,
        beta: float = 0.0,
        threads: int = 0,
    ) -> Plan:
        """Compiles the layer for an input shape, layouts, dtypes and fusions.

        It computes y = act(residual + bias + s_x * sum over rows a_r * sum over k q_rk * (x_k - z_x)).

        Args:
            batch, height, width: of the input; for Gemm only the batch. Channels follow from the layer.
            source_dtype: float32 (quantized first) or uint8.
            destination_dtype: float32, uint8 (quantized last), or int32 for the raw sums of the rows.
            residual_dtype: float32 or uint8 adds an array of the destination's shape and layout before the activation.
            source_layout, destination_layout: the order in memory, "NCHW" or "NHWC" (channels last: fastest). Shapes of
                arrays are in the order N, C, H, W either way.
            source_quantization, destination_quantization: where the layer does not say them, or others.
            residual_quantization: of a uint8 residual.
            activation: "identity", "relu", "leaky_relu" (slope alpha), "clip" (alpha to beta) or "sigmoid".
            threads: threads for one execution; 0 means what OpenMP would use.

        Raises:
            InvalidArgumentError: naming the option that is wrong.
            TypeError, ValueError: a dtype, layout or activation that is none of these.
        """
        handle = self._open_handle()
        options = plan_options(
            batch=batch, height=height, width=width, threads=threads,
            source_dtype=source_dtype, destination_dtype=destination_dtype, residual_dtype=residual_dtype,
            source_layout=source_layout, destination_layout=destination_layout,
            activation=activation, alpha=alpha, beta=beta,
        )  # fmt: skip
        _assign_quantization(
            options, source=source_quantization, destination=destination_quantization, residual=residual_quantization
        )
        return Plan(handle, options)


def _assign_quantization(struct: ctypes.Structure, **given: Optional[Quantization]) -> None:
    """The fields `WHAT_scale` and `WHAT_zero_point` of those that are given."""
    for what, quantization in given.items():
        if quantization is not None:
            fields = {f"{what}_scale": quantization.scale, f"{what}_zero_point": quantization.zero_point}
            _library.assign(struct, **fields)


def _integers(values: Sequence[int], count: int, what: str, exact: bool = True) -> ctypes.Array[ctypes.c_int64]:
    """A C array of `count` integers, zeros after the given ones.

    Raises:
        TypeError, ValueError: for another number of them, or other numbers; `what` names the argument.
    """
    if len(values) > count or (exact and len(values) != count):
        raise ValueError(f"{what}: {count} numbers are expected, found {len(values)}")
    return (ctypes.c_int64 * count)(*(_library.integer(value, ctypes.c_int64, what) for value in values))
