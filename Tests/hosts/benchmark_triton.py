#!/usr/bin/env python3
"""Requests per second of one network behind one Triton server: with our backend, and with Triton's own Python backend calling
ONNX Runtime on the network quantized to int8 its way.

    Tests/hosts/run --benchmark [--networks ResNet-20 ResNet-18] [--clients 8] [--images 1] [--rounds 5] [--json]

Both models have the same configuration: instances of one thread each, the same largest batch and the dynamic batcher. They are
asked in turns by the same clients (gRPC), which share the machine with the server. The ratio is that of
the best rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "Examples"), str(ROOT / "Examples" / "benchmarks")]

import architectures  # noqa: E402
import networks  # noqa: E402
import prepare  # noqa: E402

from clients import client_of, tensor  # noqa: E402
from triton import BACKENDS, SERVER, Repository, Triton  # noqa: E402

PYTHON_MODEL = '''
import json, os
import numpy as np
import onnxruntime
import triton_python_backend_utils as utils


class TritonPythonModel:
    """As one would write it: the requests that the server hands over together run together."""

    def initialize(self, args):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        path = os.path.join(args["model_repository"], args["model_version"], "model.onnx")
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def execute(self, requests):
        arrays = [utils.get_input_tensor_by_name(request, "input").as_numpy() for request in requests]
        ends = np.cumsum([len(array) for array in arrays])[:-1]
        (result,) = self.session.run(None, {"input": np.concatenate(arrays)})
        return [utils.InferenceResponse([utils.Tensor("output", part)]) for part in np.split(result, ends)]
'''

CONTESTANTS = {"multipoint": "multipoint backend", "onnxruntime": "Python backend, ONNX Runtime int8"}


def join_backends(folder: Path, python: Path) -> None:
    """One folder with our backend and the server's Python backend, which wants its stub of this Python's version beside it.

    `python` is the environment in which its models run: this server's stub passes empty tensors with NumPy 2.
    """
    place = Path(os.environ[SERVER]).parents[1]
    version = sysconfig.get_python_version()
    stub = place / "python_backend_stubs" / version / "triton_python_backend_stub"
    library = sysconfig.get_config_var("INSTSONAME") or f"libpython{version}.so.1.0"
    libraries = place.parents[1] / "nvidia_pytriton.libs"
    os.environ["LD_LIBRARY_PATH"] = f"{libraries}:{os.environ.get('LD_LIBRARY_PATH', '')}"
    if "not found" in subprocess.run(["ldd", stub], capture_output=True, text=True).stdout:
        raise SystemExit(f"Triton's Python backend needs {library}. On Debian and Ubuntu: apt-get install libpython{version}")
    # The stub takes its packages from where the first `python3` of the path has them.
    os.environ["PATH"] = f"{python / 'bin'}:{os.environ['PATH']}"
    os.environ["PYTHONPATH"] = str(python / "lib" / f"python{version}" / "site-packages")
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"

    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(place / "backends" / "python", folder / "python")
    shutil.copy(stub, folder / "python")
    (folder / "multipoint").symlink_to(Path(os.environ[BACKENDS]) / "multipoint")
    os.environ[BACKENDS] = str(folder)


def add_models(repository: Repository, files: Path, network: str, batch: int, instances: int) -> None:
    config = f"""max_batch_size: {batch}
        dynamic_batching {{ }}
        instance_group [ {{ count: {instances} kind: KIND_CPU }} ]"""
    packed = Path(prepare.multipoint(str(files), network)).read_bytes()
    repository.add("multipoint", packed, config + '\nparameters { key: "threads" value { string_value: "1" } }')

    folder = repository.folder / "onnxruntime"
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.py").write_text(PYTHON_MODEL)
    shutil.copy(prepare.onnxruntime(str(files), network), folder / "1" / "model.onnx")
    shape = list(networks.images(network, 1).shape[1:])
    (folder / "config.pbtxt").write_text(
        f"""backend: "python"
        {config}
        input [ {{ name: "input" data_type: TYPE_FP32 dims: {shape} }} ]
        output [ {{ name: "output" data_type: TYPE_FP32 dims: [ -1 ] }} ]"""
    )


def names_of(server: Triton, model: str) -> tuple[str, str]:
    configuration = server.configuration(model)
    return configuration["input"][0]["name"], configuration["output"][0]["name"]


def rate(server: Triton, model: str, image: np.ndarray, clients: int, seconds: float) -> float:
    """Requests per second that so many clients get answered, each waiting for one answer before it asks again."""
    name, output = names_of(server, model)
    counts, start = [0] * clients, threading.Barrier(clients + 1)
    failures: list[BaseException] = []
    end = [0.0]

    def ask(index: int) -> None:
        with client_of(server, "grpc") as client:
            inputs = [tensor("grpc", name, image)]
            client.infer(model, inputs)
            start.wait()
            try:
                while time.perf_counter() < end[0]:
                    assert client.infer(model, inputs).as_numpy(output).shape[0] == len(image)
                    counts[index] += 1
            except BaseException as error:
                failures.append(error)

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(clients)]
    for thread in threads:
        thread.start()
    end[0] = time.perf_counter() + 3600
    start.wait()
    begun = time.perf_counter()
    end[0] = begun + seconds
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return sum(counts) / (time.perf_counter() - begun)


def mean_batch(server: Triton, model: str) -> float:
    found = server.statistics(model)
    return found["inference_count"] / max(1, found["execution_count"])


def measure(network: str, options: argparse.Namespace) -> dict:
    folder = options.folder / architectures.file_name(network)
    shutil.rmtree(folder, ignore_errors=True)
    repository = Repository(folder / "models")
    files = options.folder / "files"
    files.mkdir(exist_ok=True)
    add_models(repository, files, network, options.batch, options.instances)
    image = networks.images(network, options.images)
    with Triton(repository, folder / "log") as server:
        rates: dict[str, list[float]] = {model: [] for model in CONTESTANTS}
        for model in CONTESTANTS:  # every batch size is compiled, every cache is warm
            rate(server, model, image, options.clients, options.seconds)
        for number in range(options.rounds):
            if sys.stderr.isatty():
                print(f"\r{network}: round {number + 1} of {options.rounds}", end="", file=sys.stderr)
            for model in CONTESTANTS:
                rates[model].append(rate(server, model, image, options.clients, options.seconds))
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr)
        batches = {model: mean_batch(server, model) for model in CONTESTANTS}
    return {
        "network": network,
        **{
            model: {"best": max(found), "median": statistics.median(found), "mean batch": batches[model]}
            for model, found in rates.items()
        },
        "ratio": max(rates["multipoint"]) / max(rates["onnxruntime"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="for all files")
    parser.add_argument("--model-environment", type=Path, required=True, help="a venv with onnxruntime and NumPy 1")
    parser.add_argument("--networks", nargs="+", default=["ResNet-20", "ResNet-18"], choices=networks.NETWORKS)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--images", type=int, default=1, help="per request, at most --batch")
    parser.add_argument("--batch", type=int, default=8, help="largest batch")
    parser.add_argument("--instances", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    join_backends(options.folder / "backends", options.model_environment)

    results = [measure(network, options) for network in options.networks]
    if options.json:
        print(json.dumps(results, indent=2))
        return
    print("requests per second, best (median) of the rounds; mean batch that the server gathered")
    print(f"{'network':<16}" + "".join(f"{title:>36}" for title in CONTESTANTS.values()) + f"{'ratio':>8}")
    for result in results:
        cells = (
            f"{found['best']:.1f} ({found['median']:.1f}); {found['mean batch']:.1f}" for found in (result[m] for m in CONTESTANTS)
        )
        print(f"{result['network']:<16}" + "".join(f"{cell:>36}" for cell in cells) + f"{result['ratio']:8.2f}")


if __name__ == "__main__":
    main()
