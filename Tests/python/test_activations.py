"""What `quantize` records about activations, against ONNX Runtime and NumPy."""

from __future__ import annotations

import json
import struct

import numpy as np
import onnx
import pytest
from networks import Network, run_reference

import multipoint

SAMPLES = 48


def values_of(path) -> dict[str, tuple[float, int]]:
    """Scale and zero point of every value that the file says something about."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    graph = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["graph"])
    return {name: (entry["scale"], entry["zero_point"]) for name, entry in graph["values"].items()}


def rounded(x: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    return scale * (np.clip(np.rint(x.astype(np.float64) / scale) + zero_point, 0, 255) - zero_point)


def residual_network(rng: np.random.Generator) -> tuple[Network, dict[str, str]]:
    """Two blocks with a projection between them, a pool, a concatenation; the values that a program stores."""
    network = Network(rng, 13)
    stem = network.add("Relu", network.convolution("x", 6, 8, pads=[1, 1, 1, 1]))
    inner = network.add("Relu", network.convolution(stem, 8, 8, pads=[1, 1, 1, 1]))
    branch = network.convolution(inner, 8, 12, pads=[1, 1, 1, 1])
    shortcut = network.convolution(stem, 8, 12, kernel=(1, 1))
    joined = network.add("Relu", network.add("Add", shortcut, branch))
    pooled = network.add("MaxPool", joined, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    both = network.add("Concat", pooled, joined, axis=1)
    last = network.add("LeakyRelu", network.convolution(both, 24, 5, pads=[1, 1, 1, 1]), alpha=0.1)
    mean = network.add("Flatten", network.add("GlobalAveragePool", last))
    output = network.add("Gemm", mean, network.normal(5, 4), network.normal(4))
    stored = dict(
        stem=stem, inner=inner, joined=joined, pooled=pooled, both=both, last=last, mean=mean, output=output, x="x",
        branch=branch, shortcut=shortcut,
    )  # fmt: skip
    return network, stored


@pytest.fixture
def measured(rng, command, tmp_path):
    """Quantizes a network as asked; gives the file's scales and ONNX Runtime's values."""
    network, names = residual_network(rng)
    samples = rng.standard_t(4, (SAMPLES, *network.shape)).astype(np.float32)
    np.save(tmp_path / "samples.npy", samples)
    path, packed = tmp_path / "network.onnx", tmp_path / "network.multipoint"
    onnx.save(network.model(names["output"]), path)
    inner = [name for name in names.values() if name != "x"]
    values = dict(zip(inner, run_reference(network.model(*inner), samples)))
    values["x"] = samples

    def run(*options: str):
        command(
            "quantize", path, "--calibration", tmp_path / "samples.npy", "--layout", "nchw", "--bits", "6",
            "--relative-epsilon", "0", "--max-points", "2", *options, "--output", packed,
        )  # fmt: skip
        return packed, values_of(packed), names, values

    return run


@pytest.mark.parametrize("choice", ["min-max", "percentile:99.9", "mse", "output-aware", "best"])
def test_ranges(measured, choice):
    packed, found, names, values = measured("--activations", choice)
    extremes = {}
    for key, name in names.items():
        # Of the layers that an addition joins the larger kernel adds; its own result is stored nowhere. Outputs are float.
        if key in ("branch", "output"):
            assert name not in found
            continue
        x, (scale, zero_point) = values[name], found[name]
        low, high = min(0.0, float(x.min())), max(0.0, float(x.max()))
        extremes[name] = (high - low) / 255
        assert scale <= extremes[name] * 1.0001
        if low == 0:
            assert zero_point == 0
        error = np.square(rounded(x, scale, zero_point) - x).mean()
        widest = np.square(rounded(x, extremes[name], round(-low / extremes[name])) - x).mean()
        if choice == "min-max":
            assert scale == pytest.approx(extremes[name], rel=1e-4)
            assert abs(zero_point + low / scale) < 0.51
        elif choice == "percentile:99.9":
            top = np.quantile(x, 0.999, method="inverted_cdf")
            bottom = np.quantile(x, 0.001, method="inverted_cdf") if low < 0 else 0.0
            assert 255 * scale == pytest.approx(float(top - bottom), rel=0.02)
        elif choice == "mse":
            assert error <= 1.01 * widest
            for factor in np.linspace(0.1, 1, 40):
                other = factor * extremes[name]
                assert error <= 1.02 * np.square(rounded(x, other, round(-low / extremes[name])) - x).mean()
    with multipoint.Model(packed) as model, model.session(maximum_batch=SAMPLES) as session:
        output = session.run(values["x"])
    exact = values[names["output"]]
    floor = 20 if choice == "percentile:99.9" else 30
    assert 10 * np.log10(np.square(exact).sum() / np.square(output - exact).sum()) > floor


def test_bias_correction(measured):
    """The outputs' means are the float network's with correction, and not so near without."""
    distances = []
    for options in ([], ["--no-bias-correction"]):
        packed, _, names, values = measured("--bits", "2", "--max-points", "1", *options)
        with multipoint.Model(packed) as model, model.session(maximum_batch=SAMPLES) as session:
            output = session.run(values["x"])
        distances.append(np.abs(output.mean(axis=0) - values[names["output"]].mean(axis=0)).max())
    assert distances[0] < 1e-4 * np.abs(values[names["output"]]).max()
    assert distances[1] > 10 * distances[0]
