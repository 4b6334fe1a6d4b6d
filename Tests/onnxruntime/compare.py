"""A packed network through both granularities beside the C interface and the float network, for any network and images:

    python compare.py network.multipoint original.onnx images.npy --scale 0.0039 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225

Images are [N, H, W, C]; the options are those of `multipoint quantize`. Needs what the tests need (see conftest.py).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import multipoint
import numpy as np
import onnxruntime

from runtime import float_session, run, session, signal_to_noise
from test_layers import check_every_layer


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packed", type=Path)
    parser.add_argument("original", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--mean", default="0")
    parser.add_argument("--std", default="1")
    parser.add_argument("--batch", type=int, default=100)
    return parser.parse_args()


def prepared(options: argparse.Namespace) -> np.ndarray:
    mean, std = (np.array([float(number) for number in text.split(",")], np.float32) for text in (options.mean, options.std))
    images = (np.load(options.images).astype(np.float32) * np.float32(options.scale) - mean) / std
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def exported(packed: Path, original: Path, folder: Path) -> dict[str, Path]:
    command = os.environ["MULTIPOINT_COMMAND"]
    paths = {}
    for name, extra in [("network", []), ("layer", [original])]:
        paths[name] = folder / f"{name}.onnx"
        subprocess.run([command, "export", packed, *extra, "--granularity", name, "-o", paths[name]], check=True, stdout=subprocess.DEVNULL)
    return paths


def main() -> None:
    options = arguments()
    images = prepared(options)
    batches = [images[first : first + options.batch] for first in range(0, len(images), options.batch)]
    print(f"onnxruntime {onnxruntime.__version__}, {multipoint.build_info()}, {len(images)} images")
    plain = float_session(options.original)
    exact = np.concatenate([run(plain, batch)[0] for batch in batches])
    with multipoint.Model(options.packed) as model, model.session(maximum_batch=options.batch, threads=1) as network:
        whole = np.concatenate([network.run(batch) for batch in batches])
    labels = np.load(options.labels) if options.labels else None

    def describe(name: str, logits: np.ndarray) -> None:
        parts = [f"{signal_to_noise(logits, exact):.2f} dB to float, {signal_to_noise(logits, whole):.2f} dB to the C interface"]
        parts.append(f"{100 * (logits.argmax(1) == whole.argmax(1)).mean():.2f} % agree with it")
        if labels is not None:
            parts.append(f"top-1 {100 * (logits.argmax(1) == labels).mean():.2f} %")
        parts.append(f"equal bits: {np.array_equal(logits, whole)}")
        print(f"{name:12} " + ", ".join(parts))

    describe("C interface", whole)
    with tempfile.TemporaryDirectory() as folder:
        for name, path in exported(options.packed, options.original, Path(folder)).items():
            network = session(path)
            describe(name, np.concatenate([run(network, batch)[0] for batch in batches]))
            if name == "layer":
                check_every_layer(options.packed, path, batches[0])
                print(f"{name:12} every layer has the bits that a plan of the C interface gives")
            single = images[:1]
            times = []
            for _ in range(50):
                start = time.perf_counter()
                run(network, single)
                times.append(time.perf_counter() - start)
            print(f"{name:12} one image, one thread: {1000 * min(times):.3f} ms")


if __name__ == "__main__":
    main()
