"""The whole service, in a process of its own: a slide goes in, a result comes out."""

from __future__ import annotations

import json
import urllib.request

import pytest

from lowpower.serve import ServiceError
from lowpower.serve.department import verify_audit

from .conftest import PASSWORD


def test_from_the_first_link_to_a_report(running, slide_file, tmp_path):
    running.start()
    secret = running.first_link()
    body = json.dumps({"name": "Dr. A", "password": PASSWORD}).encode()
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(
        urllib.request.Request(f"{running.address}/v1/links/{secret}", body, headers)
    ) as answer:
        told = json.loads(answer.read())
        assert (told["name"], told["role"]) == ("Dr. A", "admin")
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert "samesite=strict" in answer.headers["set-cookie"].lower()

    client = running.client()
    key, job = client.upload(slide_file, case="Jane Doe 1961")
    result = client.wait(job)
    assert result.state == "ok"
    assert client.job(job)["attempts"] == 1
    (row,) = client.worklist()
    assert (row["key"], row["state"]) == (key, "referred" if result.outcome == "refer" else "issued")
    assert result.answer is not None
    assert row["score"] == result.answer.likeliest
    assert client.report(key, "pdf", tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")

    with pytest.raises(ServiceError, match=f"here already, as {key}") as refused:
        client.upload(slide_file)
    assert (refused.value.status, refused.value.problem["slide"]) == (409, key)

    # What came with the slide is nowhere: neither its name nor the case in words.
    files = [
        path.read_bytes() for path in running.data.rglob("*") if path.suffix in (".json", ".db", ".db-wal")
    ]
    assert not any(word in content for content in files for word in (b"Jane", slide_file.stem.encode()))
    log = (running.data.parent / "serve.log").read_text()
    assert "Jane" not in log
    assert slide_file.stem not in log
    assert {json.loads(line)["event"] for line in log.splitlines()} >= {"request", "job.started", "job.ended"}

    audit = verify_audit(running.department().database)
    assert audit.problem is None
    assert audit.rows > 5
