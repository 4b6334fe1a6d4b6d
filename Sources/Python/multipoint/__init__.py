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

from ._version import __version__

TYPE_CHECKING = False  # what type checkers take for typing's, whose import would take longer than all else here
if TYPE_CHECKING:
    from .errors import (
        BadFormatError,
        CancelledError,
        ClosedError,
        CommandError,
        FileError,
        ForkedError,
        InternalError,
        InvalidArgumentError,
        LibraryNotFoundError,
        LimitExceededError,
        MultipointError,
        NotFoundError,
        OutOfMemoryError,
        UnsupportedError,
        UnsupportedMachineError,
    )
    from .layer import Layer, LayerInfo, Quantization, Rows
    from .model import Model, ModelLimits, ValueInfo
    from .packing import Packing, pack
    from .plan import Plan, PlanInfo
    from .quantization import quantize
    from .session import Profile, Session, SessionInfo, StepInfo, StepProfile
    from .weights import PackedWeights, pack_codes, unpack_codes

__all__ = [
    "BadFormatError",
    "CancelledError",
    "ClosedError",
    "CommandError",
    "FileError",
    "ForkedError",
    "InternalError",
    "InvalidArgumentError",
    "Layer",
    "LayerInfo",
    "LibraryNotFoundError",
    "LimitExceededError",
    "Model",
    "ModelLimits",
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
    "library_path",
    "library_version",
    "pack",
    "pack_codes",
    "quantize",
    "unpack_codes",
]


# Where each name is defined. A module is imported when one of its names is first used: NumPy, and the time that it takes, wait
# until then.
_HOMES = {
    "errors": (
        "BadFormatError CancelledError ClosedError CommandError FileError ForkedError InternalError InvalidArgumentError "
        "LibraryNotFoundError LimitExceededError MultipointError NotFoundError OutOfMemoryError UnsupportedError "
        "UnsupportedMachineError"
    ),
    "layer": "Layer LayerInfo Quantization Rows",
    "model": "Model ModelLimits ValueInfo",
    "packing": "Packing pack",
    "plan": "Plan PlanInfo",
    "quantization": "quantize",
    "session": "Profile Session SessionInfo StepInfo StepProfile",
    "weights": "PackedWeights pack_codes unpack_codes",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name in _HOMES:
            return import_module(f".{name}", __name__)
        for module, names in _HOMES.items():
            if name in names.split():
                value = globals()[name] = getattr(import_module(f".{module}", __name__), name)
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


def library_version() -> str:
    """The version of the loaded shared library, such as "0.1.0"."""
    from . import _library

    return _library.text(_library.library().multipoint_version())


def build_info() -> str:
    """One line about the loaded library: its version, oneDNN's version, the CPU runtime and the instruction set in use."""
    from . import _library

    return _library.text(_library.library().multipoint_build_info())


def library_path() -> str:
    """The file of the shared library in use."""
    from . import _library

    return _library.path()
