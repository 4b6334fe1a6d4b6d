"""multipoint: run convolutional networks with multipoint-packed weights on x86-64 CPUs.

The simplest use, a whole network:

    import multipoint

    with multipoint.Model("digits.multipoint") as model, model.session(maximum_batch=16) as session:
        logits = session.run(images)            # float32 [N, 1, 8, 8] to float32 [N, 10]

Single layers of a graph that the caller owns: `Model.layer` or `Layer.create`, then `Layer.plan` and `Plan.execute`.
Packing a float matrix: `pack`. The package is a thin layer over the C interface, include/multipoint.h, which is the
full manual. Foreign calls release the global interpreter lock.
"""

from __future__ import annotations

from . import _library
from ._library import text
from ._version import __version__
from .errors import (
    BadFormatError,
    CancelledError,
    ClosedError,
    FileError,
    ForkedError,
    InternalError,
    InvalidArgumentError,
    LibraryNotFoundError,
    MultipointError,
    NotFoundError,
    OutOfMemoryError,
    UnsupportedError,
    UnsupportedMachineError,
)
from .layer import Layer, LayerInfo, Quantization, Rows
from .model import Model, ValueInfo
from .packing import Packing, pack
from .plan import Plan, PlanInfo
from .session import Profile, Session, SessionInfo, StepInfo, StepProfile
from .weights import PackedWeights, pack_codes, unpack_codes

__all__ = [
    "BadFormatError",
    "CancelledError",
    "ClosedError",
    "FileError",
    "ForkedError",
    "InternalError",
    "InvalidArgumentError",
    "Layer",
    "LayerInfo",
    "LibraryNotFoundError",
    "Model",
    "MultipointError",
    "NotFoundError",
    "OutOfMemoryError",
    "PackedWeights",
    "Packing",
    "Plan",
    "PlanInfo",
    "Profile",
    "Quantization",
    "Rows",
    "Session",
    "SessionInfo",
    "StepInfo",
    "StepProfile",
    "UnsupportedError",
    "UnsupportedMachineError",
    "ValueInfo",
    "__version__",
    "build_info",
    "library_version",
    "pack",
    "pack_codes",
    "unpack_codes",
]


def library_version() -> str:
    """The version of the loaded shared library, such as "0.1.0"."""
    return text(_library.library().multipoint_version())


def build_info() -> str:
    """One line about the loaded library: its version, oneDNN's version, the CPU runtime and the instruction set in use."""
    return text(_library.library().multipoint_build_info())
