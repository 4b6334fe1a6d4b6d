"""Arrays at chosen places in memory: at odd addresses, with guard bytes around, or right before a page that may not be read."""

from __future__ import annotations

import ctypes
import math
import mmap

import numpy as np

PATTERN = 0xA5
MARGIN = 131  # odd, so that guarded arrays of wider types are unaligned

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_PROT_NONE = 0


class Guarded:
    """A writable array in the middle of bytes of a known pattern."""

    def __init__(self, shape, dtype, layout: str = "NCHW") -> None:
        dtype = np.dtype(dtype)
        count = math.prod(shape)
        self._block = np.full(count * dtype.itemsize + 2 * MARGIN, PATTERN, np.uint8)
        flat = self._block[MARGIN : MARGIN + count * dtype.itemsize].view(dtype)
        if layout == "NHWC" and len(shape) == 4:
            n, c, h, w = shape
            self.array = flat.reshape(n, h, w, c).transpose(0, 3, 1, 2)
        else:
            self.array = flat.reshape(shape)

    @property
    def intact(self) -> bool:
        """Whether nothing was written around the array."""
        return bool((self._block[:MARGIN] == PATTERN).all() and (self._block[-MARGIN:] == PATTERN).all())


def fenced(values: np.ndarray, layout: str = "NCHW", fence: str = "after") -> np.ndarray:
    """A copy of an array (in ONNX order, dense in `layout`) whose memory ends where an unreadable page begins, or begins
    where one ends: a read beyond it is a segmentation fault."""
    if layout == "NHWC" and values.ndim == 4:
        dense = np.ascontiguousarray(values.transpose(0, 2, 3, 1))
    else:
        dense = np.ascontiguousarray(values)
    page = mmap.PAGESIZE
    pages = -(-dense.nbytes // page)
    mapping = mmap.mmap(-1, (pages + 2) * page)
    base = np.frombuffer(mapping, np.uint8)
    address = base.__array_interface__["data"][0]
    for place in (address, address + (pages + 1) * page):
        _forbid(place, page)
    start = page if fence == "before" else (pages + 1) * page - dense.nbytes
    copy = base[start : start + dense.nbytes].view(dense.dtype).reshape(dense.shape)
    copy[...] = dense
    return copy.transpose(0, 3, 1, 2) if layout == "NHWC" and values.ndim == 4 else copy


def _forbid(place: int, size: int) -> None:
    if _libc.mprotect(place, size, _PROT_NONE) != 0:
        raise OSError(ctypes.get_errno(), "mprotect")
