"""Power cuts: whatever is killed whenever, each job that was accepted ends with exactly one result."""

from __future__ import annotations

import shutil
import signal

import pytest
from sqlalchemy import func, select

from lowpower.serve.department import verify_audit
from lowpower.serve.department.records._schema import Job, ScoredResult

from .conftest import Running, wait_until


def copies_of(slide, folder, count: int):
    """The same slide with other bytes behind its end: another slide to the service."""
    for number in range(count):
        path = folder / f"{number}.tif"
        shutil.copy(slide, path)
        with path.open("ab") as file:
            file.write(bytes([number]))
        yield path


def states(department) -> dict[str, str]:
    with department.database.read() as session:
        return {job.id: job.state for job in session.scalars(select(Job))}


@pytest.mark.slow
def test_killed_server_and_killed_worker(running: Running, slide_file, tmp_path, monkeypatch):
    monkeypatch.setenv("LOWPOWER_SERVE_MEASURE", "false")
    running.start()
    other = Running(running.data)
    client = running.client()
    accepted = [client.upload(path)[1] for path in copies_of(slide_file, tmp_path, 3)]
    department = running.department()
    wait_until(lambda: "running" in states(department).values())
    running.kill()  # the server, and the worker in it, amid a job
    assert set(states(department).values()) <= {"running", "waiting", "done"}
    other.start("--workers", "1", task="worker")
    try:
        wait_until(lambda: list(states(department).values()).count("done") == 3, 180)
    finally:
        other.kill(signal.SIGTERM)
    with department.database.read() as session:
        counted = session.execute(
            select(ScoredResult.job_id, func.count()).group_by(ScoredResult.job_id)
        ).all()
        assert {job: count for job, count in counted} == dict.fromkeys(accepted, 1)
        assert {job.attempts for job in session.scalars(select(Job))} <= {1, 2}
        outcomes = set(session.scalars(select(ScoredResult.outcome)))
    assert outcomes <= {"issued", "refer"}
    folders = {path.name for path in (running.data / "results").iterdir()}
    with department.database.read() as session:
        assert set(session.scalars(select(ScoredResult.folder))) <= folders
    assert verify_audit(department.database).problem is None
    department.database.close()
