"""kill -9 of a department's server and worker at random points: each accepted job ends with one result.

python benchmarks/serve_kills.py [--points 100] [--database postgresql://USER@HOST/EMPTY_DATABASE]

A web server and a worker run as processes of their own, while slides are sent and scored without pause. At
each point one of them, or both, is killed at a random moment and started again; at the end they are left
alone until nothing waits. A point takes half of `--longest` on average, so 100 take ten minutes, and the jobs
that wait then one more. Prints what became of the jobs and whether the audit log is whole; ends with 1 if
anything is missing or there twice.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import func, select

import lowpower as lp
from lowpower.serve import ServiceClient, ServiceError
from lowpower.serve.department import Department, read_settings, verify_audit
from lowpower.serve.department._roles import Role
from lowpower.serve.department.access import Who
from lowpower.serve.department.records import Job, ScoredResult

_WAITING = 6
"""Jobs that may wait before no more slides are sent."""
_LONGEST_END_S = 1200.0


def _free_port() -> int:
    """A port that nobody listens on, below those that connections to a server that is gone would take."""
    for port in range(20_000, 32_000):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise RuntimeError("no port is free")


class Processes:
    """The server and the worker, each as often as it is started."""

    def __init__(self, data: Path, database: str | None) -> None:
        self._port = _free_port()
        self.address = f"http://127.0.0.1:{self._port}"
        self._about = ["--data", str(data), *(["--database", database] if database else [])]
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._log = (data.parent / "log").open("a+")

    def start(self, *names: str) -> None:
        """Start what is named and does not run."""
        environment = {**os.environ, "LOWPOWER_SERVE_MEASURE": "false", "LOWPOWER_SERVE_KEEP_FREE_GB": "0"}
        environment["LOWPOWER_SERVE_JOB_ATTEMPTS"] = "10"
        for name in names:
            if name in self._running:
                continue
            more = {"server": ["run", "--workers", "0", "--port", str(self._port)], "worker": ["worker"]}
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", "lowpower", "serve", *more[name], *self._about],
                stdout=subprocess.DEVNULL,
                stderr=self._log,
                env=environment,
            )

    def end(self, *names: str, by: signal.Signals = signal.SIGKILL) -> None:
        """Kill what is named."""
        for name in names:
            process = self._running.pop(name)
            if process.poll() is not None:
                self._log.seek(0)
                said = self._log.readlines()[-3:]
                raise RuntimeError(f"the {name} ended by itself, with {process.returncode}: {said}")
            process.send_signal(by)
            process.wait()


def send(
    address: str,
    token: str,
    folder: Path,
    waiting: Callable[[], int],
    accepted: list[str],
    stop: threading.Event,
) -> None:
    """Send slides and have each scored twice, until told to stop; what is told to be accepted is noted."""
    number = 0
    while not stop.is_set():
        if waiting() >= _WAITING:
            stop.wait(0.2)
            continue
        number += 1
        slide = folder / f"{number}.tif"
        shutil.copy(lp.sample(), slide)
        with slide.open("ab") as file:
            file.write(number.to_bytes(4, "big"))
        client = ServiceClient(address, token, timeout=20.0)
        with contextlib.suppress(ServiceError, OSError):
            key, job = client.upload(slide)
            accepted.append(job)
            accepted.append(client.score(key))
        slide.unlink()
        stop.wait(0.2)


def main() -> int:
    """Kill, start, kill, ...; then count."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--points", type=int, default=100)
    options.add_argument("--longest", type=float, default=12.0, help="seconds between two points at most")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--database")
    given = options.parse_args()
    chance = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        department = Department.open(read_settings(None, {}, data=data, database=given.database, workers=0))
        _, token = department.accounts.new_token(Who("benchmark", Role.ADMIN), "kills", Role.OPERATOR, None)

        def open_jobs() -> int:
            with department.database.read() as session:
                ended = Job.state.in_(("done", "cancelled"))
                return session.scalar(select(func.count()).select_from(Job).where(~ended)) or 0

        accepted: list[str] = []
        processes, stop = Processes(data, given.database), threading.Event()
        sender = threading.Thread(
            target=send, args=(processes.address, token, Path(folder), open_jobs, accepted, stop)
        )
        sender.start()
        killed: Counter[str] = Counter()
        for point in range(given.points):
            processes.start("server", "worker")
            time.sleep(chance.uniform(0.2, given.longest))
            names = chance.choice((("server",), ("worker",), ("server", "worker")))
            processes.end(*names)
            killed[" and ".join(names)] += 1
            if point % 10 == 9:
                print(f"{point + 1} points, {len(accepted)} jobs accepted", file=sys.stderr, flush=True)
        stop.set()
        sender.join()
        processes.start("server", "worker")
        deadline = time.monotonic() + _LONGEST_END_S
        while open_jobs() and time.monotonic() < deadline:
            time.sleep(1.0)
        left = open_jobs()
        processes.end("server", "worker", by=signal.SIGTERM)
        with department.database.read() as session:
            total = session.scalar(select(func.count()).select_from(Job))
            by_job = dict(
                session.execute(select(ScoredResult.job_id, func.count()).group_by(ScoredResult.job_id)).all()
            )
            outcomes = Counter(session.scalars(select(ScoredResult.outcome)))
            attempts = Counter(session.scalars(select(Job.attempts)))
        audit = verify_audit(department.database)
        missing = [job for job in accepted if by_job.get(job) != 1]
        print(
            f"{given.points} kills ({dict(killed)}); {total} jobs, {len(accepted)} of them told to the "
            f"sender, {left} never ended; results a job: {dict(Counter(by_job.values()))}; "
            f"outcomes {dict(outcomes)}; "
            f"starts a job {dict(sorted(attempts.items()))}; "
            f"missing {len(missing)}; audit log of {audit.rows} rows: {audit.problem or 'whole'}"
        )
        department.database.close()
        return 1 if not total or left or missing or audit.problem or set(by_job.values()) != {1} else 0


if __name__ == "__main__":
    sys.exit(main())
