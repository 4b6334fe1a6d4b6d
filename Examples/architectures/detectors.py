"""Object detectors up to the raw results of their heads, without the choice of boxes: SSD300 (Liu et al. 2016; torchvision's),
SSDLite on MobileNet-v2 (Sandler et al. 2018), NanoDet-m (github.com/RangiLyu/nanodet), YOLOv5 6.0 and 5.0 and YOLOv8
(github.com/ultralytics)."""

from __future__ import annotations

from functools import partial

import numpy as np

from .builder import Builder
from .mobile import inverted_residual, mobilenet_v2_features, shufflenet_v2_stages

# Anchor boxes at each of the six scales.
SSD300_ANCHORS = [4, 6, 6, 6, 4, 4]
SSDLITE_ANCHORS = [3, 6, 6, 6, 6, 6]


def ssd300_vgg16(b: Builder) -> list[str]:
    """For 91 classes. The result of conv4_3 is divided by its channels' Euclidean norm at every place, and scaled."""

    def layer(x: str, channels: int, kernel=1, stride=1, pads=0, dilation=1) -> str:
        return b.relu(b.conv(x, b.channels(channels), kernel, stride, pads, dilation=dilation))

    x = "input"
    for stage, (count, channels) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512)]):
        if stage > 0:
            x = b.max_pool(x, 2, 2, ceil_mode=int(stage == 3))
        for _ in range(b.blocks(count)):
            x = layer(x, channels, 3, 1, 1)
    features = [l2_normalized(b, x)]
    x = b.max_pool(x, 2, 2)
    for _ in range(b.blocks(3)):
        x = layer(x, 512, 3, 1, 1)
    x = layer(b.max_pool(x, 3, 1, 1), 1024, 3, 1, 6, dilation=6)
    features.append(layer(x, 1024))
    for inner, channels, stride in [(256, 512, 2), (128, 256, 2), (128, 256, 1), (128, 256, 1)]:
        features.append(layer(layer(features[-1], inner), channels, 3, stride, int(stride == 2)))
    heads = {"box": [], "class": []}
    for feature, anchors in zip(features, SSD300_ANCHORS):
        for results, columns in zip(heads.values(), (4, b.classes(91))):
            results.append(by_anchor(b, b.conv(feature, anchors * columns, 3, 1, 1, offset=0), columns))
    return [b.concat(*results, axis=1) for results in heads.values()]


def l2_normalized(b: Builder, x: str) -> str:
    norm = b.node("Sqrt", b.reduce_sum(b.node("Pow", x, b.constant(2.0)), 1))
    x = b.node("Div", x, b.node("Add", norm, b.constant(1e-10)))
    # The published start is 20; so many channels of unit length come to about 1 each.
    scale = b.random.uniform(0.5, 1.5, (1, b.shape(x)[1], 1, 1)) * np.sqrt(b.shape(x)[1])
    return b.node("Mul", b.parameter(scale), x)


def by_anchor(b: Builder, x: str, columns: int) -> str:
    """N × anchors·columns × H × W to N × H·W·anchors × columns."""
    batch, height, width = (b.size(x, axis) for axis in (0, 2, 3))
    x = b.transpose(b.view(x, batch, -1, columns, height, width), 0, 3, 4, 1, 2)
    return b.view(x, batch, -1, columns)


