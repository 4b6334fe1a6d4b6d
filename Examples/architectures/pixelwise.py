"""Networks with an answer for every pixel: DeepLab v3 and v3+ on MobileNet-v2 (Chen et al. 2017, 2018), U-Net (Ronneberger et al.
2015, as in github.com/milesial/Pytorch-UNet), EDSR-baseline (Lim et al. 2017)."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, numpy_helper

from .builder import Builder
from .mobile import mobilenet_v2_features
from .residual import BRANCH_GAIN

CLASSES = 21


def deeplab_v3(b: Builder) -> str:
    """TensorFlow's mobilenetv2_coco_voc_trainaug (of the pyramid only the 1 × 1 convolution and the image's mean) as tf2onnx
    writes it."""
    x = b.transpose("input", 0, 3, 1, 2)
    x = b.node("Sub", b.node("Mul", x, b.constant(2 / 255)), b.constant(1.0))
    x, _ = mobilenet_v2_features(b, x, 16)
    height, width = b.shape(x)[2:]
    pooled = b.node("AveragePool", x, kernel_shape=[height, width], strides=[1, 1], auto_pad="VALID")
    pooled = b.relu(b.conv_norm(pooled, b.channels(256)))
    pooled = resized(b, pooled, height, width)
    x = b.concat(pooled, b.relu(b.conv_norm(x, b.channels(256))))
    x = b.conv(b.relu(b.conv_norm(x, b.channels(256))), b.classes(CLASSES), offset=0)
    return b.transpose(resized(b, x, *b.shape("input")[1:3]), 0, 2, 3, 1)


def resized(b: Builder, x: str, height: int, width: int) -> str:
    """Sizes are two numbers; batch and channels are sliced from the tensor's shape."""
    start = b.node("Slice", b.node("Shape", x), *(b.integers(number) for number in (0, 2, 0)))
    sizes = b.concat(start, b.integers(height, width), axis=0)
    return b.resize(x, sizes=sizes, coordinate_transformation_mode="align_corners", mode="linear", nearest_mode="floor")


