"""The exact suite once more under each narrower instruction set: row sums are equal on every x86-64 CPU.

oneDNN reads DNNL_MAX_CPU_ISA when it is loaded, so each set needs a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = Path(__file__).with_name("test_exactness.py")
# Every fifth of the random layers, and all of the rest that computes.
SELECTION = "not test_random_layer or 0] or 5]"


@pytest.mark.parametrize("instruction_set", ["SSE41", "AVX", "AVX2", "AVX512_CORE"])
def test_exactness_under(instruction_set):
    result = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", "pytest", "-q", "--tb=short", "-k", SELECTION, SUITE],
        env={**os.environ, "DNNL_MAX_CPU_ISA": instruction_set},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stdout[-8000:] + result.stderr[-4000:]
