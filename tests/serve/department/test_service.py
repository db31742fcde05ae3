"""The whole service, in a process of its own: a slide goes in, a result comes out, also after power cuts."""

from __future__ import annotations

import json
import signal
import urllib.request

import argon2
import pytest
from sqlalchemy import func, select

from lowpower.serve import ServiceError
from lowpower.serve.department import Department, verify_audit
from lowpower.serve.department.records._schema import Job, ScoredResult, User

from .conftest import PASSWORD, Running, wait_until


@pytest.mark.slow
def test_from_the_first_link_to_a_report_and_through_a_power_cut(running, slide_file, tmp_path):
    running.start()
    first = sign_in_by_the_first_link(running)
    client = running.client()
    key, job = client.upload(slide_file, case="Jane Doe 1961")
    department = running.department()
    with department.database.read() as session:
        costs = argon2.extract_parameters(session.scalar(select(User.password)))
    assert first == ("Dr. A", "admin")
    assert (costs.type, costs.memory_cost >= 19_456) == (argon2.Type.ID, True)  # OWASP asks for as much

    result = client.wait(job)
    assert (result.state, result.reason) == ("ok", result.reason)
    assert result.measured is not None
    assert client.job(job)["attempts"] == 1
    (row,) = client.worklist()
    assert (row["key"], row["state"]) == (key, "referred" if result.outcome == "refer" else "issued")
    assert result.answer is not None
    assert row["score"] == result.answer.likeliest
    assert [one["slide"] for one in client.case(row["case"])["slides"]] == [key]
    assert client.report(key, "pdf", tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(ServiceError, match=f"here already, as {key}") as refused:
        client.upload(slide_file)
    assert (refused.value.status, refused.value.problem["slide"]) == (409, key)

    accepted = [job, client.score(key, measure=False), client.score(key, measure=False)]
    wait_until(lambda: "running" in states(department).values())
    running.kill()  # the server, and the worker in it, amid a job
    assert set(states(department).values()) <= {"running", "waiting", "done"}
    other = Running(running.data).start("--workers", "1", task="worker")
    try:
        wait_until(lambda: list(states(department).values()).count("done") == 3, 180)
    finally:
        other.kill(signal.SIGTERM)
    each_job_has_one_result(department, accepted)
    nothing_says_whose_it_is(running, slide_file)
    department.database.close()


def sign_in_by_the_first_link(running: Running) -> tuple[str, str]:
    """Make the first account as the printed link lets one; its name and role."""
    body = json.dumps({"name": "Dr. A", "password": PASSWORD}).encode()
    address = f"{running.address}/v1/links/{running.first_link()}"
    asked = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked) as answer:
        told = json.loads(answer.read())
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert "samesite=strict" in answer.headers["set-cookie"].lower()
    return told["name"], told["role"]


def states(department: Department) -> dict[str, str]:
    with department.database.read() as session:
        return {job.id: job.state for job in session.scalars(select(Job))}


def each_job_has_one_result(department: Department, accepted: list[str]) -> None:
    folders = {path.name for path in (department.settings.data / "results").iterdir()}
    with department.database.read() as session:
        counted = session.execute(
            select(ScoredResult.job_id, func.count()).group_by(ScoredResult.job_id)
        ).all()
        assert {job: count for job, count in counted} == dict.fromkeys(accepted, 1)
        assert {job.attempts for job in session.scalars(select(Job))} <= {1, 2}
        assert set(session.scalars(select(ScoredResult.outcome))) <= {"issued", "refer"}
        assert set(session.scalars(select(ScoredResult.folder))) <= folders
    audit = verify_audit(department.database)
    assert audit.problem is None
    assert audit.rows > 5


def nothing_says_whose_it_is(running: Running, slide_file) -> None:
    """What came with the slide is nowhere: neither its name nor the case in words."""
    files = [
        path.read_bytes() for path in running.data.rglob("*") if path.suffix in (".json", ".db", ".db-wal")
    ]
    assert not any(word in content for content in files for word in (b"Jane", slide_file.stem.encode()))
    log = (running.data.parent / "serve.log").read_text()
    assert "Jane" not in log
    assert slide_file.stem not in log
    assert {json.loads(line)["event"] for line in log.splitlines()} >= {"request", "job.started", "job.ended"}
