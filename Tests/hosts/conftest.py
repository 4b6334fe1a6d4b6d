"""Fixtures. The environment says where things are: MULTIPOINT_LIBRARY, MULTIPOINT_COMMAND; TRITON_SERVER (the program) and
TRITON_BACKENDS (the folder with multipoint/libtriton_multipoint.so in it)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "Tests" / "python"))  # packed files made with NumPy

# Waiting OpenMP threads sleep instead of spinning: servers and clients share the machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import multipoint  # noqa: E402

from packed_networks import two_branches  # noqa: E402
from triton import Repository  # noqa: E402


@pytest.fixture(scope="session")
def digits() -> Path:
    """The folder of the digits network."""
    return REPOSITORY / "Examples" / "digits"


@pytest.fixture(scope="session")
def packed_digits(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The digits network, packed as its README says."""
    path = tmp_path_factory.mktemp("digits") / "digits.multipoint"
    subprocess.run(
        [os.environ["MULTIPOINT_COMMAND"], "quantize", digits / "digits.onnx", "--calibration", digits / "calibration_images.npy",
         "--scale", "0.0625", "--bits", "4", "--output", path],
        check=True, capture_output=True,
    )  # fmt: skip
    return path.read_bytes()


@pytest.fixture(scope="session")
def images(digits: Path) -> np.ndarray:
    """float32 [450, 1, 8, 8]"""
    stored = np.load(digits / "heldout_images.npy")
    return np.ascontiguousarray(stored.transpose(0, 3, 1, 2).astype(np.float32) * np.float32(0.0625))


@pytest.fixture(scope="session")
def logits(packed_digits: bytes, images: np.ndarray) -> np.ndarray:
    """What the C interface answers for the images, one at a time."""
    with multipoint.Model.from_bytes(packed_digits) as model, model.session(threads=1) as session:
        return np.concatenate([session.run(image[np.newaxis]) for image in images])


@pytest.fixture(scope="session")
def packed_branches() -> bytes:
    """A network of two inputs and two outputs."""
    return two_branches("N")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "models")


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator seeded by the test's name: the same numbers on every run, others in every test."""
    return np.random.default_rng(list(request.node.nodeid.encode()))
