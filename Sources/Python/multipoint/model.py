"""Packed files: opening them and seeing what is in them."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Optional, Union

import numpy as np

from . import _library
from ._handle import Closeable, Handle
from ._library import make, text
from ._tensors import DTYPES
from .errors import CancelledError
from .layer import Layer, LayerInfo, Quantization

if TYPE_CHECKING:
    from .session import Session

#: Called while a file is read and decoded with the fraction done, 0 to 1; a true result cancels.
Progress = Callable[[float], Any]
#: Called with things worth knowing that are no errors: "info" or "warning", and the message.
Log = Callable[[str, str], Any]

_LOG_LEVELS = {1: "info", 2: "warning"}


@dataclass(frozen=True)
class ValueInfo:
    """An input or output of a network."""

    name: str
    #: The dtype of the array to pass or receive.
    dtype: np.dtype[Any]
    #: In ONNX order (N, C, H, W); None for the batch dimension.
    shape: tuple[Optional[int], ...]
    #: How the network stores the value, where it quantizes it. The array itself is float either way.
    quantization: Optional[Quantization]


@dataclass(frozen=True)
class ModelLimits:
    """How much a packed file may ask for; for files of unknown origin. 0 means the default, 2**64 - 1 none."""

    #: Bytes of the file. Default 8 GiB.
    maximum_file_bytes: int = 0
    #: Tensors in the file. Default 100,000.
    maximum_tensors: int = 0
    #: Nodes of the graph, and so the longest path through it. Default 50,000.
    maximum_nodes: int = 0
    #: Elements of one layer's weights, and of any value for a batch of 1. Default, and most: 2**31 - 1.
    maximum_elements: int = 0
    #: Bytes of all weights as they are executed, and of the network's constants. Default 64 MiB, and 64 for each byte of the layers'
    #: tensors, and the graph's constants, in the file.
    maximum_weight_bytes: int = 0


class _OpenOptions:
    """The options of opening a model, around Python functions whose exceptions reach the caller."""

    def __init__(self, progress: Optional[Progress], log: Optional[Log], limits: Optional[ModelLimits]) -> None:
        self.error: Optional[BaseException] = None
        self.options = make(_library.ModelOptions)
        if limits is not None:
            _library.assign(self.options, **asdict(limits))
        if progress is not None:
            self.options.progress = self._progress(progress)
        if log is not None:
            self.options.log = self._log(log)

    def _progress(self, function: Progress) -> Any:
        def progress(_: Any, fraction: float) -> int:
            if self.error is not None:
                return 1
            try:
                return 1 if function(fraction) else 0
            except BaseException as error:  # reraised by open()
                self.error = error
                return 1

        return _library.ProgressCallback(progress)

    def _log(self, function: Log) -> Any:
        def log(_: Any, level: int, message: Optional[bytes]) -> None:
            try:
                if self.error is None:
                    function(_LOG_LEVELS.get(level, "info"), text(message))
            except BaseException as error:  # reraised by open()
                self.error = error

        return _library.LogCallback(log)

    def open(self, create: str, *arguments: Any) -> Handle:
        """Opens a model. An exception of a callback ends the opening and is raised here."""
        try:
            handle = Handle(create, "multipoint_model_destroy", *arguments, ctypes.byref(self.options))
        except CancelledError:
            if self.error is not None:
                raise self.error from None
            raise
        if self.error is not None:
            raise self.error
        return handle


class Model(Closeable):
    """A packed file in memory: layers and, where the file has one, the network's graph.

    Immutable; threads may share it. Sessions, layers and plans made from it stay usable after it is closed.
    """

    __slots__ = ()

    def __init__(
        self,
        path: Union[str, bytes, os.PathLike[Any]],
        *,
        progress: Optional[Progress] = None,
        log: Optional[Log] = None,
        limits: Optional[ModelLimits] = None,
    ) -> None:
        """Opens the packed file at `path`, reads it once and checks it completely.

        Args:
            path: the `.multipoint` file.
            progress: called with the fraction done, 0 to 1; a true result cancels.
            log: called with "info" or "warning" and a message.
            limits: how much the file may ask for; None for the defaults.

        Raises:
            FileError: the file cannot be read.
            BadFormatError: it is damaged or contradicts itself.
            UnsupportedError: it needs what this version lacks.
            LimitExceededError: it asks for more than `limits` allow.
            CancelledError: `progress` asked to stop.
        """
        encoded = os.fsencode(path)
        if b"\0" in encoded:
            raise ValueError("path: embedded null byte")
        self._handle = _OpenOptions(progress, log, limits).open("multipoint_model_open", encoded)

    @classmethod
    def from_bytes(
        cls,
        content: Union[bytes, bytearray, memoryview],
        *,
        progress: Optional[Progress] = None,
        log: Optional[Log] = None,
        limits: Optional[ModelLimits] = None,
    ) -> Model:
        """The same from a file's content in memory: any contiguous buffer, which is not needed after the call."""
        view = np.frombuffer(content, np.uint8)
        model = cls.__new__(cls)
        model._handle = _OpenOptions(progress, log, limits).open(
            "multipoint_model_open_memory", view.__array_interface__["data"][0], view.size
        )
        return model

    @property
    def name(self) -> str:
        """The name stored in the file; empty if it has none."""
        handle = self._open_handle()
        return text(_library.library().multipoint_model_name(handle.pointer))

    @property
    def has_graph(self) -> bool:
        """True for a whole network (sessions can be made), False for weights only (layers and plans can)."""
        handle = self._open_handle()
        return bool(_library.library().multipoint_model_has_graph(handle.pointer))

    @property
    def inputs(self) -> tuple[ValueInfo, ...]:
        """The network's inputs in the order of `Session.run`; empty for a weights-only file."""
        return self._values("input")

    @property
    def outputs(self) -> tuple[ValueInfo, ...]:
        """The network's outputs in the order of `Session.run`'s results; empty for a weights-only file."""
        return self._values("output")

    @property
    def layers(self) -> tuple[LayerInfo, ...]:
        """Descriptions of all layers in the file's order."""
        handle = self._open_handle()
        infos = []
        for index in range(_library.library().multipoint_model_layer_count(handle.pointer)):
            info = make(_library.LayerInfo)
            _library.call("multipoint_model_layer", handle.pointer, index, ctypes.byref(info))
            infos.append(LayerInfo.from_struct(info))
        return tuple(infos)

    def layer(self, name: str) -> Layer:
        """The layer of that name, to make plans of.

        Raises:
            NotFoundError: there is none.
        """
        handle = self._open_handle()
        return Layer._from_handle(
            Handle("multipoint_layer_from_model", "multipoint_layer_destroy", handle.pointer, _encoded_name(name))
        )

    def session(
        self, maximum_batch: int = 1, threads: int = 0, *, maximum_run_bytes: int = 0, maximum_work: int = 0
    ) -> Session:
        """Compiles the network; see `Session`."""
        from .session import Session

        return Session(self, maximum_batch, threads, maximum_run_bytes=maximum_run_bytes, maximum_work=maximum_work)

    def _values(self, kind: str) -> tuple[ValueInfo, ...]:
        handle = self._open_handle()
        count = getattr(_library.library(), f"multipoint_model_{kind}_count")(handle.pointer)
        values = []
        for index in range(count):
            info = make(_library.ValueInfo)
            _library.call(f"multipoint_model_{kind}", handle.pointer, index, ctypes.byref(info))
            values.append(_value_info(info))
        return tuple(values)

    def __repr__(self) -> str:
        if self.closed:
            return "<multipoint.Model, closed>"
        return f"<multipoint.Model {self.name!r}, {len(self.layers)} layers>"


def _value_info(info: _library.ValueInfo) -> ValueInfo:
    shape = tuple(None if size < 0 else int(size) for size in info.dimensions[: info.rank])
    return ValueInfo(
        name=text(info.name),
        dtype=DTYPES[info.dtype],
        shape=shape,
        quantization=Quantization.from_numbers(info.scale, info.zero_point),
    )


def _encoded_name(name: str) -> bytes:
    encoded = name.encode("utf-8", "surrogatepass")
    if b"\0" in encoded:
        raise ValueError("name: embedded null character")
    return encoded
