"""The references themselves, against plain loops and numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from memory import Guarded, fenced
from reference import Geometry, apply_rows, expected_rows, pack_bits, quantize, random_case, unpack_bits


def plain_convolution(geometry: Geometry, x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """ONNX Conv with one row per output channel, as the nested loops of its definition."""
    out, per_group, tall, wide = geometry.shape
    n, _, height, width = x.shape
    output_height, output_width = geometry.output_size(height, width)
    result = np.zeros((n, out, output_height, output_width), np.int64)
    for place in np.ndindex(result.shape):
        image, channel, top, left = place
        first = channel // (out // geometry.group) * per_group
        for c, i, j in np.ndindex(per_group, tall, wide):
            y = top * geometry.strides[0] + i * geometry.dilations[0] - geometry.pads[0]
            z = left * geometry.strides[1] + j * geometry.dilations[1] - geometry.pads[1]
            if 0 <= y < height and 0 <= z < width:
                result[place] += rows[channel].reshape(geometry.shape[1:])[c, i, j] * x[image, first + c, y, z]
    return result


@pytest.mark.parametrize(
    "geometry, size",
    [
        (Geometry((3, 2, 3, 2), (2, 1), (0, 1, 2, 3), (1, 2), 1), (5, 6)),
        (Geometry((4, 2, 2, 3), (1, 3), (3, 0, 0, 1), (2, 1), 2), (4, 7)),
        (Geometry((6, 1, 3, 3), (2, 2), (1, 1, 1, 1), (1, 1), 3), (5, 4)),
    ],
)
def test_convolution(rng, geometry, size):
    x = rng.integers(-255, 256, (2, geometry.shape[1] * geometry.group, *size))
    rows = rng.integers(-64, 65, (geometry.shape[0], geometry.row_length))
    found = apply_rows(geometry, x, rows, np.arange(geometry.shape[0]))
    np.testing.assert_array_equal(found, plain_convolution(geometry, x, rows))


def test_rows_of_a_ladder_worked_by_hand():
    codebooks = [np.array([-3, -1, 1, 3], np.int8), np.array([-1, 1], np.int8)]
    codes = [np.array([[3, 0], [1, 2]]), np.array([[0, 1]])]
    rows = expected_rows([2, 0, 1], codes, codebooks, [0.5, 9, 0.25], [2], 2)
    assert rows.values.tolist() == [[3 * 2 - 1, -3 * 2 + 1], [0, 0], [-1, 1]]
    assert rows.scales.tolist() == [0.5, 1, 0.25]
    assert rows.channels.tolist() == [0, 1, 2]


def test_rows_of_free_scales_worked_by_hand():
    codebooks = [np.array([-3, -1, 1, 3], np.int8), np.array([-1, 1], np.int8)]
    codes = [np.array([[3, 0], [1, 2]]), np.array([[0, 1]])]
    rows = expected_rows([1, 0, 2], codes, codebooks, [0.5, 2, 0.25], None, 2)
    assert rows.values.tolist() == [[3, -3], [0, 0], [-1, 1], [-1, 1]]
    assert rows.scales.tolist() == [0.5, 1, 2, 0.25]
    assert rows.channels.tolist() == [0, 1, 2, 2]


def test_bits_worked_by_hand():
    # 3-bit codes 5, 3, 6 from the least significant bit: 101, 110, 011 reading upwards -> 1011 1001 1...
    packed = pack_bits(np.array([[5, 3, 6]]), 3)
    assert packed.tolist() == [[0b10011101, 0b1]]
    assert unpack_bits(packed, 3, 3).tolist() == [[5, 3, 6]]


def test_rounding_is_to_even_and_clamped():
    assert quantize(np.array([0.5, 1.5, 2.5, -9, 1000]), 1.0, 3).tolist() == [3, 5, 5, 0, 255]


def test_random_cases_reach_every_kind_of_layer():
    cases = [random_case(np.random.default_rng(seed)) for seed in range(300)]
    convolutions = [case for case in cases if len(case.geometry.shape) == 4]
    assert len(convolutions) < len(cases)
    assert any(case.rows.need_split for case in cases)
    assert any(case.ladder for case in cases) and any(case.ladder is None for case in cases)
    assert {int(count) for case in cases for count in case.points} == {0, 1, 2, 3, 4, 5}
    assert {len(book) for case in cases for book in case.codebooks} == {2, 4, 8, 16, 32, 64, 128, 256}
    assert any(1 < case.geometry.group == case.x.shape[1] for case in convolutions)
    assert any(1 < case.geometry.group < case.x.shape[1] for case in convolutions)
    assert any(len(set(case.geometry.pads)) > 2 for case in convolutions)
    assert {0, 255} <= {case.input_zero_point for case in cases}


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_guards_and_fences(layout):
    guarded = Guarded((1, 2, 3, 4), np.float32, layout)
    guarded.array[...] = 1
    assert guarded.intact
    guarded._block[-1] = 0
    assert not guarded.intact
    values = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    for fence in ("before", "after"):
        np.testing.assert_array_equal(fenced(values, layout, fence), values)
