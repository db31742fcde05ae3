"""Backup, restore and retention."""

from __future__ import annotations

import os
import time

import pytest

from lowpower.errors import ConfigError
from lowpower.serve.department import Department, back_up, purge, read_settings, restore, verify_audit
from lowpower.serve.department.records._schema import moment

from .conftest import browser_of, finish, upload


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request) -> str:
    return request.param


def test_a_restored_service_is_the_same_and_its_jobs_wait_again(
    department, admin, slide_file, tmp_path, postgresql
):
    key = upload(admin, slide_file, case="Case 1")
    first = admin.get("/v1/jobs").json()[0]["id"]
    finish(department, first)
    admin.post(f"/v1/slides/{key}/reviews", json={"verdict": "agree"})
    waits = admin.post("/v1/jobs", json={"slide": key}).json()["id"]
    runs = admin.post("/v1/jobs", json={"slide": key}).json()["id"]
    department.jobs.claim(runs, "w", {"w"})
    made = back_up(department.settings, tmp_path / "all.tar")
    sealed = verify_audit(department.database)

    # Into the other database.
    other = postgresql.new() if department.database.is_sqlite else None
    settings = read_settings(None, {}, data=tmp_path / "again", database=other, keep_free_gb=0, workers=0)
    assert restore(settings, tmp_path / "all.tar").files == made.files
    again = Department.open(settings)
    client = browser_of(again, name="Dr. N")
    assert client.get(f"/v1/slides/{key}").json()["record"]["decision"] == "1+"
    assert client.get(f"/v1/slides/{key}/tiles/9/0_0.jpg").status_code == 200
    assert {job["id"]: job["state"] for job in client.get("/v1/jobs").json()} == {
        first: "done", waits: "waiting", runs: "waiting",
    }  # fmt: skip
    rows = client.get("/v1/audit", params={"limit": 1000}).json()
    assert [row["hash"] for row in rows][sealed.rows - 1] == sealed.head
    assert again.accounts.by_token("no") is None
    assert again.slides.case_code("Case 1") == department.slides.case_code("Case 1")
    again.database.close()
    with pytest.raises(ConfigError, match="not empty"):
        restore(settings, tmp_path / "all.tar")


@pytest.mark.parametrize("content", [b"", b"no archive at all", None])
def test_what_is_no_backup_is_said(tmp_path, content):
    archive = tmp_path / "some.tar"
    if content is not None:
        archive.write_bytes(content)
    with pytest.raises(ConfigError, match="is no archive"):
        restore(read_settings(None, {}, data=tmp_path / "new", workers=0), archive)
    assert not (tmp_path / "new").exists()


def test_a_backup_whose_audit_log_was_changed_is_not_restored(department, admin, tmp_path):
    back_up(department.settings, tmp_path / "all.tar")
    data = (tmp_path / "all.tar").read_bytes()
    (tmp_path / "all.tar").write_bytes(data.replace(b'"user.created"', b'"user.deleted"'))
    with pytest.raises(ConfigError, match="row 2 was changed"):
        restore(read_settings(None, {}, data=tmp_path / "new", workers=0), tmp_path / "all.tar")


def test_old_slides_go_and_what_was_said_of_them_stays(department, admin, slide_file, tmp_path):
    key = upload(admin, slide_file)
    job = admin.get("/v1/jobs").json()[0]["id"]
    finish(department, job)
    with pytest.raises(ConfigError, match="keep_days"):
        purge(department)
    keeping = Department.open(department.settings.model_copy(update={"keep_days": 30}))
    assert purge(keeping).slides == ()
    with department.database.write() as session:
        from lowpower.serve.department.records._schema import Slide

        session.get(Slide, key).added = moment(-31 * 86400)
    gone = purge(keeping)
    assert gone.slides == (key,)
    assert gone.bytes > 0
    assert not (department.settings.data / "slides" / key).exists()
    assert admin.get("/v1/worklist").json()["total"] == 0
    assert admin.get(f"/v1/results/{job}").json()["decision"] == "1+"
    keeping.database.close()


def test_half_made_results_of_killed_workers_are_swept(department):
    from lowpower.serve.department.jobs._worker import ScoringWorker

    old = time.time() - 7200
    for place in ("staging/a", "results/nobodys", "results/fresh"):
        folder = department.settings.data / place
        folder.mkdir(parents=True)
        if place != "results/fresh":
            os.utime(folder, (old, old))
    ScoringWorker(department.database, department.settings, department.jobs)._sweep()
    assert [path.name for path in (department.settings.data / "results").iterdir()] == ["fresh"]
    assert list((department.settings.data / "staging").iterdir()) == []
