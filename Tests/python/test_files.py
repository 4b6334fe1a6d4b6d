"""Packed files: made with NumPy and safetensors alone, and read by them."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest
import safetensors
from safetensors.numpy import load_file

import multipoint
from packed_file import content, layer_entry, packed_tensors, quantization
from reference import (
    Case,
    apply_rows,
    expected_rows,
    odd_codebook,
    per_channel,
    random_case,
    sum_rows,
    unpack_bits,
)
from small_network import SmallNetwork


def entry_of(name: str, case: Case) -> dict:
    geometry = case.geometry
    entry = layer_entry(name, "Conv" if len(geometry.shape) == 4 else "Gemm", geometry.shape)
    if len(geometry.shape) == 4:
        entry |= {
            "strides": list(geometry.strides),
            "pads": list(geometry.pads),
            "dilations": list(geometry.dilations),
            "group": geometry.group,
        }
    if case.ladder is not None:
        entry["ladder"] = case.ladder
    entry["input"] = quantization(case.input_scale, case.input_zero_point)
    return entry


def tensors_of(name: str, case: Case) -> dict[str, np.ndarray]:
    return packed_tensors(name, case.points, case.codes, case.codebooks, case.scales, case.bias)


def sizes(x: np.ndarray) -> dict[str, int]:
    return {"batch": x.shape[0], "height": x.shape[2], "width": x.shape[3]} if x.ndim == 4 else {"batch": x.shape[0]}


# ----------------------------------------------------------------------------------------------------------------------
# Weights-only files


@pytest.mark.parametrize("seed", range(40))
def test_weights_only_file(seed, tmp_path):
    """Several random layers in one file: descriptions, and results equal to integer sums in NumPy."""
    rng = np.random.default_rng([31, seed])
    cases = {f"block{index}/conv": random_case(rng) for index in range(3)}
    tensors: dict[str, np.ndarray] = {}
    for name, case in cases.items():
        tensors |= tensors_of(name, case)
    path = tmp_path / "weights.multipoint"
    path.write_bytes(
        content(tensors, [entry_of(name, case) for name, case in cases.items()], name="three", checksum=seed % 2 == 0)
    )
    with multipoint.Model(path) as model:
        assert model.name == "three"
        assert not model.has_graph and model.inputs == () and model.outputs == ()
        assert [info.name for info in model.layers] == list(cases)
        for info, (name, case) in zip(model.layers, cases.items()):
            check_description(info, case, tensors, name)
            check_sums(model, name, case)


def check_description(info: multipoint.LayerInfo, case: Case, tensors: dict[str, np.ndarray], name: str) -> None:
    geometry = case.geometry
    assert info.shape == geometry.shape
    assert (info.strides, info.pads, info.dilations) == (geometry.strides, geometry.pads, geometry.dilations)
    assert (info.group, info.channels, info.row_length) == (geometry.group, geometry.shape[0], geometry.row_length)
    assert not info.is_float and info.has_bias == (case.bias is not None)
    assert info.points == int(case.points.sum()) and info.maximum_points == int(case.points.max())
    assert info.input_quantization == multipoint.Quantization(case.input_scale, case.input_zero_point)
    assert info.output_quantization is None
    assert info.bytes == sum(tensor.nbytes for key, tensor in tensors.items() if key.startswith(name + "."))
    if not case.rows.need_split:
        assert info.rows == len(case.rows.scales)
    if case.ladder is not None:
        assert info.folded_rows == int((case.points > 1).sum())


def check_sums(model: multipoint.Model, name: str, case: Case) -> None:
    with model.layer(name) as layer:
        rows = layer.rows()
        options = {**sizes(case.x), "source_dtype": np.uint8}
        with layer.plan(**options, destination_dtype=np.int32) as plan:
            raw = plan.execute(case.x)
        expected = apply_rows(case.geometry, case.centred, rows.values.astype(np.int64), rows.channels)
        np.testing.assert_array_equal(raw, expected)
        channels = case.geometry.shape[0]
        mine = apply_rows(case.geometry, case.centred, case.rows.values, case.rows.channels)
        y = case.input_scale * sum_rows(mine, case.rows.scales, case.rows.channels, channels)
        bound = case.input_scale * sum_rows(
            apply_rows(case.geometry, np.abs(case.centred), np.abs(case.rows.values), case.rows.channels),
            case.rows.scales, case.rows.channels, channels,
        )  # fmt: skip
        bias = per_channel(np.zeros(channels) if case.bias is None else case.bias, y.ndim)
        with layer.plan(**options) as plan:
            error = np.abs(plan.execute(case.x) - (y + bias))
        assert (error <= 1e-5 * (np.abs(bias) + bound)).all(), str(case)


def test_model_from_bytes_equals_model_from_path(tmp_path):
    case = random_case(np.random.default_rng(5))
    encoded = content(tensors_of("w", case), [entry_of("w", case)])
    path = tmp_path / "w.multipoint"
    path.write_bytes(encoded)
    with multipoint.Model(path) as first:
        for buffer in (encoded, bytearray(encoded), memoryview(b"x" + encoded)[1:]):
            with multipoint.Model.from_bytes(buffer) as second:
                assert first.layers == second.layers
                np.testing.assert_array_equal(first.layer("w").rows().values, second.layer("w").rows().values)


def test_unknown_keys_and_unrelated_tensors_are_ignored():
    case = random_case(np.random.default_rng(6))
    entry = entry_of("w", case) | {"measured_by": "somebody", "remarks": [1, {"a": None}]}
    tensors = tensors_of("w", case) | {"unrelated": np.zeros((2, 3), np.float64)}
    with multipoint.Model.from_bytes(content(tensors, [entry], comment="a word", version="1.9")) as model:
        assert [info.name for info in model.layers] == ["w"]


# ----------------------------------------------------------------------------------------------------------------------
# Networks


def test_network_made_with_numpy(tmp_path):
    rng = np.random.default_rng(11)
    network = SmallNetwork(rng)
    path = tmp_path / "small.multipoint"
    path.write_bytes(network.encoded())
    x = rng.uniform(0, 1, (4, 3, 8, 8)).astype(np.float32)
    expected = network.expected(x)
    with multipoint.Model(path) as model:
        assert (model.name, model.has_graph) == ("small", True)
        (image,), (logits,) = model.inputs, model.outputs
        assert (image.name, image.shape, image.dtype) == ("image", (None, 3, 8, 8), np.float32)
        assert (logits.name, logits.shape) == ("logits", (None, 5))
        assert [info.is_float for info in model.layers] == [False, False, True]
        with model.session(maximum_batch=4) as session:
            found = session.run(x)
            assert found.dtype == np.float32 and found.shape == (4, 5)
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
            for image in range(4):
                np.testing.assert_array_equal(session.run(x[image : image + 1])[0], found[image])
            assert session.info.maximum_batch == 4
            assert len(session.steps) == session.info.step_count > 0


def test_results_do_not_depend_on_threads_batches_or_sessions(tmp_path):
    rng = np.random.default_rng(12)
    network = SmallNetwork(rng)
    x = rng.uniform(0, 1, (5, 3, 8, 8)).astype(np.float32)
    with multipoint.Model.from_bytes(network.encoded()) as model:
        results = []
        for threads in (1, 2, 3):
            for batch in (1, 2, 5):
                with model.session(maximum_batch=batch, threads=threads) as session:
                    parts = [session.run(x[start : start + batch]) for start in range(0, 5, batch)]
                    results.append(np.concatenate(parts))
        for result in results[1:]:
            np.testing.assert_array_equal(result, results[0])


# ----------------------------------------------------------------------------------------------------------------------
# Damage


def small_file() -> bytes:
    tensors = packed_tensors("w", [1, 1], [np.array([[0, 1, 2], [3, 2, 1]])], [odd_codebook(2)], [0.5, 0.25], [1, 2])
    return content(tensors, [layer_entry("w", "Gemm", (2, 3), input=quantization(0.5, 3))], name="tiny", checksum=True)


def test_every_truncation_is_refused():
    encoded = small_file()
    with multipoint.Model.from_bytes(encoded) as model:
        assert model.name == "tiny"
    for length in range(len(encoded)):
        with pytest.raises(multipoint.BadFormatError):
            multipoint.Model.from_bytes(encoded[:length])


def test_every_damaged_byte_is_refused_or_harmless():
    """One byte changed anywhere: refused, or (in free text of the header) a model like before, but never a crash."""
    encoded = small_file()
    data = 8 + int.from_bytes(encoded[:8], "little")
    for place in range(len(encoded)):
        for change in (0x01, 0x80, 0xFF):
            damaged = bytearray(encoded)
            damaged[place] ^= change
            try:
                with multipoint.Model.from_bytes(damaged) as model:
                    assert place < data, f"a changed byte of the data section, {place}, passes the checksum"
                    assert len(model.layers) <= 1
            except (multipoint.BadFormatError, multipoint.UnsupportedError) as error:
                assert str(error)


def replaced(tensors=(), entry=(), **metadata: str) -> bytes:
    stored = packed_tensors("w", [1, 1], [np.array([[0, 1, 2], [3, 2, 1]])], [odd_codebook(2)], [0.5, 0.25], [1, 2])
    stored |= dict(tensors)
    described = layer_entry("w", "Gemm", (2, 3)) | dict(entry)
    return content({name: array for name, array in stored.items() if array is not None}, [described], **metadata)


@pytest.mark.parametrize(
    "encoded, kind, words",
    [
        (replaced(version="2.0"), multipoint.UnsupportedError, "2.0"),
        (replaced(format="other"), multipoint.BadFormatError, "multipoint"),
        (replaced(crc32="00000000"), multipoint.BadFormatError, "crc32|checksum|CRC"),
        (replaced(layers="{"), multipoint.BadFormatError, "layers"),
        (replaced(layers="[" * 100_000), multipoint.BadFormatError, "layers|depth|nest"),
        (replaced(graph="[]"), multipoint.BadFormatError, "graph"),
        (replaced({"w.scales": None}), multipoint.BadFormatError, "w"),
        (replaced({"w.scales": np.array([0.5, np.nan], np.float32)}), multipoint.BadFormatError, "w"),
        (replaced({"w.scales": np.array([0.5, 0], np.float32)}), multipoint.BadFormatError, "w"),
        (replaced({"w.scales": np.array([0.5], np.float32)}), multipoint.BadFormatError, "w"),
        (replaced({"w.scales": np.array([0.5, 0.5])}), multipoint.BadFormatError, "w.scales"),
        (replaced({"w.bias": np.array([1, np.inf], np.float32)}), multipoint.BadFormatError, "w"),
        (replaced({"w.bias": np.zeros(3, np.float32)}), multipoint.BadFormatError, "w"),
        (replaced({"w.points": np.array([1, 2], np.uint8)}), multipoint.BadFormatError, "w"),
        (replaced({"w.codes.0": np.zeros((2, 2), np.uint8)}), multipoint.BadFormatError, "w.codes.0"),
        (replaced({"w.codebook.0": np.zeros(3, np.int8)}), multipoint.BadFormatError, "w"),
        (replaced({"w.codebook.0": None}), multipoint.BadFormatError, "w.codebook.0"),
        (replaced(entry={"shape": [2, 4, 1, 1]}), multipoint.BadFormatError, "w"),
        (replaced(entry={"shape": [2, 2**62]}), multipoint.BadFormatError, "w"),
        (replaced(entry={"shape": [2, -3]}), multipoint.BadFormatError, "w"),
        (replaced(entry={"operator": "LSTM"}), (multipoint.BadFormatError, multipoint.UnsupportedError), "LSTM"),
        (replaced(entry={"ladder": [2]}), multipoint.BadFormatError, "w"),
        (replaced(entry={"input": {"scale": -1, "zero_point": 0}}), multipoint.BadFormatError, "w"),
        (replaced(entry={"input": {"scale": 1, "zero_point": 256}}), multipoint.BadFormatError, "zero"),
    ],
)
def test_contradictions_are_refused_by_name(encoded, kind, words):
    with pytest.raises(kind, match=words):
        multipoint.Model.from_bytes(encoded)


# ----------------------------------------------------------------------------------------------------------------------
# Odd networks


def run_graph(shape: list, nodes: list[tuple], x: np.ndarray, tensors=None, layers=()) -> np.ndarray:
    """The value `y` of a network over the input `x`. A node is (operator, inputs, output, attributes or layer name)."""
    entries = []
    for operator, inputs, output, *rest in nodes:
        entry = {"operator": operator, "inputs": inputs, "outputs": [output]}
        if rest:
            entry["layer" if isinstance(rest[0], str) else "attributes"] = rest[0]
        entries.append(entry)
    graph = {
        "operator_set": 17,
        "inputs": [{"name": "x", "dtype": "float32", "shape": shape}],
        "outputs": [{"name": "y", "dtype": "float32"}],
        "nodes": entries,
    }
    with multipoint.Model.from_bytes(content(tensors or {}, list(layers), graph)) as model, model.session() as session:
        return session.run(x)


@pytest.mark.parametrize("start, end, step", [(0, 4, 2**63 - 1), (1, 2**63 - 1, 2**62), (3, -(2**63), -(2**63)), (-1, -9, -2)])
@pytest.mark.parametrize("axis", [1, 2, 3])
def test_slices_with_steps_of_any_size(rng, axis, start, end, step):
    x = rng.normal(size=(1, 4, 4, 4)).astype(np.float32)
    bounds = {"starts": start, "ends": end, "axes": axis, "steps": step}
    nodes = [("Constant", [], name, {"value_ints": [value]}) for name, value in bounds.items()]
    found = run_graph(["N", 4, 4, 4], [*nodes, ("Slice", ["x", *bounds], "z"), ("Relu", ["z"], "y")], x)
    index = [slice(None)] * 4
    index[axis] = slice(start, end, step)
    np.testing.assert_array_equal(found, np.maximum(x[tuple(index)], 0))


def test_scalars():
    two = ("Constant", [], "two", {"value_float": 2})
    x = np.full((), -3, np.float32)
    assert run_graph([], [("Relu", ["x"], "y")], x).tolist() == 0
    assert run_graph([], [two, ("Add", ["x", "two"], "y")], x).tolist() == -1
    assert run_graph([], [("Sigmoid", ["x"], "z"), ("Mul", ["z", "x"], "y")], x) == pytest.approx(-3 / (1 + np.exp(3)))
    found = run_graph([1, 1], [("Relu", ["x"], "z"), ("Squeeze", ["z"], "y")], np.full((1, 1), 5, np.float32))
    assert found.shape == () and found == 5


@pytest.mark.parametrize("zero_point", [0, 9])
def test_scales_without_an_inverse(zero_point):
    """1 / 1e-40 is infinite: values would be multiplied by it."""
    tensors = packed_tensors("w", [1], [[[1]]], [[0, 1]], [1])
    entry = layer_entry("w", "Conv", (1, 1, 1, 1), input=quantization(1e-40, zero_point))
    with pytest.raises((multipoint.BadFormatError, multipoint.UnsupportedError), match="(?i)scale"):
        run_graph(["N", 1, 1, 4], [("Conv", ["x"], "y", "w")], np.zeros((1, 1, 1, 4), np.float32), tensors, [entry])


# ----------------------------------------------------------------------------------------------------------------------
# Files of the command


@pytest.fixture(scope="module")
def packed_digits(command, digits, tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "digits.multipoint"
    command(
        "quantize", digits / "digits.onnx", "--calibration", digits / "calibration_images.npy",
        "--scale", "0.0625", "--bits", "4", "--output", path,
    )  # fmt: skip
    return path


def test_file_of_the_command_opens_with_safetensors(packed_digits):
    with safetensors.safe_open(packed_digits, framework="numpy") as file:
        metadata = file.metadata()
    assert metadata["format"] == "multipoint"
    assert metadata["version"] == "1.0"
    assert metadata["producer"]
    encoded = packed_digits.read_bytes()
    header = int.from_bytes(encoded[:8], "little")
    if "crc32" in metadata:
        assert metadata["crc32"] == f"{zlib.crc32(encoded[8 + header :]):08x}"
    tensors = load_file(packed_digits)
    layers = json.loads(metadata["layers"])
    assert layers
    for entry in layers:
        check_promised_tensors(entry, tensors)


def check_promised_tensors(entry: dict, tensors: dict[str, np.ndarray]) -> None:
    name, shape = entry["name"], entry["shape"]
    if f"{name}.bias" in tensors:
        assert tensors[f"{name}.bias"].dtype == np.float32 and tensors[f"{name}.bias"].shape == (shape[0],)
    if f"{name}.weight" in tensors:
        assert list(tensors[f"{name}.weight"].shape) == shape
        return
    length = int(np.prod(shape[1:]))
    points, scales = tensors[f"{name}.points"], tensors[f"{name}.scales"]
    assert points.dtype == np.uint8 and points.shape == (shape[0],)
    assert scales.dtype == np.float32 and (scales > 0).all() and np.isfinite(scales).all()
    assert scales.shape == ((shape[0],) if "ladder" in entry else (int(points.sum()),))
    for level in range(int(points.max())):
        codebook, codes = tensors[f"{name}.codebook.{level}"], tensors[f"{name}.codes.{level}"]
        bits = len(codebook).bit_length() - 1
        assert codebook.dtype == np.int8 and len(codebook) == 2**bits
        assert codes.dtype == np.uint8
        assert codes.shape == (int((points > level).sum()), (length * bits + 7) // 8)


def test_rows_of_the_commands_file_equal_numpy(packed_digits):
    """Codes of the file decoded bit by bit in Python give the library's rows."""
    with safetensors.safe_open(packed_digits, framework="numpy") as file:
        layers = json.loads(file.metadata()["layers"])
    tensors = load_file(packed_digits)
    compared = 0
    with multipoint.Model(packed_digits) as model:
        for entry in layers:
            name = entry["name"]
            if f"{name}.points" not in tensors:
                continue
            length = int(np.prod(entry["shape"][1:]))
            points = tensors[f"{name}.points"]
            codebooks = [tensors[f"{name}.codebook.{level}"] for level in range(int(points.max()))]
            codes = [
                unpack_bits(tensors[f"{name}.codes.{level}"], len(book).bit_length() - 1, length)
                for level, book in enumerate(codebooks)
            ]
            expected = expected_rows(points, codes, codebooks, tensors[f"{name}.scales"], entry.get("ladder"), length)
            rows = model.layer(name).rows()
            if expected.need_split:
                continue
            np.testing.assert_array_equal(rows.values, expected.values)
            np.testing.assert_array_equal(rows.scales, expected.scales)
            compared += 1
    assert compared > 0
