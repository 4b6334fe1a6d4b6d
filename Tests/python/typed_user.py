"""A program that uses the package, for mypy --strict alone; nothing runs it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import multipoint


def classify(path: Path, images: NDArray[np.float32]) -> NDArray[np.float32]:
    def watch(fraction: float) -> bool:
        return fraction > 2

    with multipoint.Model(path, progress=watch) as model, model.session(maximum_batch=len(images)) as session:
        shape: tuple[int | None, ...] = model.inputs[0].shape
        assert len(shape) == 4
        result: NDArray[np.float32] = session.run(images)
        out = np.empty_like(result)
        session.run(images, out=out)
        session.run(images, out=[out])
        return result


def pack(path: Path, images: NDArray[np.uint8]) -> float:
    summary = multipoint.quantize(
        path, "packed.multipoint", calibration=images, mean=(0.5, 0.5, 0.5), progress=lambda stage, fraction: fraction > 1, bits=3
    )
    multipoint.quantize(path, "packed.multipoint", calibration=[path, images], progress=True, record=True)
    try:
        rows: multipoint.Rows = multipoint.Layer.create((1, 2), np.ones((1, 2), np.float32)).rows()
        print(rows.values.sum(), multipoint.library_path().upper())
    except multipoint.MultipointError as error:
        print(error.status + 1)
    return float(summary["totals"]["bytes"])
