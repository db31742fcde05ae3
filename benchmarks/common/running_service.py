"""A department's service in a process of its own, for benchmarks that talk to it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from lowpower.serve import ServiceClient
from lowpower.serve.department import Department, read_settings
from lowpower.serve.department._roles import Role
from lowpower.serve.department.access import Who

__all__ = ["running_service"]


@contextlib.contextmanager
def running_service(
    data: Path, database: str | None, *, workers: int, by: tuple[str, ...] = ("-m", "lowpower")
) -> Iterator[tuple[ServiceClient, str, str, int]]:
    """A client with a token, the service's address, the token, and the number of its process.

    Args:
        data: Its data folder.
        database: Its database.
        workers: Slides it scores at once.
        by: How Python starts it.
    """
    department = Department.open(read_settings(None, {}, data=data, database=database, workers=0))
    _, token = department.accounts.new_token(Who("benchmark", Role.ADMIN), "benchmark", Role.ADMIN, None)
    department.database.close()
    command = [sys.executable, *by, "serve", "--data", str(data), "--port", "0"]
    command += ["--workers", str(workers), *(["--database", database] if database else [])]
    environment = {
        **os.environ, "LOWPOWER_SERVE_MEASURE": "false", "LOWPOWER_SERVE_KEEP_FREE_GB": "0",
        "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        yield ServiceClient(address, token, timeout=120.0), address, token, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stdout.close()
