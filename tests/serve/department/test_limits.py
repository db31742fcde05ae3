"""Requests that ask for too much: memory, files of the service's machine, letters that are none."""

from __future__ import annotations

import pytest

from lowpower.serve.department import _bounded_bodies
from lowpower.serve.department._roles import Role

from .conftest import browser_of, program_of, upload


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request) -> str:
    return request.param


def pieces():
    """A body that does not say how long it is."""
    for _ in range(20):
        yield b"[" * 10_000


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_what_a_stranger_sends_is_not_kept_in_memory(department):
    stranger = program_of(department)
    del stranger.headers["Authorization"]
    for path in ("/v1/session", "/v1/links/none"):
        asked = {"headers": {"Content-Type": "application/json"}}
        answer = stranger.post(path, content=pieces(), **asked)
        assert (answer.status_code, "64 KiB" in answer.json()["detail"]) == (413, True)
        answer = stranger.post(path, content=b"[" * 70_000, **asked)
        assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    wrong = stranger.post("/v1/session", json={"name": "a" * 100, "password": "b" * 500})
    assert wrong.status_code == 401


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_people_may_draw_much_and_not_everything(department, admin, slide_file, monkeypatch):
    key = upload(admin, slide_file)  # in pieces larger than what may come otherwise
    ring = [[x, (x * 7) % 900] for x in range(9000)]
    drawn = {"type": "Polygon", "coordinates": [[*ring, [8999, 0], ring[0]]]}
    feature = {"type": "Feature", "geometry": drawn, "properties": {}}
    told = {"type": "FeatureCollection", "features": [feature]}
    assert admin.put(f"/v1/slides/{key}/regions", json=told).status_code == 200
    monkeypatch.setattr(_bounded_bodies, "_OF_PEOPLE", 90_000)
    assert admin.put(f"/v1/slides/{key}/regions", json=told).status_code == 413


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_job_names_no_file_of_the_services_machine(open_with, slide_file, tmp_path):
    department = open_with(models=("/bundles/er",))
    reader, admin = browser_of(department, Role.READER, "Dr. R"), browser_of(department)
    key = upload(admin, slide_file)
    for asked in ({"control": str(slide_file)}, {"model": str(tmp_path)}, {"model": "hf://somebody/model"}):
        refused = reader.post("/v1/jobs", json={"slide": key, **asked})
        assert (refused.status_code, refused.json()["title"]) == (422, "config"), asked
    assert [one["name"] for one in reader.get("/v1/models").json()] == ["/bundles/er", "her2-sim"]
    for asked in ({"control": "left"}, {"control": "1,2,30,40"}, {"model": "/bundles/er"}):
        assert reader.post("/v1/jobs", json={"slide": key, **asked}).status_code == 201, asked


def test_letters_that_no_database_keeps_are_said_and_not_taken_for_its_loss(department, admin, slide_file):
    key = upload(admin, slide_file)
    asked = (
        admin.get("/v1/worklist", params={"search": "a\0b"}),
        admin.get("/v1/audit", params={"subject": "\0"}),
        admin.get("/v1/slides/%00"),
        admin.get("/v1/jobs", params={"slide": "\0"}),
        admin.post("/v1/session", json={"name": "a\0", "password": "a long password"}),
        admin.post("/v1/jobs", json={"slide": key}, headers={"Idempotency-Key": "a b"}),
        admin.post(
            f"/v1/slides/{key}/reviews", json={"verdict": "other score", "score": "1+", "comment": "\0"}
        ),
    )
    assert [answer.status_code for answer in asked if answer.status_code >= 500] == []
