"""NumPy arrays as the library's tensors, without copies wherever the memory order allows."""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import POINTER, c_int64, c_void_p, cast
from typing import Any, Optional, Protocol, Union

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import _library

CODES: dict[np.dtype[Any], int] = {
    np.dtype(np.float32): _library.F32,
    np.dtype(np.uint8): _library.U8,
    np.dtype(np.int8): _library.S8,
    np.dtype(np.int32): _library.S32,
}

DTYPES: dict[int, np.dtype[Any]] = {code: dtype for dtype, code in CODES.items()}

LAYOUTS = {"NCHW": 0, "NHWC": 1}


class SupportsDLPack(Protocol):
    """An array of another library, such as torch or jax, on the CPU: it hands out its memory by the DLPack protocol
    (https://dmlc.github.io/dlpack/latest/python_spec.html)."""

    def __dlpack__(self, *arguments: Any, **options: Any) -> Any: ...

    def __dlpack_device__(self) -> Any: ...


#: What inputs and outputs may be.
AnyArray = Union[NDArray[Any], SupportsDLPack]


def dtype_code(dtype: DTypeLike, allowed: Sequence[DTypeLike], what: str) -> int:
    """The library's number of a dtype.

    Raises:
        TypeError: if `dtype` is none of `allowed`; `what` names the argument.
    """
    found = np.dtype(dtype)
    if not any(found == np.dtype(choice) for choice in allowed):
        expected = " or ".join(np.dtype(choice).name for choice in allowed)
        raise TypeError(f"{what}: {expected} is expected, found {found}")
    return CODES[found]


def is_dense(array: NDArray[Any], layout: str) -> bool:
    """Whether the array, whose dimensions are in ONNX order, lies dense in memory in that layout."""
    if layout == "NHWC" and array.ndim == 4:
        array = array.transpose(0, 2, 3, 1)
    return bool(array.flags.c_contiguous)


def empty(shape: Sequence[int], dtype: DTypeLike, layout: str = "NCHW") -> NDArray[Any]:
    """A new array of that ONNX-order shape whose memory is in that layout."""
    if layout == "NHWC" and len(shape) == 4:
        n, c, h, w = shape
        return np.empty((n, h, w, c), dtype).transpose(0, 3, 1, 2)
    return np.empty(tuple(shape), dtype)


def is_array(value: object) -> bool:
    """Whether `value` is one array, of NumPy or of a library that speaks DLPack, and not a sequence of them."""
    return isinstance(value, np.ndarray) or hasattr(value, "__dlpack__")


def _shared(value: Any, what: str) -> NDArray[Any]:
    """Another library's array as NumPy's, over the same memory."""
    try:
        return np.from_dlpack(value)
    except (BufferError, RuntimeError, TypeError, ValueError, AttributeError, NotImplementedError) as error:
        raise TypeError(f"{what}: this {type(value).__name__} does not share its memory with NumPy: {error}") from error


def require_array(value: object, dtype: DTypeLike, what: str) -> NDArray[Any]:
    """`value` as an array that has this dtype already: conversions are the caller's to make.

    Raises:
        TypeError: for anything but an array of that dtype; `what` names the argument.
    """
    expected = np.dtype(dtype)
    if not isinstance(value, np.ndarray):
        if not is_array(value):
            raise TypeError(f"{what}: an array of {expected.name} is expected, found {type(value).__name__}")
        value = _shared(value, what)
    if value.dtype != expected:
        raise TypeError(f"{what}: an array of {expected.name} is expected, found {value.dtype}")
    return value


def source_array(value: object, dtype: DTypeLike, layouts: Sequence[str], what: str) -> NDArray[Any]:
    """An input as the library takes it: itself where it is dense in one of `layouts`, else a copy dense in the first."""
    array = require_array(value, dtype, what)
    if any(is_dense(array, layout) for layout in layouts):
        return array
    copy = empty(array.shape, array.dtype, layouts[0])
    copy[...] = array
    return copy


def destination_array(
    value: object, shape: Sequence[int], dtype: DTypeLike, layouts: Sequence[str], what: str
) -> NDArray[Any]:
    """The caller's array to write to, which is never replaced by a copy.

    Raises:
        TypeError: for another dtype.
        ValueError: for another shape, read-only memory, or memory that is not dense in one of `layouts`.
    """
    array = require_array(value, dtype, what)
    if array.shape != tuple(shape):
        raise ValueError(f"{what}: shape {tuple(shape)} is expected, found {array.shape}")
    if not array.flags.writeable:
        raise ValueError(
            f"{what}: a writable array is expected, this one is read-only"
            + ("" if isinstance(value, np.ndarray) else " as NumPy takes it by DLPack: give its NumPy view")
        )
    if not any(is_dense(array, layout) for layout in layouts):
        orders = " or ".join(layouts)
        raise ValueError(f"{what}: memory dense in {orders} order is expected, found strides {array.strides}")
    return array


class TensorView:
    """A `multipoint_tensor` over an array's memory. Keep it and the array alive during the call."""

    __slots__ = ("array", "struct", "_dimensions", "_strides")

    def __init__(self, array: NDArray[Any]) -> None:
        integers = c_int64 * max(1, array.ndim)
        size = array.itemsize
        self.array = array
        self._dimensions = integers(*array.shape)
        # Strides of a dense array are multiples of the element size, wherever its memory starts.
        self._strides = integers(*(stride // size for stride in array.strides))
        self.struct = _library.Tensor(
            data=c_void_p(array.__array_interface__["data"][0]),
            byte_count=array.nbytes,
            dtype=CODES[array.dtype],
            rank=array.ndim,
            dimensions=self._dimensions,
            strides=self._strides,
        )


def tensor_list(views: Sequence[TensorView]) -> Any:
    """The views' structs as one C array."""
    return (_library.Tensor * max(1, len(views)))(*(view.struct for view in views))


def constant_array(value: Any, dtype: DTypeLike, shape: Sequence[int], what: str) -> NDArray[Any]:
    """A parameter (weights, bias, scales) as a C-order array of that dtype and shape; numbers convert where that is safe.

    Raises:
        TypeError, ValueError: naming the argument.
    """
    expected = np.dtype(dtype)
    array = np.asarray(value)
    if array.dtype != expected:
        array = _converted(array, expected, what)
    if array.shape != tuple(shape):
        raise ValueError(f"{what}: shape {tuple(shape)} is expected, found {array.shape}")
    return np.ascontiguousarray(array)


def _converted(array: NDArray[Any], dtype: np.dtype[Any], what: str) -> NDArray[Any]:
    """Floats to floats (rounding), integers to integers (in range) or floats; anything else is refused."""
    kinds = "fiu" if dtype.kind == "f" else "iu"
    if array.size and array.dtype.kind not in kinds:
        raise TypeError(f"{what}: {dtype.name} is expected, found {array.dtype}")
    if dtype.kind in "iu" and array.size:
        limits = np.iinfo(dtype)
        if int(array.min()) < limits.min or int(array.max()) > limits.max:
            raise ValueError(f"{what}: values from {limits.min} to {limits.max} are expected")
    return array.astype(dtype)


def pointer(array: Optional[NDArray[Any]], kind: Any) -> Any:
    """A C pointer to an array's first element; NULL for none. Keep the array alive during the call."""
    if array is None:
        return POINTER(kind)()
    return cast(array.__array_interface__["data"][0], POINTER(kind))
