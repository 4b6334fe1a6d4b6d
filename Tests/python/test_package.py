"""The package as users get it: the wheel and its tag, the types, importing, `python -m multipoint`, the examples."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import multipoint
from conftest import REPOSITORY
from small_network import SmallNetwork

PACKAGE = REPOSITORY / "Sources" / "Python"
EXAMPLES = REPOSITORY / "Examples" / "python"
LIBRARY = Path(os.environ["MULTIPOINT_LIBRARY"]).resolve()


def run(*arguments: object, expect: int = 0, cwd: Path | None = None, **environment: str | None) -> str:
    """Runs a program, with these variables set or (None) unset; gives its output, and after it what it said of errors."""
    variables = {name: value for name, value in {**os.environ, **environment}.items() if value is not None}
    result = subprocess.run(
        [str(argument) for argument in arguments], capture_output=True, text=True, env=variables, cwd=cwd, timeout=600
    )
    assert result.returncode == expect, f"{arguments}:\n{result.stdout}\n{result.stderr}"
    return result.stdout + result.stderr


# ----------------------------------------------------------------------------------------------------------------------
# The wheel


def build_wheel(folder: Path, library: str | None, expect: int = 0) -> str:
    """By pip, from a copy of the package, and with the installed hatchling: the tests stay off the network."""
    source = folder / "repository" / "Sources" / "Python"
    source.mkdir(parents=True)
    run("cp", "-r", *(PACKAGE / name for name in ("multipoint", "pyproject.toml", "README.md", "wheel_library.py")), source)
    return run(
        sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "-w", folder, source,
        expect=expect, MULTIPOINT_LIBRARY=library,
    )  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build_wheel(folder, str(LIBRARY))
    (path,) = folder.glob("*.whl")
    return path


def test_wheel_carries_the_library(wheel):
    assert wheel.name == f"multipoint-{multipoint.__version__}-py3-none-linux_x86_64.whl"
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("multipoint/libmultipoint.so.0") == LIBRARY.read_bytes()
        names = set(archive.namelist())
    assert {"multipoint/py.typed", "multipoint/__init__.py", "multipoint/__main__.py"} <= names
    assert not {name for name in names if "wheel_library" in name or name.endswith((".pyc", ".swift"))}


def test_tag_is_right_for_what_the_library_needs(wheel):
    """auditwheel finds no tag of more machines: oneDNN and GNU OpenMP are the system's, and the C library is the builder's."""
    report = json.loads(run(sys.executable, "-m", "auditwheel", "show", "--json", wheel).partition("INFO:")[0])
    print(report)
    assert "linux_x86_64" in json.dumps(report)
    needed = run("readelf", "-dW", LIBRARY)
    assert "libdnnl.so" in needed and "libgomp.so" in needed
    plain = " ".join(run(sys.executable, "-m", "auditwheel", "show", wheel).split())
    assert 'consistent with the following platform tag: "linux_x86_64"' in plain


def test_wheel_alone_runs(wheel, tmp_path, digits):
    """Unpacked into a folder, with nothing that tells it of another library."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = (
        "import numpy as np, multipoint\n"
        "layer = multipoint.Layer.create((2, 3), np.ones((2, 3), np.float32))\n"
        "print(layer.plan().execute(np.ones((1, 3), np.float32)).tolist(), multipoint.library_path())\n"
    )
    said = run(
        sys.executable, "-P", "-c", program, PYTHONPATH=str(tmp_path), MULTIPOINT_LIBRARY=None, LD_LIBRARY_PATH=None
    )
    assert said.split("]] ")[0] == "[[3.0, 3.0"
    assert said.strip().endswith(str(tmp_path / "multipoint" / "libmultipoint.so.0"))


def repository(folder: Path, *files: str) -> Path:
    """A folder that holds the library where a build leaves it, and these empty files."""
    built = folder / "repository" / "build" / "lib"
    built.mkdir(parents=True)
    (built / "libmultipoint.so.0").symlink_to(LIBRARY)
    for file in files:
        path = folder / "repository" / file
        path.parent.mkdir(parents=True)
        path.touch()
    return folder


def test_wheel_takes_the_build_of_the_repository(tmp_path):
    build_wheel(repository(tmp_path, "include/multipoint.h"), None)
    assert [path.name for path in tmp_path.glob("*.whl")] == [f"multipoint-{multipoint.__version__}-py3-none-linux_x86_64.whl"]


