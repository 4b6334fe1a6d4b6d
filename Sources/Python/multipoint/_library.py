"""The C interface: every struct and function of include/multipoint.h, declared for ctypes, and the loading of the library.

Functions are called through `ctypes.CDLL`, which releases the global interpreter lock for the duration of a call: other
Python threads run while a network does.
"""

from __future__ import annotations

import ctypes
import functools
import operator
import os
import re
import threading
from ctypes import POINTER, c_char_p, c_double, c_float, c_int, c_int8, c_int32, c_int64, c_size_t, c_uint8, c_uint32
from ctypes import c_uint64, c_void_p
from pathlib import Path
from typing import Any, Optional, TypeVar

from ._version import __version__
from .errors import LibraryNotFoundError, error_for

# The version of the header below: a loaded library must have the same major number and be at least this new.
HEADER_VERSION = tuple(int(part) for part in __version__.split("."))
MAX_RANK = 8

F32, U8, S8, S32 = 1, 2, 3, 4
CONV, GEMM = 1, 2


class Tensor(ctypes.Structure):
    _fields_ = [
        ("data", c_void_p),
        ("byte_count", c_size_t),
        ("dtype", c_int),
        ("rank", c_int32),
        ("dimensions", POINTER(c_int64)),
        ("strides", POINTER(c_int64)),
    ]


ProgressCallback = ctypes.CFUNCTYPE(c_int, c_void_p, c_double)
LogCallback = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_char_p)


class ModelOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("progress", ProgressCallback),
        ("log", LogCallback),
        ("user_data", c_void_p),
        ("maximum_file_bytes", c_uint64),
        ("maximum_tensors", c_uint64),
        ("maximum_nodes", c_uint64),
        ("maximum_elements", c_uint64),
        ("maximum_weight_bytes", c_uint64),
    ]


class ValueInfo(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("dtype", c_int),
        ("rank", c_int32),
        ("dimensions", c_int64 * MAX_RANK),
        ("scale", c_float),
        ("zero_point", c_int32),
    ]


class LayerInfo(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("op", c_int),
        ("rank", c_int32),
        ("shape", c_int64 * 4),
        ("strides", c_int64 * 2),
        ("pads", c_int64 * 4),
        ("dilations", c_int64 * 2),
        ("group", c_int64),
        ("channels", c_int64),
        ("row_length", c_int64),
        ("is_float", c_int32),
        ("has_bias", c_int32),
        ("points", c_int64),
        ("maximum_points", c_int32),
        ("base_bits", c_int32),
        ("bits_per_weight", c_double),
        ("rows", c_int64),
        ("folded_rows", c_int64),
        ("input_scale", c_float),
        ("input_zero_point", c_int32),
        ("output_scale", c_float),
        ("output_zero_point", c_int32),
        ("bytes", c_uint64),
        ("execution", c_char_p),
    ]


class SessionOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("maximum_batch", c_int64),
        ("threads", c_int32),
        ("maximum_run_bytes", c_uint64),
        ("maximum_work", c_uint64),
    ]


class SessionInfo(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("maximum_batch", c_int64),
        ("threads", c_int32),
        ("arena_bytes", c_uint64),
        ("step_count", c_size_t),
        ("weight_bytes", c_uint64),
    ]


class StepInfo(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("operation", c_char_p),
        ("implementation", c_char_p),
    ]


class ProfileInfo(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("batch", c_int64),
        ("runs", c_int64),
        ("seconds", c_double),
        ("step_count", c_size_t),
    ]


class StepProfile(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("operation", c_char_p),
        ("implementation", c_char_p),
        ("kind", c_int),
        ("seconds", c_double),
        ("minimum_seconds", c_double),
        ("operations", c_uint64),
        ("bytes", c_uint64),
    ]


class Level(ctypes.Structure):
    _fields_ = [
        ("codebook", POINTER(c_int8)),
        ("codebook_size", c_size_t),
        ("codes", POINTER(c_uint8)),
        ("codes_byte_count", c_size_t),
    ]


class Weights(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("channels", c_size_t),
        ("row_length", c_size_t),
        ("points", POINTER(c_uint8)),
        ("level_count", c_size_t),
        ("levels", POINTER(Level)),
        ("scales", POINTER(c_float)),
        ("scale_count", c_size_t),
        ("ladder", POINTER(c_int32)),
    ]


class LayerDescriptor(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("op", c_int),
        ("shape", c_int64 * 4),
        ("strides", c_int64 * 2),
        ("pads", c_int64 * 4),
        ("dilations", c_int64 * 2),
        ("group", c_int64),
        ("weights", POINTER(Weights)),
        ("float_weights", POINTER(c_float)),
        ("bias", POINTER(c_float)),
        ("input_scale", c_float),
        ("input_zero_point", c_int32),
        ("output_scale", c_float),
        ("output_zero_point", c_int32),
    ]


class Rows(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("row_count", c_size_t),
        ("row_length", c_size_t),
        ("values", POINTER(c_int8)),
        ("scales", POINTER(c_float)),
        ("channels", POINTER(c_int32)),
    ]


class PlanOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("batch", c_int64),
        ("height", c_int64),
        ("width", c_int64),
        ("source_dtype", c_int),
        ("destination_dtype", c_int),
        ("residual_dtype", c_int),
        ("source_layout", c_int),
        ("destination_layout", c_int),
        ("source_scale", c_float),
        ("source_zero_point", c_int32),
        ("destination_scale", c_float),
        ("destination_zero_point", c_int32),
        ("residual_scale", c_float),
        ("residual_zero_point", c_int32),
        ("activation", c_int),
        ("activation_alpha", c_float),
        ("activation_beta", c_float),
        ("threads", c_int32),
    ]


class PlanInfo(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("rank", c_int32),
        ("source_dimensions", c_int64 * 4),
        ("destination_dimensions", c_int64 * 4),
        ("workspace_bytes", c_uint64),
        ("threads", c_int32),
        ("implementations", c_char_p),
    ]


class PackingOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("bits", c_int32),
        ("codebook", c_int),
        ("maximum_points", c_int32),
        ("epsilon", c_double),
        ("relative_epsilon", c_double),
        ("second_moment", POINTER(c_float)),
    ]


_OUT_HANDLE = POINTER(c_void_p)

# Functions that return a multipoint_status, by their arguments.
STATUS_FUNCTIONS: dict[str, list[Any]] = {
    "multipoint_model_open": [c_char_p, POINTER(ModelOptions), _OUT_HANDLE],
    "multipoint_model_open_memory": [c_void_p, c_size_t, POINTER(ModelOptions), _OUT_HANDLE],
    "multipoint_model_input": [c_void_p, c_size_t, POINTER(ValueInfo)],
    "multipoint_model_output": [c_void_p, c_size_t, POINTER(ValueInfo)],
    "multipoint_model_layer": [c_void_p, c_size_t, POINTER(LayerInfo)],
    "multipoint_session_create": [c_void_p, POINTER(SessionOptions), _OUT_HANDLE],
    "multipoint_session_run": [c_void_p, POINTER(Tensor), c_size_t, POINTER(Tensor), c_size_t],
    "multipoint_session_describe": [c_void_p, POINTER(SessionInfo)],
    "multipoint_session_step": [c_void_p, c_size_t, POINTER(StepInfo)],
    "multipoint_session_start_profile": [c_void_p],
    "multipoint_session_stop_profile": [c_void_p],
    "multipoint_session_profile": [c_void_p, POINTER(ProfileInfo)],
    "multipoint_session_profile_step": [c_void_p, c_size_t, POINTER(StepProfile)],
    "multipoint_layer_from_model": [c_void_p, c_char_p, _OUT_HANDLE],
    "multipoint_layer_create": [POINTER(LayerDescriptor), _OUT_HANDLE],
    "multipoint_layer_describe": [c_void_p, POINTER(LayerInfo)],
    "multipoint_layer_rows": [c_void_p, POINTER(Rows)],
    "multipoint_plan_create": [c_void_p, POINTER(PlanOptions), _OUT_HANDLE],
    "multipoint_plan_describe": [c_void_p, POINTER(PlanInfo)],
    "multipoint_plan_execute": [c_void_p, POINTER(Tensor), POINTER(Tensor), POINTER(Tensor), c_void_p],
    "multipoint_packing_create": [POINTER(c_float), c_size_t, c_size_t, POINTER(PackingOptions), _OUT_HANDLE],
    "multipoint_packing_weights": [c_void_p, POINTER(Weights)],
    "multipoint_packing_errors": [c_void_p, POINTER(c_double), c_size_t],
}

# The other functions: result, then arguments.
PLAIN_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "multipoint_version": (c_char_p, []),
    "multipoint_version_number": (c_uint32, []),
    "multipoint_build_info": (c_char_p, []),
    "multipoint_status_string": (c_char_p, [c_int]),
    "multipoint_last_error": (c_char_p, []),
    "multipoint_model_destroy": (None, [c_void_p]),
    "multipoint_model_name": (c_char_p, [c_void_p]),
    "multipoint_model_has_graph": (c_int32, [c_void_p]),
    "multipoint_model_input_count": (c_size_t, [c_void_p]),
    "multipoint_model_output_count": (c_size_t, [c_void_p]),
    "multipoint_model_layer_count": (c_size_t, [c_void_p]),
    "multipoint_session_destroy": (None, [c_void_p]),
    "multipoint_layer_destroy": (None, [c_void_p]),
    "multipoint_plan_destroy": (None, [c_void_p]),
    "multipoint_plan_workspace_size": (c_size_t, [c_void_p]),
    "multipoint_packing_destroy": (None, [c_void_p]),
}

Struct = TypeVar("Struct", bound=ctypes.Structure)


def make(kind: type[Struct], **fields: Any) -> Struct:
    """A zeroed struct with its struct_size set, and these fields; see `assign`."""
    struct = kind(struct_size=ctypes.sizeof(kind))
    assign(struct, **fields)
    return struct


