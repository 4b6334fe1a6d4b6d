"""Writes networks with random weights as ONNX files.

    python -m architectures --list
    python -m architectures ResNet-18 --size small --output resnet-18.onnx
    python -m architectures --all --size full --output FOLDER
"""

from __future__ import annotations

import argparse
import os
import sys

import onnx

from . import NETWORKS, build, file_name


def write(name: str, size: str, path: str) -> None:
    model = build(name, getattr(NETWORKS[name], size))
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path + ".part")
    os.replace(path + ".part", path)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="architectures", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="?", choices=list(NETWORKS), metavar="NAME", help="one of --list")
    parser.add_argument("--all", action="store_true", help="every network")
    parser.add_argument("--list", action="store_true", help="print the names, the numbers of parameters and the images' sizes")
    parser.add_argument(
        "--size", choices=["full", "small"], default="full", help="small: few channels, layers and pixels, for tests"
    )
    parser.add_argument("--output", metavar="PATH", help="the file, or with --all the folder")
    options = parser.parse_args()
    if options.list:
        for name, network in NETWORKS.items():
            print(f"{name:24} {network.parameters:12,} parameters, {network.full.image} × {network.full.image}")
        return
    if not options.output or bool(options.name) == options.all:
        parser.error("a NAME or --all, and --output, expected")
    for index, name in enumerate(NETWORKS if options.all else [options.name]):
        path = os.path.join(options.output, file_name(name) + ".onnx") if options.all else options.output
        if options.all and sys.stderr.isatty():
            print(f"\r\x1b[K{index + 1} of {len(NETWORKS)}: {name}", end="", file=sys.stderr, flush=True)
        write(name, options.size, path)
    if options.all and sys.stderr.isatty():
        print(file=sys.stderr)


if __name__ == "__main__":
    main()
