"""MobileNet v1 (Howard et al. 2017), v2 (Sandler et al. 2018) and v3 (Howard et al. 2019), ShuffleNet-v2 (Ma et al. 2018),
EfficientNet-lite0 (TensorFlow's of Tan, Le 2019 without squeeze-and-excitation). v1 and EfficientNet-lite as tf2onnx writes
TensorFlow's definitions (images N×H×W×C), the others as exported from torchvision."""

from __future__ import annotations

from .builder import Builder
from .residual import BRANCH_GAIN

# Expansion, channels, blocks, stride of the first.
MOBILENET_V2 = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
EFFICIENTNET_LITE0 = [
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
]
# Kernel, expanded channels, channels, squeeze-and-excitation, HardSwish, stride.
MOBILENET_V3_LARGE = [
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
]


def mobilenet_v1(b: Builder) -> str:
    """Keras's: explicit zero padding before strides, the classifier a convolution, softmax."""
    x = b.transpose("input", 0, 3, 1, 2)
    x = b.relu6(b.conv_norm(b.pad(x, 0, 0, 1, 1), b.channels(32), 3, 2, epsilon=1e-3))
    stages = [(64, 1, 1), (128, 2, 2), (256, 2, 2), (512, 6, 2), (1024, 2, 2)]
    for channels, count, first_stride in stages:
        for index in range(b.blocks(count)):
            stride, group = first_stride if index == 0 else 1, b.shape(x)[1]
            padded, pads = (b.pad(x, 0, 0, 1, 1), 0) if stride == 2 else (x, 1)
            x = b.relu6(b.conv_norm(padded, group, 3, stride, pads, group=group, epsilon=1e-3))
            x = b.relu6(b.conv_norm(x, b.channels(channels), epsilon=1e-3))
    x, classes = b.transpose(b.node("ReduceMean", x, axes=[2, 3], keepdims=1), 0, 2, 3, 1), b.classes(1000)
    x = b.conv(b.transpose(b.view(x, -1, 1, 1, b.shape(x)[3]), 0, 3, 1, 2), classes, offset=0)
    return b.node("Softmax", b.view(b.transpose(x, 0, 2, 3, 1), -1, classes), axis=-1)


def efficientnet_lite0(b: Builder) -> str:
    """Padding left to the runtime (SAME_UPPER), which is what tf2onnx does where it does not know the size."""

    def conv(x: str, channels: int, kernel=1, stride=1, **options) -> str:
        return b.conv_norm(x, channels, kernel, stride, auto_pad="SAME_UPPER", epsilon=1e-3, **options)

    x = b.relu6(conv(b.transpose("input", 0, 3, 1, 2), b.channels(32), 3, 2))
    for expansion, channels, count, first_stride, kernel in EFFICIENTNET_LITE0:
        for index in range(b.blocks(count)):
            stride, wide = first_stride if index == 0 else 1, b.shape(x)[1] * expansion
            y = b.relu6(conv(x, wide)) if expansion > 1 else x
            y = b.relu6(conv(y, wide, kernel, stride, group=wide))
            is_residual = stride == 1 and b.shape(x)[1] == b.channels(channels)
            y = conv(y, b.channels(channels), gain=BRANCH_GAIN if is_residual else 1)
            x = b.add(y, x) if is_residual else y
    x = b.relu6(conv(x, b.channels(1280)))
    x = b.squeeze(b.transpose(b.global_pool(x), 0, 2, 3, 1), 1, 2)
    return b.node("Softmax", b.dense(x, b.classes(1000)), axis=1)


def mobilenet_v2(b: Builder) -> str:
    x, _ = mobilenet_v2_features(b, "input")
    x = b.relu6(b.conv_norm(x, b.channels(1280)))
    return b.linear(b.flatten(b.global_pool(x)), b.classes(1000))


def mobilenet_v2_features(b: Builder, x: str, output_stride: int = 32, block=None) -> tuple[str, list[str]]:
    """All up to the 320 channels, and every stage's result. Beyond the output stride, dilations replace strides.

    `block` takes the place of `inverted_residual`.
    """
    block = block or inverted_residual
    x = b.relu6(b.conv_norm(x, b.channels(32), 3, 2, 1))
    stages, current, dilation = [], 2, 1
    for expansion, channels, count, first_stride in MOBILENET_V2:
        before = dilation
        if current == output_stride:
            dilation, first_stride = dilation * first_stride, 1
        current *= first_stride
        for index in range(b.blocks(count)):
            x = block(b, x, expansion, b.channels(channels), first_stride if index == 0 else 1, before if index == 0 else dilation)
        stages.append(x)
    return x, stages


