"""Runs images on several Python threads at once, each with a session of its own; they share the model's weights.

    python threads.py digits.multipoint ../digits/heldout_images.npy --scale 0.0625 --workers 2

A run releases the global interpreter lock, so the workers compute at the same time.
"""

from __future__ import annotations

import argparse
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import multipoint


class Workers:
    """Threads that classify; every thread makes its session when it gets its first image."""

    def __init__(self, model: multipoint.Model, count: int) -> None:
        self._model = model
        self._own = threading.local()
        # One thread inside each run: the workers are what there is one of per core.
        self._pool = ThreadPoolExecutor(count, initializer=self._start)

    def _start(self) -> None:
        self._own.session = self._model.session(threads=1)

    def _classify(self, image: NDArray[np.float32]) -> int:
        return int(self._own.session.run(image[np.newaxis]).argmax())

    def classify(self, images: NDArray[np.float32]) -> list[int]:
        """The class of every image, in order."""
        return list(self._pool.map(self._classify, images))

    def close(self) -> None:
        self._pool.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path, help="the packed network, a .multipoint file")
    parser.add_argument("images", type=Path, help="a .npy file, [N, H, W, C]")
    parser.add_argument("--scale", type=float, default=1 / 255, help="factor of the stored values (default 1/255)")
    parser.add_argument("--workers", type=int, default=2, help="threads (default 2)")
    options = parser.parse_args()
    images = (np.load(options.images).astype(np.float32) * np.float32(options.scale)).transpose(0, 3, 1, 2)

    with multipoint.Model(options.network) as model:
        workers = Workers(model, options.workers)
        start = time.perf_counter()
        classes = workers.classify(images)
        seconds = time.perf_counter() - start
        workers.close()
        # All of them in one batch, on this thread: the same answers.
        with model.session(maximum_batch=len(images), threads=1) as session:
            same = (session.run(images).argmax(axis=1) == classes).all()
    print(f"{len(classes)} images on {options.workers} threads in {seconds:.2f} s")
    print("as in one batch" if same else "OTHERS than in one batch")


if __name__ == "__main__":
    main()
