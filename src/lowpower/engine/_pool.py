"""One function over many items, in this process or in spawned ones, results in the items' order."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from typing import TypeVar

__all__ = ["default_workers", "map_items"]

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


def default_workers() -> int:
    """Processors this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


def map_items(
    function: Callable[[Item], Outcome],
    items: Sequence[Item],
    *,
    workers: int = 1,
    on_done: Callable[[Item, Outcome], None] | None = None,
) -> list[Outcome]:
    """Apply `function` to each item.

    Args:
        function: Importable by name when `workers` > 1 (processes are spawned, never forked, so that
            no open slide or thread is inherited and Windows behaves as Linux does).
        items: What to work on; picklable when `workers` > 1.
        workers: Processes; 1 means this process.
        on_done: Called here, in order of completion, after each item (for progress).

    Returns:
        One outcome an item, in the items' order.

    Raises:
        Exception: whatever `function` raised first; waiting items are then not started.
    """
    if workers <= 1 or len(items) <= 1:
        outcomes = []
        for item in items:
            outcome = function(item)
            if on_done is not None:
                on_done(item, outcome)
            outcomes.append(outcome)
        return outcomes
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(items)), mp_context=context) as pool:
        pending = {pool.submit(function, item): index for index, item in enumerate(items)}
        done: dict[int, Outcome] = {}
        try:
            while pending:
                finished, _ = wait(pending, return_when=FIRST_COMPLETED)
                for future in sorted(finished, key=pending.__getitem__):
                    index = pending.pop(future)
                    done[index] = future.result()
                    if on_done is not None:
                        on_done(items[index], done[index])
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return [done[index] for index in range(len(items))]
