"""Which networks there are, at which sizes, and how their files are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx

from . import detectors, mobile, pixelwise, plain, residual
from .builder import Builder
from .images import natural_noise

# Images on which a network computes while it is built.
SAMPLE = 8


@dataclass(frozen=True)
class Size:
    #: Height and width of the images.
    image: int
    #: Factor on the numbers of channels; at most so many of a block's repetitions.
    width: float = 1
    depth: int | None = None


@dataclass(frozen=True)
class Network:
    #: Adds the nodes and returns the outputs' names.
    build: Callable[[Builder], str | list[str]]
    #: Trained parameters of the definition, batch normalizations not folded, as published.
    parameters: int
    full: Size
    #: For tests that take no longer than seconds.
    small: Size
    #: The operator set of the file.
    opset: int = 13
    #: Batch normalizations after convolutions are folded into them.
    folded: bool = True
    #: Images are N×H×W×C and constants are initializers, as tf2onnx has it.
    is_tensorflow: bool = False
    #: Mean and standard deviation of the images' numbers.
    mean: float = 0
    deviation: float = 1

    def images(self, size: Size, count: int, seed: int) -> np.ndarray:
        images = natural_noise(count, size.image, size.image, seed) * np.float32(self.deviation) + np.float32(self.mean)
        return np.ascontiguousarray(images.transpose(0, 2, 3, 1)) if self.is_tensorflow else images


NETWORKS = {
    "VGG-19-BN": Network(plain.vgg19_bn, 143_678_248, Size(224), Size(64, 1 / 16, 2), opset=11, folded=False),
    "ResNet-18": Network(residual.resnet18, 11_689_512, Size(224), Size(64, 1 / 8), opset=17, folded=False),
    "ResNet-101": Network(residual.resnet101, 44_549_160, Size(224), Size(64, 1 / 8, 3), opset=13),
    "Wide-ResNet-50-2": Network(residual.wide_resnet50, 68_883_240, Size(224), Size(64, 1 / 8, 2), opset=14),
    "Inception-v3": Network(plain.inception_v3, 23_834_568, Size(299), Size(107, 1 / 8), opset=12, folded=False),
    "MobileNet-v1": Network(mobile.mobilenet_v1, 4_231_976, Size(224), Size(64, 1 / 4, 2), opset=12, is_tensorflow=True),
    "MobileNet-v2": Network(mobile.mobilenet_v2, 3_504_872, Size(224), Size(64, 1 / 2, 2), opset=12),
    "MobileNet-v3-large": Network(mobile.mobilenet_v3_large, 5_483_032, Size(224), Size(64, 1 / 2), opset=17),
    "SqueezeNet-1.1": Network(plain.squeezenet, 1_235_496, Size(224), Size(64, 1 / 2), opset=13),
    "ShuffleNet-v2": Network(mobile.shufflenet_v2, 2_278_604, Size(224), Size(64, 1 / 2, 2), opset=11),
    "DenseNet-121": Network(plain.densenet121, 7_978_856, Size(224), Size(64, 1 / 2, 3), opset=13),
    "EfficientNet-lite0": Network(
        mobile.efficientnet_lite0, 4_652_008, Size(224), Size(64, 1 / 2, 2), opset=13, is_tensorflow=True
    ),
    "RegNet-Y-400MF": Network(residual.regnet_y_400mf, 4_344_144, Size(224), Size(64, 1 / 2, 2), opset=15),
    "SSD300-VGG16": Network(detectors.ssd300_vgg16, 35_641_826, Size(300), Size(300, 1 / 16, 1), opset=13),
    "SSDLite-MobileNet-v2": Network(detectors.ssdlite_mobilenet_v2, 4_337_013, Size(320), Size(160, 1 / 4, 2), opset=12),
    "DeepLabV3-MobileNet-v2": Network(
        pixelwise.deeplab_v3, 2_113_557, Size(513), Size(97, 1 / 4, 2), opset=13, is_tensorflow=True, mean=127, deviation=60
    ),
    "DeepLabV3+-MobileNet-v2": Network(pixelwise.deeplab_v3_plus, 5_225_717, Size(513), Size(97, 1 / 4, 2), opset=11, folded=False),
    "U-Net": Network(pixelwise.unet, 31_037_698, Size(256), Size(72, 1 / 8), opset=12),
    "U-Net-bilinear": Network(pixelwise.unet_bilinear, 17_263_042, Size(256), Size(72, 1 / 8), opset=16),
    "EDSR-baseline": Network(pixelwise.edsr_baseline, 1_369_859, Size(128), Size(32, 1 / 4, 3), opset=11, mean=115, deviation=55),
    "NanoDet-m": Network(detectors.nanodet_m, 950_036, Size(320), Size(128, 1 / 2, 2), opset=11, folded=False),
    "YOLOv5n": Network(detectors.yolov5n, 1_872_157, Size(640), Size(128, 1 / 2, 1), opset=12, mean=0.45, deviation=0.2),
    "YOLOv5s-5.0": Network(detectors.yolov5s_focus, 7_276_605, Size(640), Size(128, 1 / 4, 1), opset=12, mean=0.45, deviation=0.2),
    "YOLOv8n": Network(detectors.yolov8n, 3_157_200, Size(640), Size(128, 1 / 2, 1), opset=17, mean=0.45, deviation=0.2),
    "ResNet-20": Network(residual.resnet20, 272_474, Size(32), Size(32), opset=17),
    "ResNet-50": Network(residual.resnet50, 25_557_032, Size(224), Size(64, 1 / 8, 2), opset=17),
    "VGG-16": Network(plain.vgg16, 138_357_544, Size(224), Size(64, 1 / 16, 2), opset=17),
}


def build(name: str, size: Size, *, folded: bool | None = None) -> onnx.ModelProto:
    """The network with random weights. `folded` takes the place of the catalogue's."""
    network = NETWORKS[name]
    builder = Builder(
        network.images(size, SAMPLE, seed=0),
        opset=network.opset,
        folded=network.folded if folded is None else folded,
        initializers=network.is_tensorflow,
        width=size.width,
        depth=size.depth,
    )
    outputs = network.build(builder)
    return builder.model(name, [outputs] if isinstance(outputs, str) else outputs)


def parameters(model: onnx.ModelProto) -> int:
    """Trained numbers in a model whose batch normalizations are not folded."""
    trained = (tensor for tensor in model.graph.initializer if tensor.name.endswith((".weight", ".bias")))
    return sum(int(np.prod(tensor.dims)) for tensor in trained)


def file_name(name: str) -> str:
    return name.lower().replace(" ", "-")
