"""Train a small residual network on scikit-learn's handwritten digits and save it as ONNX.

The network and its training are written in plain NumPy, so that no deep learning
framework has to be installed; the script takes about half a minute on one CPU core.

Usage:  python train.py [--out FOLDER]

Written to FOLDER (default: the folder of this script):
    digits.onnx                                     the trained network
    calibration_images.npy, calibration_labels.npy  256 images of the training part
    heldout_images.npy, heldout_labels.npy          450 images never used in training
"""

import argparse
import os
from pathlib import Path

# One BLAS thread: the way a matrix product is divided among threads changes the order
# of its additions, hence its rounding. This must be set before NumPy is imported.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 0
EPOCHS = 40
BATCH = 64
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-2
HELD_OUT = 450  # 25 % of the 1,797 images
CALIBRATION = 256
PIXEL_MAX = 16.0  # a pixel counts the set points of a 4x4 cell, so it is 0..16


# Layers -----------------------------------------------------------------------------
#
# Activations are [batch, height, width, channels] here, because a convolution is then a
# single matrix product with no transposition around it. ONNX wants [batch, channels,
# height, width]; only the weights have to be reordered for that, in to_onnx().
#
# Every layer has forward(inputs, training) and backward(gradient of its output), which
# returns the gradients of its inputs and leaves those of its parameters in self.grads.
# to_onnx() returns the operator type, the named constant inputs and the attributes.


class Layer:
    def __init__(self):
        self.params, self.grads = {}, {}


class Conv(Layer):
    """Convolution without a bias: the batch normalization behind it has one."""

    def __init__(self, rng, channels_in, channels_out, kernel=3, stride=1):
        super().__init__()
        self.kernel, self.stride, self.pad = kernel, stride, kernel // 2
        fan_in = kernel * kernel * channels_in
        self.params["weight"] = rng.normal(  # He initialization
            0, np.sqrt(2 / fan_in), (fan_in, channels_out)
        ).astype(np.float32)

    def taps(self, padded, height, width):
        """For each kernel position, the view of the input that it is multiplied with."""
        s = self.stride
        for y in range(self.kernel):
            for x in range(self.kernel):
                yield padded[:, y : y + s * height : s, x : x + s * width : s]

    def forward(self, inputs, training):
        (x,) = inputs
        p = self.pad
        padded = np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
        height, width = ((n + 2 * p - self.kernel) // self.stride + 1 for n in x.shape[1:3])
        columns = np.concatenate(list(self.taps(padded, height, width)), axis=3)
        self.saved = padded.shape, columns
        return columns @ self.params["weight"]

    def backward(self, grad):
        padded_shape, columns = self.saved
        _, height, width, channels = grad.shape
        weight = self.params["weight"]
        flat_grad = grad.reshape(-1, channels)
        self.grads["weight"] = columns.reshape(-1, len(weight)).T @ flat_grad
        grad_columns = np.split(grad @ weight.T, self.kernel**2, axis=3)
        grad_padded = np.zeros(padded_shape, grad.dtype)
        for view, part in zip(self.taps(grad_padded, height, width), grad_columns):
            view += part
        p = self.pad
        return [grad_padded[:, p : padded_shape[1] - p, p : padded_shape[2] - p]]

    def to_onnx(self):
        k = self.kernel
        weight = self.params["weight"].reshape(k, k, -1, self.params["weight"].shape[1])
        attributes = dict(
            kernel_shape=[k, k], strides=[self.stride] * 2, pads=[self.pad] * 4,
            dilations=[1, 1], group=1,
        )
        return "Conv", {"weight": weight.transpose(3, 2, 0, 1)}, attributes


class BatchNorm(Layer):
    EPSILON = 1e-5
    MOMENTUM = 0.9

    def __init__(self, channels):
        super().__init__()
        self.params["scale"] = np.ones(channels, np.float32)
        self.params["bias"] = np.zeros(channels, np.float32)
        self.mean = np.zeros(channels, np.float32)
        self.var = np.ones(channels, np.float32)

    def forward(self, inputs, training):
        (x,) = inputs
        mean, var = self.mean, self.var
        if training:
            mean, var = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
            # The running averages are what the saved network uses.
            self.mean = self.MOMENTUM * self.mean + (1 - self.MOMENTUM) * mean
            self.var = self.MOMENTUM * self.var + (1 - self.MOMENTUM) * var
        inv_std = 1 / np.sqrt(var + self.EPSILON)
        normalized = (x - mean) * inv_std
        self.saved = inv_std, normalized
        return normalized * self.params["scale"] + self.params["bias"]

    def backward(self, grad):
        inv_std, normalized = self.saved
        self.grads["bias"] = grad.sum(axis=(0, 1, 2))
        self.grads["scale"] = (grad * normalized).sum(axis=(0, 1, 2))
        # The batch mean and variance depend on the input too: two more terms.
        count = grad.size // grad.shape[3]
        centered = grad - (self.grads["bias"] + normalized * self.grads["scale"]) / count
        return [centered * (self.params["scale"] * inv_std)]

    def to_onnx(self):
        constants = dict(self.params, mean=self.mean, var=self.var)
        return "BatchNormalization", constants, dict(epsilon=self.EPSILON)


class Relu(Layer):
    def forward(self, inputs, training):
        (x,) = inputs
        self.positive = x > 0
        return x * self.positive

    def backward(self, grad):
        return [grad * self.positive]

    def to_onnx(self):
        return "Relu", {}, {}


class Add(Layer):
    def forward(self, inputs, training):
        return inputs[0] + inputs[1]

    def backward(self, grad):
        return [grad, grad]

    def to_onnx(self):
        return "Add", {}, {}


class GlobalAveragePool(Layer):
    def forward(self, inputs, training):
        (x,) = inputs
        self.shape = x.shape
        return x.mean(axis=(1, 2), keepdims=True)

    def backward(self, grad):
        area = self.shape[1] * self.shape[2]
        return [np.broadcast_to(grad / np.float32(area), self.shape)]

    def to_onnx(self):
        return "GlobalAveragePool", {}, {}


class Flatten(Layer):
    def forward(self, inputs, training):
        (x,) = inputs
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, grad):
        return [grad.reshape(self.shape)]

    def to_onnx(self):
        return "Flatten", {}, dict(axis=1)


