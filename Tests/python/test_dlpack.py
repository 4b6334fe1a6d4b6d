"""Arrays of other libraries, taken by DLPack without a copy: a stand-in over NumPy's memory, and with TESTS_ALL=1 jax's."""

from __future__ import annotations

import os

import numpy as np
import pytest

import multipoint
from multipoint import Layer, Model
from multipoint._tensors import source_array
from small_network import SmallNetwork


class Foreign:
    """An array that is none of NumPy's, and says nothing but what DLPack asks for."""

    def __init__(self, array: np.ndarray, device: tuple[int, int] = (1, 0)) -> None:
        self.array, self.device = array, device

    def __dlpack__(self, **options: object) -> object:
        if self.device[0] != 1:
            raise BufferError("the memory of a GPU")
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device


def of_jax(array: np.ndarray) -> object:
    import jax

    return jax.device_put(array, jax.devices("cpu")[0])


LIBRARIES = [Foreign] + ([of_jax] if os.environ.get("TESTS_ALL") == "1" else [])


@pytest.fixture(scope="module")
def model():
    with Model.from_bytes(SmallNetwork(np.random.default_rng(3)).encoded()) as model:
        yield model


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(4).uniform(0, 1, (2, 3, 8, 8)).astype(np.float32)


@pytest.mark.parametrize("foreign", LIBRARIES)
def test_inputs(model, image, foreign):
    with model.session(maximum_batch=2) as session:
        np.testing.assert_array_equal(session.run(foreign(image)), session.run(image))
    weights = np.arange(6, dtype=np.float32).reshape(2, 3)
    with Layer.create((2, 3), weights) as layer, layer.plan(residual_dtype=np.float32) as plan:
        source, residual = np.float32([[1, 2, 3]]), np.float32([[10, 20]])
        np.testing.assert_array_equal(plan.execute(foreign(source), foreign(residual)), [[18, 46]])


def test_inputs_are_not_copied(image):
    foreign = Foreign(image)
    taken = source_array(foreign, np.float32, ("NCHW", "NHWC"), "x")
    assert np.shares_memory(taken, image) and taken.__array_interface__["data"][0] == image.__array_interface__["data"][0]
    channels_last = np.ascontiguousarray(image.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert np.shares_memory(source_array(Foreign(channels_last), np.float32, ("NCHW", "NHWC"), "x"), channels_last)


def test_outputs_are_written(model, image):
    memory = np.zeros((2, 5), np.float32)
    out = Foreign(memory)
    with model.session(maximum_batch=2) as session:
        assert session.run(Foreign(image), out=out) is out
        np.testing.assert_array_equal(memory, session.run(image))
        memory[:] = 0
        assert session.run(image, out=[out]) is out
        np.testing.assert_array_equal(memory, session.run(image))
        frozen = np.zeros((2, 5), np.float32)
        frozen.flags.writeable = False
        with pytest.raises((ValueError, TypeError)):
            session.run(image, out=Foreign(frozen))
        assert not frozen.any()


def test_what_cannot_be_taken_is_a_type_error(model, image):
    with model.session(maximum_batch=2) as session:
        with pytest.raises(TypeError, match="input `image`.*float32.*float64"):
            session.run(Foreign(image.astype(np.float64)))
        with pytest.raises(TypeError, match="input `image`: this Foreign.*GPU"):
            session.run(Foreign(image, device=(2, 0)))
        with pytest.raises(multipoint.InvalidArgumentError, match="image|batch"):
            session.run(Foreign(image[:, :2]))


def test_calibration_images(digits, tmp_path):
    stored = np.load(digits / "calibration_images.npy")
    for output, images in (("a", stored), ("b", Foreign(stored))):
        multipoint.quantize(
            digits / "digits.onnx", tmp_path / output, calibration=images, method="w8a8", scale=0.0625, limit=32
        )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
