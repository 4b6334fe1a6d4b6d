"""Runs an image classifier that has multipoint nodes in ONNX Runtime, and prints its accuracy and its time per image.

    python classify.py digits.onnx ../digits/heldout_images.npy --labels ../digits/heldout_labels.npy --scale 0.0625

Images are [N, H, W, C] of uint8 or float32; a pixel's value is scale * stored.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import onnxruntime


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path, help="what `multipoint export` wrote")
    parser.add_argument("images", type=Path, help="a .npy file, [N, H, W, C]")
    parser.add_argument("--labels", type=Path, help="a .npy file, [N] integers: prints the accuracy")
    parser.add_argument("--scale", type=float, default=1 / 255, help="factor of the stored values (default 1/255)")
    parser.add_argument("--batch", type=int, default=50, help="images per run (default 50)")
    parser.add_argument("--threads", type=int, default=1, help="threads per run (default 1)")
    parser.add_argument("--library", default="libmultipoint_ort.so", help="the plugin (default: where the loader finds it)")
    return parser.parse_args()


def session(network: Path, library: str, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads  # of ONNX Runtime's own nodes
    options.add_session_config_entry("multipoint.threads", str(threads))  # before the library, which reads it
    options.register_custom_ops_library(library)
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])


def main() -> None:
    options = arguments()
    images = np.ascontiguousarray(np.load(options.images).transpose(0, 3, 1, 2), np.float32) * np.float32(options.scale)
    network = session(options.network, options.library, options.threads)
    name = network.get_inputs()[0].name
    batches = [images[first : first + options.batch] for first in range(0, len(images), options.batch)]
    for batch in (batches[0], batches[-1]):
        network.run(None, {name: batch})  # the first run of a batch size compiles it

    start = time.perf_counter()
    logits = np.concatenate([network.run(None, {name: batch})[0] for batch in batches])
    elapsed = time.perf_counter() - start
    if options.labels:
        labels = np.load(options.labels)
        correct = int((logits.argmax(axis=1) == labels).sum())
        print(f"top-1: {100 * correct / len(labels):.2f} % ({correct} of {len(labels)})")
    print(f"{1000 * elapsed / len(images):.3f} ms per image, {len(images)} images in batches of {options.batch}")


if __name__ == "__main__":
    main()
