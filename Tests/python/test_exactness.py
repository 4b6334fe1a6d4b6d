"""Layers against NumPy: raw row sums equal 64-bit integer sums exactly; float and 8-bit results follow from them."""

from __future__ import annotations

import numpy as np
import pytest

import multipoint
from memory import Guarded, fenced
from multipoint import Layer, PackedWeights, Quantization
from reference import (
    Case,
    Geometry,
    Rows,
    activate,
    apply_rows,
    expected_rows,
    odd_codebook,
    pack_bits,
    per_channel,
    quantize,
    random_case,
    sum_rows,
    unpack_bits,
)

CASES = 320
ACTIVATIONS = [("identity", 0, 0), ("relu", 0, 0), ("leaky_relu", 0.1, 0), ("clip", -0.5, 6), ("sigmoid", 0, 0)]
LAYOUTS = ["NCHW", "NHWC"]


def layer_of(case: Case) -> Layer:
    weights = PackedWeights(
        case.points, case.codes, case.codebooks, case.scales, case.ladder, row_length=case.geometry.row_length
    )
    return create(case.geometry, weights, case.bias, Quantization(case.input_scale, case.input_zero_point))


def create(geometry: Geometry, weights, bias=None, input_quantization=None, **options) -> Layer:
    return Layer.create(
        geometry.shape, weights, bias=bias, strides=geometry.strides, pads=geometry.pads,
        dilations=geometry.dilations, group=geometry.group, input_quantization=input_quantization,
        name="layer under test", **options,
    )  # fmt: skip


def sizes(x: np.ndarray) -> dict[str, int]:
    """A plan's input size for this input."""
    return {"batch": x.shape[0], "height": x.shape[2], "width": x.shape[3]} if x.ndim == 4 else {"batch": x.shape[0]}


class Expected:
    """The results of a case's layer in exact arithmetic, and how far a float result may be from them."""

    def __init__(self, case: Case, bias: np.ndarray | None = None) -> None:
        rows, geometry = case.rows, case.geometry
        channels = geometry.shape[0]
        raw = apply_rows(geometry, case.centred, rows.values, rows.channels)
        magnitude = apply_rows(geometry, np.abs(case.centred), np.abs(rows.values), rows.channels)
        bias = np.zeros(channels) if bias is None else bias
        offset = per_channel(bias, raw.ndim)
        self.y = case.input_scale * sum_rows(raw, rows.scales, rows.channels, channels) + offset
        bound = case.input_scale * sum_rows(magnitude, rows.scales, rows.channels, channels)
        self.tolerance = 1e-5 * (np.abs(offset) + bound)


def unaligned(values: np.ndarray, layout: str = "NCHW") -> np.ndarray:
    """A copy at an odd address."""
    guarded = Guarded(values.shape, values.dtype, layout)
    guarded.array[...] = values
    return guarded.array


def execute_guarded(plan, source, residual=None) -> np.ndarray:
    """Executes into an unaligned array with guard bytes around it, and into one of the plan's own: both must agree."""
    result = plan.execute(source, residual)
    layout = "NHWC" if result.ndim == 4 and not result.flags.c_contiguous else "NCHW"
    guarded = Guarded(result.shape, result.dtype, layout)
    returned = plan.execute(source, residual, out=guarded.array)
    assert returned is guarded.array
    assert guarded.intact, "bytes around the destination were written"
    np.testing.assert_array_equal(guarded.array, result)
    return result


# ----------------------------------------------------------------------------------------------------------------------
# Random layers


def check_rows(case: Case, rows: multipoint.Rows) -> None:
    assert int(np.abs(rows.values.astype(int)).max(initial=0)) <= 64
    channels = case.geometry.shape[0]
    assert rows.channels[:channels].tolist() == list(range(channels))
    if case.rows.need_split:
        found = as_reference(rows).by_channel_and_scale()
        assert found == case.rows.by_channel_and_scale()
        return
    np.testing.assert_array_equal(rows.values, case.rows.values)
    np.testing.assert_array_equal(rows.scales, case.rows.scales)
    np.testing.assert_array_equal(rows.channels, case.rows.channels)


def as_reference(rows: multipoint.Rows) -> Rows:
    """The library's rows as the reference's type."""
    return Rows(rows.values.astype(np.int64), rows.scales.astype(np.float64), rows.channels.astype(np.int64))


