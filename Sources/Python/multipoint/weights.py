"""Packed weights as NumPy arrays: the same arrays that a packed file holds, with the codes unpacked."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _library
from ._tensors import constant_array, pointer


def pack_codes(codes: ArrayLike, bits: int) -> NDArray[np.uint8]:
    """Packs codes as a file stores them.

    Args:
        codes: unsigned integers below 2**bits, [vectors, row_length].
        bits: width of a code, 1 to 8.

    Returns:
        uint8 [vectors, ceil(row_length * bits / 8)]: codes from the least significant bit, every vector from a byte's start.
    """
    _check_bits(bits)
    array = np.asarray(codes)
    if array.ndim != 2:
        raise ValueError(f"codes: 2 dimensions are expected, found {array.ndim}")
    array = constant_array(array, np.uint8, array.shape, "codes")
    if array.size and int(array.max()) >= 1 << bits:
        raise ValueError(f"codes: values below {1 << bits} are expected for {bits} bits, found {int(array.max())}")
    planes = np.unpackbits(array[:, :, np.newaxis], axis=2, bitorder="little")[:, :, :bits]
    return np.packbits(planes.reshape(array.shape[0], array.shape[1] * bits), axis=1, bitorder="little")


def unpack_codes(packed: ArrayLike, bits: int, row_length: int) -> NDArray[np.uint8]:
    """The inverse of `pack_codes`: uint8 [vectors, row_length]."""
    _check_bits(bits)
    if row_length < 0:
        raise ValueError(f"row_length: 0 or more is expected, found {row_length}")
    width = (row_length * bits + 7) // 8
    array = np.asarray(packed)
    if array.ndim != 2:
        raise ValueError(f"packed codes: 2 dimensions are expected, found {array.ndim}")
    array = constant_array(array, np.uint8, (array.shape[0], width), "packed codes")
    planes = np.unpackbits(array, axis=1, bitorder="little")[:, : row_length * bits]
    planes = planes.reshape(array.shape[0], row_length, bits)
    return np.packbits(planes, axis=2, bitorder="little").reshape(array.shape[0], row_length)


def _check_bits(bits: int) -> None:
    if not 1 <= bits <= 8:
        raise ValueError(f"bits: 1 to 8 expected, found {bits}")


class PackedWeights:
    """A weight matrix whose rows ("channels") are short sums of scaled low-bit vectors ("points").

    Attributes:
        points: uint8 [channels], points of each channel; 0 is a channel of zeros.
        codes: for each level L, uint8 [channels with more than L points, row_length], in channel order: indices into the
            level's codebook, one per element.
        codebooks: for each level, int8 [2**bits].
        scales: float32. With a ladder [channels], the scale of the channel's finest point; else one per point, channel by
            channel, levels in order.
        ladder: None, or int32 [levels - 1]: the ratio of each level's scale to the next finer one's.
        row_length: weights in one channel's vector.
    """

    def __init__(
        self,
        points: ArrayLike,
        codes: Sequence[ArrayLike],
        codebooks: Sequence[ArrayLike],
        scales: ArrayLike,
        ladder: Optional[ArrayLike] = None,
        row_length: Optional[int] = None,
    ) -> None:
        """Checks shapes and takes the arrays over (converted where their dtype differs).

        `row_length` is needed only where `codes` is empty.

        Raises:
            TypeError, ValueError: naming the array that does not fit the others.
        """
        points_array = np.asarray(points)
        if points_array.ndim != 1:
            raise ValueError(f"points: 1 dimension is expected, found {points_array.ndim}")
        self.points: NDArray[np.uint8] = constant_array(points_array, np.uint8, points_array.shape, "points")
        if len(codes) != len(codebooks):
            raise ValueError(f"codes: one array per codebook is expected, found {len(codes)} for {len(codebooks)}")
        if self.points.size and int(self.points.max()) > len(codes):
            raise ValueError(f"points: up to {len(codes)} are expected, as many as levels, found {int(self.points.max())}")
        self.row_length = self._row_length(codes, row_length)
        self.codebooks: tuple[NDArray[np.int8], ...] = tuple(
            constant_array(book, np.int8, _power_of_two(np.asarray(book), level), f"codebook {level}")
            for level, book in enumerate(codebooks)
        )
        self.codes: tuple[NDArray[np.uint8], ...] = tuple(
            self._level_codes(level, array) for level, array in enumerate(codes)
        )
        count = int(self.points.sum(dtype=np.int64)) if ladder is None else self.points.size
        self.scales: NDArray[np.float32] = constant_array(scales, np.float32, (count,), "scales")
        self.ladder: Optional[NDArray[np.int32]] = None
        if ladder is not None:
            self.ladder = constant_array(ladder, np.int32, (max(0, len(codes) - 1),), "ladder")

    @staticmethod
    def _row_length(codes: Sequence[ArrayLike], row_length: Optional[int]) -> int:
        if row_length is not None:
            return row_length
        if len(codes) == 0:
            raise ValueError("row_length: it is expected where there are no codes")
        shape = np.asarray(codes[0]).shape
        if len(shape) != 2:
            raise ValueError(f"codes 0: 2 dimensions are expected, found {len(shape)}")
        return int(shape[1])

    def _level_codes(self, level: int, codes: ArrayLike) -> NDArray[np.uint8]:
        count = int(np.count_nonzero(self.points > level))
        array = constant_array(codes, np.uint8, (count, self.row_length), f"codes {level}")
        size = self.codebooks[level].size
        if array.size and int(array.max()) >= size:
            raise ValueError(f"codes {level}: code {int(array.max())} in a codebook of {size} values")
        return array

    def _checked_copy(self) -> PackedWeights:
        """The arrays as they are now, checked again: the attributes and what they hold may have been changed since. Copied, so
        that nobody changes them while they are in use.

        Raises:
            TypeError, ValueError: naming the array that does not fit the others.
        """
        codes, codebooks = [np.array(array) for array in self.codes], [np.array(book) for book in self.codebooks]
        ladder = None if self.ladder is None else np.array(self.ladder)
        return PackedWeights(np.array(self.points), codes, codebooks, np.array(self.scales), ladder, self.row_length)

    @property
    def channels(self) -> int:
        """How many weight vectors there are."""
        return int(self.points.size)

    @property
    def bits(self) -> tuple[int, ...]:
        """Width of each level's codes."""
        return tuple(book.size.bit_length() - 1 for book in self.codebooks)

    def point_scales(self) -> NDArray[np.float64]:
        """The scale of every point, [channels, levels]; 0 where a channel has no such point."""
        levels = len(self.codes)
        present = np.arange(levels) < self.points[:, np.newaxis]
        scales = np.zeros((self.channels, levels))
        if self.ladder is None:
            scales[present] = self.scales
            return scales
        # Coarser points are integer multiples of the channel's finest: products of the ratios between.
        for channel, count in enumerate(self.points.tolist()):
            scale = float(self.scales[channel])
            for level in reversed(range(count)):
                scales[channel, level] = scale
                scale *= float(self.ladder[level - 1]) if level else 1.0
        return scales

    def reconstruct(self) -> NDArray[np.float32]:
        """The float matrix that the points stand for, [channels, row_length]."""
        matrix = np.zeros((self.channels, self.row_length))
        scales = self.point_scales()
        for level, (codes, codebook) in enumerate(zip(self.codes, self.codebooks)):
            present = self.points > level
            matrix[present] += scales[present, level, np.newaxis] * codebook[codes]
        return matrix.astype(np.float32)


