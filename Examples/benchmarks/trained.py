#!/usr/bin/env python3
"""What becomes of the trained networks of Examples/pretrained: how well they still do their work, how large they are, how long they take.

    Examples/benchmarks/run --trained [--networks NAME ...] [--rounds N]

For each network: a packed file of 5 bits per weight and one of 8 (`--method w8a8`), and ONNX Runtime's static 8-bit quantization, all
calibrated with the same 12 to 32 images; what the outputs for other images are worth, beside the float network's; the least cosine of
several outputs with the float network's, over all images; sizes and times. Files and finished rows stay in the folder, so that a run
may be cut short and taken up again.
"""

import argparse
import json
import os

import numpy as np
import onnx

import benchmark
import prepare
import pretrained
import table

IMAGES = 100
TIMED = ["multipoint/budget 5", "onnxruntime", "onnxruntime/float"]


def prepared(folder: str, name: str) -> dict[str, str]:
    """Every contestant's file."""
    stem = os.path.join(folder, pretrained.file_name(name))
    calibration = f"{stem}.images.npy"
    files = {
        "onnxruntime/float": f"{stem}.onnx", "onnxruntime": f"{stem}.int8.onnx", "multipoint/budget 5": f"{stem}.budget-5.multipoint",
        "multipoint/w8a8": f"{stem}.w8a8.multipoint",
    }  # fmt: skip
    if not os.path.exists(files["onnxruntime/float"]):
        pretrained.write(name, files["onnxruntime/float"], folder)
    network = pretrained.NETWORKS[name]
    np.save(calibration, network.samples(network.calibration, 1, folder)[0])
    for contestant, options in (("multipoint/budget 5", ["--budget", "5"]), ("multipoint/w8a8", ["--method", "w8a8"])):
        if not os.path.exists(files[contestant]):
            benchmark.say(f"\r\033[K{name}: {contestant}")
            prepare.quantize_by_multipoint(files["onnxruntime/float"], calibration, files[contestant], options)
    if not os.path.exists(files["onnxruntime"]):
        benchmark.say(f"\r\033[K{name}: onnxruntime")
        prepare.quantize_by_onnxruntime(files["onnxruntime/float"], np.load(calibration), files["onnxruntime"])
    return files


def row(folder: str, name: str, rounds: int, threads: list[int]) -> dict:
    network, files = pretrained.NETWORKS[name], prepared(folder, name)
    images, truths = network.samples(IMAGES, 2, folder)
    notes = {entry.key: entry.value for entry in onnx.load(files["onnxruntime/float"]).metadata_props}
    benchmark.say(f"\r\033[K{name}: running")
    found = {contestant: table.outputs_of_each(file, images) for contestant, file in files.items()}
    expected = found["onnxruntime/float"]
    joined = {contestant: [np.concatenate(parts) for parts in zip(*each)] for contestant, each in found.items()}
    account = table.diagnosis(files["onnxruntime/float"])
    result = {
        "network": name,
        "package": network.package,
        "image": "×".join(str(size) for size in network.shape),
        "meaning": network.meaning,
        "multiply_adds": account["multiply_adds"]["total"],
        "coverage": account["multiply_adds"]["int8"] / account["multiply_adds"]["total"],
        "merit": {contestant: network.merit(each, expected, truths, notes) for contestant, each in found.items()},
        "cosine": {contestant: table.cosine(each, joined["onnxruntime/float"]) for contestant, each in joined.items()},
        "file_bytes": {contestant: os.path.getsize(file) for contestant, file in files.items()},
        "times": {},
    }
    for count in threads:
        timed = {contestant: files[contestant] for contestant in TIMED}
        result["times"][str(count)] = benchmark.compare(timed, 1, count, rounds, "wall")
    return result


def text(rows: list[dict]) -> str:
    header = ["network", "input", "what counts", "float", "5 bits", "W8A8", "ONNX Runtime int8", "kB: float, 5 bits, ONNX Runtime"]
    header += [f"ms, {' / '.join(rows[0]['times'])} threads" if rows else "ms", "ONNX Runtime int8", "ONNX Runtime float"]
    lines = [header, ["---"] * len(header)]
    for found in rows:
        merits = [found["merit"][name] for name in ("onnxruntime/float", "multipoint/budget 5", "multipoint/w8a8", "onnxruntime")]
        sizes = [found["file_bytes"][name] / 1000 for name in ("onnxruntime/float", "multipoint/budget 5", "onnxruntime")]
        times = [" / ".join(f"{by_threads[name]['minimum_ms']:.3g}" for by_threads in found["times"].values()) for name in TIMED]
        lines.append(
            [
                found["network"], found["image"], found["meaning"], *(f"{100 * merit:.1f} %" for merit in merits),
                ", ".join(f"{size:.0f}" for size in sizes), *times,
            ]
        )  # fmt: skip
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    table.add_options(parser, list(pretrained.NETWORKS))
    table.run(parser.parse_args(), "trained.json", row, text)


if __name__ == "__main__":
    main()
