"""Answers requests in an asyncio program: a run goes to a thread, and the event loop goes on.

    python asyncio_requests.py digits.multipoint ../digits/heldout_images.npy --scale 0.0625 --sessions 2

As many runs as there are sessions go on at once; further requests wait for a session without blocking the loop.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import multipoint


class Classifier:
    """A network that coroutines may ask."""

    def __init__(self, model: multipoint.Model, sessions: int) -> None:
        self._free: asyncio.Queue[multipoint.Session] = asyncio.Queue()
        for _ in range(sessions):
            self._free.put_nowait(model.session(threads=1))

    async def classify(self, image: NDArray[np.float32]) -> int:
        """The class of one image, [C, H, W]."""
        session = await self._free.get()
        try:
            logits = await asyncio.to_thread(session.run, image[np.newaxis])
        finally:
            self._free.put_nowait(session)
        return int(logits.argmax())


async def heartbeat() -> int:
    """Counts how often the loop gets around to it, until it is cancelled."""
    beats = 0
    try:
        while True:
            await asyncio.sleep(0)
            beats += 1
    except asyncio.CancelledError:
        return beats


async def answer(model: multipoint.Model, images: NDArray[np.float32], sessions: int) -> None:
    classifier = Classifier(model, sessions)
    heart = asyncio.create_task(heartbeat())
    classes = await asyncio.gather(*(classifier.classify(image) for image in images))
    heart.cancel()
    print(f"{len(classes)} requests answered by {sessions} sessions; the event loop went around {await heart} times meanwhile")
    with model.session(maximum_batch=len(images), threads=1) as session:
        same = (session.run(images).argmax(axis=1) == classes).all()
    print("as in one batch" if same else "OTHERS than in one batch")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path, help="the packed network, a .multipoint file")
    parser.add_argument("images", type=Path, help="a .npy file, [N, H, W, C]")
    parser.add_argument("--scale", type=float, default=1 / 255, help="factor of the stored values (default 1/255)")
    parser.add_argument("--sessions", type=int, default=2, help="runs at once (default 2)")
    options = parser.parse_args()
    images = (np.load(options.images).astype(np.float32) * np.float32(options.scale)).transpose(0, 3, 1, 2)
    with multipoint.Model(options.network) as model:
        asyncio.run(answer(model, images, options.sessions))


if __name__ == "__main__":
    main()