def inverted_residual(
    b: Builder, x: str, expansion: int, channels: int, stride: int, dilation: int, expanded: list | None = None
) -> str:
    """`expanded` gets the name of the expanded channels."""
    wide = b.shape(x)[1] * expansion
    y = b.relu6(b.conv_norm(x, wide)) if expansion > 1 else x
    if expanded is not None:
        expanded.append(y)
    y = b.relu6(b.conv_norm(y, wide, 3, stride, dilation, group=wide, dilation=dilation))
    is_residual = stride == 1 and b.shape(x)[1] == channels
    y = b.conv_norm(y, channels, gain=BRANCH_GAIN if is_residual else 1)
    return b.add(x, y) if is_residual else y


def mobilenet_v3_large(b: Builder) -> str:
    x = b.hard_swish(b.conv_norm("input", b.channels(16), 3, 2, 1, epsilon=1e-3))
    for kernel, expanded, channels, excited, is_hard_swish, stride in MOBILENET_V3_LARGE:
        activation = b.hard_swish if is_hard_swish else b.relu
        wide, channels = b.channels(expanded), b.channels(channels)
        y = x if wide == b.shape(x)[1] else activation(b.conv_norm(x, wide, epsilon=1e-3))
        y = activation(b.conv_norm(y, wide, kernel, stride, kernel // 2, group=wide, epsilon=1e-3))
        if excited:
            squeezed = b.relu(b.conv(b.global_pool(y), divisible_by_8(wide // 4)))
            y = b.node("Mul", b.hard_sigmoid(b.conv(squeezed, wide)), y)
        is_residual = stride == 1 and b.shape(x)[1] == channels
        y = b.conv_norm(y, channels, epsilon=1e-3, gain=BRANCH_GAIN if is_residual else 1)
        x = b.add(y, x) if is_residual else y
    x = b.hard_swish(b.conv_norm(x, b.channels(960), epsilon=1e-3))
    x = b.hard_swish(b.linear(b.flatten(b.global_pool(x)), b.channels(1280)))
    return b.linear(x, b.classes(1000))


def divisible_by_8(count: int) -> int:
    """The nearest multiple, but not below nine tenths."""
    rounded = max(8, (count + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * count else rounded + 8


def shufflenet_v2(b: Builder) -> str:
    *_, x = shufflenet_v2_stages(b, b.relu)
    x = b.relu(b.conv_norm(x, b.channels(1024)))
    return b.linear(b.node("ReduceMean", x, axes=[2, 3], keepdims=0), b.classes(1000))


def shufflenet_v2_stages(b: Builder, activation) -> list[str]:
    """The results of the three stages, of strides 8, 16 and 32."""
    x = activation(b.conv_norm("input", b.channels(24), 3, 2, 1))
    x = b.max_pool(x, 3, 2, 1)
    stages = []
    for channels, count in [(116, 4), (232, 8), (464, 4)]:
        # Channels of one of the two branches.
        half = channels // 2 if b.width == 1 else b.channels(channels // 2)
        for index in range(b.blocks(count)):
            stride = 2 if index == 0 else 1
            if stride == 2:
                kept, y = b.conv_norm(x, b.shape(x)[1], 3, 2, 1, group=b.shape(x)[1]), x
                kept = activation(b.conv_norm(kept, half))
            else:
                kept, y = b.split(x, [half, half])
            y = activation(b.conv_norm(y, half))
            y = activation(b.conv_norm(b.conv_norm(y, half, 3, stride, 1, group=half), half))
            x = channel_shuffle(b, b.concat(kept, y), 2)
        stages.append(x)
    return stages


def channel_shuffle(b: Builder, x: str, groups: int) -> str:
    """torchvision's function as it is traced: every size is read from the tensor."""
    batch, channels, height, width = (b.size(x, axis) for axis in range(4))
    channels = b.node("Div", channels, b.constant(groups, "int64"))
    x = b.transpose(b.view(x, batch, groups, channels, height, width), 0, 2, 1, 3, 4)
    return b.view(x, batch, -1, height, width)
