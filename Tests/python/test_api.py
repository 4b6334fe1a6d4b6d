"""The package's surface: errors in the caller's words, arrays without copies, lifetimes, threads."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import multipoint
from memory import Guarded, fenced
from multipoint import Layer, Model, PackedWeights, Quantization, Session
from multipoint._tensors import TensorView, source_array
from packed_file import content, layer_entry, packed_tensors, quantization
from small_network import SmallNetwork


@pytest.fixture(scope="module")
def encoded() -> bytes:
    return SmallNetwork(np.random.default_rng(3)).encoded()


@pytest.fixture
def model(encoded):
    with Model.from_bytes(encoded) as model:
        yield model


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(4).uniform(0, 1, (2, 3, 8, 8)).astype(np.float32)


def example_layer(**options) -> Layer:
    rng = np.random.default_rng(9)
    weights = PackedWeights(
        [2, 1, 2, 2], [rng.integers(0, 16, (4, 27)), rng.integers(0, 4, (3, 27))],
        [np.arange(-15, 16, 2), np.arange(-3, 4, 2)], rng.uniform(0.1, 1, 7),
    )  # fmt: skip
    defaults = {"pads": (1, 1, 1, 1), "bias": [1, 2, 3, 4], "input_quantization": Quantization(0.25, 10)}
    return Layer.create((4, 3, 3, 3), weights, **(defaults | options))


# ----------------------------------------------------------------------------------------------------------------------
# The library


def run_python(source: str, **environment: str | None) -> str:
    """Runs a program in a fresh interpreter, with these variables set or (None) unset."""
    variables = dict(os.environ)
    for name, value in environment.items():
        if value is None:
            variables.pop(name, None)
        else:
            variables[name] = value
    result = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, env=variables, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_missing_library_lists_what_was_tried(tmp_path):
    copy_of_package(tmp_path)
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    program += "import multipoint\ntry: multipoint.build_info()\nexcept ImportError as error: print(error)"
    message = run_python(program, MULTIPOINT_LIBRARY="/nowhere/libmultipoint.so")
    assert "/nowhere/libmultipoint.so" in message and "MULTIPOINT_LIBRARY" in message
    message = run_python(program, MULTIPOINT_LIBRARY=None, LD_LIBRARY_PATH="/nowhere")
    assert "libmultipoint.so.0" in message or "oneDNN" in message


def test_foreign_library_is_refused():
    program = "import multipoint\ntry: multipoint.build_info()\nexcept ImportError as error: print(error)"
    message = run_python(program, MULTIPOINT_LIBRARY="libm.so.6")
    assert "multipoint_" in message


def copy_of_package(folder: Path) -> Path:
    """Without the library that a wheel brings."""
    copy = folder / "multipoint"
    shutil.copytree(os.path.dirname(multipoint.__file__), copy, ignore=shutil.ignore_patterns("*.so*", "__pycache__"))
    return copy


def test_library_without_onednn_says_what_to_install(tmp_path):
    """A library that needs another one which is not there, as ours without oneDNN."""
    library = tmp_path / "libmultipoint.so.0"
    missing = tmp_path / "libdnnl.so.0"
    for output, options in (
        (missing, ["-Wl,-soname,libdnnl.so.0"]),
        (library, ["-Wl,--no-as-needed", str(missing), "-Wl,-soname,libother.so"]),
    ):
        subprocess.run(["cc", "-shared", "-x", "c", "/dev/null", "-x", "none", *options, "-o", output], check=True)
    missing.unlink()
    program = "import multipoint\ntry: multipoint.build_info()\nexcept ImportError as error: print(error)"
    message = run_python(program, MULTIPOINT_LIBRARY=str(library))
    assert "libdnnl.so.0" in message and "apt-get install libdnnl0" in message


def test_library_in_the_packages_folder_is_found(tmp_path):
    copy = copy_of_package(tmp_path)
    os.symlink(os.path.abspath(os.environ["MULTIPOINT_LIBRARY"]), copy / "libmultipoint.so.0")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nimport multipoint\nprint(multipoint.library_version())"
    assert run_python(program, MULTIPOINT_LIBRARY=None).strip() == multipoint.__version__


def test_import_is_light():
    program = "import sys, multipoint\nprint(*sorted(sys.modules))"
    modules = set(run_python(program, MULTIPOINT_LIBRARY="/nowhere/libmultipoint.so").split())
    assert not modules & {"asyncio", "concurrent.futures", "scipy", "onnx", "safetensors"}


def test_import_and_use_print_nothing():
    program = (
        "import numpy as np, multipoint\n"
        "layer = multipoint.Layer.create((2, 3), np.ones((2, 3), np.float32))\n"
        "layer.plan().execute(np.ones((1, 3), np.float32))\n"
    )
    assert run_python(program) == ""


# ----------------------------------------------------------------------------------------------------------------------
# Errors


def test_missing_file(tmp_path):
    with pytest.raises(multipoint.FileError, match="nowhere.multipoint") as caught:
        Model(tmp_path / "nowhere.multipoint")
    assert isinstance(caught.value, OSError) and caught.value.status == 2


def test_folder_and_empty_file(tmp_path):
    with pytest.raises(multipoint.FileError):
        Model(tmp_path)
    (tmp_path / "empty").touch()
    with pytest.raises(multipoint.BadFormatError, match="empty"):
        Model(tmp_path / "empty")
    with pytest.raises(multipoint.BadFormatError):
        Model.from_bytes(b"")


def test_odd_paths(tmp_path, encoded):
    for name in ("ünïcode.multipoint", "with space", "日本"):
        path = tmp_path / name
        path.write_bytes(encoded)
        for form in (path, str(path), os.fsencode(path)):
            with Model(form) as model:
                assert model.name == "small"
    with pytest.raises(ValueError, match="null"):
        Model(str(tmp_path / "a\0b"))
    with pytest.raises(TypeError):
        Model(3)


def test_unknown_layer(model):
    with pytest.raises(multipoint.NotFoundError, match="conv9") as caught:
        model.layer("conv9")
    assert isinstance(caught.value, LookupError)


def test_session_of_weights_only_file():
    encoded = content(
        packed_tensors("w", [1], [np.array([[0, 1]])], [np.array([-1, 1])], [1]),
        [layer_entry("w", "Gemm", (1, 2), input=quantization(1, 0))],
    )
    with Model.from_bytes(encoded) as model, pytest.raises(multipoint.UnsupportedError):
        model.session()


@pytest.mark.parametrize("options", [{"maximum_batch": -1}, {"threads": -1}, {"maximum_batch": 2**62}])
def test_session_options_out_of_range(model, options):
    with pytest.raises(multipoint.MultipointError):
        model.session(**options)


def test_run_refuses_other_arrays(model, image):
    with model.session(maximum_batch=2) as session:
        for wrong, found in ((image.astype(np.float64), "float64"), (image.tolist(), "list"), (image > 0, "bool")):
            with pytest.raises(TypeError, match=f"input `image`.*float32.*{found}"):
                session.run(wrong)
        with pytest.raises(TypeError, match="float32"):
            session.run(image.astype(">f4"))
        with pytest.raises(ValueError, match="1 arrays expected .image., found 2"):
            session.run(image, image)
        for shape in ((2, 3, 8, 7), (2, 4, 8, 8), (3, 8, 8), (2, 3, 8, 8, 1), (3, 3, 8, 8), (0, 3, 8, 8)):
            with pytest.raises(multipoint.InvalidArgumentError, match="image|batch"):
                session.run(np.zeros(shape, np.float32))


def test_run_refuses_other_outputs(model, image):
    with model.session(maximum_batch=2) as session:
        for out, kind in (
            (np.zeros((2, 5)), TypeError),
            (np.zeros((2, 6), np.float32), ValueError),
            (np.zeros((5, 2), np.float32).T, ValueError),
            ([np.zeros((2, 5), np.float32)] * 2, ValueError),
        ):
            with pytest.raises(kind, match="logits|out"):
                session.run(image, out=out)
        frozen = np.zeros((2, 5), np.float32)
        frozen.flags.writeable = False
        with pytest.raises(ValueError, match="read-only"):
            session.run(image, out=frozen)


def test_overlapping_output_is_refused():
    with example_layer() as layer, layer.plan(height=6, width=6) as plan:
        memory = np.zeros(4 * 36, np.float32)
        with pytest.raises(multipoint.InvalidArgumentError, match="overlap"):
            plan.execute(memory[36:].reshape(1, 3, 6, 6), out=memory.reshape(1, 4, 6, 6))


@pytest.mark.parametrize(
    "options, kind, words",
    [
        ({}, multipoint.InvalidArgumentError, "height"),
        ({"height": 6}, multipoint.InvalidArgumentError, "width"),
        ({"height": -6, "width": 6}, multipoint.InvalidArgumentError, "height"),
        ({"height": 2**62, "width": 2**62}, multipoint.MultipointError, "."),
        ({"height": 6, "width": 6, "batch": -1}, multipoint.InvalidArgumentError, "batch"),
        ({"height": 6, "width": 6, "threads": -2}, multipoint.InvalidArgumentError, "threads"),
        ({"height": 6, "width": 6, "source_dtype": np.int32}, TypeError, "source_dtype: float32 or uint8.*int32"),
        ({"height": 6, "width": 6, "destination_dtype": "f8"}, TypeError, "destination_dtype.*float64"),
        ({"height": 6, "width": 6, "residual_dtype": "i1"}, TypeError, "residual_dtype.*int8"),
        ({"height": 6, "width": 6, "source_layout": "CHWN"}, ValueError, "source_layout: one of NCHW, NHWC"),
        ({"height": 6, "width": 6, "activation": "gelu"}, ValueError, "activation: .*relu.*'gelu'"),
        ({"height": 6, "width": 6, "destination_dtype": np.uint8}, multipoint.InvalidArgumentError, "scale"),
        (
            {"height": 6, "width": 6, "destination_dtype": np.int32, "activation": "relu"},
            multipoint.InvalidArgumentError,
            "activation",
        ),
        (
            {"height": 6, "width": 6, "destination_dtype": np.int32, "residual_dtype": np.float32},
            multipoint.InvalidArgumentError,
            "residual",
        ),
        (
            {"height": 6, "width": 6, "source_quantization": Quantization(1, 256)},
            multipoint.InvalidArgumentError,
            "zero",
        ),
        (
            {"height": 6, "width": 6, "source_quantization": Quantization(float("nan"), 0)},
            multipoint.InvalidArgumentError,
            "scale",
        ),
        (
            {"height": 6, "width": 6, "activation": "clip", "alpha": 2, "beta": 1},
            multipoint.InvalidArgumentError,
            "clip|alpha|activation",
        ),
    ],
)
def test_plan_options_out_of_range(options, kind, words):
    with example_layer() as layer, pytest.raises(kind, match=words):
        layer.plan(**options)


@pytest.mark.parametrize(
    "shape, options, sizes",
    [
        # Products of 2^81 and of 2^61, and outputs just beyond 2^31 elements.
        ((2**20, 1, 1, 1), {"pads": (2**14,) * 4}, {"batch": 2**31 - 1, "height": 1, "width": 1}),
        ((1, 1, 1, 1), {"pads": (2**14,) * 4}, {"batch": 2**31 - 1, "height": 1, "width": 1}),
        ((8, 1, 1, 1), {"pads": (0, 0, 2**14, 2**14)}, {"height": 1, "width": 1}),
        ((2**20, 1), {}, {"batch": 2**31 - 1}),
        ((4, 1), {}, {"batch": 2**29}),
    ],
)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_outputs_beyond_32_bit_indices(shape, options, sizes, layout):
    """A small input, but large pads or many channels."""
    with Layer.create(shape, np.ones(shape, np.float32), **options) as layer:
        with pytest.raises((multipoint.InvalidArgumentError, multipoint.UnsupportedError), match="2³¹"):
            layer.plan(**sizes, destination_layout=layout)


def test_execute_refuses_other_arrays():
    source = np.zeros((1, 3, 6, 6), np.float32)
    with example_layer() as layer:
        with layer.plan(height=6, width=6) as plan:
            with pytest.raises(TypeError, match="source: an array of float32 is expected, found uint8"):
                plan.execute(source.astype(np.uint8))
            with pytest.raises(ValueError, match="residual: this plan has none"):
                plan.execute(source, residual=np.zeros((1, 4, 6, 6), np.float32))
            with pytest.raises(multipoint.InvalidArgumentError, match="source"):
                plan.execute(np.zeros((1, 3, 6, 5), np.float32))
            with pytest.raises(ValueError, match=r"out: shape \(1, 4, 6, 6\)"):
                plan.execute(source, out=source)
        with layer.plan(height=6, width=6, residual_dtype=np.float32) as plan:
            with pytest.raises(ValueError, match="residual"):
                plan.execute(source)
            with pytest.raises(multipoint.InvalidArgumentError, match="residual"):
                plan.execute(source, residual=np.zeros((1, 4, 6, 5), np.float32))


@pytest.mark.parametrize(
    "options, kind, words",
    [
        ({"strides": (1,)}, ValueError, "strides: 2 numbers"),
        ({"strides": (-1, 1)}, multipoint.InvalidArgumentError, "strides"),
        ({"pads": (0, 0, -1, 0)}, multipoint.InvalidArgumentError, "pads"),
        ({"dilations": (1, -3)}, multipoint.InvalidArgumentError, "dilations"),
        ({"group": 3}, multipoint.InvalidArgumentError, "group"),
        ({"group": -1}, multipoint.InvalidArgumentError, "group"),
        ({"bias": [1, 2, 3]}, ValueError, "bias: shape"),
        ({"bias": [1, 2, 3, float("nan")]}, multipoint.InvalidArgumentError, "bias 3"),
        ({"bias": ["a"] * 4}, TypeError, "bias: float32"),
        ({"input_quantization": Quantization(-1, 0)}, multipoint.InvalidArgumentError, "input_scale|input scale"),
        ({"input_quantization": Quantization(1, -1)}, multipoint.InvalidArgumentError, "zero"),
        ({"output_quantization": Quantization(1, 300)}, multipoint.InvalidArgumentError, "zero"),
        ({"pads": (2**62, 0, 0, 0)}, multipoint.InvalidArgumentError, "pads"),
        ({"pads": (2**70, 0, 0, 0)}, ValueError, "pads"),
    ],
)
def test_layer_descriptions_out_of_range(options, kind, words):
    with pytest.raises(kind, match=words):
        example_layer(**options)


def test_layer_names_itself_in_errors():
    with pytest.raises(multipoint.InvalidArgumentError, match="stem/conv_1"):
        example_layer(name="stem/conv_1", bias=[1, 2, 3, float("inf")])


def test_weights_that_do_not_fit_the_shape():
    weights = PackedWeights([1], [np.zeros((1, 5), np.uint8)], [np.array([-1, 1])], [1])
    for shape in ((2, 5), (1, 6), (1, 5, 1), (0, 5), (1, -5)):
        with pytest.raises(ValueError, match="shape|channels|5|dimensions"):
            Layer.create(shape, weights)
    with pytest.raises(ValueError, match=r"weights: shape \(2, 3\)"):
        Layer.create((2, 3), np.zeros((3, 2), np.float32))
    with pytest.raises(multipoint.InvalidArgumentError, match="nan"):
        Layer.create((1, 2), np.array([[1, np.nan]], np.float32))


@pytest.mark.parametrize(
    "arguments, kind, words",
    [
        (([2], [[[0]]], [[-1, 1]], [1, 1]), ValueError, "points: up to 1"),
        (([1], [[[2]]], [[-1, 1]], [1]), ValueError, "codes 0: code 2"),
        (([1], [[[0]], [[0]]], [[-1, 1]], [1]), ValueError, "codes: one array per codebook"),
        (([1], [[[0]]], [[-1, 0, 1]], [1]), ValueError, "codebook 0"),
        (([1], [[[0]]], [[-200, 1]], [1]), ValueError, "codebook 0: values from -128 to 127"),
        (([1], [[[0]]], [[-1, 1]], [1, 2]), ValueError, r"scales: shape \(1,\)"),
        (([1, 1], [[[0]]], [[-1, 1]], [1, 2]), ValueError, r"codes 0: shape \(2, 1\)"),
        (([1.5], [[[0]]], [[-1, 1]], [1]), TypeError, "points: uint8"),
        (([0], [], [], []), ValueError, "row_length"),
    ],
)
def test_packed_weights_that_contradict_themselves(arguments, kind, words):
    with pytest.raises(kind, match=words):
        PackedWeights(*arguments)


def small_weights() -> PackedWeights:
    """Two channels of three weights, with a ladder."""
    return PackedWeights([2, 1], [[[0, 1, 1], [1, 0, 0]], [[1, 0, 1]]], [[-3, 3], [-1, 1]], [0.5, 2], ladder=[2])


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("points", [2, 2], r"codes 1: shape \(2, 3\)"),
        ("points", np.array([2, 3], np.uint8), "points: up to 2"),
        ("points", [[2, 1]], "points: 1 dimension"),
        ("codes", (), "codes: one array per codebook"),
        ("codes", ([[0, 1, 2], [1, 0, 0]], [[1, 0, 1]]), "codes 0: code 2"),
        ("codes", ([[0], [1]], [[1]]), r"codes 0: shape \(2, 3\)"),
        ("codebooks", ([-3, 3], [-1, 0, 1]), "codebook 1: 2, 4"),
        ("codebooks", ([-3, 3],), "codes: one array per codebook"),
        ("scales", np.ones(1, np.float32), r"scales: shape \(2,\)"),
        ("scales", np.ones(0, np.float32), r"scales: shape \(2,\)"),
        ("ladder", np.ones(0, np.int32), r"ladder: shape \(1,\)"),
        ("ladder", None, r"scales: shape \(3,\)"),
        ("row_length", 2**40, r"codes 0: shape \(2, 1099511627776\)"),
    ],
)
def test_packed_weights_changed_to_contradict_themselves(name, value, words):
    weights = small_weights()
    setattr(weights, name, value)
    with pytest.raises(ValueError, match=words):
        Layer.create((2, 3), weights)


def test_packed_weights_changed_in_place():
    weights = small_weights()
    weights.points[...] = 255
    with pytest.raises(ValueError, match="points: up to 2 are expected, as many as levels, found 255"):
        Layer.create((2, 3), weights)


def test_changed_packed_weights_are_read_by_their_strides_and_converted():
    """Also where the memory behind their last element, or before their first, cannot be read."""
    # 0.5 * (2 * [-3, 3, 3] + [1, -1, 1]) with the finest point's scale and the ladder's ratio; 2 * [3, -3, -3].
    expected = np.array([[-2.5, 2.5, 3.5], [6, -6, -6]])
    weights = small_weights()
    weights.scales = fenced(np.array([2, 0.5], np.float32))[::-1]
    weights.points = fenced(np.array([1, 2], np.uint8), fence="before")[::-1]
    weights.ladder = np.array([2], np.int64)
    weights.codebooks = ([-3, 3], fenced(np.array([1, -1], np.int8))[::-1])
    weights.codes = (np.array([[0, 1, 1], [1, 0, 0]], np.int64), fenced(np.array([[1, 0, 1]], np.uint8).T).T)
    rows = Layer.create((2, 3), weights).rows()
    np.testing.assert_array_equal(rows.values * rows.scales[:, np.newaxis], expected)
    weights.scales = np.array([0.25, 1], np.float64)
    rows = Layer.create((2, 3), weights).rows()
    np.testing.assert_array_equal(rows.values * rows.scales[:, np.newaxis], expected / 2)


@pytest.mark.parametrize("scale", [0, -1, float("inf"), float("nan")])
def test_scales_must_be_positive_and_finite(scale):
    weights = PackedWeights([1, 1], [np.zeros((2, 3), np.uint8)], [np.array([-1, 1])], [1, scale])
    with pytest.raises(multipoint.InvalidArgumentError, match="scale 1"):
        Layer.create((2, 3), weights)


def test_ladder_whose_rows_do_not_fit():
    weights = PackedWeights([2], [[[0]], [[0]]], [[-100, 100], [-1, 1]], [1], ladder=[2])
    with pytest.raises(multipoint.InvalidArgumentError, match="201"):
        Layer.create((1, 1), weights)


def test_pack_refuses_bad_matrices():
    matrix = np.ones((3, 4), np.float32)
    matrix[1, 2] = np.nan
    with pytest.raises(multipoint.InvalidArgumentError, match="(?i)nan"):
        multipoint.pack(matrix)
    matrix[1, 2] = np.inf
    with pytest.raises(multipoint.InvalidArgumentError, match="inf"):
        multipoint.pack(matrix)
    with pytest.raises(ValueError, match="matrix: 2 dimensions"):
        multipoint.pack(np.ones(3, np.float32))
    with pytest.raises(TypeError, match="matrix: float32"):
        multipoint.pack(np.ones((3, 4), complex))
    with pytest.raises(multipoint.InvalidArgumentError):
        multipoint.pack(np.ones((0, 4), np.float32))


@pytest.mark.parametrize(
    "options, kind",
    [
        ({"bits": 9}, multipoint.InvalidArgumentError),
        ({"bits": -1}, multipoint.InvalidArgumentError),
        ({"bits": 1, "codebook": "uniform"}, multipoint.InvalidArgumentError),
        ({"bits": 7, "codebook": "odd"}, multipoint.InvalidArgumentError),
        ({"codebook": "lattice"}, ValueError),
        ({"maximum_points": 256}, multipoint.InvalidArgumentError),
        ({"maximum_points": -1}, multipoint.InvalidArgumentError),
        ({"epsilon": -1}, multipoint.InvalidArgumentError),
        ({"epsilon": float("nan")}, multipoint.InvalidArgumentError),
        ({"second_moment": np.ones((3, 4))}, ValueError),
    ],
)
def test_pack_options_out_of_range(options, kind):
    with pytest.raises(kind):
        multipoint.pack(np.ones((3, 4), np.float32), **options)


# Good numbers modulo 2^32 or 2^64.
WRAPPED_32, WRAPPED_64 = (2**32 + 2, -(2**32) + 2), (2**64 + 2, -(2**64) + 2)


@pytest.mark.parametrize("name, values", [("threads", WRAPPED_32), ("maximum_batch", WRAPPED_64), ("maximum_work", WRAPPED_64)])
def test_session_options_are_not_wrapped(model, name, values):
    for value in values:
        with pytest.raises(ValueError, match=rf"^{name}: a number from .* expected, found {value}$"):
            model.session(**{name: value})
    model.session(**{name: np.int64(2**40 if name == "maximum_work" else 2)}).close()
    for value in (2.0, "2", None):
        with pytest.raises(TypeError, match=rf"^{name}: a whole number expected, found {value!r}$"):
            model.session(**{name: value})


@pytest.mark.parametrize(
    "name, values", [("threads", WRAPPED_32), ("height", WRAPPED_64), ("width", WRAPPED_64), ("batch", WRAPPED_64)]
)
def test_plan_options_are_not_wrapped(name, values):
    with example_layer() as layer:
        for value in values:
            with pytest.raises(ValueError, match=rf"^{name}: a number from .* expected, found {value}$"):
                layer.plan(**({"height": 5, "width": 5} | {name: value}))
        with pytest.raises(TypeError, match=rf"^{name}: a whole number expected, found 5.5$"):
            layer.plan(**({"height": 5, "width": 5} | {name: 5.5}))


@pytest.mark.parametrize("name", ["bits", "maximum_points"])
def test_pack_options_are_not_wrapped(name):
    for value in WRAPPED_32:
        with pytest.raises(ValueError, match=rf"^{name}: a number from .* expected, found {value}$"):
            multipoint.pack(np.ones((3, 4), np.float32), **{name: value})


def test_quantizations_and_layer_descriptions_are_not_wrapped():
    for value in WRAPPED_32:
        for name in ("input", "output"):
            with pytest.raises(ValueError, match=rf"^{name}_zero_point: .* found {value}$"):
                example_layer(**{f"{name}_quantization": Quantization(1, value)})
        for name in ("source", "destination", "residual"):
            with example_layer() as layer, pytest.raises(ValueError, match=rf"^{name}_zero_point: .* found {value}$"):
                layer.plan(height=5, width=5, **{f"{name}_quantization": Quantization(1, value)})
    for value in WRAPPED_64:
        for name, argument in [("group", value), ("strides", (1, value)), ("dilations", (value, 1)), ("pads", (value, 1, 1, 1))]:
            with pytest.raises(ValueError, match=rf"^{name}: .* found {value}$"):
                example_layer(**{name: argument})
    with pytest.raises(TypeError, match=r"^strides: a whole number expected, found 1.5$"):
        example_layer(strides=(1.5, 1))


# ----------------------------------------------------------------------------------------------------------------------
# Callbacks


def test_progress_and_log(encoded, tmp_path):
    path = tmp_path / "small.multipoint"
    path.write_bytes(encoded)
    fractions: list[float] = []
    messages: list[tuple[str, str]] = []
    with Model(path, progress=fractions.append, log=lambda *message: messages.append(message)):
        pass
    assert fractions and fractions == sorted(fractions)
    assert 0 <= fractions[0] and fractions[-1] == 1
    assert all(level in ("info", "warning") and words for level, words in messages)


def test_cancelling(encoded):
    with pytest.raises(multipoint.CancelledError):
        Model.from_bytes(encoded, progress=lambda fraction: True)


def test_exceptions_of_callbacks_reach_the_caller(encoded):
    def progress(fraction: float) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        Model.from_bytes(encoded, progress=progress)


# ----------------------------------------------------------------------------------------------------------------------
# Lifetimes


def test_use_after_close(encoded, image):
    model = Model.from_bytes(encoded)
    session, layer = model.session(), model.layer("conv1")
    plan = layer.plan(height=8, width=8)
    for thing in (model, session, layer, plan):
        assert not thing.closed
        thing.close()
        thing.close()
        assert thing.closed
        with pytest.raises(multipoint.ClosedError, match=type(thing).__name__), thing:
            pass
    for use in (
        lambda: model.name, lambda: model.has_graph, lambda: model.inputs, lambda: model.layers,
        lambda: model.layer("conv1"), lambda: model.session(), lambda: session.run(image[:1]), lambda: session.info,
        lambda: session.steps, lambda: session.profile(), lambda: session.start_profiling(), lambda: session.stop_profiling(),
        lambda: layer.rows(), lambda: layer.info, lambda: layer.plan(height=8, width=8),
        lambda: plan.execute(image[:1]), lambda: plan.info,
    ):  # fmt: skip
        with pytest.raises(multipoint.ClosedError, match="is closed"):
            use()
    assert "closed" in repr(model)


def test_profile(model, image):
    with model.session(maximum_batch=2) as session:
        session.run(image[:2])
        assert session.profile() == multipoint.Profile(batch=0, runs=0, seconds=0.0, steps=())
        session.start_profiling()
        for _ in range(3):
            session.run(image[:2])
        profile = session.profile()
        assert (profile.batch, profile.runs) == (2, 3)
        assert [(step.name, step.operation, step.implementation) for step in profile.steps] == [
            (step.name, step.operation, step.implementation) for step in session.steps
        ]
        assert profile.seconds == pytest.approx(sum(step.seconds for step in profile.steps))
        assert all(0 <= 3 * step.minimum_seconds <= step.seconds * 1.0001 for step in profile.steps)
        layers = [step for step in profile.steps if step.kind == "layer"]
        assert {step.name for step in layers} == {"conv1", "conv2", "classifier"}
        # conv1 is one row per channel: 8 x 3 x 3 x 3 weights at 8 x 8 positions of 2 images; it reads at least its input and
        # its weights, and writes its output, all of one byte.
        (first,) = [step for step in layers if step.name == "conv1"]
        assert first.operations == 2 * 216 * 64 * 2
        assert first.bytes >= 2 * 3 * 64 + 216 + 2 * 8 * 64
        assert all((step.operations > 0) == (step.kind == "layer") and step.bytes > 0 for step in profile.steps)
        session.stop_profiling()
        session.run(image[:2])
        assert session.profile() == profile
        session.start_profiling()
        session.run(image[:1])
        assert (session.profile().batch, session.profile().runs) == (1, 1)


def test_things_outlive_what_they_were_made_from(encoded, image):
    model = Model.from_bytes(encoded)
    with model.session() as session:
        expected = session.run(image[:1])
    layer = model.layer("conv2")
    session = model.session()
    model.close()
    plan = layer.plan(height=4, width=4)
    rows = layer.rows()
    layer.close()
    gc.collect()
    np.testing.assert_array_equal(session.run(image[:1]), expected)
    assert plan.execute(np.zeros((1, 8, 4, 4), np.float32)).shape == plan.info.destination_shape
    assert rows.values.shape[1] == 72


def test_handles_go_with_their_objects(encoded):
    model = Model.from_bytes(encoded)
    handle = weakref.ref(model._handle)
    model.close()
    assert handle() is None
    layer = example_layer()
    handle = weakref.ref(layer._handle)
    del layer
    gc.collect()
    assert handle() is None


def test_closing_waits_for_calls_in_progress():
    """A plan closed by one thread while others execute it stays alive until they are done."""
    image = np.zeros((1, 3, 64, 64), np.float32)
    for _ in range(20):
        layer = example_layer()
        plan = layer.plan(height=64, width=64, threads=1)
        started = threading.Barrier(3)

        def execute() -> int:
            started.wait()
            for done in range(10_000):
                try:
                    plan.execute(image)
                except multipoint.ClosedError:
                    return done
            return -1

        with ThreadPoolExecutor(2) as pool:
            counts = [pool.submit(execute) for _ in range(2)]
            started.wait()
            plan.close()
            assert all(count.result() >= 0 for count in counts)


def test_repeated_opening_does_not_leak(encoded, image):
    def resident() -> int:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def round_trip() -> None:
        with Model.from_bytes(encoded) as model, model.session(threads=1) as session:
            session.run(image[:1])
            with model.layer("conv1") as layer, layer.plan(height=8, width=8, threads=1) as plan:
                plan.execute(image[:1])

    for _ in range(100):
        round_trip()
    before = resident()
    for _ in range(300):
        round_trip()
    assert resident() - before < 8 << 20


def test_exit_with_open_handles():
    program = (
        "import numpy as np, multipoint\n"
        "layer = multipoint.Layer.create((2, 3), np.ones((2, 3), np.float32))\n"
        "plan = layer.plan()\n"
        "class Cycle: pass\n"
        "cycle = Cycle(); cycle.itself = cycle; cycle.plan = layer.plan()\n"
        "print(plan.execute(np.ones((1, 3), np.float32)).tolist())\n"
    )
    assert run_python(program) == "[[3.0, 3.0]]\n"


# ----------------------------------------------------------------------------------------------------------------------
# Arrays


def test_which_arrays_are_read_in_place():
    rng = np.random.default_rng(1)
    nchw = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
    channels_last = np.ascontiguousarray(nchw.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    unaligned = fenced(nchw.view(np.uint8)).reshape(-1).view(np.float32).reshape(nchw.shape)
    guarded = Guarded(nchw.shape, np.float32)
    guarded.array[...] = nchw
    assert not guarded.array.flags.aligned
    layouts = ("NCHW", "NHWC")
    for array in (nchw, channels_last, unaligned, guarded.array):
        assert source_array(array, np.float32, layouts, "x") is array
    for array in (nchw[:, ::-1], nchw[..., ::2], nchw.transpose(0, 1, 3, 2), np.broadcast_to(nchw[:1], nchw.shape)):
        taken = source_array(array, np.float32, layouts, "x")
        assert taken is not array and taken.flags.c_contiguous
        np.testing.assert_array_equal(taken, array)
    assert source_array(nchw, np.float32, ("NHWC",), "x") is not nchw
    view = TensorView(channels_last)
    assert list(view.struct.dimensions[:4]) == [2, 3, 4, 5]
    assert list(view.struct.strides[:4]) == [60, 1, 15, 3]
    assert view.struct.data == channels_last.__array_interface__["data"][0]
    assert view.struct.byte_count == nchw.nbytes


def forms_of(array: np.ndarray) -> list[np.ndarray]:
    """The same values in other orders and places of memory."""
    guarded = Guarded(array.shape, array.dtype)
    guarded.array[...] = array
    every_second = np.zeros((*array.shape[:-1], array.shape[-1] * 2), array.dtype)[..., ::2]
    every_second[...] = array
    frozen = array.copy()
    frozen.flags.writeable = False
    return [
        np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),
        np.asfortranarray(array),
        guarded.array,
        every_second,
        frozen,
        fenced(array, "NCHW", "after"),
        fenced(array, "NHWC", "before"),
        fenced(array, "NHWC", "after"),
    ]


def test_session_reads_every_form_of_an_array(model, image):
    with model.session(maximum_batch=2) as session:
        expected = session.run(image).copy()
        for form in forms_of(image):
            np.testing.assert_array_equal(session.run(form), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_plan_reads_every_form_of_an_array(dtype, layout):
    rng = np.random.default_rng(2)
    source = (rng.uniform(0, 50, (2, 3, 7, 6))).astype(dtype)
    residual = rng.uniform(0, 50, (2, 4, 7, 6)).astype(np.float32)
    with example_layer() as layer, layer.plan(
        batch=2, height=7, width=6, source_dtype=dtype, source_layout=layout, destination_layout=layout,
        residual_dtype=np.float32,
    ) as plan:  # fmt: skip
        expected = plan.execute(source, residual)
        for form, addend in zip(forms_of(source), forms_of(residual)):
            np.testing.assert_array_equal(plan.execute(form, addend), expected)


def test_destination_layouts(image):
    source = np.ones((1, 3, 6, 6), np.float32)
    with example_layer() as layer:
        with layer.plan(height=6, width=6) as plan:
            expected = plan.execute(source)
        with layer.plan(height=6, width=6, destination_layout="NHWC") as plan:
            found = plan.execute(source)
            assert found.transpose(0, 2, 3, 1).flags.c_contiguous
            np.testing.assert_array_equal(found, expected)
            with pytest.raises(ValueError, match="dense in NHWC"):
                plan.execute(source, out=expected)


def test_out_is_written_and_returned(model, image):
    with model.session(maximum_batch=2) as session:
        expected = session.run(image).copy()
        guarded = Guarded((2, 5), np.float32)
        assert session.run(image, out=guarded.array) is guarded.array
        np.testing.assert_array_equal(guarded.array, expected)
        assert guarded.intact
        assert session.run(image, out=[guarded.array]) is guarded.array


def test_failed_calls_leave_outputs_untouched(model, image):
    out = np.full((1, 5), 7, np.float32)
    with model.session(maximum_batch=2) as session, pytest.raises(multipoint.InvalidArgumentError):
        session.run(image[:1, :2], out=out)
    assert (out == 7).all()


def test_nan_inputs_do_not_crash(model, image):
    """The result of NaN and infinity is the library's choice; what follows is not disturbed."""
    with model.session(maximum_batch=2) as session:
        expected = session.run(image).copy()
        for value in (np.nan, np.inf, -np.inf, 3e38):
            assert session.run(np.full_like(image, value)).shape == (2, 5)
            np.testing.assert_array_equal(session.run(image), expected)


