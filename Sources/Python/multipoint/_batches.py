"""Requests of an asyncio server, gathered into batches: those that arrive while a batch runs form the next one."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Optional

import numpy as np
from numpy.typing import NDArray

from .session import Session

Array = NDArray[np.float32]


class _Waiting(NamedTuple):
    """A checked request that waits for its run."""

    arrays: list[Array]
    batch: int
    results: asyncio.Future[list[Array]]


class Batches:
    """Runs requests on a thread of its own, those that wait together as one batch. All calls from one event loop."""

    def __init__(self, session: Session, maximum_batch: int) -> None:
        """`maximum_batch` is the session's, or 1 where batches cannot be put together; the session is closed by `close`."""
        self._session = session
        self._maximum_batch = maximum_batch
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="multipoint")
        self._waiting: deque[_Waiting] = deque()
        self._serving: Optional[asyncio.Task[None]] = None

    async def run(self, arrays: list[Array], batch: int) -> list[Array]:
        """The network's outputs for checked inputs that hold `batch` samples each."""
        results: asyncio.Future[list[Array]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(arrays, batch, results))
        if self._serving is None:
            self._serving = asyncio.create_task(self._serve())
        return await results

    async def close(self) -> None:
        """After the runs that are under way or waiting."""
        if self._serving is not None:
            await self._serving
        self._thread.shutdown()
        self._session.close()

    async def _serve(self) -> None:
        while self._waiting:
            group = self._next_group()
            if not group:
                continue
            try:
                found = await asyncio.get_running_loop().run_in_executor(self._thread, self._run_group, group)
            except Exception as error:  # each waiting request gets it
                for request in group:
                    if not request.results.done():
                        request.results.set_exception(error)
                continue
            for request, results in zip(group, found):
                if not request.results.done():  # its client may have gone
                    request.results.set_result(results)
        self._serving = None

    def _next_group(self) -> list[_Waiting]:
        """As many of those that wait, in order, as one run takes. Requests that nobody waits for any more are dropped."""
        group: list[_Waiting] = []
        size = 0
        while self._waiting and (not group or size + self._waiting[0].batch <= self._maximum_batch):
            request = self._waiting.popleft()
            if not request.results.done():
                group.append(request)
                size += request.batch
        return group

    def _run_group(self, group: list[_Waiting]) -> list[list[Array]]:
        if len(group) == 1:
            return [self._run(group[0].arrays)]
        results = self._run([np.concatenate(parts) for parts in zip(*(request.arrays for request in group))])
        ends = np.cumsum([request.batch for request in group])[:-1]
        return [list(parts) for parts in zip(*(np.split(array, ends) for array in results))]

    def _run(self, arrays: list[Array]) -> list[Array]:
        results = self._session.run(*arrays)
        return list(results) if isinstance(results, tuple) else [results]
