"""Makes every contestant's files: the networks in ONNX, and each runtime's own quantization of them. Files that are there stay."""

import importlib.util
import os
import subprocess
import sys
import tempfile

import numpy as np

import networks
import points
from networks import path

# The images that all quantizers see.
IMAGES = 8


def onnx(folder: str, network: str) -> str:
    file = path(folder, network, "onnx")
    if not os.path.exists(file):
        networks.write(network, file)
    return file


def onnxruntime(folder: str, network: str) -> str:
    file = path(folder, network, "int8.onnx")
    if not os.path.exists(file):
        quantize_by_onnxruntime(onnx(folder, network), networks.images(network, IMAGES), file)
    return file


def quantize_by_onnxruntime(model: str, images: np.ndarray, file: str) -> None:
    """Static QDQ quantization: u8 activations, s8 weights per channel."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Images(CalibrationDataReader):
        def __init__(self):
            self.rest = iter(images)

        def get_next(self):
            image = next(self.rest, None)
            return None if image is None else {"input": image[None]}

    with tempfile.TemporaryDirectory(dir=os.path.dirname(file)) as temporary:
        prepared = os.path.join(temporary, "prepared.onnx")
        quant_pre_process(with_axes(model, temporary), prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared, file + ".part", Images(), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )  # fmt: skip
    os.replace(file + ".part", file)


def with_axes(model: str, folder: str) -> str:
    """The model in an operator set whose DequantizeLinear has scales per channel."""
    import onnx

    loaded = onnx.load(model)
    if loaded.opset_import[0].version >= 13:
        return model
    converted = os.path.join(folder, "converted.onnx")
    onnx.save(onnx.version_converter.convert_version(loaded, 13), converted)
    return converted


def openvino(folder: str, network: str) -> str:
    """nncf's post-training quantization."""
    file = path(folder, network, "int8.xml")
    if os.path.exists(file):
        return file
    import nncf
    import openvino as ov

    model = ov.convert_model(onnx(folder, network))
    model.reshape(networks.images(network, 1).shape)
    quantized = nncf.quantize(model, nncf.Dataset([image[None] for image in networks.images(network, IMAGES)]), subset_size=IMAGES)
    ov.save_model(quantized, file, compress_to_fp16=False)
    return file


def ncnn(folder: str, network: str) -> str:
    """In float: the package from PyPI has no quantizer. Converted by pnnx."""
    file = path(folder, network, "ncnn.param")
    if os.path.exists(file):
        return file
    shape = str(list(networks.images(network, 1).shape)).replace(" ", "")
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        source = os.path.join(temporary, "network.onnx")
        os.link(onnx(folder, network), source)
        subprocess.run([pnnx(), source, f"inputshape={shape}f32", "fp16=0"], check=True, cwd=temporary, stdout=subprocess.DEVNULL)
        os.replace(os.path.join(temporary, "network.ncnn.bin"), file.removesuffix(".param") + ".bin")
        os.replace(os.path.join(temporary, "network.ncnn.param"), file)
    return file


def pnnx() -> str:
    """The program in the package of this name, which cannot be imported without PyTorch."""
    (folder,) = importlib.util.find_spec("pnnx").submodule_search_locations
    return os.path.join(folder, "pnnx")


def multipoint(folder: str, network: str) -> str:
    """The command's defaults."""
    options: list[str] = []
    # Rounding against the inputs' covariance of VGG-16's first Gemm layer, 25,088 wide, takes many minutes.
    if network == "VGG-16":
        options = ["--method", "greedy", "--bits", "4", "--max-points", "1"]
    return packed(folder, network, "packed", options)


def one_point(folder: str, network: str) -> str:
    options = ["--method", "greedy", "--bits", "4", "--first-bits", "4", "--last-bits", "4", "--max-points", "1"]
    return packed(folder, network, "one-point", options)


def two_points(folder: str, network: str) -> str:
    """As `one_point`, with a second point, in a ladder, for 30 % of the channels."""
    file = path(folder, network, "two-points.multipoint")
    if not os.path.exists(file):
        points.refine(one_point(folder, network), file, 0.3)
    return file


def budget_5(folder: str, network: str) -> str:
    """A ladder at 5 bits per weight."""
    return packed(folder, network, "budget-5", ["--budget", "5"])


def w8a8(folder: str, network: str) -> str:
    return packed(folder, network, "w8a8", ["--method", "w8a8"])


def packed(folder: str, network: str, variant: str, options: list[str]) -> str:
    file = path(folder, network, f"{variant}.multipoint")
    if not os.path.exists(file):
        calibration = path(folder, network, "images.npy")
        np.save(calibration, networks.images(network, IMAGES))
        quantize_by_multipoint(onnx(folder, network), calibration, file, options)
    return file


def quantize_by_multipoint(model: str, calibration: str, file: str, options: list[str]) -> None:
    command = [os.environ.get("MULTIPOINT_COMMAND", "multipoint"), "quantize", model]
    subprocess.run([*command, "--calibration", calibration, *options, "--output", file], check=True, stdout=subprocess.DEVNULL)


QUANTIZERS = {
    "multipoint": multipoint,
    "multipoint/one point": one_point,
    "multipoint/two points": two_points,
    "multipoint/budget 5": budget_5,
    "multipoint/w8a8": w8a8,
    "onnxruntime": onnxruntime,
    "onnxruntime/float": onnx,
    "openvino": openvino,
    "ncnn": ncnn,
}


def main() -> None:
    """prepare.py FOLDER RUNTIME NETWORK: in a process of its own, since quantizers need much memory."""
    print(QUANTIZERS[sys.argv[2]](sys.argv[1], sys.argv[3]))


if __name__ == "__main__":
    main()