# ----------------------------------------------------------------------------------------------------------------------
# Threads


@pytest.mark.parametrize("threads", [1, 2])
def test_two_threads_share_a_plan(threads):
    rng = np.random.default_rng(6)
    sources = rng.integers(0, 256, (40, 1, 3, 30, 31)).astype(np.uint8)
    with example_layer() as layer, layer.plan(
        height=30, width=31, source_dtype=np.uint8, activation="relu", threads=threads
    ) as plan:
        expected = [plan.execute(source) for source in sources]
        with ThreadPoolExecutor(2) as pool:
            for _ in range(5):
                for found, reference in zip(pool.map(plan.execute, sources), expected):
                    np.testing.assert_array_equal(found, reference)


@pytest.mark.parametrize("threads", [1, 2])
def test_two_sessions_of_one_model(model, threads):
    images = np.random.default_rng(7).uniform(0, 1, (30, 2, 3, 8, 8)).astype(np.float32)
    with model.session(maximum_batch=2, threads=threads) as session:
        expected = [session.run(batch) for batch in images]

    def run_all(_: int) -> list[np.ndarray]:
        with Session(model, maximum_batch=2, threads=threads) as session:
            return [session.run(batch) for batch in images]

    with ThreadPoolExecutor(2) as pool:
        for results in pool.map(run_all, range(6)):
            for found, reference in zip(results, expected):
                np.testing.assert_array_equal(found, reference)


