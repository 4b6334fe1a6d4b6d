"""Runs a packed image classifier over .npy images and prints its accuracy and its time per image.

    python classify.py digits.multipoint ../digits/heldout_images.npy --labels ../digits/heldout_labels.npy --scale 0.0625

Images are [N, H, W, C] of uint8 or float32; each becomes (value * scale - mean) / std before it runs.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

import multipoint


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path, help="the packed network, a .multipoint file")
    parser.add_argument("images", type=Path, help="a .npy file, [N, H, W, C]")
    parser.add_argument("--labels", type=Path, help="a .npy file, [N] integers: prints the accuracy")
    parser.add_argument("--scale", type=float, default=1 / 255, help="factor of the stored values (default 1/255)")
    parser.add_argument("--mean", type=float, nargs="+", default=[0.0], help="per channel")
    parser.add_argument("--std", type=float, nargs="+", default=[1.0], help="per channel")
    parser.add_argument("--batch", type=int, default=1, help="images per run (default 1)")
    parser.add_argument("--threads", type=int, default=0, help="threads per run (default: every core)")
    return parser.parse_args()


def prepared(images: np.ndarray, scale: float, mean: list[float], std: list[float]) -> np.ndarray:
    """float32 [N, C, H, W]: a transposed view of channels-last memory, which the library reads in place."""
    offset, divisor = np.asarray(mean, np.float32), np.asarray(std, np.float32)
    values = (images.astype(np.float32) * np.float32(scale) - offset) / divisor
    return values.transpose(0, 3, 1, 2)


def classify(session: multipoint.Session, images: np.ndarray, batch: int) -> tuple[np.ndarray, float]:
    """The logits of all images, and the milliseconds that one image took."""
    session.run(images[:batch])  # the first run of a batch size compiles it
    results = []
    start = time.perf_counter()
    for first in range(0, len(images), batch):
        results.append(session.run(images[first : first + batch]))
    elapsed = time.perf_counter() - start
    return np.concatenate(results), 1000 * elapsed / len(images)


def main() -> None:
    options = arguments()
    images = prepared(np.load(options.images), options.scale, options.mean, options.std)
    with multipoint.Model(options.network) as model:
        packed = [layer for layer in model.layers if not layer.is_float]
        weights = sum(layer.channels * layer.row_length for layer in packed)
        bits = sum(layer.bits_per_weight * layer.channels * layer.row_length for layer in packed)
        print(f"{model.name or options.network.name}: {len(model.layers)} layers, {len(packed)} packed", end="")
        print(f" at {bits / weights:.2f} bits per weight" if weights else "")
        with model.session(maximum_batch=options.batch, threads=options.threads) as session:
            logits, milliseconds = classify(session, images, options.batch)
    if options.labels:
        labels = np.load(options.labels)
        correct = int((logits.argmax(axis=1) == labels).sum())
        print(f"top-1: {100 * correct / len(labels):.2f} % ({correct} of {len(labels)})")
    print(f"{milliseconds:.3f} ms per image, {len(images)} images in batches of {options.batch}")


if __name__ == "__main__":
    main()
