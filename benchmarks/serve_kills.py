"""kill -9 of a department's service at random points: each accepted job ends with exactly one result.

python benchmarks/serve_kills.py [--points 100] [--database postgresql://USER@HOST/EMPTY_DATABASE]

Each round starts the service, sends a slide and asks for it to be scored once more, and kills the whole
service at a random moment; at the end it is left alone until nothing waits. Prints what became of the jobs
and whether the audit log is whole; ends with 1 if anything is missing or there twice.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from sqlalchemy import func, select

import lowpower as lp
from lowpower.serve import ServiceClient, ServiceError
from lowpower.serve.department import Department, read_settings, verify_audit
from lowpower.serve.department._accounts import Who
from lowpower.serve.department._roles import Role
from lowpower.serve.department.records import Job, ScoredResult


def start(data: Path, database: str | None) -> tuple[subprocess.Popen[str], str]:
    """The service, and its address."""
    command = [sys.executable, "-m", "lowpower", "serve", "--data", str(data), "--port", "0"]
    if database:
        command += ["--database", database]
    environment = {**os.environ, "LOWPOWER_SERVE_MEASURE": "false", "LOWPOWER_SERVE_KEEP_FREE_GB": "0"}
    environment["LOWPOWER_SERVE_JOB_ATTEMPTS"] = "10"
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def main() -> int:
    """Kill, start, kill, ...; then count."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--points", type=int, default=100)
    options.add_argument("--longest", type=float, default=12.0, help="seconds a service lives at most")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--database")
    given = options.parse_args()
    chance = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        department = Department.open(read_settings(None, {}, data=data, database=given.database, workers=0))
        _, token = department.accounts.new_token(Who("benchmark", Role.ADMIN), "kills", Role.OPERATOR, None)
        accepted: list[str] = []
        for point in range(given.points):
            process, address = start(data, given.database)
            client = ServiceClient(address, token, timeout=20.0)
            ends = time.monotonic() + chance.uniform(0.2, given.longest)
            try:
                slide = Path(folder) / f"{point}.tif"
                shutil.copy(lp.sample(), slide)
                with slide.open("ab") as file:
                    file.write(point.to_bytes(2, "big"))
                key, job = client.upload(slide)
                accepted.append(job)
                accepted.append(client.score(key))
                slide.unlink()
            except (ServiceError, OSError) as error:
                print(f"point {point}: {error}", file=sys.stderr)
            time.sleep(max(0.0, ends - time.monotonic()))
            process.send_signal(signal.SIGKILL)
            process.wait()
        process, _ = start(data, given.database)
        with department.database.read() as session:
            total = session.scalar(select(func.count()).select_from(Job))
        while True:
            with department.database.read() as session:
                states = Counter(session.scalars(select(Job.state)))
            if states["done"] == total:
                break
            time.sleep(1.0)
        process.terminate()
        process.wait()
        with department.database.read() as session:
            by_job = dict(
                session.execute(select(ScoredResult.job_id, func.count()).group_by(ScoredResult.job_id)).all()
            )
            outcomes = Counter(session.scalars(select(ScoredResult.outcome)))
            attempts = Counter(session.scalars(select(Job.attempts)))
        audit = verify_audit(department.database)
        missing = [job for job in accepted if by_job.get(job) != 1]
        print(
            f"{given.points} kills; {total} jobs, {len(accepted)} of them told to the sender; results a job: "
            f"{dict(Counter(by_job.values()))}; outcomes {dict(outcomes)}; "
            f"starts a job {dict(sorted(attempts.items()))}; "
            f"missing {len(missing)}; audit log of {audit.rows} rows: {audit.problem or 'whole'}"
        )
        department.database.close()
        return 1 if missing or audit.problem or set(by_job.values()) != {1} else 0


if __name__ == "__main__":
    sys.exit(main())
