"""What the results should be, computed with NumPy alone: 64-bit integer sums, float64 arithmetic, bits decoded one by one.

Nothing here uses the package under test.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

LARGEST_ROW_ENTRY = 64


# ----------------------------------------------------------------------------------------------------------------------
# Codes


def pack_bits(codes: np.ndarray, bits: int) -> np.ndarray:
    """[vectors, length] codes to bytes, bit by bit from the least significant; every vector starts on a byte."""
    vectors, length = codes.shape
    packed = np.zeros((vectors, math.ceil(length * bits / 8)), np.uint8)
    for position in range(length):
        for bit in range(bits):
            place = position * bits + bit
            packed[:, place // 8] |= (((codes[:, position] >> bit) & 1) << (place % 8)).astype(np.uint8)
    return packed


def unpack_bits(packed: np.ndarray, bits: int, length: int) -> np.ndarray:
    """The inverse of `pack_bits`."""
    codes = np.zeros((packed.shape[0], length), np.uint8)
    for position in range(length):
        for bit in range(bits):
            place = position * bits + bit
            codes[:, position] |= ((packed[:, place // 8] >> (place % 8)) & 1) << bit
    return codes


# ----------------------------------------------------------------------------------------------------------------------
# Rows


@dataclass
class Rows:
    """Integer vectors with one scale and one channel each, in the order of a raw destination."""

    values: np.ndarray  # int64 [rows, length]
    scales: np.ndarray  # float64 [rows]
    channels: np.ndarray  # int64 [rows]

    @property
    def need_split(self) -> bool:
        """Whether a vector is too large for one row."""
        return bool(self.values.size) and int(np.abs(self.values).max()) > LARGEST_ROW_ENTRY

    def by_channel_and_scale(self) -> dict[tuple[int, float], tuple[int, ...]]:
        """The sum of each channel's rows of the same scale: what remains if a vector is split in two."""
        sums: dict[tuple[int, float], np.ndarray] = {}
        for vector, scale, channel in zip(self.values, self.scales, self.channels):
            key = (int(channel), float(scale))
            sums[key] = sums.get(key, 0) + vector.astype(np.int64)
        return {key: tuple(vector.tolist()) for key, vector in sums.items()}


def expected_rows(points, codes, codebooks, scales, ladder, length: int) -> Rows:
    """Rows from the arrays of a packed layer, before any split of entries beyond 64.

    First one row per channel in channel order, then the second rows in channel order, and so on. A ladder's points fold
    into one row of the finest scale; a channel without points is a zero row of scale 1.
    """
    used = [0] * len(codes)
    taken = 0
    by_channel: list[list[tuple[np.ndarray, float]]] = []
    for channel, count in enumerate(int(n) for n in points):
        vectors = []
        for level in range(count):
            vectors.append(codebooks[level][codes[level][used[level]]].astype(np.int64))
            used[level] += 1
        if count == 0:
            rows = [(np.zeros(length, np.int64), 1.0)]
        elif ladder is None:
            rows = [(vector, float(scales[taken + level])) for level, vector in enumerate(vectors)]
            taken += count
        else:
            folded = np.zeros(length, np.int64)
            for level, vector in enumerate(vectors):
                ratio = math.prod(int(ladder[finer]) for finer in range(level, count - 1))
                folded += ratio * vector
            rows = [(folded, float(scales[channel]))]
        by_channel.append(rows)
    ordered = [
        (rows[position], channel)
        for position in range(max(len(rows) for rows in by_channel))
        for channel, rows in enumerate(by_channel)
        if position < len(rows)
    ]
    return Rows(
        np.array([row[0] for row, _ in ordered]).reshape(len(ordered), length),
        np.array([row[1] for row, _ in ordered]),
        np.array([channel for _, channel in ordered]),
    )


# ----------------------------------------------------------------------------------------------------------------------
# Layers


@dataclass
class Geometry:
    """A Conv's shape and attributes in ONNX's words; a Gemm's shape has two dimensions and no attributes."""

    shape: tuple[int, ...]
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)
    group: int = 1

    @property
    def row_length(self) -> int:
        return math.prod(self.shape[1:])

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        top, left, bottom, right = self.pads
        tall = height + top + bottom - self.dilations[0] * (self.shape[2] - 1) - 1
        wide = width + left + right - self.dilations[1] * (self.shape[3] - 1) - 1
        return tall // self.strides[0] + 1, wide // self.strides[1] + 1


