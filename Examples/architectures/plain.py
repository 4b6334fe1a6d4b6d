"""VGG (Simonyan, Zisserman 2015), Inception-v3 (Szegedy et al. 2016), SqueezeNet 1.1 (Iandola et al. 2016), DenseNet-121 (Huang
et al. 2017), as torchvision defines them."""

from __future__ import annotations

from .builder import Builder


def vgg19_bn(b: Builder) -> str:
    return vgg(b, [2, 2, 4, 4, 4], lambda x, channels: b.conv_norm(x, channels, 3, 1, 1, bias=True))


def vgg16(b: Builder) -> str:
    return vgg(b, [2, 2, 3, 3, 3], lambda x, channels: b.conv(x, channels, 3, 1, 1))


def vgg(b: Builder, repeats: list[int], layer) -> str:
    x = "input"
    for count, channels in zip(repeats, [64, 128, 256, 512, 512]):
        for _ in range(b.blocks(count)):
            x = b.relu(layer(x, b.channels(channels)))
        x = b.max_pool(x, 2, 2)
    # The adaptive pooling to 7 × 7, which is what an image of 224 × 224 has here.
    x = b.flatten(b.average_pool(x, 1, 1))
    for _ in range(2):
        x = b.relu(b.linear(x, b.channels(4096)))
    return b.linear(x, b.classes(1000))


def squeezenet(b: Builder) -> str:
    def fire(x: str, squeezed: int, expanded: int) -> str:
        x = b.relu(b.conv(x, b.channels(squeezed)))
        return b.concat(b.relu(b.conv(x, b.channels(expanded))), b.relu(b.conv(x, b.channels(expanded), 3, 1, 1)))

    x = b.relu(b.conv("input", b.channels(64), 3, 2))
    for squeezed, expanded in [(16, 64), (32, 128), (48, 192), (64, 256)]:
        if squeezed < 64:
            x = b.max_pool(x, 3, 2, ceil_mode=1)
        for _ in range(2):
            x = fire(x, squeezed, expanded)
    return b.flatten(b.global_pool(b.relu(b.conv(x, b.classes(1000)))))


def densenet121(b: Builder) -> str:
    growth = b.channels(32)
    x = b.relu(b.conv_norm("input", b.channels(64), 7, 2, 3))
    x = b.max_pool(x, 3, 2, 1)
    for stage, count in enumerate([6, 12, 24, 16]):
        if stage > 0:
            x = b.conv(b.relu(b.batch_norm(x)), b.shape(x)[1] // 2, bias=False)
            x = b.average_pool(x, 2, 2)
        features = [x]
        for _ in range(b.blocks(count)):
            y = features[0] if len(features) == 1 else b.concat(*features)
            y = b.relu(b.conv_norm(b.relu(b.batch_norm(y)), 4 * growth))
            features.append(b.conv(y, growth, 3, 1, 1, bias=False))
        x = b.concat(*features)
    x = b.relu(b.batch_norm(x))
    return b.linear(b.flatten(b.global_pool(x)), b.classes(1000))


def inception_v3(b: Builder) -> str:
    """Without the auxiliary classifier, with the change of normalization that the pretrained network has at its input."""

    def conv(x: str, channels: int, kernel=1, stride=1, pads=0) -> str:
        return b.relu(b.conv_norm(x, b.channels(channels), kernel, stride, pads, epsilon=1e-3))

    def chain(x: str, *layers) -> str:
        for layer in layers:
            x = conv(x, *layer)
        return x

    def pooled(x: str, channels: int) -> str:
        """avg_pool2d with padding, which counts: exported as a Pad before."""
        return conv(b.average_pool(b.pad(x, 1, 1, 1, 1), 3, 1), channels)

    def row(channels: int):
        return channels, (1, 7), 1, (0, 3)

    def column(channels: int):
        return channels, (7, 1), 1, (3, 0)

    planes = []
    for channel, (mean, deviation) in enumerate([(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)]):
        plane = b.unsqueeze(b.node("Gather", "input", b.constant(channel, "int64"), axis=1), 1)
        plane = b.node("Mul", plane, b.constant(deviation / 0.5))
        planes.append(b.node("Add", plane, b.constant((mean - 0.5) / 0.5)))
    x = chain(b.concat(*planes), (32, 3, 2), (32, 3), (64, 3, 1, 1))
    x = chain(b.max_pool(x, 3, 2), (80,), (192, 3))
    x = b.max_pool(x, 3, 2)
    for pool in (32, 64, 64):  # 5b to 5d
        five, three = chain(x, (48,), (64, 5, 1, 2)), chain(x, (64,), (96, 3, 1, 1), (96, 3, 1, 1))
        x = b.concat(conv(x, 64), five, three, pooled(x, pool))
    x = b.concat(conv(x, 384, 3, 2), chain(x, (64,), (96, 3, 1, 1), (96, 3, 2)), b.max_pool(x, 3, 2))  # 6a
    for c in (128, 160, 160, 192):  # 6b to 6e
        seven = chain(x, (c,), row(c), column(192))
        double = chain(x, (c,), column(c), row(c), column(c), row(192))
        x = b.concat(conv(x, 192), seven, double, pooled(x, 192))
    seven = chain(x, (192,), row(192), column(192), (192, 3, 2))
    x = b.concat(chain(x, (192,), (320, 3, 2)), seven, b.max_pool(x, 3, 2))  # 7a
    for _ in range(2):  # 7b, 7c
        three, double = conv(x, 384), chain(x, (448,), (384, 3, 1, 1))
        branches = [b.concat(conv(y, 384, (1, 3), 1, (0, 1)), conv(y, 384, (3, 1), 1, (1, 0))) for y in (three, double)]
        x = b.concat(conv(x, 320), *branches, pooled(x, 192))
    return b.linear(b.flatten(b.global_pool(x)), b.classes(1000))
