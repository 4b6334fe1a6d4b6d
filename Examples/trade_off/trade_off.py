#!/usr/bin/env python3
"""Quantize one network with several error thresholds and print what each costs and keeps, as a Markdown table.

    trade_off.py MODEL.onnx --calibration C.npy --images I.npy --labels L.npy
                 [--bits 4 3] [--relative-epsilon 0.03 0.01 ...] [--epsilon 0.1 ...] [-- preprocessing flags of `multipoint`]

The `multipoint` command is taken from the environment variable MULTIPOINT_COMMAND, else from PATH. Only Python's standard library is
needed. Everything after `--` (such as `--scale 0.0625`) goes to `multipoint quantize` and `multipoint evaluate` as it is.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

COMMAND = os.environ.get("MULTIPOINT_COMMAND", "multipoint")


def multipoint(*arguments: str):
    """The JSON that the command prints."""
    done = subprocess.run([COMMAND, *arguments, "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr.strip())
    return json.loads(done.stdout)


def measure(options: argparse.Namespace, preprocessing: list[str], bits: int, rule: list[str], folder: str) -> dict:
    packed = os.path.join(folder, "packed.multipoint")
    description = multipoint(
        "quantize", options.model, "--calibration", options.calibration, *preprocessing, "--bits", str(bits),
        "--max-points", str(options.max_points), *rule, "--output", packed,
    )  # fmt: skip
    scores = multipoint(
        "evaluate", options.model, packed, "--images", options.images, "--labels", options.labels, *preprocessing
    )
    return {"layers": description["layers"], "totals": description["totals"], "float": scores[0], "packed": scores[1]}


def row(bits: int, rule: list[str], result: dict) -> str:
    layers = result["layers"]
    extra = sum(layer["extra_rows"] for layer in layers)
    channels = sum(layer["shape"][0] for layer in layers)
    packed = result["packed"]
    return (
        f"| {bits} | {' '.join(rule).replace('--', '')} | {result['totals']['packed_bits_per_weight']:.2f} "
        f"| {extra} ({extra / channels:.0%}) | {packed['top1']:.2%} | {packed['agreement']:.2%} | {packed['signal_to_noise']:.1f} |"
    )


def split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Our own arguments and those after `--`."""
    place = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:place], arguments[place + 1 :]


def main() -> None:
    own, preprocessing = split(sys.argv[1:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--calibration", required=True)
    parser.add_argument("--images", required=True)
    parser.add_argument("--labels", required=True)
    parser.add_argument("--bits", type=int, nargs="+", default=[4, 3])
    parser.add_argument("--epsilon", nargs="*", default=[])
    parser.add_argument("--relative-epsilon", nargs="*", default=["0.1", "0.03", "0.01", "0.003", "0.001"])
    parser.add_argument("--max-points", type=int, default=4)
    options = parser.parse_args(own)
    rules = [["--epsilon", value] for value in options.epsilon]
    rules += [["--relative-epsilon", value] for value in options.relative_epsilon]
    printed_float = False
    with tempfile.TemporaryDirectory() as folder:
        for bits in options.bits:
            for rule in rules:
                result = measure(options, preprocessing, bits, rule, folder)
                if not printed_float:
                    print(f"Float top-1: {result['float']['top1']:.2%}\n")
                    print("| bits | rule | bits per weight | extra rows | top-1 | agreement with float | SNR, dB |")
                    print("| --- | --- | --- | --- | --- | --- | --- |")
                    printed_float = True
                print(row(bits, rule, result), flush=True)


if __name__ == "__main__":
    main()