def apply_rows(geometry: Geometry, x: np.ndarray, rows: np.ndarray, channels: np.ndarray) -> np.ndarray:
    """Each row's sum at each output position: [N, rows, H, W] (Gemm: [N, rows]) in x's dtype, int64 or float64.

    `x` is centred already (stored minus zero point), so that padding is 0. A row belongs to the group of its channel.
    """
    rows = rows.astype(x.dtype)
    if len(geometry.shape) == 2:
        return x @ rows.T
    out, per_group, kernel_height, kernel_width = geometry.shape
    n, _, height, width = x.shape
    top, left, bottom, right = geometry.pads
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    tall, wide = geometry.output_size(height, width)
    result = np.zeros((n, len(rows), tall, wide), x.dtype)
    kernels = rows.reshape(len(rows), per_group, kernel_height, kernel_width)
    for row, channel in enumerate(channels):
        group = int(channel) // (out // geometry.group)
        images = padded[:, group * per_group : (group + 1) * per_group]
        for i in range(kernel_height):
            for j in range(kernel_width):
                window = images[
                    :,
                    :,
                    i * geometry.dilations[0] :: geometry.strides[0],
                    j * geometry.dilations[1] :: geometry.strides[1],
                ][:, :, :tall, :wide]
                result[:, row] += (window * kernels[row, :, i, j][:, None, None]).sum(axis=1)
    return result


def sum_rows(raw: np.ndarray, scales: np.ndarray, channels: np.ndarray, count: int) -> np.ndarray:
    """Sum over the rows of each channel of scale times row sum, in float64."""
    result = np.zeros((raw.shape[0], count) + raw.shape[2:])
    for row, channel in enumerate(channels):
        result[:, channel] += scales[row] * raw[:, row]
    return result


def per_channel(values: np.ndarray, rank: int) -> np.ndarray:
    """A vector over channels, shaped to broadcast over [N, C, ...]."""
    return np.asarray(values, np.float64).reshape((1, -1) + (1,) * (rank - 2))


def activate(y: np.ndarray, kind: str, alpha: float = 0.0, beta: float = 0.0) -> np.ndarray:
    if kind == "relu":
        return np.maximum(y, 0)
    if kind == "leaky_relu":
        return np.where(y < 0, alpha * y, y)
    if kind == "clip":
        return np.minimum(np.maximum(y, alpha), beta)
    if kind == "sigmoid":
        return 0.5 + 0.5 * np.tanh(y / 2)
    return y


