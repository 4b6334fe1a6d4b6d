"""Whole networks as users bring them (Examples/architectures): float results with ONNX Runtime's, quantized ones with float.

Small versions; with MULTIPOINT_FULL_SIZE=1 in the environment also the full ones in float, which takes minutes and several
gigabytes.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import architectures
import numpy as np
import onnx
import pytest
from architectures import NETWORKS

import multipoint
from networks import run_reference

# Packing by the ladder takes seconds; Tests/run --all packs every network so, else one of each kind is.
LADDERS = ["ResNet-18", "ShuffleNet-v2", "DeepLabV3-MobileNet-v2", "EDSR-baseline"]
if os.environ.get("TESTS_ALL") == "1":
    LADDERS = list(NETWORKS)
IS_FULL_SIZE = os.environ.get("MULTIPOINT_FULL_SIZE") == "1"
SIZES = ["small", "full"] if IS_FULL_SIZE else ["small"]

# Least cosine of any output with that of float, at 8 bits and at 5. Measured: 0.970 and 0.913 for YOLOv5n's coarsest scale, above
# 0.98 and 0.95 for most. Trained networks come closer: what random weights compute is as fine as the noise.
LEAST_COSINES = {"w8a8": 0.96, "ladder": 0.9}


@dataclass(frozen=True)
class Written:
    path: Path
    images: np.ndarray
    #: ONNX Runtime's outputs for the images.
    expected: list[np.ndarray]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A network's file, two images, and their outputs. Small ones are kept for the next test."""
    kept = {}

    def write(name: str, size: str) -> Written:
        if name not in kept or size == "full":
            path = tmp_path_factory.mktemp(architectures.file_name(name)) / "network.onnx"
            network = NETWORKS[name]
            onnx.save(architectures.build(name, getattr(network, size)), path)
            images = network.images(getattr(network, size), 2, seed=1)
            made = Written(path, images, run_reference(str(path), images))
            if size == "full":
                return made
            kept[name] = made
        return kept[name]

    return write


@pytest.mark.parametrize("name", NETWORKS)
def test_model_is_valid_and_its_values_are_of_ordinary_size(name: str, written) -> None:
    network = written(name, "small")
    model = onnx.load(network.path)
    onnx.checker.check_model(model, full_check=True)
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    layers = [node.output[0] for node in model.graph.node if node.op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul")]
    outputs = [info.name for info in model.graph.output]
    model.graph.output.extend(onnx.ValueInfoProto(name=layer) for layer in layers if layer not in outputs)
    values = run_reference(model, network.images)
    for info, value in zip(model.graph.output, values[: len(outputs)]):
        assert value.shape == tuple(2 if size.dim_param == "N" else size.dim_value for size in info.type.tensor_type.shape.dim)
    input_size = np.sqrt(np.mean(np.square(network.images)))
    for value, info in zip(values[len(outputs) :], list(model.graph.output)[len(outputs) :]):
        root_mean_square = np.sqrt(np.mean(np.square(value)))
        assert 0.02 < root_mean_square < 50 * max(input_size, 1), info.name


@pytest.mark.parametrize("name", [name for name, network in NETWORKS.items() if IS_FULL_SIZE or network.parameters < 10e6])
def test_parameters_are_the_published_number(name: str) -> None:
    network = NETWORKS[name]
    # VGG's first Gemm layer is as large as its image. Elsewhere a small image does.
    size = network.full if "VGG" in name else architectures.Size(network.small.image)
    assert architectures.parameters(architectures.build(name, size, folded=False)) == network.parameters


@pytest.mark.parametrize("name", NETWORKS)
def test_doctor_says_that_it_runs_and_in_8_bits(name: str, written, command) -> None:
    account = json.loads(command("doctor", written(name, "small").path, "--json"))
    assert account["runs"] and account["operators"]
    assert account["multiply_adds"]["int8"] == account["multiply_adds"]["total"] > 0


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", SIZES)
def test_float_results_are_those_of_onnx_runtime(name: str, size: str, written, command, tmp_path) -> None:
    network = written(name, size)
    packed = tmp_path / "network.multipoint"
    command("quantize", network.path, "--method", "float", "--output", packed)
    for batch in (1, 2):
        found = run(packed, network.images[:batch])
        assert len(found) == len(network.expected)
        for mine, both in zip(found, network.expected):
            reference = both[:batch]
            assert mine.shape == reference.shape
            assert np.abs(mine - reference).max() <= 1e-4 * np.abs(reference).max()


@pytest.mark.parametrize(("method", "name"), [("w8a8", name) for name in NETWORKS] + [("ladder", name) for name in LADDERS])
def test_quantized_results_are_near_those_of_float(name: str, method: str, written, command, tmp_path) -> None:
    network = written(name, "small")
    images, packed, again = tmp_path / "images.npy", tmp_path / "network.multipoint", tmp_path / "again.multipoint"
    np.save(images, NETWORKS[name].images(NETWORKS[name].small, 8, seed=2))
    arguments = ["quantize", network.path, "--calibration", images, "--method", method]
    if method == "ladder":
        command(*arguments, "--budget", 5, "--output", packed)
    else:
        command(*arguments, "--output", packed)
        command(*arguments, "--output", again, "--threads", 1)
        assert packed.read_bytes() == again.read_bytes()
    found = run(packed, network.images)
    for mine, reference in zip(found, network.expected):
        assert cosine(mine, reference) >= LEAST_COSINES[method]
    check_repeated(packed, network.images, found)


def check_repeated(packed: Path, images: np.ndarray, found: tuple[np.ndarray, ...]) -> None:
    """The same bits in another session, one image at a time, the other way round, and with other numbers of threads."""
    alone = [run(packed, image[np.newaxis], threads=1) for image in images]
    around = run(packed, images[::-1].copy(), threads=3)
    for output, together in enumerate(found):
        parts = [outputs[output] for outputs in alone]
        assert np.concatenate(parts).tobytes() == together.tobytes()
        assert np.concatenate(parts[::-1]).tobytes() == around[output].tobytes()


def run(packed: Path, images: np.ndarray, threads: int = 0) -> tuple[np.ndarray, ...]:
    with multipoint.Model(packed) as model, model.session(maximum_batch=len(images), threads=threads) as session:
        found = session.run(images)
    return found if isinstance(found, tuple) else (found,)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))