def test_threads_take_turns_in_one_session(model):
    images = np.random.default_rng(8).uniform(0, 1, (60, 1, 3, 8, 8)).astype(np.float32)
    with model.session(threads=1) as session:
        expected = [session.run(batch) for batch in images]
        with ThreadPoolExecutor(4) as pool:
            for found, reference in zip(pool.map(session.run, images), expected):
                np.testing.assert_array_equal(found, reference)


def test_calls_release_the_interpreter():
    """While one thread executes a long plan, another runs Python."""
    weights = np.ones((64, 64, 3, 3), np.float32)
    image = np.ones((1, 64, 256, 256), np.float32)
    ticks, done = 0, threading.Event()
    with Layer.create((64, 64, 3, 3), weights) as layer, layer.plan(height=256, width=256, threads=1) as plan:
        plan.execute(image)

        def execute() -> None:
            for _ in range(3):
                plan.execute(image)
            done.set()

        interval = sys.getswitchinterval()
        sys.setswitchinterval(100)  # a thread that does not release the lock keeps it
        try:
            worker = threading.Thread(target=execute)
            worker.start()
            while not done.is_set():
                ticks += 1
                done.wait(0.0005)
            worker.join()
        finally:
            sys.setswitchinterval(interval)
    assert ticks > 10