def quantize(values: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """clamp(round_half_even(v / s) + z, 0, 255)."""
    return np.clip(np.rint(np.asarray(values, np.float64) / scale) + zero_point, 0, 255).astype(np.uint8)


# ----------------------------------------------------------------------------------------------------------------------
# Random layers


@dataclass
class Case:
    """A random packed layer and inputs for it."""

    geometry: Geometry
    points: np.ndarray
    codes: list[np.ndarray]
    codebooks: list[np.ndarray]
    scales: np.ndarray
    ladder: list[int] | None
    bias: np.ndarray | None
    x: np.ndarray  # uint8
    input_scale: float
    input_zero_point: int
    notes: str = ""
    rows: Rows = field(init=False)

    def __post_init__(self) -> None:
        self.rows = expected_rows(
            self.points, self.codes, self.codebooks, self.scales, self.ladder, self.geometry.row_length
        )

    @property
    def centred(self) -> np.ndarray:
        return self.x.astype(np.int64) - self.input_zero_point

    def __str__(self) -> str:
        return (
            f"{self.geometry}, input {self.x.shape} zero point {self.input_zero_point}, points {self.points.tolist()}, "
            f"codebooks {[len(book) for book in self.codebooks]}, ladder {self.ladder}, {self.notes}"
        )


def odd_codebook(bits: int) -> np.ndarray:
    return np.arange(-(2**bits) + 1, 2**bits, 2).astype(np.int8)


def uniform_codebook(bits: int) -> np.ndarray:
    """-(2^(b-1) - 1) to 2^(b-1) - 1: an odd number of values; a code is left over and repeats the last one."""
    top = 2 ** (bits - 1) - 1
    values = np.arange(-top, top + 1)
    return np.append(values, values[-1]).astype(np.int8)


def random_codebook(rng: np.random.Generator) -> np.ndarray:
    kind = rng.choice(["odd", "uniform", "random", "extreme"])
    if kind == "odd":
        return odd_codebook(int(rng.integers(1, 8)))
    if kind == "uniform":
        return uniform_codebook(int(rng.integers(2, 9)))
    size = 2 ** int(rng.integers(1, 9))
    if kind == "random":
        return rng.integers(-128, 128, size).astype(np.int8)
    return rng.choice(np.array([-128, -65, -64, 0, 64, 65, 127], np.int8), size)


def refinement_ladder(rng: np.random.Generator) -> tuple[list[np.ndarray], list[int]]:
    """Odd codebooks; each level 2^bits finer than the one before: rows are odd integers up to 127."""
    remaining = int(rng.integers(1, 8))
    widths = []
    while remaining and len(widths) < 5:
        widths.append(int(rng.integers(1, remaining + 1)))
        remaining -= widths[-1]
    return [odd_codebook(bits) for bits in widths], [2**bits for bits in widths[1:]]


def arbitrary_ladder(rng: np.random.Generator) -> tuple[list[np.ndarray], list[int]]:
    """Small random codebooks and ratios whose rows stay within 8 bits."""
    codebooks = [rng.integers(-9, 10, 2 ** int(rng.integers(1, 5))).astype(np.int8)]
    ratios: list[int] = []
    largest = int(np.abs(codebooks[0].astype(int)).max())
    for _ in range(int(rng.integers(0, 5))):
        codebook = rng.integers(-5, 6, 2 ** int(rng.integers(1, 4))).astype(np.int8)
        ratio = int(rng.integers(1, 6))
        reached = largest * ratio + int(np.abs(codebook.astype(int)).max())
        if reached > 127:
            break
        largest = reached
        codebooks.append(codebook)
        ratios.append(ratio)
    return codebooks, ratios


def random_geometry(rng: np.random.Generator) -> tuple[Geometry, int, int]:
    """A Conv and an input size for which it has at least one output."""
    kind = rng.choice(["dense", "dense", "pointwise", "grouped", "depthwise"])
    group, per_group = 1, int(rng.integers(1, 24))
    out = int(rng.integers(1, 24))
    if kind == "grouped":
        group, per_group = int(rng.integers(2, 5)), int(rng.integers(1, 9))
        out = group * int(rng.integers(1, 7))
    elif kind == "depthwise":
        group, per_group = int(rng.integers(1, 20)), 1
        out = group * int(rng.choice([1, 1, 1, 2, 3]))
    kernel = (1, 1) if kind == "pointwise" else tuple(int(k) for k in rng.integers(1, 5, 2))
    geometry = Geometry(
        (out, per_group, *kernel),
        tuple(int(s) for s in rng.integers(1, 4, 2)),
        tuple(int(p) for p in rng.integers(0, 4, 4) * rng.integers(0, 2)),
        tuple(int(d) for d in (rng.integers(1, 4, 2) if rng.random() < 0.4 else (1, 1))),
        group,
    )
    top, left, bottom, right = geometry.pads
    smallest = (
        max(1, geometry.dilations[0] * (kernel[0] - 1) + 1 - top - bottom),
        max(1, geometry.dilations[1] * (kernel[1] - 1) + 1 - left - right),
    )
    return geometry, smallest[0] + int(rng.integers(0, 9)), smallest[1] + int(rng.integers(0, 9))


def random_input(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[np.ndarray, int]:
    """Full-range bytes, all 0, all 255, or only these two; and a zero point, often at an end."""
    kind = rng.choice(["full", "full", "full", "zeros", "255", "ends"])
    zero_point = int(rng.choice([0, 255, int(rng.integers(0, 256))]))
    if kind == "zeros":
        return np.zeros(shape, np.uint8), zero_point
    if kind == "255":
        return np.full(shape, 255, np.uint8), zero_point
    if kind == "ends":
        return (rng.integers(0, 2, shape) * 255).astype(np.uint8), zero_point
    return rng.integers(0, 256, shape).astype(np.uint8), zero_point


def random_case(rng: np.random.Generator) -> Case:
    """One of everything that a packed layer may be."""
    if rng.random() < 0.2:
        geometry = Geometry((int(rng.integers(1, 40)), int(rng.integers(1, 200))))
        input_shape: tuple[int, ...] = (int(rng.integers(1, 5)), geometry.shape[1])
    else:
        geometry, height, width = random_geometry(rng)
        input_shape = (int(rng.integers(1, 4)), geometry.shape[1] * geometry.group, height, width)

    ladder: list[int] | None = None
    notes = str(rng.choice(["refinement", "arbitrary ladder", "free", "free"]))
    if notes == "refinement":
        codebooks, ladder = refinement_ladder(rng)
    elif notes == "arbitrary ladder":
        codebooks, ladder = arbitrary_ladder(rng)
    else:
        codebooks = [random_codebook(rng) for _ in range(int(rng.integers(0, 6)))]
        if not codebooks:
            ladder = None

    channels, length = geometry.shape[0], geometry.row_length
    points = rng.integers(0, len(codebooks) + 1, channels).astype(np.uint8)
    if rng.random() < 0.3:
        points[:] = len(codebooks)
    one_sided = rng.random() < 0.2  # every product of the same sign: the largest sums
    codes = [
        np.full((int((points > level).sum()), length), int(np.argmax(book)), np.uint8)
        if one_sided
        else rng.integers(0, len(book), (int((points > level).sum()), length)).astype(np.uint8)
        for level, book in enumerate(codebooks)
    ]
    count = channels if ladder is not None else int(points.sum())
    x, zero_point = random_input(rng, input_shape)
    return Case(
        geometry=geometry,
        points=points,
        codes=codes,
        codebooks=codebooks,
        scales=np.exp(rng.uniform(-9, 1, count)).astype(np.float32),
        ladder=ladder,
        bias=rng.normal(0, 2, channels).astype(np.float32) if rng.random() < 0.7 else None,
        x=x,
        input_scale=float(np.float32(np.exp(rng.uniform(-6, 0)))),
        input_zero_point=zero_point,
        notes=notes + (", one-sided" if one_sided else ""),
    )
