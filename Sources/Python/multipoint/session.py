"""Whole networks: a session is a network compiled for a largest batch and a number of threads."""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

import numpy as np
from numpy.typing import NDArray

from . import _library
from ._handle import Closeable, Handle
from ._library import make, text
from ._tensors import AnyArray, TensorView, destination_array, empty, is_array, source_array, tensor_list
from .model import Model, ValueInfo

Array = NDArray[np.float32]

_LAYOUTS = ("NCHW", "NHWC")
# multipoint_step_kind
_STEP_KINDS = {1: "layer", 2: "sum", 3: "conversion", 4: "operation"}


@dataclass(frozen=True)
class SessionInfo:
    """What a session holds."""

    maximum_batch: int
    threads: int
    #: Bytes of activations, conversions and scratch memory for the largest batch.
    arena_bytes: int
    #: Steps that a run of the largest batch executes.
    step_count: int
    #: Bytes of weights and biases as the steps of the largest batch read them; the model's other sessions share the weights.
    weight_bytes: int


@dataclass(frozen=True)
class StepInfo:
    """One step of a run."""

    #: The node, or the first of the fused nodes, that the step comes from.
    name: str
    #: What it does, such as "Conv+Relu" or "quantize".
    operation: str
    #: oneDNN's name of the implementation in use, such as "jit_int8:avx2"; "copy" and the like for the library's own.
    implementation: str


@dataclass(frozen=True)
class StepProfile:
    """What one step of the profiled runs took."""

    #: As in `StepInfo`.
    name: str
    operation: str
    implementation: str
    #: "layer": the product of a layer's weights with its input; "sum": adds up rows that do not fold; "conversion": changes a
    #: tensor's type or layout; "operation": has no weights.
    kind: str
    #: Wall-clock time of all runs together, and of the run in which the step took least.
    seconds: float
    minimum_seconds: float
    #: Multiplications and additions of one run; 0 where the kind is not "layer".
    operations: int
    #: Bytes of the tensors, weights and scratchpads that one run touches.
    bytes: int


@dataclass(frozen=True)
class Profile:
    """Where the time of a session's runs went."""

    #: Batch size of the runs; 0 before the first.
    batch: int
    #: Runs that were timed.
    runs: int
    #: Wall-clock time of all steps of all runs.
    seconds: float
    #: In order of execution.
    steps: tuple[StepProfile, ...]


