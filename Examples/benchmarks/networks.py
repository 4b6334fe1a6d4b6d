"""The networks that are compared, from Examples/architectures, with all batch normalizations folded: every runtime does that before it runs."""

import os

import numpy as np
import onnx

import architectures

# With height and width of their images.
NETWORKS = {
    name: architectures.NETWORKS[name].full.image
    for name in ["ResNet-20", "SqueezeNet-1.1", "MobileNet-v2", "ResNet-18", "ResNet-50", "VGG-16"]
}

file_name = architectures.file_name


def images(network: str, count: int) -> np.ndarray:
    described = architectures.NETWORKS[network]
    return described.images(described.full, count, seed=1)


def write(network: str, path: str) -> None:
    model = architectures.build(network, architectures.NETWORKS[network].full, folded=True)
    onnx.save(model, path + ".part")
    os.replace(path + ".part", path)