class Gemm(Layer):
    def __init__(self, rng, features_in, features_out):
        super().__init__()
        self.params["weight"] = rng.normal(
            0, np.sqrt(1 / features_in), (features_in, features_out)
        ).astype(np.float32)
        self.params["bias"] = np.zeros(features_out, np.float32)

    def forward(self, inputs, training):
        (self.x,) = inputs
        return self.x @ self.params["weight"] + self.params["bias"]

    def backward(self, grad):
        self.grads["weight"] = self.x.T @ grad
        self.grads["bias"] = grad.sum(axis=0)
        return [grad @ self.params["weight"].T]

    def to_onnx(self):
        constants = {"weight": self.params["weight"].T, "bias": self.params["bias"]}
        return "Gemm", constants, dict(alpha=1.0, beta=1.0, transA=0, transB=1)


# Network ----------------------------------------------------------------------------


class Network:
    """A list of named layers in an order in which they can be computed.

    Training and the ONNX export both walk this list, so they cannot disagree about how
    the layers are connected.
    """

    INPUT = "image"

    def __init__(self):
        self.nodes = []  # (name, layer, names of the inputs)

    def add(self, name, layer, *inputs):
        """Append a layer, by default behind the previous one; return its name."""
        if not inputs:
            inputs = (self.nodes[-1][0] if self.nodes else self.INPUT,)
        self.nodes.append((name, layer, inputs))
        return name

    def forward(self, x, training=False):
        values = {self.INPUT: x}
        for name, layer, inputs in self.nodes:
            values[name] = layer.forward([values[i] for i in inputs], training)
        return values[name]

    def backward(self, grad):
        grads = {self.nodes[-1][0]: grad}
        for name, layer, inputs in reversed(self.nodes):
            for source, g in zip(inputs, layer.backward(grads.pop(name))):
                # A value that is used twice gets the sum of both gradients.
                grads[source] = grads[source] + g if source in grads else g

    def parameters(self):
        """Yield (layer, key) for every trained tensor."""
        for _, layer, _ in self.nodes:
            for key in layer.params:
                yield layer, key