def check_raw(case: Case, layer: Layer, rows: multipoint.Rows, rng: np.random.Generator) -> None:
    expected = apply_rows(case.geometry, case.centred, rows.values.astype(np.int64), rows.channels)
    for layout in LAYOUTS:
        fence = str(rng.choice(["before", "after"]))
        with layer.plan(
            **sizes(case.x), source_dtype=np.uint8, destination_dtype=np.int32, source_layout=layout,
            destination_layout=str(rng.choice(LAYOUTS)),
        ) as plan:  # fmt: skip
            found = execute_guarded(plan, fenced(case.x, layout, fence))
        np.testing.assert_array_equal(found.astype(np.int64), expected)


def stored_residual(rng, shape, dtype, spread: float):
    """A residual as stored, its quantization, and the real values it stands for."""
    if dtype is np.float32:
        values = rng.normal(0, spread, shape).astype(np.float32)
        return values, None, values.astype(np.float64)
    scale = float(np.float32(max(spread, 1e-3) / 60))
    zero_point = int(rng.integers(0, 256))
    stored = rng.integers(0, 256, shape).astype(np.uint8)
    return stored, Quantization(scale, zero_point), scale * (stored.astype(np.float64) - zero_point)


def check_float_and_bytes(case: Case, layer: Layer, rng: np.random.Generator) -> None:
    expected = Expected(case, case.bias)
    spread = float(np.abs(expected.y).max(initial=0)) + 1e-2
    for destination in (np.float32, np.uint8):
        y, tolerance = expected.y, expected.tolerance
        options, residual = {}, None
        if rng.random() < 0.5:
            dtype = np.float32 if rng.random() < 0.5 else np.uint8
            residual, quantization, real = stored_residual(rng, y.shape, dtype, spread)
            options = {"residual_dtype": dtype, "residual_quantization": quantization}
            y, tolerance = y + real, tolerance + 1e-5 * np.abs(real)
        kind, alpha, beta = ACTIVATIONS[int(rng.integers(len(ACTIVATIONS)))]
        y = activate(y, kind, alpha, beta)
        tolerance = tolerance + (1e-6 if kind == "sigmoid" else 1e-7 * np.abs(y))
        output = None
        if destination is np.uint8:
            low, high = float(y.min()), float(y.max())
            scale = float(np.float32(max(high - low, 1e-3) / rng.uniform(150, 400)))
            output = Quantization(scale, int(np.clip(round(-low / scale), 0, 255)))
        with layer.plan(
            **sizes(case.x), source_dtype=np.uint8, destination_dtype=destination,
            source_layout=str(rng.choice(LAYOUTS)), destination_layout=str(rng.choice(LAYOUTS)),
            destination_quantization=output, activation=kind, alpha=alpha, beta=beta, **options,
        ) as plan:  # fmt: skip
            found = execute_guarded(plan, unaligned(case.x), None if residual is None else unaligned(residual))
        if output is None:
            error = np.abs(found - y)
            assert (error <= tolerance).all(), f"{kind}: {float((error - tolerance).max())} beyond the tolerance"
        else:
            check_bytes(found, y, output, tolerance)


def check_bytes(found: np.ndarray, y: np.ndarray, output: Quantization, tolerance: np.ndarray) -> None:
    """Equal to the rounded real value, except where that is so near to a tie that rounding errors decide: then one step."""
    steps = np.abs(found.astype(int) - quantize(y, output.scale, output.zero_point).astype(int))
    assert steps.max(initial=0) <= 1
    position = y / output.scale
    from_tie = np.abs(position - np.floor(position) - 0.5)
    # The division itself may round too: a few units in the last place of the quotient.
    near = from_tie <= tolerance / output.scale + 1e-6 * np.abs(position) + 1e-6
    assert not steps[~near].any(), f"{np.count_nonzero(steps[~near])} of {steps.size} off by a step without a tie"


def check_float_source(case: Case, layer: Layer, rng: np.random.Generator) -> None:
    """A float source is quantized first: noise of less than half a step changes nothing."""
    noise = rng.uniform(-0.4, 0.4, case.x.shape)
    source = (case.input_scale * (case.centred + noise)).astype(np.float32)
    layout = str(rng.choice(LAYOUTS))
    placed = fenced(source, layout) if rng.random() < 0.5 else unaligned(source, layout)
    with layer.plan(**sizes(case.x), destination_dtype=np.int32, source_layout=layout) as plan:
        floats = execute_guarded(plan, placed)
    with layer.plan(**sizes(case.x), source_dtype=np.uint8, destination_dtype=np.int32) as plan:
        np.testing.assert_array_equal(floats, plan.execute(case.x))


