"""The same inputs give the same packed file, byte for byte, whatever the number of threads."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest

from networks import Network

METHODS = {
    "ladder": ["--method", "ladder", "--budget", "4.5"],
    "single": ["--method", "single", "--bits", "3"],
    "greedy": ["--method", "greedy", "--bits", "3", "--relative-epsilon", "0.002"],
    "greedy-subset": ["--method", "greedy", "--bits", "3", "--codebook", "subset"],
    "nearest": ["--method", "nearest", "--bits", "4", "--record"],
    "nearest-max": ["--method", "nearest", "--bits", "5", "--channel-scales", "max"],
    "subset": ["--method", "subset", "--bits", "3"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random network with residual, depthwise, grouped, wide pointwise and Gemm layers, and samples for it."""
    folder = tmp_path_factory.mktemp("determinism")
    rng = np.random.default_rng(7)
    network = Network(rng, 17, shape=(3, 21, 19))
    x = network.add("Relu", network.convolution("x", 3, 24, pads=[1, 1, 1, 1]))
    y = network.add("Relu", network.convolution(x, 24, 24, group=24, pads=[1, 1, 1, 1]))
    y = network.convolution(y, 24, 24, kernel=(1, 1))
    x = network.add("Relu", network.add("Add", x, y))
    x = network.add("Relu", network.convolution(x, 24, 32, group=4, pads=[1, 1, 1, 1], strides=[2, 2]))
    x = network.add("Relu", network.convolution(x, 32, 300, kernel=(1, 1)))
    x = network.add("Relu", network.convolution(x, 300, 40, pads=[0, 1, 1, 0], strides=[2, 2]))
    x = network.add("Flatten", network.add("GlobalAveragePool", x))
    y = network.add("Gemm", x, network.normal(10, 40, spread=0.3), network.normal(10), transB=1)
    onnx.save(network.model(y), folder / "network.onnx")
    np.save(folder / "samples.npy", rng.normal(0, 1, (37, 3, 21, 19)).astype(np.float32))
    return folder


def quantize(folder: Path, name: str, options: list[str], **variables: str) -> bytes:
    output = folder / f"{name}.multipoint"
    result = subprocess.run(
        [os.environ["MULTIPOINT_COMMAND"], "quantize", "network.onnx", "--calibration", "samples.npy", *options, "-o", output],
        cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return output.read_bytes()


@pytest.mark.parametrize("method", METHODS)
def test_threads_do_not_change_a_byte(folder: Path, method: str) -> None:
    options = METHODS[method]
    expected = quantize(folder, f"{method}-1", [*options, "--threads", "1"], OMP_NUM_THREADS="1")
    for threads, omp in (("2", "1"), ("0", "2"), ("8", "1")):
        variables = {"OMP_NUM_THREADS": omp, "OPENBLAS_NUM_THREADS": omp}
        found = quantize(folder, f"{method}-{threads}-{omp}", [*options, "--threads", threads], **variables)
        assert found == expected, f"{method}: --threads {threads}, OMP_NUM_THREADS={omp}"


def test_methods_differ(folder: Path) -> None:
    """The comparison above is not one of equal files by accident."""
    files = {method: quantize(folder, f"{method}-again", options) for method, options in METHODS.items()}
    assert len(set(files.values())) == len(METHODS)