def ssdlite_mobilenet_v2(b: Builder) -> list[str]:
    """For COCO's 80 classes and the background; heads and further scales of separable convolutions."""

    def depthwise(x: str, stride: int = 1) -> str:
        return b.relu6(b.conv_norm(x, b.shape(x)[1], 3, stride, 1, group=b.shape(x)[1]))

    expanded = []
    x, _ = mobilenet_v2_features(b, "input", block=partial(inverted_residual, expanded=expanded))
    # The first head reads the expanded channels before the last stride.
    first = next(y for y in reversed(expanded) if b.shape(y)[2] > b.shape(x)[2])
    features = [first, b.relu6(b.conv_norm(x, b.channels(1280)))]
    for channels in (512, 256, 256, 128):
        x = depthwise(b.relu6(b.conv_norm(features[-1], b.channels(channels // 2))), 2)
        features.append(b.relu6(b.conv_norm(x, b.channels(channels))))
    heads = {"box": [], "class": []}
    for feature, anchors in zip(features, SSDLITE_ANCHORS):
        for results, columns in zip(heads.values(), (4, b.classes(81))):
            y = b.transpose(b.conv(depthwise(feature), anchors * columns, offset=0), 0, 2, 3, 1)
            results.append(b.view(y, b.size(y, 0), -1, columns))
    boxes, classes = (b.concat(*results, axis=1) for results in heads.values())
    return [boxes, b.sigmoid(classes)]


def nanodet_m(b: Builder) -> str:
    """ShuffleNet-v2, a path aggregation network of sums, and for each scale a head of its own."""

    def leaky(x: str) -> str:
        return b.node("LeakyRelu", x, alpha=0.1)

    width = b.channels(96)
    levels = [b.conv(stage, width) for stage in shufflenet_v2_stages(b, leaky)]
    for index in (2, 1):
        levels[index - 1] = b.add(levels[index - 1], b.interpolate(levels[index], 2.0))
    for index in (0, 1):
        levels[index + 1] = b.add(levels[index + 1], b.interpolate(levels[index], 0.5))
    results = []
    for x in levels:
        for _ in range(2):
            x = leaky(b.conv_norm(x, width, 3, 1, 1, group=width))
            x = leaky(b.conv_norm(x, width))
        sizes = [b.classes(80), 4 * 8]
        classes, distances = b.split(b.conv(x, sum(sizes), offset=0), sizes)
        x = b.concat(b.sigmoid(classes), distances)
        results.append(b.view(x, b.size(x, 0), b.shape(x)[1], -1))
    return b.transpose(b.concat(*results, axis=2), 0, 2, 1)


class YOLO:
    """The parts of YOLOv5 and YOLOv8."""

    def __init__(self, b: Builder, width: float, depth: float):
        self.b, self.width, self.depth = b, width, depth

    def channels(self, count: int) -> int:
        return self.b.channels(round(count * self.width))

    def conv(self, x: str, channels: int, kernel=1, stride=1, pads=None) -> str:
        pads = kernel // 2 if pads is None else pads
        return self.b.silu(self.b.conv_norm(x, channels, kernel, stride, pads, epsilon=1e-3))

    def bottleneck(self, x: str, kernel: int, shortcut: bool) -> str:
        channels = self.b.shape(x)[1]
        y = self.conv(self.conv(x, channels, kernel), channels, 3)
        return self.b.add(x, y) if shortcut else y

    def repeats(self, count: int) -> int:
        return self.b.blocks(max(round(count * self.depth), 1))

    def c3(self, x: str, count: int, channels: int, shortcut: bool = True) -> str:
        channels = self.channels(channels)
        y, kept = self.conv(x, channels // 2), self.conv(x, channels // 2)
        for _ in range(self.repeats(count)):
            y = self.bottleneck(y, 1, shortcut)
        return self.conv(self.b.concat(y, kept), channels)

    def c2f(self, x: str, count: int, channels: int, shortcut: bool = False) -> str:
        channels = self.channels(channels)
        parts = self.b.split(self.conv(x, channels), [channels // 2] * 2)
        for _ in range(self.repeats(count)):
            parts.append(self.bottleneck(parts[-1], 3, shortcut))
        return self.conv(self.b.concat(*parts), channels)

    def pyramid_pooling(self, x: str, channels: int, sizes: list[int]) -> str:
        """SPP with several sizes, or SPPF, which pools three times by 5."""
        b, channels = self.b, self.channels(channels)
        parts = [self.conv(x, b.shape(x)[1] // 2)]
        for size in sizes or [5] * 3:
            parts.append(b.max_pool(parts[0] if sizes else parts[-1], size, 1, size // 2))
        return self.conv(b.concat(*parts), channels)


def yolov5n(b: Builder) -> list[str]:
    net = YOLO(b, 0.25, 1 / 3)
    return yolov5(b, net, net.conv("input", net.channels(64), 6, 2, 2), [3, 6, 9, 3])


def yolov5s_focus(b: Builder) -> list[str]:
    """Version 5.0, which starts with slices of stride 2 and pools by three sizes."""
    net = YOLO(b, 0.5, 1 / 3)
    parts = []
    for row, column in [(0, 0), (1, 0), (0, 1), (1, 1)]:
        part = b.slice("input", 2, row, 2**63 - 1, 2)
        parts.append(b.slice(part, 3, column, 2**63 - 1, 2))
    return yolov5(b, net, net.conv(b.concat(*parts), net.channels(64), 3), [3, 9, 9, 3], first=True)


def yolov5(b: Builder, net: YOLO, x: str, counts: list[int], first: bool = False) -> list[str]:
    """Three tensors N × 3 anchors × H × W × 85."""
    levels = []
    for channels, count in zip([128, 256, 512, 1024], counts):
        x = net.conv(x, net.channels(channels), 3, 2)
        if first and channels == 1024:
            x = net.c3(net.pyramid_pooling(x, channels, [5, 9, 13]), count, channels, False)
        else:
            x = net.c3(x, count, channels)
        levels.append(x)
    if not first:
        levels[-1] = net.pyramid_pooling(levels[-1], 1024, [])
    top, above = net.conv(levels[3], net.channels(512)), levels[2]
    x = net.c3(b.concat(b.upsample_nearest(top), above), 3, 512, False)
    middle = net.conv(x, net.channels(256))
    results = [net.c3(b.concat(b.upsample_nearest(middle), levels[1]), 3, 256, False)]
    for channels, beside in ((256, middle), (512, top)):
        x = b.concat(net.conv(results[-1], net.channels(channels), 3, 2), beside)
        results.append(net.c3(x, 3, 2 * channels, False))
    return [five_dimensions(b, b.conv(x, 3 * (5 + b.classes(80)), offset=0)) for x in results]


def five_dimensions(b: Builder, x: str) -> str:
    batch, height, width = (b.size(x, axis) for axis in (0, 2, 3))
    return b.transpose(b.view(x, batch, 3, b.shape(x)[1] // 3, height, width), 0, 1, 3, 4, 2)


def yolov8n(b: Builder) -> str:
    """N × 84 × places: corners decoded to centers and sizes in pixels, and the classes' probabilities."""
    net = YOLO(b, 0.25, 1 / 3)
    x = net.conv("input", net.channels(64), 3, 2)
    levels = []
    for channels, count in [(128, 3), (256, 6), (512, 6), (1024, 3)]:
        x = net.c2f(net.conv(x, net.channels(channels), 3, 2), count, channels, True)
        levels.append(x)
    top = net.pyramid_pooling(x, 1024, [])
    middle = net.c2f(b.concat(b.upsample_nearest(top), levels[2]), 3, 512)
    results = [net.c2f(b.concat(b.upsample_nearest(middle), levels[1]), 3, 256)]
    for channels, beside in ((256, middle), (512, top)):
        results.append(net.c2f(b.concat(net.conv(results[-1], net.channels(channels), 3, 2), beside), 3, 2 * channels))
    first = b.shape(results[0])[1]
    box_width, class_width = max(16, first // 4, 64), max(first, b.classes(80))
    heads = []
    for x in results:
        boxes, classes = (
            b.conv(net.conv(net.conv(x, wide, 3), wide, 3), count, offset=0)
            for wide, count in ((box_width, 64), (class_width, b.classes(80)))
        )
        y = b.concat(boxes, classes)
        heads.append(b.view(y, b.size(y, 0), b.shape(y)[1], -1))
    boxes, classes = b.split(b.concat(*heads, axis=2), [64, b.classes(80)])
    return b.concat(decoded(b, boxes, [b.shape(x)[2:] for x in results]), b.sigmoid(classes))


def decoded(b: Builder, x: str, planes: list[tuple[int, int]]) -> str:
    """Distances to the four sides, each the mean of a distribution over 0 to 15, about the places' centers."""
    batch, places = b.size(x, 0), b.size(x, 2)
    x = b.node("Softmax", b.transpose(b.view(x, batch, 4, 16, places), 0, 2, 1, 3), axis=1)
    mean = b.parameter(np.arange(16).reshape(1, 16, 1, 1))
    x = b.view(
        b.node("Conv", x, mean, dilations=[1, 1], group=1, kernel_shape=[1, 1], pads=[0] * 4, strides=[1, 1]), batch, 4, places
    )
    grids = [np.stack(np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5)).reshape(2, -1) for h, w in planes]
    centers = b.constant(np.concatenate(grids, 1)[None])
    strides = b.constant(np.concatenate([np.full(h * w, 8.0 * 2**level) for level, (h, w) in enumerate(planes)])[None])
    near, far = b.slice(x, 1, 0, 2), b.slice(x, 1, 2, 4)
    near, far = b.node("Sub", centers, near), b.node("Add", centers, far)
    middle = b.node("Div", b.node("Add", near, far), b.constant(2.0))
    return b.node("Mul", b.concat(middle, b.node("Sub", far, near)), strides)