@pytest.mark.parametrize("seed", range(CASES))
def test_random_layer(seed):
    rng = np.random.default_rng([20_260, seed])
    case = random_case(rng)
    try:
        with layer_of(case) as layer:
            rows = layer.rows()
            check_rows(case, rows)
            assert layer.info.rows == len(rows.scales)
            check_raw(case, layer, rows, rng)
            check_float_and_bytes(case, layer, rng)
            check_float_source(case, layer, rng)
    except AssertionError as error:
        raise AssertionError(f"{case}\n{error}") from error


# ----------------------------------------------------------------------------------------------------------------------
# The limits


def test_longest_row_at_its_largest_sum():
    """64 * 255 * 131,586 = 2,147,483,520 is the last sum that int32 holds; one weight more is refused."""
    length = 131_586
    codebook = np.array([-64, 64], np.int8)
    codes = np.array([np.ones(length), np.zeros(length), np.arange(length) % 2], np.uint8)
    weights = PackedWeights([1, 1, 1], [codes], [codebook], [1, 1, 1])
    with create(Geometry((3, length)), weights, input_quantization=Quantization(1, 0)) as layer:
        for value in (0, 1, 254, 255):
            x = np.full((2, length), value, np.uint8)
            with layer.plan(batch=2, source_dtype=np.uint8, destination_dtype=np.int32) as plan:
                largest = 64 * length * value
                assert plan.execute(x).tolist() == [[largest, -largest, 0]] * 2
        with layer.plan(
            batch=1, source_dtype=np.uint8, destination_dtype=np.int32, source_quantization=Quantization(1, 255)
        ) as plan:
            largest = 64 * 255 * length
            assert plan.execute(np.zeros((1, length), np.uint8)).tolist() == [[-largest, largest, 0]]


def test_longer_rows_are_refused():
    length = 131_587
    weights = PackedWeights([1], [np.zeros((1, length), np.uint8)], [np.array([1, 2], np.int8)], [1])
    with pytest.raises(multipoint.UnsupportedError, match="131,?586"):
        create(Geometry((1, length)), weights)


@pytest.mark.parametrize("group", [1, 4])
def test_convolution_with_a_long_row(rng, group):
    """1,600 channels of 3x3, all entries 64 and all inputs 255: no intermediate sum may saturate."""
    shape = (group * 2, 1600, 3, 3)
    geometry = Geometry(shape, pads=(1, 1, 1, 1), group=group)
    codes = np.ones((shape[0], geometry.row_length), np.uint8)
    codes[1::2] = rng.integers(0, 2, codes[1::2].shape)
    weights = PackedWeights(np.ones(shape[0]).astype(np.uint8), [codes], [np.array([-64, 64], np.int8)], np.ones(shape[0]))
    x = np.full((1, 1600 * group, 4, 4), 255, np.uint8)
    expected = apply_rows(
        geometry, x.astype(np.int64), np.where(codes, 64, -64).astype(np.int64), np.arange(shape[0])
    )
    with create(geometry, weights, input_quantization=Quantization(1, 0)) as layer:
        with layer.plan(**sizes(x), source_dtype=np.uint8, destination_dtype=np.int32) as plan:
            np.testing.assert_array_equal(plan.execute(x), expected)


