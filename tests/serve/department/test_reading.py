"""Readers: one or two, blind or not, at once, and on results that gave way to others."""

from __future__ import annotations

import pytest

from lowpower.serve.department._roles import Role

from .conftest import browser_of, finish, upload


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request) -> str:
    return request.param


def scored(department, client, slide_file, **about) -> str:
    key = upload(client, slide_file)
    finish(department, client.get("/v1/jobs", params={"slide": key}).json()[0]["id"], **about)
    return key


def say(client, key, score="1+", **more):
    return client.post(f"/v1/slides/{key}/reviews", json={"verdict": "other score", "score": score, **more})


def test_a_review_of_a_result_that_gave_way_to_another_is_not_taken(department, admin, slide_file):
    key = scored(department, admin, slide_file, control="none")
    seen = admin.get(f"/v1/slides/{key}").json()["version"]
    job = admin.post("/v1/jobs", json={"slide": key}).json()["id"]
    finish(department, job, decision="2+")
    late = say(admin, key, version=seen)
    assert late.status_code == 409
    assert "scored again" in late.json()["detail"]
    told = admin.get(f"/v1/slides/{key}").json()
    assert say(admin, key, version=told["version"]).status_code == 201
    assert [("1+" in one["headline"], one["control"]) for one in told["earlier"]] == [(True, "none")]


def test_reviews_are_rows_and_the_reader_is_who_signed_in(department, admin, slide_file):
    key = scored(department, admin, slide_file)
    say(admin, key, "2+", reader="somebody else")
    admin.post(f"/v1/slides/{key}/reviews", json={"verdict": "agree", "comment": "seen again"})
    told = admin.get(f"/v1/slides/{key}").json()["reviews"]
    assert [(one["reader"], one["score"]) for one in told] == [("Dr. A", "2+"), ("Dr. A", "1+")]
    (row,) = admin.get("/v1/worklist").json()["rows"]
    assert (row["reading"], row["review"]["comment"]) == ("agreed", "seen again")


def test_operators_and_programs_do_not_review(department, admin, slide_file):
    key = scored(department, admin, slide_file)
    operator = browser_of(department, Role.OPERATOR, "Dr. O")
    assert say(operator, key).status_code == 403
    assert operator.get(f"/v1/slides/{key}").status_code == 200


def test_two_readers_who_differ_are_settled_by_a_third(open_with, slide_file):
    department = open_with(readers=2)
    first = browser_of(department, name="Dr. A")
    second, third = (browser_of(department, Role.READER, name) for name in ("Dr. B", "Dr. C"))
    key = scored(department, first, slide_file)

    def reading() -> str:
        return first.get("/v1/worklist").json()["rows"][0]["reading"]

    say(first, key, "2+")
    assert reading() == "one"
    say(second, key, "3+")
    assert reading() == "differ"
    assert first.get("/v1/worklist", params={"show": "Readers differ"}).json()["total"] == 1
    say(first, key, "2+")  # saying it again settles nothing
    assert reading() == "differ"
    say(third, key, "3+")
    assert reading() == "settled"


def test_blind_readers_see_nothing_of_the_answer_until_they_gave_theirs(open_with, slide_file):
    department = open_with(blind=True)
    first = browser_of(department, name="Dr. A")
    second = browser_of(department, Role.READER, "Dr. B")
    key = scored(department, first, slide_file)
    job = first.get("/v1/jobs").json()[0]["id"]
    say(first, key, "2+")
    for client, sees in ((first, True), (second, False)):
        (row,) = client.get("/v1/worklist").json()["rows"]
        assert (row["score"], row["state"]) == (("1+", "issued") if sees else (None, "hidden"))
        assert client.get(f"/v1/results/{job}").status_code == (200 if sees else 403)
        assert client.get(f"/v1/slides/{key}/reports/fhir").status_code == (200 if sees else 403)
        assert (client.get(f"/v1/slides/{key}").json()["record"] is None) is not sees
        assert [one["outcome"] for one in client.get(f"/v1/slides/{key}/results").json()] == ["hidden"]
    assert second.get("/v1/worklist", params={"search": "1+"}).json()["total"] == 0
    # Neither order nor filter gives a hidden answer away.
    assert second.get("/v1/worklist", params={"show": "Issued"}).json()["total"] == 1
    agree = second.post(f"/v1/slides/{key}/reviews", json={"verdict": "agree"})
    assert agree.status_code == 422
    assert say(second, key, "1+").json()["blind"]


def test_two_readers_at_once_are_two_rows(department, admin, slide_file):
    import threading

    other = browser_of(department, Role.READER, "Dr. B")
    key = scored(department, admin, slide_file)
    answers = []
    threads = [
        threading.Thread(target=lambda c=client: answers.append(say(c, key).status_code))
        for client in (admin, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [201, 201]
    assert {one["reader"] for one in admin.get(f"/v1/slides/{key}").json()["reviews"]} == {"Dr. A", "Dr. B"}
