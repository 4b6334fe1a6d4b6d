"""`python -m multipoint`: which library is in use; with a packed file also what is in it."""

from __future__ import annotations

import argparse
import sys
from typing import Optional

from . import Model, MultipointError, __version__, build_info, library_path
from .model import ValueInfo


def _shape(value: ValueInfo) -> str:
    return "[" + ", ".join("N" if size is None else str(size) for size in value.shape) + "]"


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def describe(path: str) -> str:
    """The inputs, outputs and layers of a packed file."""
    with Model(path) as model:
        lines = [f"{path}: {model.name or 'without a name'}, {'a network' if model.has_graph else 'weights only'}"]
        for what, values in (("input", model.inputs), ("output", model.outputs)):
            lines += [f"{what:<8} {value.name}  {value.dtype} {_shape(value)}" for value in values]
        rows: list[tuple[str, ...]] = [("layer", "operator", "shape", "bits/weight", "runs as")]
        for layer in model.layers:
            shape = "x".join(str(size) for size in layer.shape)
            runs_as = "float" if layer.is_float else layer.execution
            rows.append((layer.name, layer.operator, shape, f"{layer.bits_per_weight:.2f}", runs_as))
        return "\n".join([*lines, "", _table(rows)])


def main(arguments: Optional[list[str]] = None) -> int:
    """Prints; 1 if the library or the file cannot be opened."""
    parser = argparse.ArgumentParser(prog="python -m multipoint", description=__doc__)
    parser.add_argument("file", nargs="?", help="a packed file")
    options = parser.parse_args(arguments)
    try:
        print(f"package  {__version__}\nlibrary  {library_path()}\nbuild    {build_info()}")
        if options.file is not None:
            print("\n" + describe(options.file))
    except MultipointError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
