#!/usr/bin/env python3
"""Compare Multipoint's speed with other runtimes' on networks with random weights. Called by `run`, which installs what is needed.

All contestants of a line run in turns within the same minutes, each in its own process on the same cores; times are the shortest and
the median run. The ratio is that of shortest times, to the fastest of the other runtimes that compute in 8 bits.
"""

import argparse
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import time

import architectures
import networks
import prepare

RUNTIMES = ["multipoint", "onnxruntime", "openvino", "ncnn"]
INT8_PEERS = ["onnxruntime", "openvino"]
# Length of a turn, and of the rest after it: threads of ONNX Runtime look for work that long before they fall asleep.
TURN_SECONDS, REST_SECONDS = 0.1, 0.05
HERE = os.path.dirname(os.path.abspath(__file__))


class Contestant:
    """A process that runs one network when it is told to."""

    def __init__(self, runtime: str, file: str, batch: int, threads: int, clock: str):
        self.file = file
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "contestant.py"), runtime, file, str(batch), str(threads), clock],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(threads), "ORT_DISABLE_TELEMETRY": "1"},
        )  # fmt: skip
        self.facts = self.answer()
        self.times: list[float] = []
        # Until caches, clocks and lazy initialization have settled.
        warm = self.run(3)
        self.count = max(2, int(TURN_SECONDS / max(min(warm), 1e-6)))
        self.run(self.count)

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the process of {self.file} ended with status {self.process.wait()}")
        return json.loads(line)

    def run(self, count: int) -> list[float]:
        self.process.stdin.write(f"run {count}\n")
        self.process.stdin.flush()
        return self.answer()

    def turn(self) -> None:
        # The first run finds the other contestants' data in the caches.
        self.times += self.run(self.count + 1)[1:]
        time.sleep(REST_SECONDS)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def prepared(folder: str, runtime: str, network: str) -> str:
    """Each quantizer in a process of its own."""
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}
    arguments = [sys.executable, os.path.join(HERE, "prepare.py"), folder, runtime, network]
    log = prepare.path(folder, network, f"{runtime.replace('/', '-')}.log")
    with open(log, "w") as output:
        done = subprocess.run(arguments, env=environment, stdout=subprocess.PIPE, stderr=output, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{runtime} does not take {network}; see {log}")
    return done.stdout.splitlines()[-1]


def stored_bytes(file: str) -> int:
    """With the weights beside it, where a format has two files."""
    other = {".xml": ".bin", ".param": ".bin"}
    stem, suffix = os.path.splitext(file)
    return os.path.getsize(file) + (os.path.getsize(stem + other[suffix]) if suffix in other else 0)


def compare(files: dict[str, str], batch: int, threads: int, rounds: int, clock: str) -> dict[str, dict]:
    contestants = {runtime: Contestant(runtime.split("/")[0], file, batch, threads, clock) for runtime, file in files.items()}
    for turn in range(rounds):
        say(f"\r\033[K  batch {batch}, {threads} threads: turn {turn + 1} of {rounds}")
        for contestant in contestants.values():
            contestant.turn()
    say("\r\033[K")
    results = {}
    for runtime, contestant in contestants.items():
        contestant.close()
        results[runtime] = {
            "minimum_ms": min(contestant.times) * 1e3,
            "median_ms": statistics.median(contestant.times) * 1e3,
            "runs": len(contestant.times),
            "file_bytes": stored_bytes(contestant.file),
            **contestant.facts,
        }
    return results


def say(text: str) -> None:
    if sys.stderr.isatty():
        print(text, end="", file=sys.stderr, flush=True)


def machine() -> dict:
    with open("/proc/cpuinfo") as file:
        facts = dict(line.split(":", 1) for line in file.read().split("\n\n")[0].splitlines() if ":" in line)
    facts = {key.strip(): value.strip() for key, value in facts.items()}
    flags = facts.get("flags", "").split()
    names = {"avx2": "AVX2", "avx_vnni": "AVX-VNNI", "avx512f": "AVX-512", "avx512_vnni": "AVX-512 VNNI"}
    return {
        "processor": facts.get("model name", "unknown"),
        "cores": len(os.sched_getaffinity(0)),
        "instructions": [name for flag, name in names.items() if flag in flags],
        "date": time.strftime("%Y-%m-%d"),
        "versions": {name: version for name in ["onnxruntime", "openvino", "nncf", "ncnn"] if (version := installed_version(name))},
    }


def installed_version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


POINTS = ["multipoint/one point", "multipoint/two points"]


def ratio(results: dict[str, dict]) -> float | None:
    """Multipoint's shortest time over that of the fastest other runtime that computes in 8 bits; or two points' over one's."""
    peers = [results[runtime]["minimum_ms"] for runtime in INT8_PEERS if runtime in results]
    if set(POINTS) <= set(results):
        return results[POINTS[1]]["minimum_ms"] / results[POINTS[0]]["minimum_ms"]
    return results["multipoint"]["minimum_ms"] / min(peers) if peers and "multipoint" in results else None


def cell(result: dict | None) -> str:
    return "–" if result is None else f"{result['minimum_ms']:.3f} ({result['median_ms']:.3f})"


def speed_table(lines: list[dict], runtimes: list[str]) -> str:
    names = [name + (" (float)" if name == "ncnn" else "") for name in runtimes]
    rows = [["network", "batch", "threads", *names, "ratio"], ["---"] * (len(names) + 4)]
    for line in lines:
        results, value = line["results"], ratio(line["results"])
        times = [cell(results.get(runtime)) for runtime in runtimes]
        rows.append(
            [line["network"], str(line["batch"]), str(line["threads"]), *times, "–" if value is None else f"{value:.3f}"]
        )
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def load_table(lines: list[dict], runtimes: list[str]) -> str:
    """File size, time from opening to the first answer, largest resident set beyond that of the imported runtime."""
    rows = [["network", "threads", *(f"{name}: file, load, memory" for name in runtimes)], ["---"] * (len(runtimes) + 2)]
    for line in lines:
        if line["batch"] != 1:
            continue
        cells = []
        for runtime in runtimes:
            result = line["results"].get(runtime)
            cells.append(
                "–" if result is None else
                f"{result['file_bytes'] / 1e6:.2f} MB, {result['load_seconds'] * 1e3:.0f} ms, "
                f"{result['peak_bytes'] / 1e6:.0f} MB"
            )  # fmt: skip
        rows.append([line["network"], str(line["threads"]), *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def plot(lines: list[dict], runtimes: list[str], path: str) -> None:
    """Throughput relative to the fastest contestant of each line."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(max(6, 1.1 * len(lines)), 4.5), layout="constrained")
    width = 0.8 / len(runtimes)
    for index, runtime in enumerate(runtimes):
        places, heights = [], []
        for place, line in enumerate(lines):
            if runtime in line["results"]:
                best = min(result["minimum_ms"] for result in line["results"].values())
                places.append(place + (index - (len(runtimes) - 1) / 2) * width)
                heights.append(best / line["results"][runtime]["minimum_ms"])
        axes.bar(places, heights, width, label=runtime + (" (float)" if runtime == "ncnn" else ""))
    axes.set_xticks(range(len(lines)), [f"{line['network']}\nbatch {line['batch']}, {line['threads']} thr." for line in lines], fontsize=8)
    axes.set_ylabel("speed, fastest = 1")
    axes.legend(ncols=len(runtimes), fontsize=8, loc="lower center")
    figure.savefig(path, dpi=150)


def measure(options: argparse.Namespace) -> list[dict]:
    lines = []
    for network in options.networks:
        files = {}
        for runtime in options.runtimes:
            say(f"\r\033[K{network}: preparing {runtime}'s files")
            try:
                files[runtime] = prepared(options.folder, runtime, network)
            except RuntimeError as error:
                print(error, file=sys.stderr)
        for batch in options.batch:
            for threads in options.threads:
                # Runtimes without batches are compared image by image.
                entered = {runtime: file for runtime, file in files.items() if batch == 1 or runtime != "ncnn"}
                results = compare(entered, batch, threads, options.rounds, "cpu" if options.cpu_time else "wall")
                lines.append({"network": network, "batch": batch, "threads": threads, "results": results})
                # What is measured is not lost if the rest is cut short.
                with open(os.path.join(options.folder, "results.json"), "w") as file:
                    json.dump({"machine": machine(), "lines": lines}, file, indent=2)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", required=True, help="where networks, quantized files and results go")
    parser.add_argument("--networks", nargs="+", default=networks.NETWORKS, choices=list(architectures.NETWORKS), metavar="NAME")
    parser.add_argument("--runtimes", nargs="+", default=RUNTIMES, choices=RUNTIMES)
    parser.add_argument(
        "--points", action="store_true", help="compare one point per channel with a second one for 30 %% of them, instead of runtimes"
    )
    parser.add_argument("--batch", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=20, help="turns of each contestant")
    parser.add_argument(
        "--cpu-time", action="store_true", help="processor time instead of the clock's: for one thread, on a machine that others keep busy"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    options = parser.parse_args()
    if options.cpu_time and options.threads != [1]:
        parser.error("--cpu-time goes with --threads 1 only")
    if options.points:
        options.runtimes = POINTS
    os.makedirs(options.folder, exist_ok=True)
    report = {"machine": machine(), "lines": measure(options)}
    picture = os.path.join(options.folder, "speed.png")
    plot(report["lines"], options.runtimes, picture)
    if options.json:
        print(json.dumps(report, indent=2))
        return
    facts = report["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    print(f"{facts['processor']}, {facts['cores']} cores, {', '.join(facts['instructions'])}; {facts['date']}; {versions}")
    meaning = "two points to one" if options.points else "Multipoint to the fastest other runtime in 8 bits"
    print(f"\nMilliseconds per run: shortest (median). The ratio of shortest times is of {meaning}.\n")
    print(speed_table(report["lines"], options.runtimes))
    print("\nFile, time from opening it to the first answer, largest resident set of the process.\n")
    print(load_table(report["lines"], options.runtimes))
    print(f"\nPlot: {picture}")


if __name__ == "__main__":
    main()
