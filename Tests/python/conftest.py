"""Fixtures. MULTIPOINT_LIBRARY is the path of the library under test, MULTIPOINT_COMMAND that of the command."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

# Waiting OpenMP threads sleep instead of spinning: tests share the machine with whatever else runs. Read when the library loads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator seeded by the test's name: the same numbers on every run, others in every test."""
    return np.random.default_rng(list(request.node.nodeid.encode()))


@pytest.fixture(scope="session")
def command():
    """Runs the `multipoint` command with these arguments and returns its standard output."""
    path = os.environ.get("MULTIPOINT_COMMAND")
    assert path, "set MULTIPOINT_COMMAND to the path of the multipoint command"

    def run(*arguments: object) -> str:
        result = subprocess.run(
            [path, *(str(argument) for argument in arguments)], capture_output=True, text=True, timeout=600
        )
        assert result.returncode == 0, f"{arguments}:\n{result.stdout}\n{result.stderr}"
        return result.stdout

    return run


@pytest.fixture(scope="session")
def digits() -> Path:
    """The folder of the digits network."""
    return REPOSITORY / "Examples" / "digits"
