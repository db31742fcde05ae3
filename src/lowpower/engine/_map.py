"""One function over many items, wherever work runs; outcomes in the items' order."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

from lowpower.engine._granted import granted_threads
from lowpower.engine._lost import raise_lost
from lowpower.engine._processes import in_processes
from lowpower.engine._ray import Cluster, joined

__all__ = ["Needs", "default_workers", "map_items", "run_on"]

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")
Where: TypeAlias = Literal["here", "ray"]

_cluster: ContextVar[Cluster | None] = ContextVar("cluster", default=None)


@dataclass(frozen=True)
class Needs:
    """What one item takes of the machine that works on it, so that no machine of a cluster is overfilled.

    Attributes:
        threads: Processors it keeps busy.
        memory_gb: Memory at its height, 10^9 bytes.
    """

    threads: int = 1
    memory_gb: float = 1.5


def default_workers() -> int:
    """Processors this process may use, at least 1; in a cluster those that its task was given."""
    granted = granted_threads()
    if granted is not None:
        return granted
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


@contextlib.contextmanager
def run_on(where: Where) -> Iterator[None]:
    """Let every `map_items` inside run there.

    Ray is the cluster that this process or the variable RAY_ADDRESS names, or one started on this machine and
    ended here. On it the declared `Needs` decide how many items run at once, not `workers`.

    Raises:
        EngineError: Ray is not installed, cannot be reached, or is of another version.
    """
    if where == "here":
        yield
        return
    with joined(default_workers()) as cluster:
        token = _cluster.set(cluster)
        try:
            yield
        finally:
            _cluster.reset(token)


def map_items(
    function: Callable[[Item], Outcome],
    items: Sequence[Item],
    *,
    workers: int = 1,
    needs: Needs | None = None,
    reads: Callable[[Item], Sequence[str | Path]] | None = None,
    writes: Sequence[str | Path] = (),
    lost: Callable[[Item, str], Outcome] | None = None,
    progress: Callable[[int, int], None] | None = None,
    on_done: Callable[[Item, Outcome], None] | None = None,
) -> list[Outcome]:
    """Apply `function` to each item, here or where `run_on` says.

    An item whose worker dies is worked on again; what it writes must therefore be written atomically.

    Args:
        function: Importable by name where items run in other processes (they are spawned, never forked, so
            that no open slide or thread is inherited and Windows behaves as Linux does).
        items: What to work on; picklable and small: slides by name, opened by the worker.
        workers: Processes of this machine; 1 means this process.
        needs: What an item takes of a cluster's machine.
        reads: Files of an item that every machine must see under the same path; those missing here are left
            to `function` to tell.
        writes: Folders, made already, that every machine must share.
        lost: Gives the outcome of an item whose worker died each time, from the item and half a sentence of
            why; if None that ends everything.
        progress: Called with (items done, items in all), before the first and after each.
        on_done: Called here, in order of completion, after each item.

    Returns:
        One outcome an item, in the items' order.

    Raises:
        EngineError: a worker died each time and `lost` is None; a machine of the cluster has another Python
            or lowpower, or does not see a path.
        Exception: whatever `function` raised first; waiting items are then not started.
    """
    done = 0

    def finished(item: Item, outcome: Outcome) -> None:
        nonlocal done
        done += 1
        if on_done is not None:
            on_done(item, outcome)
        if progress is not None:
            progress(done, len(items))

    if progress is not None:
        progress(0, len(items))
    stands_for = lost or raise_lost
    cluster = _cluster.get()
    if cluster is not None:
        needs = needs or Needs()
        return cluster.map(
            function, items, needs.threads, needs.memory_gb, reads, writes, stands_for, finished
        )
    if workers > 1 and len(items) > 1:
        return in_processes(function, items, min(workers, len(items)), stands_for, finished)
    outcomes = []
    for item in items:
        outcome = function(item)
        finished(item, outcome)
        outcomes.append(outcome)
    return outcomes
