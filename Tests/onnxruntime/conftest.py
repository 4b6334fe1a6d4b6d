"""Fixtures. MULTIPOINT_ORT is the plugin under test; MULTIPOINT_LIBRARY and MULTIPOINT_COMMAND are as for Tests/python."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# Waiting OpenMP threads sleep instead of spinning. Read when the library loads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator seeded by the test's name: the same numbers on every run, others in every test."""
    return np.random.default_rng(list(request.node.nodeid.encode()))


@pytest.fixture(scope="session")
def command():
    """Runs the `multipoint` command and returns its standard output, or with `fails=True` its standard error."""
    path = os.environ.get("MULTIPOINT_COMMAND")
    assert path, "set MULTIPOINT_COMMAND to the path of the multipoint command"

    def run(*arguments: object, fails: bool = False) -> str:
        result = subprocess.run(
            [path, *(str(argument) for argument in arguments)], capture_output=True, text=True, timeout=600
        )
        assert (result.returncode != 0) == fails, f"{arguments}:\n{result.stdout}\n{result.stderr}"
        return result.stderr if fails else result.stdout

    return run


@pytest.fixture(scope="session")
def digits() -> Path:
    """The folder of the digits network."""
    return REPOSITORY / "Examples" / "digits"


@pytest.fixture(scope="session")
def images(digits: Path) -> np.ndarray:
    """The digits network's held-out images as its input."""
    stored = np.load(digits / "heldout_images.npy")
    return np.ascontiguousarray(stored.transpose(0, 3, 1, 2), np.float32) * np.float32(0.0625)


@pytest.fixture(scope="session")
def packed(command, digits: Path, tmp_path_factory) -> Path:
    """The digits network, packed as the command packs by default."""
    path = tmp_path_factory.mktemp("packed") / "digits.multipoint"
    command(
        "quantize", digits / "digits.onnx", "--calibration", digits / "calibration_images.npy", "--scale", 0.0625,
        "--output", path,
    )  # fmt: skip
    return path


@pytest.fixture(scope="session")
def trained() -> dict[str, Path]:
    """Packed files of the tree: a ladder whose points fold, and greedy points whose further rows are summed."""
    folder = REPOSITORY / "Tests" / "MultipointRuntimeTests" / "Trained"
    return {name: folder / f"{name}.multipoint" for name in ("ladder", "greedy")}