def assign(struct: ctypes.Structure, **fields: Any) -> None:
    """Sets fields of a struct. Integers that do not fit are refused: ctypes would take them modulo 2**32 or 2**64.

    Raises:
        TypeError, ValueError: naming the field.
    """
    kinds = _integer_fields(type(struct))
    for name, value in fields.items():
        setattr(struct, name, integer(value, kinds[name], name) if name in kinds else value)


def integer(value: Any, kind: type[Any], what: str) -> int:
    """A whole number that a C integer of that type holds.

    Raises:
        TypeError, ValueError: `what` names it.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{what}: a whole number expected, found {value!r}") from None
    bits = 8 * ctypes.sizeof(kind)
    low, high = (0, 1 << bits) if kind(-1).value > 0 else (-1 << bits - 1, 1 << bits - 1)
    if not low <= number < high:
        lowest = "0" if low == 0 else f"-2**{bits - 1}"
        raise ValueError(f"{what}: a number from {lowest} to 2**{high.bit_length() - 1} - 1 expected, found {number}")
    return number


@functools.cache
def _integer_fields(kind: type[ctypes.Structure]) -> dict[str, type[Any]]:
    """The types of a struct's integers, by name."""
    # c_size_t and the like are other names of these.
    integers = {c_int8, c_uint8, c_int32, c_uint32, c_int64, c_uint64}
    return {field[0]: field[1] for field in kind._fields_ if field[1] in integers}


def text(value: Optional[bytes]) -> str:
    """A string of the library's; NULL is empty."""
    return "" if value is None else value.decode("utf-8", "replace")


def _candidates() -> list[str]:
    """Where to look, in order. An explicit MULTIPOINT_LIBRARY is the only candidate if it is set."""
    explicit = os.environ.get("MULTIPOINT_LIBRARY")
    if explicit:
        return [explicit]
    names = ["libmultipoint.so.0", "libmultipoint.so"]
    folder = Path(__file__).resolve().parent
    return [str(folder / name) for name in names if (folder / name).exists()] + names


def _declare(library: ctypes.CDLL) -> None:
    for name, arguments in STATUS_FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = c_int, arguments
    for name, (result, arguments) in PLAIN_FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments


def _check_version(library: ctypes.CDLL) -> None:
    number = int(library.multipoint_version_number())
    major, minor, patch = HEADER_VERSION
    if number // 10000 != major or number < major * 10000 + minor * 100 + patch:
        found = text(library.multipoint_version())
        raise OSError(f"it is version {found}; this package needs {major}.x from {major}.{minor}.{patch}")


def _advice(attempts: list[str]) -> str:
    onednn = re.search(r"libdnnl\.so\.(\d+)", "\n".join(attempts))
    if onednn:
        return f"\nIt needs oneDNN; on Debian and Ubuntu: apt-get install libdnnl{onednn[1]}"
    return "\nInstall it where the loader looks, or set MULTIPOINT_LIBRARY to the path of libmultipoint.so."


def _load() -> ctypes.CDLL:
    attempts = []
    for candidate in _candidates():
        try:
            library = ctypes.CDLL(candidate)
            _declare(library)
            _check_version(library)
            return library
        except (OSError, AttributeError) as error:
            attempts.append(f"  {candidate}: {error}")
    raise LibraryNotFoundError(
        "cannot load the multipoint library; tried\n"
        + "\n".join(attempts)
        + _advice(attempts)
    )


_loaded: Optional[ctypes.CDLL] = None
_loading = threading.Lock()


def _after_fork() -> None:
    """In a child nobody gives back a lock that another thread had."""
    global _loading
    _loading = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def library() -> ctypes.CDLL:
    """The shared library, loaded on first use.

    Raises:
        LibraryNotFoundError: with every place that was tried and its reason.
    """
    global _loaded
    if _loaded is None:
        with _loading:
            if _loaded is None:
                _loaded = _load()
    return _loaded


def path() -> str:
    """The file that the library was loaded from, as the loader knows it."""

    class Info(ctypes.Structure):
        """Dl_info of <dlfcn.h>."""

        _fields_ = [("file", c_char_p), ("base", c_void_p), ("name", c_char_p), ("address", c_void_p)]

    info = Info()
    address = ctypes.cast(library().multipoint_version, c_void_p)
    if not ctypes.CDLL(None).dladdr(address, ctypes.byref(info)) or not info.file:
        raise LibraryNotFoundError("the loader does not tell the library's file")
    return os.path.realpath(os.fsdecode(info.file))


def call(name: str, *arguments: Any) -> None:
    """Calls a function that returns a status, and raises what the status stands for.

    The error text is thread-local in the library and read at once by the same thread.
    """
    loaded = library()
    status = getattr(loaded, name)(*arguments)
    if status != 0:
        message = text(loaded.multipoint_last_error())
        raise error_for(status, message or text(loaded.multipoint_status_string(status)))
