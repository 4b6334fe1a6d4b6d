"""Packed files made with nothing but NumPy and safetensors, by the format's description (Sources/MultipointFormat/README.md)."""

from __future__ import annotations

import json
import zlib

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from reference import pack_bits


def packed_tensors(name: str, points, codes, codebooks, scales, bias=None) -> dict[str, np.ndarray]:
    """The tensors of a packed layer."""
    tensors = {f"{name}.points": np.asarray(points, np.uint8), f"{name}.scales": np.asarray(scales, np.float32)}
    for level, (vectors, codebook) in enumerate(zip(codes, codebooks)):
        bits = len(codebook).bit_length() - 1
        tensors[f"{name}.codes.{level}"] = pack_bits(np.asarray(vectors), bits)
        tensors[f"{name}.codebook.{level}"] = np.asarray(codebook, np.int8)
    if bias is not None:
        tensors[f"{name}.bias"] = np.asarray(bias, np.float32)
    return tensors


def float_tensors(name: str, weight, bias=None) -> dict[str, np.ndarray]:
    """The tensors of a layer kept in float."""
    tensors = {f"{name}.weight": np.asarray(weight, np.float32)}
    if bias is not None:
        tensors[f"{name}.bias"] = np.asarray(bias, np.float32)
    return tensors


def layer_entry(name: str, operator: str, shape, **attributes) -> dict:
    """A layer's entry in `layers`; attributes left out have ONNX's defaults."""
    return {"name": name, "operator": operator, "shape": list(shape), **attributes}


def content(
    tensors: dict[str, np.ndarray], layers: list[dict], graph: dict | None = None, /, *, checksum=False, **metadata: str
) -> bytes:
    """The bytes of a packed file."""
    strings = {"format": "multipoint", "version": "1.0", "producer": "NumPy", "layers": json.dumps(layers), **metadata}
    if graph is not None:
        strings["graph"] = json.dumps(graph)
    encoded = save(tensors, strings)
    if checksum:
        header = int.from_bytes(encoded[:8], "little")
        strings["crc32"] = f"{zlib.crc32(encoded[8 + header :]):08x}"
        encoded = save(tensors, strings)
    return encoded


def quantization(scale: float, zero_point: int) -> dict:
    return {"scale": float(scale), "zero_point": int(zero_point)}


def read_file(path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Metadata and tensors of a packed file."""
    with safe_open(path, "numpy") as file:
        return file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
