"""Batches made by threads while the network computes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ahead", "turns"]

Item = TypeVar("Item")


class Ahead(Generic[Item]):
    """An epoch of batches, iterable once or often, the same each time.

    Attributes:
        wait_seconds: Time the consumer waited for a batch in the latest iteration.
    """

    def __init__(self, make: Callable[[int], Item], steps: int, threads: int = 1) -> None:
        """`make` gives the batch of a step, 0 to `steps`; threads call it in any order."""
        self._make_step, self._count, self._threads = make, steps, threads
        self.wait_seconds = 0.0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Item]:
        self.wait_seconds = 0.0
        ahead = self._threads + 1
        with ThreadPoolExecutor(self._threads, thread_name_prefix="lowpower-batches") as pool:
            waiting: deque[Future[Item]] = deque()
            try:
                for step in range(self._count):
                    waiting.append(pool.submit(self._make_step, step))
                    if len(waiting) > ahead:
                        yield self._next(waiting)
                while waiting:
                    yield self._next(waiting)
            finally:
                for future in waiting:
                    future.cancel()

    def _next(self, waiting: deque[Future[Item]]) -> Item:
        started = time.perf_counter()
        batch = waiting.popleft().result()
        self.wait_seconds += time.perf_counter() - started
        return batch


def turns(order: NDArray[np.int64], batch: int, rank: int = 0, world: int = 1) -> list[NDArray[np.int64]]:
    """The steps of one of `world` devices, which take turns: their union is the same whatever their number.

    Where there are several, the order is taken up again from its start until each has the same steps.
    """
    whole = batch * world
    if world > 1:
        order = np.resize(order, -(-len(order) // whole) * whole)
    return [order[start + rank : start + whole : world] for start in range(0, len(order), whole)]
