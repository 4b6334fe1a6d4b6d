"""How requests of an asyncio server share runs."""

from __future__ import annotations

import asyncio
import threading

import multipoint
from multipoint._batches import Batches


def test_those_that_wait_share_a_run(images, logits, packed_digits):
    """While the first run is under way, five more requests come; with a largest batch of 4 they take two runs."""
    entered, go_on, sizes = threading.Event(), threading.Event(), []

    class Recording:
        def __init__(self, session):
            self.session = session

        def run(self, *arrays):
            sizes.append(len(arrays[0]))
            entered.set()
            assert go_on.wait(30)
            return self.session.run(*arrays)

        def close(self):
            self.session.close()

    async def ask() -> None:
        with multipoint.Model.from_bytes(packed_digits) as packed:
            batches = Batches(Recording(packed.session(maximum_batch=4, threads=1)), 4)
        first = asyncio.create_task(batches.run([images[:1]], 1))
        await asyncio.to_thread(entered.wait, 30)
        chunks = [(1, 1), (2, 2), (4, 1), (5, 3), (8, 1)]
        others = [asyncio.create_task(batches.run([images[begin : begin + count]], count)) for begin, count in chunks]
        given_up = asyncio.create_task(batches.run([images[:1]], 1))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        go_on.set()
        assert (await first)[0].tobytes() == logits[:1].tobytes()
        for (begin, count), task in zip(chunks, others):
            assert (await task)[0].tobytes() == logits[begin : begin + count].tobytes()
        await batches.close()

    asyncio.run(ask())
    assert sizes == [1, 4, 4]


def test_a_run_that_fails(images):
    """Everyone of the batch hears of it, and the next request is answered."""

    class Failing:
        calls = 0

        def run(self, *arrays):
            self.calls += 1
            if self.calls == 1:
                raise multipoint.OutOfMemoryError("no memory")
            return arrays[0]

        def close(self):
            pass

    async def ask() -> None:
        batches = Batches(Failing(), 4)
        found = await asyncio.gather(*(batches.run([images[:1]], 1) for _ in range(3)), return_exceptions=True)
        assert [type(error) for error in found] == [multipoint.OutOfMemoryError] * 3
        assert (await batches.run([images[:2]], 2))[0].tobytes() == images[:2].tobytes()
        await batches.close()

    asyncio.run(ask())
