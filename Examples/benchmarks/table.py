#!/usr/bin/env python3
"""What becomes of every network of Examples/architectures: how much runs in 8 bits, how near the outputs stay to float, how long
it takes.

    Examples/benchmarks/run --table [--networks NAME ...] [--rounds N]

For each network: `doctor`'s account of it, a packed file of 5 bits per weight and one of 8 (`--method w8a8`), calibrated with 8
random images of natural spectrum; the cosine of their outputs with ONNX Runtime's float ones on 8 others, the least of several
outputs; and the time of the first file in turns with ONNX Runtime in float and in 8 bits. Files and finished rows stay in the
folder, so that a run may be cut short and taken up again.
"""

import argparse
import json
import os
import subprocess
import time
from collections.abc import Callable

import numpy as np
import onnx

import architectures
import benchmark

CONTESTANTS = ["multipoint/budget 5", "onnxruntime", "onnxruntime/float"]
# Seed of the images that outputs are compared on; the calibration's is another.
SEED = 3
IMAGES = 8


def diagnosis(model: str) -> dict:
    command = [os.environ.get("MULTIPOINT_COMMAND", "multipoint"), "doctor", model, "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if not done.stdout:
        raise RuntimeError(f"{model}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def outputs(file: str, images: np.ndarray) -> list[np.ndarray]:
    """For all images together."""
    return [np.concatenate(parts) for parts in zip(*outputs_of_each(file, images))]


def outputs_of_each(file: str, images: np.ndarray) -> list[list[np.ndarray]]:
    """Image by image, of a packed file or by ONNX Runtime."""
    if file.endswith(".onnx"):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        return [session.run(None, {"input": image[None]}) for image in images]
    import multipoint

    with multipoint.Model(file) as model, model.session() as session:
        found = [session.run(image[None]) for image in images]
    return [list(result) if isinstance(result, tuple) else [result] for result in found]


def cosine(found: list[np.ndarray], expected: list[np.ndarray]) -> float:
    values = []
    for a, b in zip(found, expected):
        a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
        values.append(float(a @ b / np.sqrt((a @ a) * (b @ b))))
    return min(values)


def row(folder: str, network: str, rounds: int, threads: list[int]) -> dict:
    described = architectures.NETWORKS[network]
    files, seconds = {}, {}
    for contestant in [*CONTESTANTS, "multipoint/w8a8"]:
        benchmark.say(f"\r\033[K{network}: {contestant}")
        started = time.monotonic()
        files[contestant] = benchmark.prepared(folder, contestant, network)
        seconds[contestant] = time.monotonic() - started
    model = files["onnxruntime/float"]
    account = diagnosis(model)
    graph = onnx.load(model, load_external_data=False).graph
    operators = [node.op_type for node in graph.node if node.op_type != "Constant"]
    images = described.images(described.full, IMAGES, SEED)
    expected = outputs(model, images)
    result = {
        "network": network,
        "image": "×".join(str(size) for size in images.shape[1:]),
        "parameters": described.parameters,
        "nodes": len(operators),
        "operators": len(set(operators)),
        "coverage": account["multiply_adds"]["int8"] / account["multiply_adds"]["total"],
        "multiply_adds": account["multiply_adds"]["total"],
        "cosine": {name: cosine(outputs(file, images), expected) for name, file in files.items() if name != "onnxruntime/float"},
        "file_bytes": {name: os.path.getsize(file) for name, file in files.items()},
        "preparing_seconds": seconds,
        "times": {},
    }
    entered = {name: files[name] for name in CONTESTANTS}
    for count in threads:
        result["times"][str(count)] = benchmark.compare(entered, 1, count, rounds, "wall")
    return result


def text(rows: list[dict]) -> str:
    header = ["network", "input", "parameters", "multiply-adds", "nodes (operators)", "in 8 bits", "cosine, 5 bits", "cosine, W8A8"]
    header += ["Multipoint, ms", "ONNX Runtime int8", "ONNX Runtime float"]
    lines = [header, ["---"] * len(header)]
    for found in rows:
        times = [
            " / ".join(f"{by_threads[name]['minimum_ms']:.3g}" for by_threads in found["times"].values()) for name in CONTESTANTS
        ]
        lines.append(
            [
                found["network"],
                found["image"],
                f"{found['parameters'] / 1e6:.2f} M",
                f"{found['multiply_adds'] / 1e9:.2f} G",
                f"{found['nodes']} ({found['operators']})",
                f"{100 * found['coverage']:.1f} %",
                f"{found['cosine']['multipoint/budget 5']:.4f}",
                f"{found['cosine']['multipoint/w8a8']:.4f}",
                *times,
            ]
        )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def add_options(parser: argparse.ArgumentParser, names: list[str]) -> None:
    parser.add_argument("--folder", required=True, help="where networks, quantized files and results go")
    parser.add_argument("--networks", nargs="+", default=names, choices=names, metavar="NAME")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=20, help="turns of each contestant")
    parser.add_argument("--again", action="store_true", help="measure also the networks whose results are in the folder")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")


def run(options: argparse.Namespace, store: str, row: Callable[..., dict], text: Callable[[list[dict]], str]) -> None:
    """A row for each network, kept in the file `store` of the folder, and the table of those that were asked for."""
    os.makedirs(options.folder, exist_ok=True)
    store = os.path.join(options.folder, store)
    rows = {}
    if os.path.exists(store):
        with open(store) as file:
            rows = {found["network"]: found for found in json.load(file)["rows"]}
    failures = []
    for network in options.networks:
        if network in rows and not options.again:
            continue
        try:
            rows[network] = row(options.folder, network, options.rounds, options.threads)
        except RuntimeError as error:
            failures.append(f"{network}: {error}")
            continue
        with open(store + ".part", "w") as file:
            json.dump({"machine": benchmark.machine(), "rows": list(rows.values())}, file, indent=2)
        os.replace(store + ".part", store)
    benchmark.say("\r\033[K")
    chosen = [rows[network] for network in options.networks if network in rows]
    print(json.dumps({"machine": benchmark.machine(), "rows": chosen}, indent=2) if options.json else text(chosen))
    if failures:
        raise SystemExit("\n".join(failures))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, list(architectures.NETWORKS))
    run(parser.parse_args(), "table.json", row, text)


if __name__ == "__main__":
    main()
