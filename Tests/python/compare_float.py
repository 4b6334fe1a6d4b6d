#!/usr/bin/env python3
"""How far the float pass of `multipoint run` is from ONNX Runtime's on any network and images.

    compare_float.py MODEL.onnx IMAGES.npy [--scale S] [--mean M,...] [--std D,...]

IMAGES are uint8 N×H×W×C; the network gets (images * scale - mean) / std as N×C×H×W. The command is named by MULTIPOINT_COMMAND.
Exits with status 1 if the largest difference is above 1e-4 of the largest output.
"""

import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime


def numbers(text: str) -> np.ndarray:
    return np.array([float(number) for number in text.split(",")], np.float32)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("images")
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--mean", type=numbers, default=np.zeros(1, np.float32))
    parser.add_argument("--std", type=numbers, default=np.ones(1, np.float32))
    options = parser.parse_args()

    stored = np.load(options.images).astype(np.float32)
    inputs = np.ascontiguousarray(((stored * np.float32(options.scale) - options.mean) / options.std).transpose(0, 3, 1, 2))
    session = onnxruntime.InferenceSession(options.model)
    name = session.get_inputs()[0].name
    expected = np.concatenate([session.run(None, {name: inputs[i : i + 1]})[0] for i in range(len(inputs))])
    with tempfile.TemporaryDirectory() as folder:
        source, result = os.path.join(folder, "x.npy"), os.path.join(folder, "y.npy")
        np.save(source, inputs)
        command = os.environ.get("MULTIPOINT_COMMAND", "multipoint")
        subprocess.run([command, "run", options.model, "--input", source, "--output", result], check=True)
        found = np.load(result)
    difference, largest = np.abs(found - expected).max(), np.abs(expected).max()
    print(f"{len(inputs)} images: largest difference {difference:.3g}, largest output {largest:.4g}: {difference / largest:.2g}")
    return 0 if difference <= 1e-4 * largest else 1


if __name__ == "__main__":
    sys.exit(main())
