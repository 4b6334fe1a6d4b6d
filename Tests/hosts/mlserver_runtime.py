"""Our runtime without a server around it: `mlserver_runtime.py NAME FOLDER`, called by test_mlserver.py. In a process of its own, as
MLServer and Triton's client have Protocol Buffers of the same names."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import numpy as np
import pytest
from mlserver import ModelSettings
from mlserver.errors import MLServerError
from mlserver.types import InferenceRequest, RequestInput
from multipoint.mlserver import MultipointRuntime


async def requests_around_unloading(model: MultipointRuntime, folder: Path) -> None:
    """Who waits when it begins is answered; who comes later, and before the model is loaded, hears that it is not."""
    images, logits = np.load(folder / "images.npy"), np.load(folder / "logits.npy")

    async def predict(index: int) -> np.ndarray:
        data = images[index].ravel().tolist()
        response = await model.predict(
            InferenceRequest(inputs=[RequestInput(name="image", shape=[1, 1, 8, 8], datatype="FP32", data=data)])
        )
        return np.array(list(response.outputs[0].data), np.float32)

    with pytest.raises(MLServerError, match="^model digits is not loaded$"):
        await predict(0)
    await model.load()
    waiting = [asyncio.create_task(predict(index)) for index in range(20)]
    await asyncio.sleep(0)
    unloading = asyncio.create_task(model.unload())
    await asyncio.sleep(0)
    with pytest.raises(MLServerError, match="^model digits is not loaded$") as refused:
        await predict(0)
    assert refused.value.status_code == 503
    assert await unloading
    for index, task in enumerate(waiting):
        assert (await task).tobytes() == logits[index].tobytes()
    assert await model.unload(), "once more"
    await model.load()
    assert (await predict(3)).tobytes() == logits[3].tobytes()
    assert await model.unload()


async def unloading_what_did_not_load(model: MultipointRuntime, folder: Path) -> None:
    (folder / "digits" / "model.multipoint").unlink()
    with pytest.raises(Exception, match="model.multipoint|digits"):
        await model.load()
    assert await model.unload()


if __name__ == "__main__":
    name, folder = sys.argv[1], Path(sys.argv[2])
    model = MultipointRuntime(ModelSettings.parse_file(folder / "digits" / "model-settings.json"))
    asyncio.run(globals()[name](model, folder))