class Session(Closeable):
    """A network compiled for a batch size and a thread count, with all the memory that a run needs.

    A run releases the global interpreter lock. Threads that share a session take turns; for concurrent runs make one
    session for each thread, they share the model's weights.
    """

    __slots__ = ("_inputs", "_outputs", "_turn")

    def __init__(
        self, model: Model, maximum_batch: int = 1, threads: int = 0, *, maximum_run_bytes: int = 0, maximum_work: int = 0
    ) -> None:
        """Compiles the network.

        Args:
            model: a model with a graph.
            maximum_batch: the largest batch that will be run.
            threads: threads for one run; 0 means what OpenMP would use (OMP_NUM_THREADS, else every core).
            maximum_run_bytes: limit of the session's arena, inputs and outputs together. 0 means 512 MiB, 65,536 for each byte
                of the layers' tensors in the file, and 1,024 for each element of the inputs; 2**64 - 1 means none.
            maximum_work: limit of one run's work, in multiply-adds of an int8 convolution; multipoint.h says what else counts
                as how many. 0 means 2**38, 2**28 for each byte of the layers' tensors in the file, and 2**16 for each element of
                the inputs.

        Raises:
            UnsupportedError: the model has weights only.
            InvalidArgumentError: a batch above 1 where the network fixes its own, or a negative number.
            LimitExceededError: the network asks for more than a limit allows.
        """
        options = make(
            _library.SessionOptions,
            maximum_batch=maximum_batch,
            threads=threads,
            maximum_run_bytes=maximum_run_bytes,
            maximum_work=maximum_work,
        )
        source = model._open_handle()
        self._inputs = model.inputs
        self._outputs = model.outputs
        self._turn = threading.Lock()
        self._handle = Handle(
            "multipoint_session_create", "multipoint_session_destroy", source.pointer, ctypes.byref(options)
        )
        _sessions.add(self)

    @property
    def inputs(self) -> tuple[ValueInfo, ...]:
        """The network's inputs, in the order of `run`'s arguments."""
        return self._inputs

    @property
    def outputs(self) -> tuple[ValueInfo, ...]:
        """The network's outputs, in the order of `run`'s results."""
        return self._outputs

    def run(self, *arrays: AnyArray, out: Union[AnyArray, Sequence[AnyArray], None] = None) -> Any:
        """Runs the network.

        Args:
            arrays: the inputs in the model's order: float32, ONNX-order shapes (N, C, H, W) with one batch size from 1 to
                the session's largest. C-contiguous and channels-last arrays (such as `nhwc.transpose(0, 3, 1, 2)`) are
                read in place, wherever they start in memory; others are copied first. Arrays of other libraries that
                have `__dlpack__` (torch, jax, on the CPU) are taken without a copy of their own.
            out: arrays to write the outputs to (one array, or a sequence in the model's order); float32, dense in C or
                channels-last order, not overlapping the inputs. Without it new NumPy arrays are made.

        Returns:
            The output if the network has one, else a tuple; what `out` holds where given.

        Raises:
            TypeError: an argument is not an array of float32, or not in the CPU's memory.
            ValueError, InvalidArgumentError: a number of arrays, a shape, a batch or memory that does not fit.
            ClosedError: after `close()`.
        """
        handle = self._open_handle()
        if len(arrays) != len(self._inputs):
            names = ", ".join(value.name for value in self._inputs)
            raise ValueError(f"{len(self._inputs)} arrays expected ({names}), found {len(arrays)}")
        sources = [
            source_array(array, value.dtype, _LAYOUTS, f"input `{value.name}`")
            for array, value in zip(arrays, self._inputs)
        ]
        results = self._destinations(out, self._batch(sources))
        inputs = [TensorView(array) for array in sources]
        outputs = [TensorView(array) for array in results]
        with self._turn:
            _library.call(
                "multipoint_session_run",
                handle.pointer,
                tensor_list(inputs),
                len(inputs),
                tensor_list(outputs),
                len(outputs),
            )
        returned: list[Any] = list(results)
        if out is not None:
            returned = _listed(out)
        return returned[0] if len(returned) == 1 else tuple(returned)

    def _batch(self, sources: Sequence[NDArray[Any]]) -> int:
        """The size of the batch dimension in the arrays; their shapes are the library's to check."""
        for array, value in zip(sources, self._inputs):
            for axis, size in enumerate(value.shape):
                if size is None and axis < array.ndim:
                    return int(array.shape[axis])
        return 1

    def _destinations(self, out: Union[AnyArray, Sequence[AnyArray], None], batch: int) -> list[Array]:
        shapes = [tuple(batch if size is None else size for size in value.shape) for value in self._outputs]
        if out is None:
            return [empty(shape, value.dtype) for shape, value in zip(shapes, self._outputs)]
        given = _listed(out)
        if len(given) != len(shapes):
            raise ValueError(f"out: {len(shapes)} arrays expected, found {len(given)}")
        return [
            destination_array(array, shape, value.dtype, _LAYOUTS, f"output `{value.name}`")
            for array, shape, value in zip(given, shapes, self._outputs)
        ]

    @property
    def info(self) -> SessionInfo:
        """What the session holds."""
        handle = self._open_handle()
        info = make(_library.SessionInfo)
        _library.call("multipoint_session_describe", handle.pointer, ctypes.byref(info))
        return SessionInfo(
            maximum_batch=info.maximum_batch,
            threads=info.threads,
            arena_bytes=info.arena_bytes,
            step_count=info.step_count,
            weight_bytes=info.weight_bytes,
        )

    @property
    def steps(self) -> tuple[StepInfo, ...]:
        """What a run of the largest batch does, in order."""
        handle = self._open_handle()
        steps = []
        for index in range(self.info.step_count):
            info = make(_library.StepInfo)
            _library.call("multipoint_session_step", handle.pointer, index, ctypes.byref(info))
            steps.append(StepInfo(text(info.name), text(info.operation), text(info.implementation)))
        return tuple(steps)

    def start_profiling(self) -> None:
        """Times every step of the runs that follow, and forgets the times of earlier ones."""
        handle = self._open_handle()
        with self._turn:
            _library.call("multipoint_session_start_profile", handle.pointer)

    def stop_profiling(self) -> None:
        """Times no further runs. `profile()` keeps telling about those that were."""
        handle = self._open_handle()
        with self._turn:
            _library.call("multipoint_session_stop_profile", handle.pointer)

    def profile(self) -> Profile:
        """Where the time of the runs since `start_profiling` went.

        Runs of another batch size, or with arrays in another layout, execute other steps and start the profile anew.
        """
        handle = self._open_handle()
        with self._turn:
            info = make(_library.ProfileInfo)
            _library.call("multipoint_session_profile", handle.pointer, ctypes.byref(info))
            steps = []
            for index in range(info.step_count):
                step = make(_library.StepProfile)
                _library.call("multipoint_session_profile_step", handle.pointer, index, ctypes.byref(step))
                steps.append(
                    StepProfile(
                        name=text(step.name),
                        operation=text(step.operation),
                        implementation=text(step.implementation),
                        kind=_STEP_KINDS.get(step.kind, "operation"),
                        seconds=step.seconds,
                        minimum_seconds=step.minimum_seconds,
                        operations=step.operations,
                        bytes=step.bytes,
                    )
                )
        return Profile(batch=info.batch, runs=info.runs, seconds=info.seconds, steps=tuple(steps))


_sessions: weakref.WeakSet[Session] = weakref.WeakSet()


def _after_fork() -> None:
    """In a child nobody gives back the turn of a thread that was running a session."""
    for session in _sessions:
        session._turn = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def _listed(out: Any) -> list[Any]:
    """One array, or a sequence of them."""
    return [out] if is_array(out) else list(out)