@pytest.mark.parametrize("shape, group, extra", [((6, 900, 3, 3), 1, 0), ((6, 900, 3, 3), 2, 1), ((5, 3001, 1, 1), 1, 1), ((7, 4000), 1, 0)])
@pytest.mark.parametrize("zero_point", [0, 33])
def test_sums_that_float32_does_not_hold(rng, shape, group, extra, zero_point):
    """Sums beyond 2^24 of any parity: none may pass through a float32."""
    geometry = Geometry(shape, group=group)
    points = np.ones(shape[0], np.uint8)
    points[: extra * shape[0]] = 1 + extra
    codebook = np.arange(1, 65, dtype=np.int8)
    codes = [
        rng.integers(16, 64, ((points > level).sum(), geometry.row_length)).astype(np.uint8) for level in range(1 + extra)
    ]
    weights = PackedWeights(points, codes, [codebook] * len(codes), np.ones(points.sum()))
    x = rng.integers(180, 256, (2, shape[1] * group, 4, 5) if len(shape) == 4 else (2, shape[1])).astype(np.uint8)
    with create(geometry, weights, input_quantization=Quantization(1, zero_point)) as layer:
        rows = layer.rows()
        expected = apply_rows(geometry, x.astype(np.int64) - zero_point, rows.values, rows.channels)
        assert (expected > 1 << 24).all() and (expected % 2 == 1).any()
        for layout in LAYOUTS:
            options = {"source_dtype": np.uint8, "destination_dtype": np.int32, "destination_layout": layout}
            with layer.plan(**sizes(x), **options) as plan:
                np.testing.assert_array_equal(plan.execute(x), expected)
            # The layouts of the weights are shared with plans that need no exact sums.
            with layer.plan(**sizes(x), source_dtype=np.uint8) as plan:
                floats = np.zeros((2, shape[0]) + expected.shape[2:])
                np.add.at(floats, (slice(None), rows.channels), expected)
                np.testing.assert_allclose(plan.execute(x), floats, rtol=1e-6)


@pytest.mark.parametrize("largest", [64, 65, 66, 96, 127])
def test_entries_beyond_64_do_not_saturate(largest):
    """u8 * s8 instructions add two products in 16 bits: 2 * 65 * 255 is too much for them."""
    geometry = Geometry((8, 32, 3, 3))
    codes = np.tile(np.array([[1], [0]], np.uint8), (4, geometry.row_length))
    weights = PackedWeights(np.ones(8).astype(np.uint8), [codes], [np.array([-largest, largest], np.int8)], np.ones(8))
    x = np.full((1, 32, 3, 3), 255, np.uint8)
    total = largest * 255 * geometry.row_length
    with create(geometry, weights, input_quantization=Quantization(1, 0)) as layer:
        with layer.plan(**sizes(x), source_dtype=np.uint8) as plan:
            found = plan.execute(x)
    np.testing.assert_allclose(found.reshape(-1), [total, -total] * 4, rtol=1e-6)


@pytest.mark.parametrize("zero_point", [0, 7])
def test_floats_that_are_no_numbers(zero_point):
    """Beyond the range saturates, NaN is stored as 0, whether oneDNN quantizes (without a zero point) or the library."""
    weights = PackedWeights([1], [[[1]]], [[0, 1]], [1])
    x = np.array([np.nan, np.inf, -np.inf, 3e38, -3e38, 1e10, -1e10, 0], np.float32).reshape(1, 1, 2, 4)
    expected = np.array([0, 255, 0, 255, 0, 255, 0, zero_point]) - zero_point
    with create(Geometry((1, 1, 1, 1)), weights, input_quantization=Quantization(1, zero_point)) as layer:
        with layer.plan(**sizes(x), destination_dtype=np.int32) as plan:
            assert plan.execute(x).reshape(-1).tolist() == expected.tolist()


def test_padding_is_a_real_zero():
    """One pixel with three padding pixels: they count as the zero point, not as a stored 0."""
    geometry = Geometry((1, 1, 2, 2), pads=(0, 0, 1, 1))
    weights = PackedWeights([1], [np.ones((1, 4), np.uint8)], [np.array([-1, 1], np.int8)], [0.5])
    x = np.full((1, 1, 1, 1), 100, np.uint8)
    with create(geometry, weights, bias=[3], input_quantization=Quantization(2, 200)) as layer:
        with layer.plan(**sizes(x), source_dtype=np.uint8, destination_dtype=np.int32) as plan:
            assert plan.execute(x).tolist() == [[[[-100]]]]
        with layer.plan(**sizes(x), source_dtype=np.uint8) as plan:
            assert plan.execute(x).tolist() == [[[[3 + 2 * 0.5 * -100]]]]


def test_layer_without_points_is_its_bias(rng):
    weights = PackedWeights([0, 0, 0], [], [], [], row_length=18)
    x = rng.integers(0, 256, (1, 2, 5, 5)).astype(np.uint8)
    with create(Geometry((3, 2, 3, 3)), weights, [1.5, -2, 0], Quantization(1, 7)) as layer:
        rows = layer.rows()
        assert rows.values.tolist() == [[0] * 18] * 3
        assert rows.scales.tolist() == [1, 1, 1]
        with layer.plan(**sizes(x), source_dtype=np.uint8) as plan:
            np.testing.assert_array_equal(plan.execute(x), np.broadcast_to(per_channel([1.5, -2, 0], 4), (1, 3, 3, 3)))


