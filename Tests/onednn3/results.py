#!/usr/bin/env python3
"""The same packed files through two builds of the library, and how far their results differ.

    results.py make DIGITS FOLDER RESULTS   pack the digits network (Examples/digits) in several ways into FOLDER, then run
    results.py run FOLDER RESULTS           run every packed file of FOLDER
    results.py compare ONE OTHER            exit with status 1 if they differ by more than they may

The integer sums of every layer, over random 8-bit inputs, have to be equal bit for bit. A layer's 8-bit results may differ by one
step: a bias is added before the scale in one generation of oneDNN and after it in the other. A network's outputs follow from them.
The library is named by MULTIPOINT_LIBRARY, the command by MULTIPOINT_COMMAND.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

METHODS = {
    "ladder": ["--budget", "4.25"],
    "ladder3": ["--budget", "3"],
    "greedy": ["--method", "greedy", "--bits", "4", "--epsilon", "0.03"],
    "w8a8": ["--method", "w8a8"],
    "float": ["--method", "float"],
}


def make(digits: Path, folder: Path) -> None:
    for name, options in METHODS.items():
        command = [os.environ["MULTIPOINT_COMMAND"], "quantize", str(digits / "digits.onnx")]
        command += ["--calibration", str(digits / "calibration_images.npy"), "--scale", "0.0625"]
        subprocess.run([*command, *options, "--output", str(folder / f"digits_{name}.multipoint")], check=True)


def layer_results(model, name: str, rng: np.random.Generator) -> dict[str, np.ndarray]:
    import multipoint

    layer = model.layer(name)
    info = layer.info
    if info.is_float:
        return {}
    quantization = info.input_quantization or multipoint.Quantization(0.02, 3)
    if info.operator == "Conv":
        height, width = (int(size) for size in rng.integers(max(info.shape[2:]) * max(info.dilations), 24, 2))
        shape = (2, info.shape[1] * info.group, height, width)
    else:
        height, width, shape = 0, 0, (5, info.shape[1])
    x = rng.integers(0, 256, shape, dtype=np.uint8)
    options = dict(
        batch=shape[0], height=height, width=width, source_dtype=np.uint8, source_quantization=quantization, activation="relu"
    )
    real = layer.plan(**options, destination_dtype=np.float32).execute(x)
    step = multipoint.Quantization(float(max(real.max(), 1e-3)) / 255, 0)
    sums = layer.plan(**{**options, "activation": "identity"}, destination_dtype=np.int32).execute(x)
    stored = layer.plan(**options, destination_dtype=np.uint8, destination_quantization=step).execute(x)
    return {"sums": sums, "stored": stored}


def run(folder: Path, results: Path) -> None:
    import multipoint

    arrays: dict[str, np.ndarray] = {}
    for path in sorted(folder.glob("*.multipoint")):
        rng = np.random.default_rng(7)
        with multipoint.Model(str(path)) as model:
            for info in model.layers:
                for what, array in layer_results(model, info.name, rng).items():
                    arrays[f"{path.stem}|{info.name}|{what}"] = np.ascontiguousarray(array)
            with model.session(maximum_batch=16) as session:
                inputs = [rng.random((16, *value.shape[1:]), np.float32) for value in model.inputs]
                outputs = session.run(*inputs)
                outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
                for value, array in zip(model.outputs, outputs):
                    arrays[f"{path.stem}|{value.name}|output"] = array
    np.savez(f"{results}.npz", **arrays)
    print(f"{multipoint.build_info()}: {len(arrays)} arrays")


def compare(one: Path, other: Path) -> int:
    first, second = np.load(f"{one}.npz"), np.load(f"{other}.npz")
    assert sorted(first) == sorted(second), "not the same arrays"
    worst = {"sums": 0.0, "stored": 0.0, "output": 0.0}
    counts = dict.fromkeys(worst, 0)
    changed = elements = 0
    for key in first:
        what = key.rsplit("|", 1)[1]
        a, b = first[key].astype(np.float64), second[key].astype(np.float64)
        difference = np.abs(a - b)
        assert np.isfinite(difference).all(), key
        if what == "output":
            difference /= np.abs(a).max()
        if what == "stored":
            changed, elements = changed + int((difference > 0).sum()), elements + difference.size
        worst[what], counts[what] = max(worst[what], float(difference.max())), counts[what] + 1
    print(f"integer sums of {counts['sums']} layers: largest difference {worst['sums']:g}")
    print(f"8-bit results of {counts['stored']} layers: largest difference {worst['stored']:g} steps, in {changed} of {elements} elements")
    print(f"outputs of {counts['output']} networks: largest difference {worst['output']:.2g} of the largest output")
    assert all(counts.values()), counts
    return 0 if worst["sums"] == 0 and worst["stored"] <= 1 and worst["output"] < 0.05 else 1


def main() -> int:
    action, *paths = sys.argv[1:]
    folders = [Path(path) for path in paths]
    if action == "make":
        make(folders[0], folders[1])
        run(folders[1], folders[2])
    elif action == "run":
        run(*folders)
    else:
        return compare(*folders)
    return 0


if __name__ == "__main__":
    sys.exit(main())