def build_network(rng):
    net = Network()

    # Stem, 8x8
    net.add("conv1", Conv(rng, 1, 32))
    net.add("bn1", BatchNorm(32))
    stem = net.add("relu1", Relu())

    # Residual block whose shortcut is the identity, 8x8
    net.add("block1_conv1", Conv(rng, 32, 32))
    net.add("block1_bn1", BatchNorm(32))
    net.add("block1_relu1", Relu())
    net.add("block1_conv2", Conv(rng, 32, 32))
    main = net.add("block1_bn2", BatchNorm(32))
    net.add("block1_add", Add(), main, stem)
    net.add("block1_relu2", Relu())

    # Strided convolution, 8x8 -> 4x4
    net.add("conv2", Conv(rng, 32, 32, stride=2))
    net.add("bn2", BatchNorm(32))
    entry = net.add("relu2", Relu())

    # Residual block whose shortcut is a strided 1x1 projection, 4x4 -> 2x2
    net.add("block2_conv1", Conv(rng, 32, 64, stride=2))
    net.add("block2_bn1", BatchNorm(64))
    net.add("block2_relu1", Relu())
    net.add("block2_conv2", Conv(rng, 64, 64))
    main = net.add("block2_bn2", BatchNorm(64))
    net.add("block2_shortcut_conv", Conv(rng, 32, 64, kernel=1, stride=2), entry)
    shortcut = net.add("block2_shortcut_bn", BatchNorm(64))
    net.add("block2_add", Add(), main, shortcut)
    net.add("block2_relu2", Relu())

    # Head
    net.add("pool", GlobalAveragePool())
    net.add("flatten", Flatten())
    net.add("classifier", Gemm(rng, 64, 10))
    return net


# Data -------------------------------------------------------------------------------


def load_split():
    """Return train images, train labels, held-out images, held-out labels.

    Images are uint8 [count, 8, 8, 1] with the original values 0..16.
    """
    digits = load_digits()
    images = digits.images.astype(np.uint8)[..., np.newaxis]
    labels = digits.target.astype(np.int64)
    train_x, held_x, train_y, held_y = train_test_split(
        images, labels, test_size=HELD_OUT, stratify=labels, random_state=SEED
    )
    return train_x, train_y, held_x, held_y


def preprocess(images):
    return images.astype(np.float32) / np.float32(PIXEL_MAX)


def shift_randomly(images, rng):
    """Move each image by -1, 0 or 1 pixel in both directions; fill with background."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    offsets = rng.integers(0, 3, (len(images), 2))
    return np.stack([p[y : y + 8, x : x + 8] for p, (y, x) in zip(padded, offsets)])


# Training ---------------------------------------------------------------------------


class AdamW:
    """Adam with weight decay on the matrices only, not on biases and scales."""

    def __init__(self, net, beta1=0.9, beta2=0.999):
        self.slots = [
            (layer, key, np.zeros_like(layer.params[key]), np.zeros_like(layer.params[key]))
            for layer, key in net.parameters()
        ]
        self.beta1, self.beta2, self.steps = beta1, beta2, 0

    def step(self, rate):
        self.steps += 1
        correct1 = 1 - self.beta1**self.steps
        correct2 = 1 - self.beta2**self.steps
        for layer, key, first, second in self.slots:
            grad = layer.grads[key]
            first += (1 - self.beta1) * (grad - first)
            second += (1 - self.beta2) * (grad * grad - second)
            update = first / correct1 / (np.sqrt(second / correct2) + 1e-8)
            if grad.ndim > 1:
                update += WEIGHT_DECAY * layer.params[key]
            layer.params[key] -= rate * update


def cross_entropy(logits, labels):
    """Return the mean loss and its gradient."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(labels))
    grad = np.exp(log_probs)
    grad[rows, labels] -= 1
    return -log_probs[rows, labels].mean(), grad / np.float32(len(labels))


