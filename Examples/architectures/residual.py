"""ResNet (He, Zhang, Ren, Sun 2016; stride in the 3 × 3 convolution), Wide-ResNet-50-2 (Zagoruyko, Komodakis 2016), RegNet-Y
(Radosavovic et al. 2020), as torchvision defines them, and CIFAR's ResNet-20."""

from __future__ import annotations

from .builder import Builder

# Of the last batch normalization in a residual branch, so that sums do not grow with depth.
BRANCH_GAIN = 0.3


def resnet18(b: Builder) -> str:
    return resnet(b, [2, 2, 2, 2], basic)


def resnet50(b: Builder) -> str:
    return resnet(b, [3, 4, 6, 3], bottleneck(1))


def resnet101(b: Builder) -> str:
    return resnet(b, [3, 4, 23, 3], bottleneck(1))


def wide_resnet50(b: Builder) -> str:
    return resnet(b, [3, 4, 6, 3], bottleneck(2))


def resnet(b: Builder, repeats: list[int], block) -> str:
    x = b.relu(b.conv_norm("input", b.channels(64), 7, 2, 3))
    x = b.max_pool(x, 3, 2, 1)
    for stage, (channels, count) in enumerate(zip([64, 128, 256, 512], repeats)):
        for index in range(b.blocks(count)):
            x = block(b, x, b.channels(channels), 2 if stage > 0 and index == 0 else 1)
    return b.linear(b.flatten(b.global_pool(x)), b.classes(1000))


def basic(b: Builder, x: str, channels: int, stride: int) -> str:
    y = b.relu(b.conv_norm(x, channels, 3, stride, 1))
    return sum_with_shortcut(b, x, b.conv_norm(y, channels, 3, 1, 1, gain=BRANCH_GAIN), stride)


def bottleneck(width: int):
    def block(b: Builder, x: str, channels: int, stride: int) -> str:
        y = b.relu(b.conv_norm(x, width * channels))
        y = b.relu(b.conv_norm(y, width * channels, 3, stride, 1))
        return sum_with_shortcut(b, x, b.conv_norm(y, 4 * channels, gain=BRANCH_GAIN), stride)

    return block


def sum_with_shortcut(b: Builder, x: str, branch: str, stride: int) -> str:
    channels = b.shape(branch)[1]
    shortcut = x if stride == 1 and b.shape(x)[1] == channels else b.conv_norm(x, channels, 1, stride)
    return b.relu(b.add(branch, shortcut))


def resnet20(b: Builder) -> str:
    """For images of 32 × 32 (section 4.2), with projections for shortcuts."""
    x = b.relu(b.conv_norm("input", 16, 3, 1, 1))
    for stage, channels in enumerate([16, 32, 64]):
        for index in range(3):
            x = basic(b, x, channels, 2 if stage > 0 and index == 0 else 1)
    return b.linear(b.flatten(b.global_pool(x)), 10)


def regnet_y_400mf(b: Builder) -> str:
    """Groups of 8 channels; squeeze-and-excitation whose width is a quarter of the block's input."""
    x = b.relu(b.conv_norm("input", b.channels(32), 3, 2, 1))
    for channels, count in [(48, 1), (104, 3), (208, 6), (440, 6)]:
        for index in range(b.blocks(count)):
            stride = 2 if index == 0 else 1
            width = b.channels(channels)
            y = b.relu(b.conv_norm(x, width))
            y = b.relu(b.conv_norm(y, width, 3, stride, 1, group=width // 8))
            excitation = b.relu(b.conv(b.global_pool(y), round(0.25 * b.shape(x)[1])))
            y = b.node("Mul", b.sigmoid(b.conv(excitation, width)), y)
            x = sum_with_shortcut(b, x, b.conv_norm(y, width, gain=BRANCH_GAIN), stride)
    return b.linear(b.flatten(b.global_pool(x)), b.classes(1000))
