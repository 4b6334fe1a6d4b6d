"""Gives some channels of a packed file a second point: what `benchmark.py --points` compares with the original.

The file is a safetensors file; Sources/MultipointFormat/README.md says what it holds.
"""

import json
import os

import numpy as np

DTYPES = {"U8": np.uint8, "I8": np.int8, "F32": np.float32, "I64": np.int64}


def read(path: str) -> tuple[dict, dict[str, tuple[str, np.ndarray]]]:
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    metadata = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = entry["dtype"], np.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return metadata, tensors


def write(path: str, metadata: dict, tensors: dict[str, tuple[str, np.ndarray]]) -> None:
    header, data = {"__metadata__": {key: value for key, value in metadata.items() if key != "crc32"}}, b""
    for name, (dtype, values) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": [len(data), len(data) + values.nbytes]}
        data += values.tobytes()
    text = json.dumps(header).encode()
    with open(path + ".part", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + data)
    os.replace(path + ".part", path)


def refine(one_point: str, two_points: str, part: float) -> None:
    """Adds a 1-bit refinement to this part of the channels of every layer, chosen and filled at random."""
    random = np.random.default_rng(3)
    metadata, tensors = read(one_point)
    layers = json.loads(metadata["layers"])
    for layer in layers:
        name = layer["name"]
        codebook = tensors[f"{name}.codebook.0"][1]
        points = tensors[f"{name}.points"][1].copy()
        if f"{name}.codebook.1" in tensors or points.min() < 1 or 2 * int(np.abs(codebook).max()) + 1 > 64:
            raise ValueError(f"layer {name}: one point of up to 5 bits per channel expected")
        row_length = int(np.prod(layer["shape"][1:]))
        refined = np.sort(random.permutation(len(points))[: round(part * len(points))])
        points[refined] = 2
        scales = tensors[f"{name}.scales"][1].copy()
        scales[refined] /= 2
        tensors[f"{name}.points"] = "U8", points
        tensors[f"{name}.scales"] = "F32", scales
        tensors[f"{name}.codebook.1"] = "I8", np.array([-1, 1], np.int8)
        tensors[f"{name}.codes.1"] = "U8", random.integers(0, 256, (len(refined), (row_length + 7) // 8), np.uint8)
        layer["ladder"] = [2]
    metadata["layers"] = json.dumps(layers)
    write(two_points, metadata, tensors)
