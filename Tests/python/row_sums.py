"""row_sums.py FILE INPUTS OUTPUT: what the layers of a packed file make of inputs, for processes that differ in what oneDNN reads when it
is loaded. INPUTS and OUTPUT are .npz files: a layer's name to its u8 input; its name to its raw s32 sums, and `instructions` to the
library's description of itself."""

from __future__ import annotations

import sys

import numpy as np

import multipoint


def sums(layer: multipoint.Layer, x: np.ndarray, layout: str, threads: int) -> np.ndarray:
    sizes = {"batch": x.shape[0]} | ({"height": x.shape[2], "width": x.shape[3]} if x.ndim == 4 else {})
    with layer.plan(
        **sizes, source_dtype=np.uint8, destination_dtype=np.int32, source_layout=layout, destination_layout=layout, threads=threads
    ) as plan:
        return np.ascontiguousarray(plan.execute(x))


def main(file: str, inputs: str, output: str) -> None:
    results = {"instructions": np.array(multipoint.build_info())}
    with multipoint.Model(file) as model, np.load(inputs) as arrays:
        for name in arrays:
            with model.layer(name) as layer:
                found = [sums(layer, arrays[name], layout, threads) for layout in ("NCHW", "NHWC") for threads in (1, 3)]
            assert all(np.array_equal(each, found[0]) for each in found), name
            results[name] = found[0]
    np.savez(output, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
