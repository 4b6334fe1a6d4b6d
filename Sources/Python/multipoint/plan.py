"""Plans: a layer compiled for an input shape, layouts, dtypes and fusions."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, Literal, Optional

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import _library
from ._handle import Closeable, Handle
from ._library import make, text
from ._tensors import DTYPES, LAYOUTS, AnyArray, TensorView, destination_array, dtype_code, empty, source_array

Layout = Literal["NCHW", "NHWC"]
Activation = Literal["identity", "relu", "leaky_relu", "clip", "sigmoid"]

_ACTIVATIONS = {"identity": 0, "relu": 1, "leaky_relu": 2, "clip": 3, "sigmoid": 4}


@dataclass(frozen=True)
class PlanInfo:
    """What was compiled."""

    #: In ONNX order; 4 dimensions for Conv, 2 for Gemm.
    source_shape: tuple[int, ...]
    destination_shape: tuple[int, ...]
    workspace_bytes: int
    threads: int
    #: oneDNN's names of the implementations in use.
    implementations: tuple[str, ...]


def plan_options(
    *,
    batch: int,
    height: int,
    width: int,
    threads: int,
    source_dtype: DTypeLike,
    destination_dtype: DTypeLike,
    residual_dtype: Optional[DTypeLike],
    source_layout: str,
    destination_layout: str,
    activation: str,
    alpha: float,
    beta: float,
) -> _library.PlanOptions:
    """The C struct of these options; see `Layer.plan`."""
    bytes_or_floats = (np.float32, np.uint8)
    residual = 0
    if residual_dtype is not None:
        residual = dtype_code(residual_dtype, bytes_or_floats, "residual_dtype")
    return make(
        _library.PlanOptions,
        batch=batch,
        height=height,
        width=width,
        threads=threads,
        source_dtype=dtype_code(source_dtype, bytes_or_floats, "source_dtype"),
        destination_dtype=dtype_code(destination_dtype, (*bytes_or_floats, np.int32), "destination_dtype"),
        residual_dtype=residual,
        source_layout=_choice(LAYOUTS, source_layout, "source_layout"),
        destination_layout=_choice(LAYOUTS, destination_layout, "destination_layout"),
        activation=_choice(_ACTIVATIONS, activation, "activation"),
        activation_alpha=alpha,
        activation_beta=beta,
    )


def _choice(choices: dict[str, int], value: str, what: str) -> int:
    if value not in choices:
        raise ValueError(f"{what}: one of {', '.join(choices)} is expected, found {value!r}")
    return choices[value]


class Plan(Closeable):
    """A compiled layer. Immutable: any number of threads may execute one plan at once, each with its own arrays.

    An execution releases the global interpreter lock. Plans are made by `Layer.plan`.
    """

    __slots__ = ("_info", "_source", "_destination", "_residual")

    def __init__(self, layer: Handle, options: _library.PlanOptions) -> None:
        """Compiles; `Layer.plan` is the public way."""
        self._handle = Handle(
            "multipoint_plan_create", "multipoint_plan_destroy", layer.pointer, ctypes.byref(options)
        )
        names = {number: name for name, number in LAYOUTS.items()}
        destination_layout = names[options.destination_layout]
        self._source = (DTYPES[options.source_dtype], names[options.source_layout])
        self._destination = (DTYPES[options.destination_dtype], destination_layout)
        self._residual = None
        if options.residual_dtype:
            self._residual = (DTYPES[options.residual_dtype], destination_layout)
        self._info = self._describe()

    @property
    def info(self) -> PlanInfo:
        """What was compiled."""
        self._open_handle()
        return self._info

    def execute(
        self, source: AnyArray, residual: Optional[AnyArray] = None, out: Optional[AnyArray] = None
    ) -> Any:
        """Executes the plan.

        Args:
            source: the input, of the plan's source dtype and shape (N, C, H, W; Gemm: N, in). It is read in place if its
                memory is dense in the plan's layout, else copied first. As in `Session.run`, arrays of other libraries
                may be given by DLPack.
            residual: of the destination's shape, exactly where the plan has one; likewise.
            out: the array to write to, of the destination's dtype, shape and layout, not overlapping the others. Without it
                a new one is made (for "NHWC" a transposed view of a channels-last array).

        Returns:
            The output (`out` if given): (N, C, H, W) or (N, out); int32 destinations have rows in place of channels.

        Raises:
            TypeError: an argument is not an array of the plan's dtype.
            ValueError, InvalidArgumentError: a shape or memory that does not fit.
            ClosedError: after `close()`.
        """
        handle = self._open_handle()
        dtype, layout = self._source
        source_view = TensorView(source_array(source, dtype, (layout,), "source"))
        residual_view = self._residual_view(residual)
        dtype, layout = self._destination
        shape = self._info.destination_shape
        if out is None:
            result = empty(shape, dtype, layout)
        else:
            result = destination_array(out, shape, dtype, (layout,), "out")
        destination_view = TensorView(result)
        _library.call(
            "multipoint_plan_execute",
            handle.pointer,
            ctypes.byref(source_view.struct),
            None if residual_view is None else ctypes.byref(residual_view.struct),
            ctypes.byref(destination_view.struct),
            None,
        )
        return result if out is None else out

    def _residual_view(self, residual: Optional[AnyArray]) -> Optional[TensorView]:
        if self._residual is None:
            if residual is not None:
                raise ValueError("residual: this plan has none")
            return None
        dtype, layout = self._residual
        if residual is None:
            raise ValueError(f"residual: this plan expects one of {dtype.name}")
        return TensorView(source_array(residual, dtype, (layout,), "residual"))

    def _describe(self) -> PlanInfo:
        handle = self._open_handle()
        info = make(_library.PlanInfo)
        _library.call("multipoint_plan_describe", handle.pointer, ctypes.byref(info))
        return PlanInfo(
            source_shape=tuple(info.source_dimensions[: info.rank]),
            destination_shape=tuple(info.destination_dimensions[: info.rank]),
            workspace_bytes=info.workspace_bytes,
            threads=info.threads,
            implementations=tuple(name.strip() for name in text(info.implementations).split(",") if name.strip()),
        )
