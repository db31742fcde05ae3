"""Items on a Ray cluster: the same function, the same order, whichever machine takes an item."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import pickle
import platform
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import lowpower
from lowpower.engine import _ray_task
from lowpower.engine._lost import ATTEMPTS, DIED
from lowpower.errors import EngineError, install_with
from lowpower.files import shared_marks

__all__ = ["Cluster", "joined"]

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

_STORE_BYTES: Final = 128 << 20
"""Of a cluster on this machine: only small records travel."""
_AHEAD: Final = 4
"""Items handed out per processor of the cluster."""

_PATIENCE_S: Final = 10.0


@contextlib.contextmanager
def joined(processors: int) -> Iterator[Cluster]:
    """The cluster that this process or RAY_ADDRESS names, or one on this machine, ended with the context.

    Args:
        processors: Of a cluster on this machine.

    Raises:
        EngineError: Ray is not installed, cannot be reached, or is of another version.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # says nothing of anybody's work to anybody
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # its new default; a warning otherwise
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError as error:
        raise EngineError(f"--on ray needs Ray; {install_with('ray')}") from error
    if ray.is_initialized():
        yield Cluster(ray)
        return
    before = signal.getsignal(signal.SIGTERM)
    address = os.environ.get("RAY_ADDRESS") or "local"
    start: dict[str, Any] = {"num_cpus": processors, "object_store_memory": _STORE_BYTES}
    try:
        _answers(address)
        ray.init(
            address=address,
            include_dashboard=False if address == "local" else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
            **(start | {"_system_config": {"task_oom_retries": ATTEMPTS - 1}} if address == "local" else {}),
        )
    except Exception as error:  # Ray raises many kinds: no cluster there, versions that differ, no room
        said = " ".join(str(error).split())
        raise EngineError(
            f"the Ray cluster at {address} (RAY_ADDRESS) cannot be joined: {said}"
            if address != "local"
            else f"Ray cannot be started on this machine: {said}"
        ) from error
    try:
        yield Cluster(ray)
    finally:
        ray.shutdown()
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)  # Ray puts a handler of its own there, and leaves it


def _answers(address: str) -> None:
    """See that something listens at `host:port`; Ray itself asks a dead address for minutes.

    Raises:
        OSError: nothing does.
    """
    host, _, port = address.rpartition("/")[2].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), _PATIENCE_S).close()


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster that this process is connected to."""

    ray: Any

    def map(
        self,
        function: Callable[[Item], Outcome],
        items: Sequence[Item],
        threads: int,
        memory_gb: float,
        reads: Callable[[Item], Sequence[str | Path]] | None,
        writes: Sequence[str | Path],
        lost: Callable[[Item, str], Outcome],
        finished: Callable[[Item, Outcome], None],
    ) -> list[Outcome]:
        """`map_items` on the cluster."""
        processors, largest, memory = self._size()
        threads = min(threads, largest)  # what no machine has would wait for ever
        with shared_marks(writes) as marks:
            run = self._task(threads, min(int(memory_gb * 1e9), memory))
            driver = _ray_task.Driver(
                python=".".join(platform.python_version_tuple()[:2]),
                lowpower=lowpower.__version__,
                folder=os.getcwd(),
                writes=tuple(str(mark) for mark in marks),
                variables=tuple((k, v) for k, v in sorted(os.environ.items()) if k.startswith("LOWPOWER_")),
                threads=threads,
            )
            shared = self.ray.put(driver), self.ray.put(pickle.dumps(function))
            done: dict[int, Outcome] = {}
            pending: dict[Any, int] = {}
            ahead = iter(range(len(items)))
            try:
                while True:
                    while len(pending) < _AHEAD * processors and (index := next(ahead, None)) is not None:
                        seen = [] if reads is None else [str(p) for p in reads(items[index])]
                        there = [os.path.abspath(path) for path in seen if os.path.exists(path)]
                        pending[run.remote(*shared, pickle.dumps(items[index]), there)] = index
                    if not pending:
                        break
                    ready, _ = self.ray.wait(list(pending), num_returns=1)
                    for reference in ready:
                        index = pending.pop(reference)
                        done[index] = self._outcome(reference, items[index], lost)
                        finished(items[index], done[index])
            except BaseException:
                for reference in pending:
                    self.ray.cancel(reference, force=True)
                raise
        return [done[index] for index in range(len(items))]

    def _task(self, threads: int, memory: int) -> Any:
        self.ray.cloudpickle.register_pickle_by_value(sys.modules[_ray_task.__name__])
        return self.ray.remote(
            num_cpus=threads, memory=memory, max_retries=ATTEMPTS - 1, retry_exceptions=False
        )(_ray_task.run_item)

    def _outcome(self, reference: Any, item: Item, lost: Callable[[Item, str], Outcome]) -> Outcome:
        try:
            kind, said = self.ray.get(reference)
        except self.ray.exceptions.RayTaskError as error:
            raise EngineError(f"Ray could not run the work: {error}") from error
        except self.ray.exceptions.RayError:
            return lost(item, DIED)
        if kind == "unfit":
            raise EngineError(said)
        told: Any = pickle.loads(said)
        if kind == "raised":
            raise told
        outcome: Outcome = told
        return outcome

    def _size(self) -> tuple[int, int, int]:
        """Processors in all, and processors and memory (bytes) of the machine that has most."""
        machines = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        processors = [int(machine.get("CPU", 0)) for machine in machines]
        memory = max((int(machine.get("memory", 0)) for machine in machines), default=0)
        return max(1, sum(processors)), max(1, max(processors, default=1)), memory
