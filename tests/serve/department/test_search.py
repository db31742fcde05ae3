"""The worklist's search: by any part of a word, off an index, on both databases."""

from __future__ import annotations

import logging
import random

import alembic.command
import alembic.config
import psycopg
import pytest
from sqlalchemy import event, insert, text

from lowpower.serve._host import WorklistAsked
from lowpower.serve.department import Department, _worklist_pages, read_settings
from lowpower.serve.department.records import Database, Slide, moment
from lowpower.serve.department.records._database import _MIGRATIONS

from .conftest import finish, upload


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request) -> str:
    return request.param


def row_of(number: int, words: str, **about) -> dict[str, object]:
    return {
        "id": f"S-{number:04}", "origin": "upload", "source": "", "path": "", "sha256": str(number),
        "size": 1, "added_by": "a", "added": f"2026-01-01T{number:05}", "rank": 9, "score": "",
        "sureness": 2.0, "state": "unscored", "reading": "none", "words": words, "answer_words": words,
        **about,
    }  # fmt: skip


def found(department: Department, search: str, **about) -> list[str]:
    told = department.host.worklist(WorklistAsked(search=search, **about), "Dr. A")
    return sorted(row.key for row in told.rows)


@pytest.mark.parametrize("few", [2000, 3])
def test_a_search_finds_what_holds_all_its_words_and_nothing_else(department, monkeypatch, few):
    monkeypatch.setattr(_worklist_pages, "_FEW", few)
    chance = random.Random(1)
    words = {
        f"S-{number:04}": " ".join(
            "".join(chance.choice('ab-%_"/é1') for _ in range(chance.randint(1, 6))) for _ in range(3)
        )
        for number in range(80)
    }
    with department.database.write() as session:
        session.execute(insert(Slide), [row_of(n, told) for n, told in enumerate(words.values())])
    for _ in range(150):
        told = chance.choice(list(words.values()))
        begin = chance.randrange(len(told))
        asked = told[begin : begin + chance.randint(1, 6)].strip()
        if chance.random() < 0.3:
            asked += " " + chance.choice(told)
        right = sorted(
            key for key, held in words.items() if all(word in held for word in asked.lower().split())
        )
        assert found(department, asked, limit=500) == right, asked
        page = department.host.worklist(WorklistAsked(search=asked), "Dr. A")
        counted = len(words) if not asked.split() else min(len(right), few)
        assert (page.total, page.or_more) == (counted, bool(asked.split()) and len(right) > few), asked
    assert found(department, "a\0b") == found(department, "a b")


def test_what_changes_or_goes_is_found_so(department, admin, slide_file):
    key = upload(admin, slide_file, case="Case 1")
    case = admin.get("/v1/worklist").json()["rows"][0]["case"]
    assert found(department, case[3:9].lower()) == [key]
    assert found(department, "do not agree") == []
    job = admin.get("/v1/jobs").json()[0]["id"]
    finish(department, job, reason="network and measurement do not agree")
    assert found(department, "not AGREE measure") == [key]
    assert found(department, key[2:6]) == [key]
    assert admin.delete(f"/v1/slides/{key}").status_code == 204
    assert found(department, key) == []


def test_blind_readers_find_by_pseudonyms_alone(open_with):
    department = open_with(blind=True)
    with department.database.write() as session:
        session.execute(insert(Slide), [row_of(1, "s-0001 her2", answer_words="s-0001 her2 do not agree")])
    assert found(department, "agree") == []
    assert found(department, "no") == []
    assert found(department, "0001 her") == ["S-0001"]


def test_the_index_is_used(department):
    """Without it, a search of 100,000 slides took eight times as long as it may."""
    with department.database.write() as session:
        session.execute(insert(Slide), [row_of(n, f"s-{n:04} c-{n // 3} her2") for n in range(2000)])
        session.execute(text("ANALYZE"))
    seen = []
    listen = (department.database.engine, "before_cursor_execute")

    def keep(_connection, _cursor, statement, parameters, *_) -> None:
        seen.append((statement, parameters))

    event.listen(*listen, keep)
    found(department, "0017 her")
    event.remove(*listen, keep)
    statement, parameters = next((told, given) for told, given in seen if "LIMIT" in told)
    with department.database.engine.connect() as connection:
        explain = "EXPLAIN QUERY PLAN"
        if not department.database.is_sqlite:
            explain = "EXPLAIN"
            connection.execute(text("SET LOCAL enable_seqscan = off"))  # which so few rows would be read by
        plan = connection.exec_driver_sql(f"{explain} {statement}", parameters).all()
    assert ("slides_found VIRTUAL TABLE" if department.database.is_sqlite else "slides_by_words") in str(plan)


def test_slides_of_an_older_version_are_found(tmp_path, database_kind, request):
    url = request.getfixturevalue("postgresql").new() if database_kind == "postgresql" else None
    database = Database(read_settings(None, {}, data=tmp_path / "data", database=url))
    (tmp_path / "data").mkdir()
    with database.engine.begin() as connection:
        config = alembic.config.Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, "0002")
        rows = [row_of(1, "s-0001 c-77 her2"), row_of(2, "s-0002 c-78 her2", removed=moment())]
        for row in rows:
            connection.execute(insert(Slide), row)
    database.close()
    department = Department.open(read_settings(None, {}, data=tmp_path / "data", database=url, workers=0))
    assert found(department, "c-77") == ["S-0001"]
    assert found(department, "c-78") == []
    department.database.close()


def test_a_database_that_refuses_the_extension_is_searched_all_the_same(tmp_path, postgresql, caplog):
    url = postgresql.new()
    name = url.rsplit("/", 1)[1]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
        connection.execute(f"CREATE ROLE poor_{name} LOGIN")
        connection.execute(f'GRANT CONNECT ON DATABASE "{name}" TO poor_{name}')
        # What a hospital's administrator gives: schemas of one's own, and no extensions.
        connection.execute(f"GRANT CREATE ON SCHEMA public TO poor_{name}")
        connection.execute(f"CREATE SCHEMA dbos AUTHORIZATION poor_{name}")
    settings = read_settings(
        None, {}, data=tmp_path / "data", database=url.replace("lowpower@", f"poor_{name}@"), workers=0
    )
    with caplog.at_level(logging.WARNING, "lowpower.serve"):
        department = Department.open(settings)
    assert "CREATE EXTENSION pg_trgm" in caplog.text
    with department.database.write() as session:
        session.execute(insert(Slide), [row_of(1, "s-0001 c-77 her2")])
    assert found(department, "c-7") == ["S-0001"]
    department.database.close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION pg_trgm")
    caplog.clear()
    Department.open(settings).database.close()  # the next start makes the index
    assert caplog.text == ""
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT to_regclass('slides_by_words')").fetchone() != (None,)
