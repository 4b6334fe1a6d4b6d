"""The networks that are compared, from Examples/architectures, with all batch normalizations folded: every runtime does that
before it runs."""

import os

import numpy as np
import onnx

import architectures

# Those that all runtimes' speed is compared on. `table.py` takes every one.
NETWORKS = ["ResNet-20", "SqueezeNet-1.1", "MobileNet-v2", "ResNet-18", "ResNet-50", "VGG-16"]


def path(folder: str, network: str, suffix: str) -> str:
    """Such as `resnet-18@3x224x224.int8.onnx`: an image's shape is part of the name."""
    shape = "x".join(str(size) for size in images(network, 1).shape[1:])
    return os.path.join(folder, f"{architectures.file_name(network)}@{shape}.{suffix}")


def images(network: str, count: int) -> np.ndarray:
    described = architectures.NETWORKS[network]
    return described.images(described.full, count, seed=1)


def write(network: str, path: str) -> None:
    model = architectures.build(network, architectures.NETWORKS[network].full, folded=True)
    onnx.save(model, path + ".part")
    os.replace(path + ".part", path)
