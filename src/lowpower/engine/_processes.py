"""Items in spawned processes of this machine."""

from __future__ import annotations

import functools
import multiprocessing
import sys
import types
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import TypeVar

from lowpower.engine._lost import ATTEMPTS, DIED

__all__ = ["in_processes"]

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


def in_processes(
    function: Callable[[Item], Outcome],
    items: Sequence[Item],
    workers: int,
    lost: Callable[[Item, str], Outcome],
    finished: Callable[[Item, Outcome], None],
) -> list[Outcome]:
    """`map_items` in `workers` processes.

    A process that dies takes its pool with it and does not say which item it had in hand: those that were in
    hand are then run again one by one, each in a process of its own.
    """
    done: dict[int, Outcome] = {}

    def keep(index: int, outcome: Outcome) -> None:
        done[index] = outcome
        finished(items[index], outcome)

    waiting = list(range(len(items)))
    while waiting:
        for index in _until_death(function, items, waiting, workers, keep):
            keep(index, _alone(function, items[index], lost))
        waiting = [index for index in waiting if index not in done]
    return [done[index] for index in range(len(items))]


def _until_death(
    function: Callable[[Item], Outcome],
    items: Sequence[Item],
    waiting: Sequence[int],
    workers: int,
    keep: Callable[[int, Outcome], None],
) -> list[int]:
    """Work through the items; ends early where a process died, with the items that were in hand."""
    ahead = iter(waiting)
    pending: dict[Future[Outcome], int] = {}
    with ProcessPoolExecutor(workers, mp_context=_context(function)) as pool:

        def start() -> None:
            index = next(ahead, None)
            if index is not None:
                pending[pool.submit(function, items[index])] = index

        try:
            for _ in range(workers):
                start()
            while pending:
                ready, _ = wait(pending, return_when=FIRST_COMPLETED)
                for future in sorted(ready, key=pending.__getitem__):
                    outcome = future.result()  # a dead process raises here, and `future` stays pending
                    keep(pending.pop(future), outcome)
                    start()
        except BrokenProcessPool:
            return sorted(pending.values())
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return []


def _alone(function: Callable[[Item], Outcome], item: Item, lost: Callable[[Item, str], Outcome]) -> Outcome:
    """One item in a process of its own; it died with one already, or with a neighbour's."""
    for _ in range(1, ATTEMPTS):
        with ProcessPoolExecutor(1, mp_context=_context(function)) as pool:
            try:
                return pool.submit(function, item).result()
            except BrokenProcessPool:
                continue
    return lost(item, DIED)


class _Worker(SpawnProcess):
    """A process that does not run the user's script again, as spawned ones do that are not told otherwise.

    A script without `if __name__ == "__main__":` would begin anew in every worker.
    """

    def start(self) -> None:
        """Start, with nothing to be seen of the script."""
        script = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            super().start()
        finally:
            sys.modules["__main__"] = script


class _Workers(SpawnContext):
    Process = _Worker


def _context(function: Callable[..., object]) -> SpawnContext:
    """How to start processes for a function; one of the script itself needs the script."""
    while isinstance(function, functools.partial):
        function = function.func
    return multiprocessing.get_context("spawn") if function.__module__ == "__main__" else _Workers()
