"""Tiles take a short way, and rights hold on it."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event

from lowpower.serve.department import _tile_lane
from lowpower.serve.department._roles import Role
from lowpower.serve.department.access import Who

from .conftest import browser_of, program_of, upload


def tile_of(client, key, name="9/0_0"):
    return client.get(f"/v1/slides/{key}/tiles/{name}.jpg")


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when the test says so."""
    now = [1000.0]
    monkeypatch.setattr(_tile_lane.time, "monotonic", lambda: now[0])
    return now


def test_tiles_one_after_another_ask_the_database_nothing(department, admin, slide_file):
    key = upload(admin, slide_file)
    first = tile_of(admin, key)
    asked = []
    listen = (department.database.engine, "before_cursor_execute")

    def keep(_connection, _cursor, statement, *_) -> None:
        asked.append(statement)

    event.listen(*listen, keep)
    again, other = tile_of(admin, key), tile_of(admin, key, "10/1_0")
    event.remove(*listen, keep)
    assert (first.status_code, again.status_code, other.status_code) == (200, 200, 200)
    assert asked == []
    assert again.content == first.content != other.content
    assert again.headers["content-type"] == "image/jpeg"
    assert again.headers["cache-control"] == "private, max-age=3600, immutable"
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert again.headers["x-content-type-options"] == "nosniff"


def test_who_may_no_longer_gets_no_tile_a_second_later(department, admin, slide_file, clock):
    key = upload(admin, slide_file)
    number, secret = department.accounts.new_token(Who("test", Role.ADMIN), "viewer", Role.READER, None)
    program = program_of(department)
    program.headers["Authorization"] = f"Bearer {secret}"
    reader = browser_of(department, Role.READER, "Dr. B")
    assert (tile_of(program, key).status_code, tile_of(reader, key).status_code) == (200, 200)
    department.accounts.revoke(Who("test", Role.ADMIN), number)
    department.accounts.change(Who("test", Role.ADMIN), "Dr. B", disabled=True)
    clock[0] += 1.1
    assert (tile_of(program, key).status_code, tile_of(reader, key).status_code) == (401, 401)
    assert tile_of(admin, key).status_code == 200
    job = admin.get("/v1/jobs").json()[0]["id"]
    admin.post(f"/v1/jobs/{job}/cancel")
    assert admin.delete(f"/v1/slides/{key}").status_code == 204
    clock[0] += 1.1
    assert tile_of(admin, key).status_code == 404


def test_a_file_that_goes_away_while_it_is_looked_at_is_said(department, admin, slide_file):
    key = upload(admin, slide_file)
    assert tile_of(admin, key).status_code == 200
    shutil.rmtree(department.settings.data / "slides" / key)
    # Each thread has the file open for itself, and one that reads it for the first time finds none.
    with ThreadPoolExecutor(8) as viewers:
        told = list(viewers.map(lambda at: tile_of(admin, key, f"12/{at % 10}_{at // 10}"), range(60)))
    wrong = {(answer.status_code, answer.headers["content-type"]) for answer in told} - {(200, "image/jpeg")}
    assert wrong == {(409, "application/problem+json")}
    slide = admin.get(f"/v1/slides/{key}").json()
    assert (slide["image"], "no longer there" in slide["missing"]) == (None, True)


def test_what_is_unusual_is_said_as_ever(department, admin, slide_file):
    key = upload(admin, slide_file)
    stranger = program_of(department)
    for header in ("", "Bearer", "Bearer lp_wrong", "Basic abc"):
        stranger.headers["Authorization"] = header
        assert tile_of(stranger, key).status_code == 401, header
    for name, status in (("9/999_0", 404), ("99/0_0", 404), ("9/x_0", 422), ("9999/0_0", 404)):
        answer = tile_of(admin, key, name)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), (
            name
        )
    assert tile_of(admin, "S-NONE").status_code == 404
    assert admin.post(f"/v1/slides/{key}/tiles/9/0_0.jpg").status_code == 405


def test_what_many_ask_at_once_is_asked_for_once(monkeypatch):
    monkeypatch.setattr(_tile_lane, "_RECENT_S", 60.0)  # a second is soon over on a machine that is busy
    asked, inside = [], threading.Barrier(2, timeout=60)

    def ask(key):
        asked.append(key)
        inside.wait()
        return key.upper()

    recent = _tile_lane._Recent(ask)
    with ThreadPoolExecutor(8) as people:
        given = [people.submit(recent.get, "a") for _ in range(8)]
        inside.wait()
        assert {one.result(60) for one in given} == {"A"}
    assert asked == ["a"]