def test_fork_while_another_thread_runs_a_session(tmp_path):
    """The child has no thread that would give the session's turn back. It answers what the parent does."""
    path = tmp_path / "small.multipoint"
    path.write_bytes(SmallNetwork(np.random.default_rng(3)).encoded())
    program = (
        "import os, sys, threading, numpy as np, multipoint\n"
        f"session = multipoint.Model({str(path)!r}).session(maximum_batch=256, threads=1)\n"
        "images = np.random.default_rng(4).uniform(0, 1, (256, 3, 8, 8)).astype(np.float32)\n"
        "expected = session.run(images)\n"
        "stop = threading.Event()\n"
        "def work():\n"
        "    while not stop.is_set(): session.run(images)\n"
        "worker = threading.Thread(target=work)\n"
        "worker.start()\n"
        "results = []\n"
        "for _ in range(10):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        import signal; signal.alarm(20)\n"
        "        os._exit(0 if np.array_equal(session.run(images), expected) else 3)\n"
        "    results.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "    if results[-1] != 0: break\n"
        "stop.set()\n"
        "worker.join()\n"
        "sys.exit(results != [0] * 10)\n"
    )
    run_python(program)


def test_fork_while_another_thread_loads_the_library():
    program = (
        "import os, sys, threading, multipoint\n"
        "from multipoint import _library\n"
        "inside, leave = threading.Event(), threading.Event()\n"
        "load = _library._load\n"
        "def slow():\n"
        "    inside.set(); leave.wait(); return load()\n"
        "_library._load = slow\n"
        "worker = threading.Thread(target=multipoint.build_info)\n"
        "worker.start(); inside.wait()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    import signal; signal.alarm(20)\n"
        "    _library._load = load\n"
        "    os._exit(0 if multipoint.build_info() else 3)\n"
        "status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
        "leave.set(); worker.join()\n"
        "sys.exit(status)\n"
    )
    run_python(program)


def test_fork_after_a_run_with_threads():
    """In a forked child the library refuses or runs on one thread; it never hangs."""
    program = (
        "import os, sys, numpy as np, multipoint\n"
        "layer = multipoint.Layer.create((64, 8, 3, 3), np.ones((64, 8, 3, 3), np.float32))\n"
        "plan = layer.plan(height=64, width=64, threads=2)\n"
        "single = layer.plan(height=64, width=64, threads=1)\n"
        "image = np.ones((1, 8, 64, 64), np.float32)\n"
        "plan.execute(image)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    import signal; signal.alarm(20)\n"
        "    assert (single.execute(image) == 72).all()\n"
        "    try:\n"
        "        assert (plan.execute(image) == 72).all()\n"
        "    except multipoint.ForkedError:\n"
        "        pass\n"
        "    os._exit(0)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    run_python(program)
