"""Packing: turning a float weight matrix into points."""

from __future__ import annotations

import ctypes
from typing import Any, Optional

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _library
from ._handle import Handle
from ._library import make
from ._tensors import constant_array, pointer
from .weights import PackedWeights, unpack_codes

_CODEBOOKS = {"default": 0, "odd": 1, "uniform": 2, "subset": 3}


class Packing(PackedWeights):
    """Packed weights with what the packer found out about them; a `PackedWeights` to make a layer of.

    Attributes:
        errors: float64 [channels], each channel's output error E[((w - w^) . x)^2] with the points it got.
    """

    errors: NDArray[np.float64]


def pack(
    matrix: ArrayLike,
    bits: int = 4,
    *,
    codebook: str = "default",
    maximum_points: int = 1,
    epsilon: float = 0.0,
    relative_epsilon: float = 0.0,
    second_moment: Optional[ArrayLike] = None,
) -> Packing:
    """Packs a weight matrix: greedy multipoint quantization, channel by channel (arXiv 2002.09049).

    Args:
        matrix: [channels, row_length], finite. Flatten the weights of a convolution to (out, -1) first.
        bits: width of a point, 1 to 8.
        codebook: "odd" (1 to 6 bits), "uniform" (2 to 8 bits), "subset" (of the sums of two powers of two, chosen for the
            matrix; 2 to 4 bits) or "default" (odd up to 6 bits, uniform above).
        maximum_points: per channel, 1 to 255.
        epsilon: add points to a channel while its output error is above this.
        relative_epsilon: and above this times the channel's output power. A rule of 0 does not count; with both 0 every
            channel gets `maximum_points`.
        second_moment: E[x x^T] of the layer's inputs, [row_length, row_length]; the identity without it.

    Raises:
        InvalidArgumentError: NaN or infinity (with its place), or an option out of range.
        TypeError, ValueError: an array that is not one of numbers of that shape.
    """
    if codebook not in _CODEBOOKS:
        raise ValueError(f"codebook: one of {', '.join(_CODEBOOKS)} is expected, found {codebook!r}")
    array = np.asarray(matrix)
    if array.ndim != 2:
        raise ValueError(f"matrix: 2 dimensions (channels, row length) are expected, found {array.ndim}")
    array = constant_array(array, np.float32, array.shape, "matrix")
    channels, row_length = array.shape
    moment = None
    if second_moment is not None:
        moment = constant_array(second_moment, np.float32, (row_length, row_length), "second_moment")
    options = make(
        _library.PackingOptions,
        bits=bits,
        codebook=_CODEBOOKS[codebook],
        maximum_points=maximum_points,
        epsilon=epsilon,
        relative_epsilon=relative_epsilon,
        second_moment=pointer(moment, ctypes.c_float),
    )
    handle = Handle(
        "multipoint_packing_create",
        "multipoint_packing_destroy",
        pointer(array, ctypes.c_float),
        channels,
        row_length,
        ctypes.byref(options),
    )
    return _copied(handle, channels)


def _copied(handle: Handle, channels: int) -> Packing:
    """The library's arrays as NumPy's own."""
    weights = make(_library.Weights)
    _library.call("multipoint_packing_weights", handle.pointer, ctypes.byref(weights))
    points = _array(weights.points, weights.channels, np.uint8)
    codes, codebooks = [], []
    for index in range(weights.level_count):
        level = weights.levels[index]
        bits = level.codebook_size.bit_length() - 1
        count = int(np.count_nonzero(points > index))
        stored = _array(level.codes, level.codes_byte_count, np.uint8).reshape(count, -1 if count else 0)
        if count == 0:
            stored = np.zeros((0, (weights.row_length * bits + 7) // 8), np.uint8)
        codes.append(unpack_codes(stored, bits, weights.row_length))
        codebooks.append(_array(level.codebook, level.codebook_size, np.int8))
    ladder = None
    if weights.ladder:
        ladder = weights.ladder[: max(0, weights.level_count - 1)]
    scales = _array(weights.scales, weights.scale_count, np.float32)
    packing = Packing(points, codes, codebooks, scales, ladder, row_length=weights.row_length)
    packing.errors = np.zeros(channels)
    _library.call("multipoint_packing_errors", handle.pointer, pointer(packing.errors, ctypes.c_double), channels)
    return packing


def _array(address: Any, count: int, dtype: Any) -> NDArray[Any]:
    """A copy of `count` elements at a C pointer."""
    if count == 0:
        return np.zeros(0, dtype)
    return np.ctypeslib.as_array(address, (count,)).astype(dtype, copy=True)