def test_refinement_ladder_is_the_wider_quantizer(rng):
    """A 2-bit base with four 1-bit refinements is the 6-bit quantizer: every odd row up to 63, one row per channel."""
    channels, length = 6, 40
    integers = rng.choice(np.arange(-63, 64, 2), (channels, length))
    codes, rest = [], (integers + 63) // 2  # 0 to 63: the levels' codes are its bits from the top
    for bits, shift in ((2, 4), (1, 3), (1, 2), (1, 1), (1, 0)):
        codes.append(((rest >> shift) & (2**bits - 1)).astype(np.uint8))
    weights = PackedWeights(
        [5] * channels, codes, [odd_codebook(2)] + [odd_codebook(1)] * 4, np.ones(channels), ladder=[2, 2, 2, 2]
    )
    with create(Geometry((channels, length)), weights) as layer:
        rows = layer.rows()
        np.testing.assert_array_equal(rows.values, integers)
        assert layer.info.folded_rows == channels
        assert "one convolution" in layer.info.execution


# ----------------------------------------------------------------------------------------------------------------------
# Shapes for which oneDNN has special routines
#
# Its reorders have one for blocks of 8 x 8 that forgets zero points and compensations (seen in 2.6.3), and its 1x1
# convolutions with strides read their sources in whole vectors.


def check_sums_of_random_codes(rng, geometry: Geometry, size: tuple[int, int], zero_point: int, layout: str, fence: str):
    """A one-point layer with entries from -64 to 64 against integer sums, its source beside an unreadable page."""
    out = geometry.shape[0]
    codes = rng.integers(0, 256, (out, geometry.row_length)).astype(np.uint8)
    codebook = np.clip(np.arange(-128, 128), -64, 64).astype(np.int8)
    weights = PackedWeights(np.ones(out).astype(np.uint8), [codes], [codebook], np.ones(out))
    x = rng.integers(0, 256, (2, geometry.shape[1] * geometry.group, *size)).astype(np.uint8)
    expected = apply_rows(geometry, x.astype(np.int64) - zero_point, codebook[codes].astype(np.int64), np.arange(out))
    with create(geometry, weights, input_quantization=Quantization(1, zero_point)) as layer:
        with layer.plan(
            **sizes(x), source_dtype=np.uint8, destination_dtype=np.int32, source_layout=layout,
            destination_layout=layout,
        ) as plan:  # fmt: skip
            found = plan.execute(fenced(x, layout, fence))
            assert (found == expected).all(), f"{geometry} in {plan.info.implementations}"


@pytest.mark.parametrize("group", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("kernel", [(1, 1), (2, 2), (4, 2), (2, 4), (8, 1), (1, 8), (4, 4), (3, 3)])
def test_zero_points_of_weights_in_blocks_of_eight(rng, group, kernel):
    for per_group in (1, 2, 4, 8):
        for outputs in (1, 2, 4, 8):
            geometry = Geometry((group * outputs, per_group, *kernel), group=group)
            check_sums_of_random_codes(rng, geometry, (9, 8), 200, "NHWC", "after")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [(1, 1), (2, 4), (3, 5), (8, 8), (7, 7), (16, 16)])
def test_zero_points_of_float_sources(layout, size):
    """Each value is 14 above zero: its sum tells whether the zero point was added when the source was quantized."""
    for channels in (*range(1, 34), 40, 64):
        weights = PackedWeights([1], [np.ones((1, channels), np.uint8)], [np.array([0, 1])], [1])
        source = np.full((2, channels, *size), 14, np.float32)
        with create(Geometry((1, channels, 1, 1)), weights, input_quantization=Quantization(1, 241)) as layer:
            with layer.plan(**sizes(source), destination_dtype=np.int32, source_layout=layout) as plan:
                found = plan.execute(source if layout == "NCHW" else fenced(source, layout))
        assert (found == 14 * channels).all(), f"{channels} channels: {np.unique(found)}"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [(1, 1), (2, 4), (3, 5), (8, 8), (7, 7), (16, 16)])