def deeplab_v3_plus(b: Builder) -> str:
    """github.com/VainF/DeepLabV3Plus-Pytorch, output stride 16."""

    def layer(x: str, channels: int, kernel=1, dilation=1) -> str:
        return b.relu(b.conv_norm(x, b.channels(channels), kernel, 1, dilation * (kernel // 2), dilation=dilation))

    x, stages = mobilenet_v2_features(b, "input", 16, padded_residual)
    pyramid = [layer(x, 256), *(layer(x, 256, 3, dilation) for dilation in (6, 12, 18))]
    pyramid.append(b.interpolate_to(layer(b.global_pool(x), 256), x))
    low = layer(stages[1], 48)
    x = b.interpolate_to(layer(b.concat(*pyramid), 256), low)
    x = b.conv(layer(b.concat(low, x), 256, 3), b.classes(CLASSES), offset=0)
    return b.interpolate_to(x, "input")


def padded_residual(b: Builder, x: str, expansion: int, channels: int, stride: int, dilation: int) -> str:
    """An inverted residual that pads before it expands, so that the depthwise convolution sees expanded zeros."""
    wide = b.shape(x)[1] * expansion
    y = b.node("Pad", x, padding(b, [dilation] * 4), mode="constant")
    y = b.relu6(b.conv_norm(y, wide)) if expansion > 1 else y
    y = b.relu6(b.conv_norm(y, wide, 3, stride, group=wide, dilation=dilation))
    is_residual = stride == 1 and b.shape(x)[1] == channels
    y = b.conv_norm(y, channels, gain=BRANCH_GAIN if is_residual else 1)
    return b.add(x, y) if is_residual else y


def padding(b: Builder, sizes: list[int | str]) -> str:
    """F.pad's list (left, right, top, bottom; numbers or scalars) in the order of ONNX, as PyTorch's exporter computes it in the
    graph."""
    if all(isinstance(size, int) for size in sizes):
        given = b.integers(*sizes)
    else:
        given = b.concat(*(b.unsqueeze(size, 0) if isinstance(size, str) else b.integers(size) for size in sizes), axis=0)
    missing = b.node("Sub", b.node("Mul", b.constant(4, np.int64), b.constant(2, np.int64)), b.size(given, 0))
    zeros = b.node("ConstantOfShape", b.unsqueeze(missing, 0), value=numpy_helper.from_array(np.zeros(1, np.int64)))
    pairs = b.view(b.concat(given, zeros, axis=0), -1, 2)
    reversed_pairs = b.node("Slice", pairs, *(b.integers(number) for number in (-1, -(2**63) + 1, 0, -1)))
    return b.node("Cast", b.view(b.transpose(reversed_pairs, 1, 0), -1), to=TensorProto.INT64)


def unet(b: Builder) -> str:
    """Transposed convolutions upsample."""
    return unet_of(b, 1024, lambda x, channels: b.conv_transpose(x, channels, 2, 2))


def unet_bilinear(b: Builder) -> str:
    return unet_of(b, 512, lambda x, channels: b.interpolate(x, 2.0, align_corners=True))


def unet_of(b: Builder, bottom: int, upsampled) -> str:
    """What comes up is padded to the size of what it meets, whether it needs to be or not."""

    def double(x: str, channels: int, middle: int | None = None) -> str:
        x = b.relu(b.conv_norm(x, b.channels(middle or channels), 3, 1, 1))
        return b.relu(b.conv_norm(x, b.channels(channels), 3, 1, 1))

    skipped = [double("input", 64)]
    for channels in (128, 256, 512, bottom):
        skipped.append(double(b.max_pool(skipped[-1], 2, 2), channels))
    x = skipped.pop()
    for channels in (512, 256, 128, 64):
        other = skipped.pop()
        x = upsampled(x, b.channels(channels))
        differences = [b.node("Sub", b.size(other, axis), b.size(x, axis)) for axis in (3, 2)]
        sizes = []
        for difference in differences:
            half = b.node("Div", difference, b.constant(2, np.int64))
            sizes += [half, b.node("Sub", difference, half)]
        x = b.concat(other, b.node("Pad", x, padding(b, sizes), mode="constant"))
        # Where nothing is learned on the way up, the double convolution halves the channels beforehand.
        x = double(x, channels) if bottom == 1024 else double(x, max(channels // 2, 64), channels)
    return b.conv(x, 2, offset=0)


def edsr_baseline(b: Builder) -> str:
    """Twice the size; pixels from 0 to 255. The mean color is subtracted and added by 1 × 1 convolutions, which are not trained."""
    channels = b.channels(64)
    mean = 255 * np.array([0.4488, 0.4371, 0.4040])
    head = x = b.conv(shifted(b, "input", -mean), channels, 3, 1, 1)
    for _ in range(b.blocks(16)):
        y = b.conv(b.relu(b.conv(x, channels, 3, 1, 1)), channels, 3, 1, 1, offset=0)
        x = b.add(b.node("Mul", y, b.constant(BRANCH_GAIN)), x)
    x = b.add(b.conv(x, channels, 3, 1, 1), head)
    x = b.node("DepthToSpace", b.conv(x, 4 * channels, 3, 1, 1), blocksize=2, mode="CRD")
    return shifted(b, b.conv(x, 3, 3, 1, 1, gain=50, offset=0), mean)


def shifted(b: Builder, x: str, bias: np.ndarray) -> str:
    parameters = [b.parameter(np.eye(3).reshape(3, 3, 1, 1), "fixed_weight"), b.parameter(bias, "fixed_bias")]
    return b.node("Conv", x, *parameters, dilations=[1, 1], group=1, kernel_shape=[1, 1], pads=[0] * 4, strides=[1, 1])
