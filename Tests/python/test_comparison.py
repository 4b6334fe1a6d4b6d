"""`compare` and the baselines of `quantize`, against NumPy and the files that `quantize` writes."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from networks import Network, run_reference
from packed_file import read_file


def weights_of(layer: dict, tensors: dict) -> np.ndarray:
    """ŵ of a layer with free scales and one point per channel, as the format's page has it."""
    name, (channels, *rest) = layer["name"], layer["shape"]
    length = int(np.prod(rest))
    codebook = tensors[f"{name}.codebook.0"].astype(np.float64)
    bits = int(np.log2(len(codebook)))
    unpacked = np.unpackbits(tensors[f"{name}.codes.0"], axis=1, bitorder="little")[:, : length * bits]
    codes = unpacked.reshape(-1, length, bits) @ (1 << np.arange(bits))
    result = np.zeros((channels, length))
    result[tensors[f"{name}.points"] == 1] = codebook[codes] * tensors[f"{name}.scales"].astype(np.float64)[:, None]
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with 7 classes and a second output, without BatchNormalization, so that its weights are those of the file."""
    folder = tmp_path_factory.mktemp("comparison")
    rng = np.random.default_rng(3)
    network = Network(rng, 17, shape=(3, 10, 10))
    x = network.add("Relu", network.convolution("x", 3, 16, pads=[1, 1, 1, 1]))
    x = network.add("Relu", network.convolution(x, 16, 16, group=4, pads=[1, 1, 1, 1]))
    x = network.add("Relu", network.convolution(x, 16, 24, kernel=(1, 1)))
    flat = network.add("Flatten", network.add("GlobalAveragePool", x))
    logits = network.add("Gemm", flat, network.normal(7, 24, spread=0.5), network.normal(7), transB=1)
    onnx.save(network.model(logits), folder / "classifier.onnx")
    onnx.save(network.model(logits, x), folder / "two.onnx")
    calibration, images = (rng.normal(0, 1, (n, 3, 10, 10)).astype(np.float32) for n in (24, 50))
    np.save(folder / "calibration.npy", calibration)
    np.save(folder / "images.npy", images)
    best = run_reference(str(folder / "classifier.onnx"), images)[0].argmax(axis=1)
    np.save(folder / "labels.npy", np.where(np.arange(50) % 5 == 0, (best + 1) % 7, best))
    return folder


def packed(command, folder: Path, *options: object) -> tuple[dict, dict]:
    """Layers of a quantized file by name, and its tensors."""
    output = folder / "packed.multipoint"
    command("quantize", folder / "classifier.onnx", "--calibration", folder / "calibration.npy", *options, "-o", output)
    metadata, tensors = read_file(output)
    return {layer["name"]: layer for layer in json.loads(metadata["layers"])}, tensors


def original_weights(folder: Path) -> list[np.ndarray]:
    """In the order of the network: the weights of convolutions and of the Gemm, as matrices."""
    model = onnx.load(folder / "classifier.onnx")
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    names = [node.input[1] for node in model.graph.node if node.op_type in ("Conv", "Gemm")]
    return [constants[name].reshape(len(constants[name]), -1).astype(np.float64) for name in names]


@pytest.mark.parametrize("bits", range(2, 9))
def test_nearest_with_the_largest_weight_kept(command, folder: Path, bits: int) -> None:
    layers, tensors = packed(command, folder, "--method", "nearest", "--bits", bits, "--channel-scales", "max")
    largest = 2 ** (bits - 1) - 1
    for layer, w in zip(layers.values(), original_weights(folder), strict=True):
        scales = (np.abs(w).max(axis=1).astype(np.float32) / np.float32(largest)).astype(np.float32)
        np.testing.assert_allclose(tensors[f"{layer['name']}.scales"], scales, rtol=1e-6)
        found = weights_of(layer, tensors)
        # Every weight is as near as any multiple of the scale is.
        assert np.all(np.abs(found - w) <= scales[:, None] * (0.5 + 1e-5))
        steps = found / scales[:, None].astype(np.float64)
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-4)


@pytest.mark.parametrize("bits", [2, 3, 4, 6])
def test_nearest_with_the_best_scale(command, folder: Path, bits: int) -> None:
    layers, tensors = packed(command, folder, "--method", "nearest", "--bits", bits)
    largest = 2 ** (bits - 1) - 1
    for layer, w in zip(layers.values(), original_weights(folder), strict=True):
        found = ((weights_of(layer, tensors) - w) ** 2).sum(axis=1)
        # A plain search over a fine grid of scales.
        best = np.full(len(w), np.inf)
        for part in np.linspace(0.05, 1.2, 2000):
            scale = part * np.abs(w).max(axis=1, keepdims=True) / largest
            rounded = np.clip(np.round(w / scale), -largest, largest) * scale
            best = np.minimum(best, ((rounded - w) ** 2).sum(axis=1))
        assert np.all(found <= best * 1.005 + 1e-12)


def test_w8a8_is_nearest_rounding_to_8_bits(command, folder: Path) -> None:
    one = packed(command, folder, "--method", "w8a8")
    other = packed(command, folder, "--method", "nearest", "--bits", 8, "--channel-scales", "max")
    assert one[0] == other[0]
    assert all(np.array_equal(one[1][name], other[1][name]) for name in one[1])


def test_widths_at_the_ends(command, folder: Path) -> None:
    def widths(*options: object) -> list[int]:
        layers, tensors = packed(command, folder, *options)
        return [int(np.log2(len(tensors[f"{name}.codebook.0"]))) for name in layers]

    assert widths("--method", "nearest", "--bits", 3) == [3, 3, 3, 3]
    assert widths("--method", "nearest", "--bits", 3, "--last-bits", 6) == [3, 3, 3, 6]
    assert widths("--method", "subset", "--bits", 3) == [8, 3, 3, 8]
    assert widths("--method", "subset", "--bits", 3, "--first-bits", 7) == [7, 3, 3, 8]
    assert widths("--method", "subset", "--bits", 2, "--all-layers") == [2, 2, 2, 2]


def test_subset_has_one_scale_and_one_subset_per_layer(command, folder: Path) -> None:
    universal = {0, 1, 2, 3, 4, 6, 8, 9, 12, 16, 17, 18, 20, 24, 32}
    layers, tensors = packed(command, folder, "--method", "subset", "--bits", 4, "--all-layers")
    for name in layers:
        assert len(np.unique(tensors[f"{name}.scales"])) == 1
        magnitudes = set(np.abs(tensors[f"{name}.codebook.0"].astype(int)).tolist())
        assert len(magnitudes) == 8
        # Divided by its greatest common divisor, which puts it back into the universal set for some power of two or other.
        assert any({m * k for m in magnitudes} <= universal for k in range(1, 33))


def test_options_that_do_not_go_together(folder: Path) -> None:
    for options, word in [
        (["--method", "nearest", "--bits", "1"], "2 to 8"),
        (["--method", "nearest", "--budget", "3"], "--budget"),
        (["--method", "subset", "--bits", "5"], "2 to 4"),
        (["--method", "subset", "--all-layers", "--first-bits", "8"], "--all-layers"),
        (["--method", "w8a8", "--bits", "8"], "--bits"),
        (["--method", "single", "--channel-scales", "max"], "--channel-scales"),
    ]:
        status, _, errors = attempt("quantize", "x.onnx", "--calibration", "x.npy", "-o", folder / "never", *options)
        assert status == 64 and word in errors, errors


# compare


def attempt(*arguments: object) -> tuple[int, str, str]:
    result = subprocess.run(
        [os.environ["MULTIPOINT_COMMAND"], *map(str, arguments)], capture_output=True, text=True, timeout=600
    )
    return result.returncode, result.stdout, result.stderr


def entries(*names: str) -> list[str]:
    return [part for name in names for part in ("--entry", name)]


def test_compare_says_what_quantize_and_evaluate_say(command, folder: Path) -> None:
    methods = {
        "w8a8": ["--method", "w8a8"],
        "nearest:3:max": ["--method", "nearest", "--bits", 3, "--channel-scales", "max"],
        "greedy:3:0.02": ["--method", "greedy", "--bits", 3, "--relative-epsilon", 0.02],
        "subset:3:all": ["--method", "subset", "--bits", 3, "--all-layers"],
        "single:3": ["--method", "single", "--bits", 3],
        "ladder:5": ["--method", "ladder", "--budget", 5],
    }
    model = folder / "classifier.onnx"
    data = ["--images", folder / "images.npy", "--labels", folder / "labels.npy"]
    calibration = ["--calibration", folder / "calibration.npy"]
    result = json.loads(command("compare", model, *calibration, *data, *entries(*methods), "--json"))
    rows = {row["method"]: row for row in result["rows"]}
    assert list(rows) == ["float", *methods]
    assert result["images"] == 50 and result["calibration_images"] == 24
    assert rows["float"]["top1"] == 0.8  # every fifth label is wrong on purpose
    for name, options in methods.items():
        row, output = rows[name], folder / "one.multipoint"
        summary = json.loads(command("quantize", model, *calibration, *options, "-o", output, "--json"))
        assert row["file_bytes"] == output.stat().st_size
        assert row["bits_per_weight"] == pytest.approx(summary["totals"]["packed_bits_per_weight"])
        widths = [layer["bits"][0] for layer in summary["layers"]]
        assert row["base_bits"] == [min(widths), max(widths)]
        for flags, key in (([], "outputs"), (["--weights-only"], "weights_only")):
            evaluated = json.loads(command("evaluate", model, output, *data, *flags, "--json"))[1]
            assert row[key][0]["signal_to_noise"] == pytest.approx(evaluated["signal_to_noise"], rel=1e-4)
            if not flags:
                assert (row["top1"], row["top5"]) == (evaluated["top1"], evaluated["top5"])
                assert row["agreement"] == evaluated["agreement"]
    assert rows["w8a8"]["outputs"][0]["signal_to_noise"] > rows["nearest:3:max"]["outputs"][0]["signal_to_noise"]


def test_outputs_without_labels(command, folder: Path) -> None:
    model, images = folder / "two.onnx", folder / "images.npy"
    arguments = ["compare", model, "--calibration", folder / "calibration.npy", "--images", images, *entries("nearest:4")]
    text, result = command(*arguments), json.loads(command(*arguments, "--json"))
    row = result["rows"][1]
    assert "top1" not in row and len(row["outputs"]) == 2
    assert "top-1" not in text and "cosine" in text
    output = folder / "two.multipoint"
    calibration = ["--calibration", folder / "calibration.npy"]
    command("quantize", model, *calibration, "--method", "nearest", "--bits", 4, "-o", output)
    runs = [folder / "a.npy", folder / "b.npy"]
    command("run", output, "--input", images, "--output", runs[0], "--output", runs[1])
    expected = run_reference(str(model), np.load(images))
    evaluated = json.loads(command("evaluate", model, output, "--images", images, "--json"))[1]["outputs"]
    for found, again, path, y in zip(row["outputs"], evaluated, runs, expected, strict=True):
        x, y = np.load(path).astype(np.float64).ravel(), y.astype(np.float64).ravel()
        decibels = 10 * np.log10((y @ y) / ((x - y) @ (x - y)))
        assert found["signal_to_noise"] == pytest.approx(decibels, rel=1e-4)
        assert found["cosine"] == pytest.approx(x @ y / np.sqrt((x @ x) * (y @ y)), rel=1e-6)
        assert again["signal_to_noise"] == pytest.approx(decibels, rel=1e-4)


def test_a_method_that_fails_does_not_take_the_others_away(folder: Path) -> None:
    data = ["--calibration", folder / "calibration.npy", "--images", folder / "images.npy"]
    status, output, _ = attempt(
        "compare", folder / "classifier.onnx", *data, *entries("ladder:0.5", "nearest:4"), "--json"
    )
    failed, worked = json.loads(output)["rows"][1:]
    assert status == 1
    assert "at least" in failed["failure"] and "failure" not in worked
    assert worked["bits_per_weight"] > 4


def test_entries_that_are_none() -> None:
    for entry, words in [
        ("magic", ["no method is called `magic`", "ladder:BITS-PER-WEIGHT"]),
        ("nearest", ["nearest:BITS[:max|mse]"]),
        ("nearest:four", ["nearest:BITS"]),
        ("nearest:4:best", ["nearest:BITS"]),
        ("nearest:9", ["to 8 expected"]),
        ("subset:5", ["2 to 4"]),
        ("single:7", ["1 to 6"]),
        ("ladder:-1", ["more than 0"]),
        ("ladder:4:5", ["ladder:BITS-PER-WEIGHT"]),
        ("greedy:4:-1", ["epsilon"]),
        (":4", ["no method"]),
    ]:
        status, output, errors = attempt("compare", "x", "--calibration", "x", "--images", "x", f"--entry={entry}")
        assert status == 64 and output == "", errors
        for word in words:
            assert word in errors, errors
