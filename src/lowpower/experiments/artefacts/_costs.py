"""What a stage of work costs: time, processor time, memory, bytes."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict

__all__ = ["NOTHING", "Cost", "Watch", "together", "watch"]

_EVERY = 0.02
_SELF = Path("/proc/self")


class Cost(BaseModel):
    """Costs of one stage.

    Attributes:
        wall_s: Seconds by the clock.
        cpu_s: Processor seconds of this process, all threads.
        added_mb: Most memory held beyond what the process held when the stage began, megabytes: what the
            stage itself needs, whatever earlier ones left behind.
        peak_mb: Highest resident memory of the process meanwhile, libraries and leavings included, megabytes.
        bytes_read: Bytes asked of the operating system; None where it does not tell.
        bytes_stored: Bytes of what was kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    wall_s: float = 0.0
    cpu_s: float = 0.0
    added_mb: float = 0.0
    peak_mb: float = 0.0
    bytes_read: int | None = 0
    bytes_stored: int = 0


NOTHING = Cost()


def together(costs: Iterable[Cost]) -> Cost:
    """Costs one after the other: sums, and the highest memory."""
    kept = list(costs)
    read = [cost.bytes_read for cost in kept]
    known = [number for number in read if number is not None]
    return Cost(
        wall_s=sum(cost.wall_s for cost in kept),
        cpu_s=sum(cost.cpu_s for cost in kept),
        added_mb=max((cost.added_mb for cost in kept), default=0.0),
        peak_mb=max((cost.peak_mb for cost in kept), default=0.0),
        bytes_read=sum(known) if len(known) == len(read) else None,
        bytes_stored=sum(cost.bytes_stored for cost in kept),
    )


class Watch:
    """Holds the cost once its block has ended."""

    cost: Cost = NOTHING


@contextlib.contextmanager
def watch() -> Iterator[Watch]:
    """Measure the block; the result's `cost` is set when it ends. Blocks do not nest.

    Memory is Linux's own high-water mark, set back when the block begins; elsewhere it is looked at 50 times
    a second.
    """
    process, held = psutil.Process(), Watch()
    _give_back()
    begun = peak = process.memory_info().rss
    _forget_peak()
    ended = threading.Event()

    def look() -> None:
        nonlocal peak
        while not ended.wait(_EVERY):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=look, name="lowpower-memory", daemon=True)
    read, cpu, wall = _bytes_read(process), time.process_time(), time.perf_counter()
    watcher.start()
    try:
        yield held
    finally:
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        after = _bytes_read(process)
        ended.set()
        watcher.join()
        peak = max(peak, process.memory_info().rss, _peak())
        held.cost = Cost(
            wall_s=wall,
            cpu_s=cpu,
            added_mb=(peak - begun) / 1e6,
            peak_mb=peak / 1e6,
            bytes_read=None if read is None or after is None else after - read,
        )


def _give_back() -> None:
    """Hand freed memory back to the system, so that a block is not measured in what another one left."""
    # Not glibc: then what earlier blocks left may hide a little of what this one needs.
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _forget_peak() -> None:
    """Set Linux's high-water mark of resident memory back to what is held now (proc(5), clear_refs)."""
    with contextlib.suppress(OSError):
        _SELF.joinpath("clear_refs").write_text("5")


def _peak() -> int:
    """Linux's high-water mark, bytes; 0 elsewhere, or where it could not be set back."""
    with contextlib.suppress(OSError, StopIteration):
        if os.access(_SELF / "clear_refs", os.W_OK):
            lines = _SELF.joinpath("status").read_text().splitlines()
            return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
    return 0


def _bytes_read(process: psutil.Process) -> int | None:
    """Bytes the process has read through system calls; Linux and Windows tell."""
    try:
        counters = process.io_counters()
    except (AttributeError, NotImplementedError, psutil.Error):
        return None
    return int(getattr(counters, "read_chars", counters.read_bytes))
