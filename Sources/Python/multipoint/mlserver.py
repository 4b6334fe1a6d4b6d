"""A runtime for MLServer (Open Inference Protocol, what KServe speaks): packed networks over HTTP and gRPC.

    pip install 'Sources/Python[mlserver]'

A model's `model-settings.json`:

    {
        "name": "digits",
        "implementation": "multipoint.mlserver.MultipointRuntime",
        "parameters": { "uri": "./digits.multipoint", "extra": { "maximum_batch": 16, "threads": 1 } }
    }

Requests that arrive while a batch runs form the next one: nothing waits for a timer, and an idle server answers at once. Every
request is checked before it joins a batch. MLServer's own adaptive batching merges requests before anyone has looked at their
shapes, so it must stay off (no `max_batch_size`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Optional

import numpy as np
from mlserver import MLModel, ModelSettings
from mlserver.codecs import NumpyCodec
from mlserver.errors import InferenceError, MLServerError
from mlserver.logging import logger
from mlserver.types import InferenceRequest, InferenceResponse, MetadataTensor, RequestInput, ResponseOutput
from mlserver.utils import get_model_uri
from numpy.typing import NDArray

from ._batches import Batches
from .errors import MultipointError
from .model import Model, ModelLimits, ValueInfo

__all__ = ["MultipointRuntime"]

Array = NDArray[np.float32]

_DATATYPE = "FP32"
_MODEL_LIMITS = tuple(field.name for field in fields(ModelLimits))
_SESSION_LIMITS = ("maximum_run_bytes", "maximum_work")
#: What `parameters.extra` may hold.
_PARAMETERS = {"maximum_batch", "threads", *_MODEL_LIMITS, *_SESSION_LIMITS}


class MultipointRuntime(MLModel):  # type: ignore[misc]
    """Serves one packed network.

    `parameters.uri` is the packed file, or a folder with a `model.multipoint`. `parameters.extra` may hold `maximum_batch` (the
    most images of one run, and so of one request; 1 to 65536, default 16), `threads` (of one run; default 0, what OpenMP would
    use) and how much the packed file may ask for, by the names of `ModelLimits` and `Session`: `maximum_file_bytes`,
    `maximum_tensors`, `maximum_nodes`, `maximum_elements`, `maximum_weight_bytes`, `maximum_run_bytes` and `maximum_work`.
    """

    def __init__(self, settings: ModelSettings) -> None:
        if settings.max_batch_size > 1 and settings.max_batch_time > 0:
            raise MLServerError(
                f"model {settings.name}: leave max_batch_size and max_batch_time out; MLServer would merge requests of different "
                "shapes unseen. This runtime batches by itself, up to parameters.extra.maximum_batch",
                500,
            )
        super().__init__(settings)
        #: Nothing before `load` and after `unload`.
        self._batches: Optional[Batches] = None

    async def load(self) -> bool:
        try:
            await self._open()
        except Exception as error:
            # MLServer tells the reason of the first model only.
            logger.error("model %s: %s", self.name, error)
            raise
        return True

    async def _open(self) -> None:
        path = await get_model_uri(self.settings, wellknown_filenames=["model.multipoint"])
        extra = (self.settings.parameters.extra if self.settings.parameters else None) or {}
        for key in extra.keys() - _PARAMETERS:
            logger.warning("model %s: parameters.extra.%s is none that this runtime knows", self.name, key)
        model = Model(path, limits=ModelLimits(**_limits(extra, _MODEL_LIMITS)))
        self._values_in, self._values_out = model.inputs, model.outputs
        has_batch = any(None in value.shape for value in model.inputs)
        self._maximum_batch = _whole_number(extra, "maximum_batch", 16) if has_batch else 1
        session = model.session(
            maximum_batch=self._maximum_batch, threads=_whole_number(extra, "threads", 0), **_limits(extra, _SESSION_LIMITS)
        )
        model.close()  # the session keeps what it needs
        # Requests lie one after the other only if the batch is in front everywhere.
        gathers = all(_batch_axes(value) == [0] for value in (*self._values_in, *self._values_out))
        self._batches = Batches(session, self._maximum_batch if gathers else 1)
        self.inputs = [_metadata(value) for value in self._values_in]
        self.outputs = [_metadata(value) for value in self._values_out]

    async def unload(self) -> bool:
        # Also called where `load` has failed. Whoever asks from now on hears that there is no model; who waits is answered.
        batches, self._batches = self._batches, None
        if batches is not None:
            await batches.close()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        batches = self._batches
        if batches is None:
            raise MLServerError(f"model {self.name} is not loaded", 503)
        arrays, batch = self._read(payload.inputs)
        wanted = self._wanted(payload)
        try:
            results = await batches.run(arrays, batch)
        except MultipointError as error:
            raise MLServerError(f"model {self.name}: {error}", 500) from error
        named = zip((value.name for value in self._values_out), results)
        outputs = [_output(name, array) for name, array in named if name in wanted]
        return InferenceResponse(id=payload.id, model_name=self.name, model_version=self.version, outputs=outputs)

    def _read(self, inputs: Sequence[RequestInput]) -> tuple[list[Array], int]:
        """The request's arrays in the network's order, and their batch size.

        Raises:
            InferenceError: what is wrong, which MLServer answers with status 400.
        """
        given = {value.name: value for value in inputs}
        known = {value.name for value in self._values_in}
        for value in inputs:
            if value.name not in known:
                raise InferenceError(f"input `{value.name}`: the network has no such input")
        if len(given) != len(inputs):
            raise InferenceError("an input is given twice")
        batch: Optional[int] = None
        for value in self._values_in:
            if value.name not in given:
                raise InferenceError(f"input `{value.name}` is missing in the request")
            batch = self._checked_batch(value, given[value.name], batch)
        return [self._array(given[value.name]) for value in self._values_in], batch or 1

    def _checked_batch(self, value: ValueInfo, given: RequestInput, batch: Optional[int]) -> Optional[int]:
        what, shape = f"input `{value.name}`", list(given.shape)
        if given.datatype != _DATATYPE:
            raise InferenceError(f"{what}: datatype {_DATATYPE} is expected, found {given.datatype}")
        same = len(shape) == len(value.shape) and all(e is None or e == f for e, f in zip(value.shape, shape))
        if not same:
            raise InferenceError(f"{what}: shape {_shape(value)} is expected (-1: the batch), found {shape}")
        for axis in _batch_axes(value):
            if batch is None and not 1 <= shape[axis] <= self._maximum_batch:
                raise InferenceError(f"{what}: a batch of 1 to {self._maximum_batch} is expected, found shape {shape}")
            if batch is not None and shape[axis] != batch:
                raise InferenceError(f"{what}: a batch of {batch} is expected, as before it, found shape {shape}")
            batch = shape[axis]
        return batch

    @staticmethod
    def _array(given: RequestInput) -> Array:
        try:
            array = NumpyCodec.decode_input(given)
        except (TypeError, ValueError, OverflowError) as error:
            raise InferenceError(f"input `{given.name}`: numbers for shape {list(given.shape)} are expected: {error}") from error
        return np.ascontiguousarray(array, np.float32)

    def _wanted(self, payload: InferenceRequest) -> set[str]:
        known = {value.name for value in self._values_out}
        wanted = {value.name for value in payload.outputs or ()}
        for name in wanted - known:
            raise InferenceError(f"output `{name}`: the network has no such output")
        return wanted or known


def _batch_axes(value: ValueInfo) -> list[int]:
    return [axis for axis, size in enumerate(value.shape) if size is None]


def _shape(value: ValueInfo) -> list[int]:
    return [-1 if size is None else size for size in value.shape]


def _metadata(value: ValueInfo) -> MetadataTensor:
    return MetadataTensor(name=value.name, datatype=_DATATYPE, shape=_shape(value))


def _output(name: str, array: Array) -> ResponseOutput:
    output = NumpyCodec.encode_output(name, array)
    output.shape = list(array.shape)  # the codec adds a dimension to vectors
    return output


def _limits(extra: dict[str, Any], names: Sequence[str]) -> dict[str, int]:
    return {name: _whole_number(extra, name, 0) for name in names}


def _whole_number(extra: dict[str, Any], key: str, default: int) -> int:
    value = extra.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise MLServerError(f"parameters.extra.{key}: a whole number is expected, found {value!r}", 500)
    return value