def _power_of_two(book: NDArray[Any], level: int) -> tuple[int, ...]:
    if book.ndim != 1 or book.size not in (2, 4, 8, 16, 32, 64, 128, 256):
        raise ValueError(f"codebook {level}: 2, 4, 8, ... 256 values are expected, found shape {book.shape}")
    return book.shape


class WeightsView:
    """A `multipoint_weights` over packed weights. Keep it alive during the call."""

    __slots__ = ("struct", "_alive")

    def __init__(self, weights: PackedWeights) -> None:
        weights = weights._checked_copy()
        levels = (_library.Level * max(1, len(weights.codes)))()
        packed = []
        for level, (codes, bits) in enumerate(zip(weights.codes, weights.bits)):
            stored = pack_codes(codes, bits)
            packed.append(stored)
            levels[level] = _library.Level(
                codebook=pointer(weights.codebooks[level], ctypes.c_int8),
                codebook_size=weights.codebooks[level].size,
                codes=pointer(stored, ctypes.c_uint8),
                codes_byte_count=stored.size,
            )
        self._alive = (weights, levels, packed)
        self.struct = _library.make(
            _library.Weights,
            channels=weights.channels,
            row_length=weights.row_length,
            points=pointer(weights.points, ctypes.c_uint8),
            level_count=len(weights.codes),
            levels=levels,
            scales=pointer(weights.scales, ctypes.c_float),
            scale_count=weights.scales.size,
            ladder=pointer(weights.ladder, ctypes.c_int32),
        )
