"""Sessions come and go without leaving memory behind."""

from __future__ import annotations

import ctypes
import os

import numpy as np
import pytest

from runtime import run, session


def resident_bytes() -> int:
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.parametrize("granularity", ["network", "layer"])
def test_fifty_sessions(command, packed, images, tmp_path, granularity):
    command("export", "--granularity", granularity, packed, "--output", tmp_path / "digits.onnx")
    expected, early = None, 0
    for number in range(50):
        network = session(tmp_path / "digits.onnx")
        result = run(network, images[:8])[0]
        assert expected is None or np.array_equal(result, expected)
        expected = result
        del network
        if number == 9:
            early = resident_bytes()
    assert resident_bytes() - early < 2 << 20
