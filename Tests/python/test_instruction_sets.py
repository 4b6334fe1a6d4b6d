"""Row sums are equal on every x86-64 CPU: under each narrower instruction set the exact suite holds, and one packed file gives the same
sums, all of them those of 64-bit integers.

oneDNN reads DNNL_MAX_CPU_ISA when it is loaded, so each set needs a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from packed_file import content, layer_entry, packed_tensors, quantization
from reference import Case, Geometry, apply_rows, random_case

SUITE = Path(__file__).with_name("test_exactness.py")
SUMS = Path(__file__).with_name("row_sums.py")
# Every fifth of the random layers, and all of the rest that computes.
SELECTION = "not test_random_layer or 0] or 5]"
SETS = ["SSE41", "AVX", "AVX2", "AVX512_CORE"]
# Of each kind in the file.
LAYERS = 8


@pytest.mark.parametrize("instruction_set", SETS)
def test_exactness_under(instruction_set):
    run_under(instruction_set, "-m", "pytest", "-q", "--tb=short", "-k", SELECTION, SUITE)


def run_under(instruction_set: str | None, *arguments: object) -> None:
    """A Python process whose oneDNN knows this set; None: all that the machine has."""
    environment = {key: value for key, value in os.environ.items() if key != "DNNL_MAX_CPU_ISA"}
    if instruction_set is not None:
        environment["DNNL_MAX_CPU_ISA"] = instruction_set
    result = subprocess.run(
        [sys.executable, "-X", "faulthandler", *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stdout[-8000:] + result.stderr[-4000:]


def kind(geometry: Geometry) -> str:
    if len(geometry.shape) == 2:
        return "Gemm"
    if geometry.group > 1:
        return "depthwise" if geometry.shape[1] == 1 else "grouped"
    if geometry.dilations != (1, 1):
        return "dilated"
    return "strided" if geometry.strides != (1, 1) else "plain"


def cases() -> dict[str, Case]:
    """Layers of every kind that a file can hold, by name."""
    rng = np.random.default_rng(20_26)
    found: dict[str, list[Case]] = {}
    while len(found) < 6 or min(map(len, found.values())) < LAYERS:
        case = random_case(rng)
        # Levels that no channel reaches have no tensors; a layer without points has no sums.
        if case.points.size and case.points.min() > 0 and all(len(vectors) for vectors in case.codes):
            found.setdefault(kind(case.geometry), []).append(case)
    return {f"{kind}{i}": case for kind, cases in found.items() for i, case in enumerate(cases[:LAYERS])}


def packed(cases: dict[str, Case]) -> bytes:
    tensors, entries = {}, []
    for name, case in cases.items():
        geometry = case.geometry
        tensors |= packed_tensors(name, case.points, case.codes, case.codebooks, case.scales, case.bias)
        entry = layer_entry(name, "Gemm", geometry.shape)
        if len(geometry.shape) == 4:
            entry = layer_entry(
                name, "Conv", geometry.shape, strides=list(geometry.strides), pads=list(geometry.pads),
                dilations=list(geometry.dilations), group=geometry.group,
            )  # fmt: skip
        entry["input"] = quantization(case.input_scale, case.input_zero_point)
        entries.append(entry | ({"ladder": case.ladder} if case.ladder else {}))
    return content(tensors, entries)


def test_one_file_gives_the_same_sums(tmp_path):
    layers = cases()
    assert {"plain", "strided", "dilated", "grouped", "depthwise", "Gemm"} == {name.rstrip("0123456789") for name in layers}
    (tmp_path / "layers.multipoint").write_bytes(packed(layers))
    np.savez(tmp_path / "inputs.npz", **{name: case.x for name, case in layers.items()})
    found = {}
    for instruction_set in (*SETS, None):
        output = tmp_path / f"{instruction_set}.npz"
        run_under(instruction_set, SUMS, tmp_path / "layers.multipoint", tmp_path / "inputs.npz", output)
        with np.load(output) as arrays:
            found[instruction_set] = dict(arrays)
    # What was asked for is what ran, as far as the machine goes.
    assert len({str(arrays["instructions"]) for arrays in found.values()}) >= 3
    for name, case in layers.items():
        first = found[SETS[0]][name]
        for instruction_set, arrays in found.items():
            assert arrays[name].tobytes() == first.tobytes(), f"{name} under {instruction_set}: {case}"
        if not case.rows.need_split:
            expected = apply_rows(case.geometry, case.centred, case.rows.values, case.rows.channels)
            np.testing.assert_array_equal(first, expected, f"{name}: {case}")
