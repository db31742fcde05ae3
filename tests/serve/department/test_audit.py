"""The audit log tells everything that was done, and whatever is done to it shows."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text

from lowpower.serve.department import verify_audit
from lowpower.serve.department.records._audit_log import note

from .conftest import upload


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request) -> str:
    return request.param


def spoil(department, statement: str) -> None:
    """As somebody with the database's password could, once the triggers are gone."""
    with department.database.engine.begin() as connection:
        for change in ("update", "delete"):
            there = "" if department.database.is_sqlite else " ON audit"
            connection.execute(text(f"DROP TRIGGER audit_no_{change}{there}"))
        connection.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE audit SET actor = 'Dr. B' WHERE number = 3", "row 3 was changed"),
        ("DELETE FROM audit WHERE number = 3", "row 3 is missing"),
        ("DELETE FROM audit WHERE number > 4", "rows are missing"),
        ("UPDATE audit SET before = hash WHERE number = 3", "row 3 does not follow"),
    ],
)
def test_what_is_done_to_it_shows(department, admin, statement, said):
    for number in range(4):
        admin.post("/v1/tokens", json={"name": f"token {number}"})
    whole = verify_audit(department.database)
    assert (whole.problem, whole.rows) == (None, 7)
    spoil(department, statement)
    assert said in verify_audit(department.database).problem


def test_many_at_once_make_one_chain(department):
    def write() -> None:
        for _ in range(20):
            with department.database.write() as session:
                note(session, "somebody", "something")

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = verify_audit(department.database)
    assert (told.problem, told.rows) == (None, 80)


def test_what_is_undone_is_not_in_it(department):
    def fail() -> None:
        with department.database.write() as session:
            note(session, "somebody", "something")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert verify_audit(department.database).rows == 0


def test_it_tells_who_did_what(department, admin, slide_file):
    key = upload(admin, slide_file)
    told = [(row["actor"], row["action"], row["subject"]) for row in admin.get("/v1/audit").json()]
    assert ("Dr. A", "user.created", "Dr. A") in told
    assert ("Dr. A", "slide.added", key) in told
    assert [action for _, action, _ in told[-1:]] == ["job.asked"]