def test_zero_points_of_destinations_and_residuals(layout, size):
    """Output channel c is c - 20 plus a residual of 2 (stored as 33 around 31); it is stored around 41."""
    for channels in (*range(1, 34), 40, 64):
        weights = PackedWeights([1] * channels, [np.ones((channels, 1), np.uint8)], [np.array([0, 1])], [1] * channels)
        source = np.full((2, 1, *size), 77, np.uint8)
        residual = np.full((2, channels, *size), 33, np.uint8)
        expected = np.broadcast_to(per_channel(np.arange(channels) - 20 + 2 + 41, 4), residual.shape)
        with create(Geometry((channels, 1, 1, 1)), weights, np.arange(channels) - 20, Quantization(1, 77)) as layer:
            with layer.plan(
                **sizes(source), source_dtype=np.uint8, destination_dtype=np.uint8, residual_dtype=np.uint8,
                source_layout=layout, destination_layout=layout, destination_quantization=Quantization(1, 41),
                residual_quantization=Quantization(1, 31),
            ) as plan:  # fmt: skip
                np.testing.assert_array_equal(plan.execute(source, residual), expected, f"{channels} channels")


@pytest.mark.parametrize("fence", ["before", "after"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("strides", [(1, 2), (2, 1), (2, 2), (3, 2)])
def test_pointwise_strides_read_nothing_beyond_the_source(rng, layout, strides, fence):
    for channels, size in ((1, (2, 4)), (2, (8, 3)), (4, (7, 4)), (5, (6, 4)), (16, (5, 5)), (17, (4, 6)), (64, (8, 8))):
        geometry = Geometry((10, channels, 1, 1), strides=strides)
        check_sums_of_random_codes(rng, geometry, size, 177, layout, fence)


@pytest.mark.parametrize("fence", ["before", "after"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("group", [1, 3, 8])
def test_convolutions_read_nothing_beyond_the_source(rng, layout, group, fence):
    for per_group, kernel in ((1, (3, 3)), (2, (2, 2)), (3, (3, 3)), (5, (1, 1)), (7, (3, 2)), (17, (1, 1))):
        geometry = Geometry((group * 5, per_group, *kernel), pads=(1, 0, 1, 1), group=group)
        check_sums_of_random_codes(rng, geometry, (6, 5), 9, layout, fence)


# ----------------------------------------------------------------------------------------------------------------------
# Layers kept in float


@pytest.mark.parametrize("seed", range(40))
def test_float_layer(seed):
    rng = np.random.default_rng([7, seed])
    case = random_case(rng)
    geometry = case.geometry
    weights = rng.normal(0, 1, geometry.shape).astype(np.float32)
    x = rng.normal(0, 1, case.x.shape).astype(np.float32)
    channels = np.arange(geometry.shape[0])
    flat = weights.reshape(len(channels), -1).astype(np.float64)
    offset = per_channel(np.zeros(len(channels)) if case.bias is None else case.bias, x.ndim)
    y = apply_rows(geometry, x.astype(np.float64), flat, channels) + offset
    bound = apply_rows(geometry, np.abs(x.astype(np.float64)), np.abs(flat), channels) + np.abs(offset)
    source_layout, destination_layout = str(rng.choice(LAYOUTS)), str(rng.choice(LAYOUTS))
    with create(geometry, weights, case.bias) as layer:
        assert layer.info.is_float
        with pytest.raises(multipoint.UnsupportedError):
            layer.rows()
        with layer.plan(
            **sizes(x), source_layout=source_layout, destination_layout=destination_layout, activation="relu"
        ) as plan:
            found = execute_guarded(plan, fenced(x, source_layout))
    assert (np.abs(found - np.maximum(y, 0)) <= 1e-5 * bound).all(), str(case)


# ----------------------------------------------------------------------------------------------------------------------
# Codes and packing in Python


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("length", [1, 3, 8, 13])
def test_bit_packing(rng, bits, length):
    codes = rng.integers(0, 2**bits, (5, length)).astype(np.uint8)
    packed = multipoint.pack_codes(codes, bits)
    np.testing.assert_array_equal(packed, pack_bits(codes, bits))
    np.testing.assert_array_equal(multipoint.unpack_codes(packed, bits, length), unpack_bits(packed, bits, length))


@pytest.mark.parametrize("seed", range(30))
def test_reconstruction(seed):
    case = random_case(np.random.default_rng([8, seed]))
    weights = PackedWeights(
        case.points, case.codes, case.codebooks, case.scales, case.ladder, row_length=case.geometry.row_length
    )
    rows = expected_rows(
        case.points, case.codes, case.codebooks, case.scales, case.ladder, case.geometry.row_length
    )
    matrix = np.zeros((case.geometry.shape[0], case.geometry.row_length))
    magnitude = np.zeros_like(matrix)
    for vector, scale, channel in zip(rows.values, rows.scales, rows.channels):
        matrix[channel] += scale * vector
        magnitude[channel] += np.abs(scale * vector)
    assert (np.abs(weights.reconstruct() - matrix) <= 2**-23 * magnitude).all()


@pytest.mark.parametrize("bits, codebook", [(1, "odd"), (2, "odd"), (4, "default"), (4, "uniform"), (6, "odd"), (8, "default")])
def test_packing_reduces_the_error_with_every_point(rng, bits, codebook):
    matrix = rng.normal(0, 1, (12, 30)).astype(np.float32)
    matrix[3] = 0
    errors = []
    for points in (1, 2, 3):
        packing = multipoint.pack(matrix, bits, codebook=codebook, maximum_points=points)
        assert int(packing.points.max()) <= points
        found = ((packing.reconstruct().astype(np.float64) - matrix) ** 2).sum(axis=1)
        np.testing.assert_allclose(packing.errors, found, rtol=1e-3, atol=1e-9)
        errors.append(found)
    busy = np.arange(12) != 3
    assert (errors[1][busy] < errors[0][busy]).all()
    assert (errors[2][busy] <= errors[1][busy]).all()
    assert errors[0][3] == 0


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_packing_into_subsets_of_sums_of_two_powers(rng, bits):
    """Magnitudes come from the published universal set, in lowest terms."""
    matrix = rng.standard_t(3, (12, 60)).astype(np.float32)
    packing = multipoint.pack(matrix, bits, codebook="subset")
    magnitudes = np.unique(np.abs(packing.codebooks[0]))
    assert len(packing.codebooks[0]) == 2**bits and (np.sort(-packing.codebooks[0]) == np.sort(packing.codebooks[0])).all()
    universal = {16 * (p + r) for p in (1, 1 / 2, 1 / 8, 0) for r in (1, 1 / 4, 1 / 16, 0)}
    assert np.gcd.reduce(magnitudes.astype(int)) == 1
    assert any(all(m * unit in universal for m in magnitudes.tolist()) for unit in range(1, 33))
    odd = multipoint.pack(matrix, bits, codebook="odd")
    assert packing.errors.sum() < odd.errors.sum(), "weights with long tails suit a subset"


def test_packing_stops_at_epsilon(rng):
    matrix = rng.normal(0, 1, (40, 50)).astype(np.float32)
    matrix[:20] *= 0.01
    packing = multipoint.pack(matrix, 3, maximum_points=6, epsilon=0.5)
    assert (packing.errors <= 0.5).all()
    assert (packing.points[:20] == 1).all(), "small channels need one point only"
    assert (packing.points[20:] > 1).any()


def test_packing_weighs_errors_by_the_second_moment(rng):
    """The output error of a channel is (w - w^)' H (w - w^)."""
    matrix = rng.normal(0, 1, (5, 8)).astype(np.float32)
    inputs = rng.normal(0, 1, (100, 8)) * np.arange(1, 9)
    moment = (inputs.T @ inputs / 100).astype(np.float32)
    packing = multipoint.pack(matrix, 4, maximum_points=2, second_moment=moment)
    difference = packing.reconstruct().astype(np.float64) - matrix
    np.testing.assert_allclose(packing.errors, np.einsum("ci,ij,cj->c", difference, moment, difference), rtol=1e-3)


def test_packed_matrix_runs_as_a_layer(rng):
    matrix = rng.normal(0, 0.1, (16, 8 * 9)).astype(np.float32)
    packing = multipoint.pack(matrix, 4, maximum_points=2)
    geometry = Geometry((16, 8, 3, 3), pads=(1, 1, 1, 1))
    x = rng.integers(0, 256, (2, 8, 6, 6)).astype(np.uint8)
    with create(geometry, packing, input_quantization=Quantization(0.02, 3)) as layer:
        with layer.plan(**sizes(x), source_dtype=np.uint8) as plan:
            found = plan.execute(x)
    real = 0.02 * (x.astype(np.float64) - 3)
    weights = packing.reconstruct().astype(np.float64)
    expected = apply_rows(geometry, real, weights, np.arange(16))
    bound = apply_rows(geometry, np.abs(real), np.abs(weights), np.arange(16))
    assert (np.abs(found - expected) <= 1e-4 * bound + 1e-6).all()