def test_wheel_takes_nothing_from_where_no_source_tree_is(tmp_path):
    assert "not in Multipoint's source tree" in build_wheel(repository(tmp_path), None, expect=1)


def test_wheel_without_a_library(tmp_path):
    build_wheel(tmp_path, "none")
    assert [path.name for path in tmp_path.glob("*.whl")] == [f"multipoint-{multipoint.__version__}-py3-none-any.whl"]


def test_no_library_for_the_wheel_is_said(tmp_path):
    said = build_wheel(tmp_path / "a", None, expect=1)
    assert "cmake -S . -B build" in said and "MULTIPOINT_LIBRARY=" in said
    said = build_wheel(tmp_path / "b", "/nowhere/libmultipoint.so", expect=1)
    assert "/nowhere/libmultipoint.so" in said
    said = build_wheel(tmp_path / "c", str(PACKAGE / "README.md"), expect=1)
    assert "no shared library for x86-64" in said
    assert not list(tmp_path.rglob("*.whl"))


# ----------------------------------------------------------------------------------------------------------------------
# Types and names


def test_types():
    """The package, the examples and a user's program, as mypy sees them."""
    user = Path(__file__).with_name("typed_user.py")
    run(
        sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--cache-dir=/dev/null",
        PACKAGE / "multipoint", *EXAMPLES.glob("*.py"), user, cwd=PACKAGE, MYPYPATH=str(PACKAGE),
    )  # fmt: skip


def test_every_name_is_where_the_types_say():
    tree = ast.parse((PACKAGE / "multipoint" / "__init__.py").read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and isinstance(node.test, ast.Name)]
    typed = {(node.module, alias.name) for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    homes = {(module, name) for module, names in multipoint._HOMES.items() for name in names.split()}
    assert typed == homes
    for _, name in homes:
        assert getattr(multipoint, name).__module__.startswith("multipoint.")
    for name in multipoint.__all__:
        assert hasattr(multipoint, name) and name in dir(multipoint)
    assert {name for _, name in homes} <= set(multipoint.__all__)
    with pytest.raises(AttributeError, match="nothing_here"):
        multipoint.nothing_here


def test_importing_waits_with_numpy():
    program = "import sys, multipoint\nprint(*sys.modules)\nmultipoint.Model\nprint(*sys.modules)"
    before, after = (set(line.split()) for line in run(sys.executable, "-c", program).splitlines())
    assert not before & {"numpy", "ctypes", "dataclasses", "inspect", "subprocess", "json"}
    assert "numpy" in after


# ----------------------------------------------------------------------------------------------------------------------
# python -m multipoint


def test_information():
    said = run(sys.executable, "-m", "multipoint")
    assert f"package  {multipoint.__version__}\n" in said
    assert f"library  {LIBRARY}\n" in said
    assert multipoint.build_info() in said


def test_information_about_a_file(tmp_path):
    path = tmp_path / "small.multipoint"
    path.write_bytes(SmallNetwork(np.random.default_rng(3)).encoded())
    said = run(sys.executable, "-m", "multipoint", path)
    assert "small, a network" in said
    assert "input    image  float32 [N, 3, 8, 8]\noutput   logits  float32 [N, 5]\n" in said
    rows = [line.split() for line in said.splitlines()]
    assert ["conv1", "Conv", "8x3x3x3"] in [row[:3] for row in rows]
    assert ["classifier", "Gemm", "5x8", "32.00", "float"] in rows


def test_information_about_what_is_none(tmp_path):
    assert "nowhere" in run(sys.executable, "-m", "multipoint", tmp_path / "nowhere", expect=1)
    said = run(sys.executable, "-m", "multipoint", expect=1, MULTIPOINT_LIBRARY="/nowhere/libmultipoint.so")
    assert "/nowhere/libmultipoint.so" in said and "Traceback" not in said


# ----------------------------------------------------------------------------------------------------------------------
# Examples


@pytest.mark.parametrize(("example", "option"), [("threads.py", "--workers"), ("asyncio_requests.py", "--sessions")])
def test_concurrent_examples(example, option, digits, tmp_path):
    multipoint.quantize(
        digits / "digits.onnx", tmp_path / "digits.multipoint", method="single", scale=0.0625, limit=64,
        calibration=digits / "calibration_images.npy",
    )  # fmt: skip
    images = digits / "heldout_images.npy"
    for count in (1, 4):
        network = tmp_path / "digits.multipoint"
        said = run(sys.executable, EXAMPLES / example, network, images, "--scale", 0.0625, option, count)
        assert "450" in said and "as in one batch" in said