def train(net, images, labels, rng):
    optimizer = AdamW(net)
    # The last, incomplete batch of an epoch is left out (another one each time, since
    # the order is new): its batch statistics would be noisier than the others.
    steps_per_epoch = len(images) // BATCH
    total = EPOCHS * steps_per_epoch
    for epoch in range(EPOCHS):
        order = rng.permutation(len(images))
        losses = []
        for i in range(steps_per_epoch):
            chosen = order[i * BATCH : (i + 1) * BATCH]
            x = preprocess(shift_randomly(images[chosen], rng))
            loss, grad = cross_entropy(net.forward(x, training=True), labels[chosen])
            net.backward(grad)
            # The rate falls to zero along a cosine, so the weights settle at the end
            # and the running averages of the batch normalization match them.
            progress = optimizer.steps / total
            optimizer.step(LEARNING_RATE * 0.5 * (1 + np.cos(np.pi * progress)))
            losses.append(loss)
        print(f"epoch {epoch + 1:3}/{EPOCHS}  training loss {np.mean(losses):.4f}", flush=True)


# Export and verification ------------------------------------------------------------


def to_onnx_model(net):
    nodes, initializers = [], []
    last = net.nodes[-1][0]
    tensor = {net.INPUT: net.INPUT}
    for name, layer, inputs in net.nodes:
        tensor[name] = "logits" if name == last else f"{name}_out"
        op_type, constants, attributes = layer.to_onnx()
        for key, value in constants.items():
            value = np.ascontiguousarray(value, np.float32)
            initializers.append(numpy_helper.from_array(value, f"{name}.{key}"))
        constant_names = [f"{name}.{key}" for key in constants]
        nodes.append(
            helper.make_node(
                op_type, [tensor[i] for i in inputs] + constant_names, [tensor[name]],
                name=name, **attributes,
            )
        )
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10])],
        initializers,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,  # the IR version that came with opset 17
        producer_name="digits/train.py",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def run_saved(folder, images):
    """Run the saved network with ONNX Runtime; NHWC images in, logits out."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(folder / "digits.onnx"), options, providers=["CPUExecutionProvider"]
    )
    x = np.ascontiguousarray(preprocess(images).transpose(0, 3, 1, 2))
    return session.run(["logits"], {"image": x})[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent)
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)

    rng = np.random.default_rng(SEED)
    train_x, train_y, held_x, held_y = load_split()
    net = build_network(rng)
    train(net, train_x, train_y, rng)

    # Calibration images are ordinary training images, every digit in its usual share.
    calib_x, _, calib_y, _ = train_test_split(
        train_x, train_y, train_size=CALIBRATION, stratify=train_y, random_state=SEED
    )
    np.save(folder / "calibration_images.npy", calib_x)
    np.save(folder / "calibration_labels.npy", calib_y)
    np.save(folder / "heldout_images.npy", held_x)
    np.save(folder / "heldout_labels.npy", held_y)
    (folder / "digits.onnx").write_bytes(to_onnx_model(net).SerializeToString(deterministic=True))

    # Everything below uses the saved files, so it also proves that they are right.
    held_x = np.load(folder / "heldout_images.npy")
    held_y = np.load(folder / "heldout_labels.npy")
    logits = run_saved(folder, held_x)
    difference = np.abs(logits - net.forward(preprocess(held_x))).max()
    assert difference < 1e-3, f"ONNX Runtime and NumPy differ by {difference}"
    correct = int((logits.argmax(axis=1) == held_y).sum())
    train_correct = int((run_saved(folder, train_x).argmax(axis=1) == train_y).sum())
    parameters = sum(layer.params[key].size for layer, key in net.parameters())
    print(f"trained parameters: {parameters}")
    print(f"largest difference between ONNX Runtime and NumPy logits: {difference:.1e}")
    print(f"training accuracy: {train_correct}/{len(train_y)} = {train_correct / len(train_y):.2%}")
    print(f"held-out accuracy: {correct}/{len(held_y)} = {correct / len(held_y):.2%}")


if __name__ == "__main__":
    main()
