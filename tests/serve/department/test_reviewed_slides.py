"""A department's reviews as a manifest, by the command line."""

from __future__ import annotations

import polars as pl
import pytest

from lowpower.serve.department._roles import Role

from .conftest import browser_of, finish, upload


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request) -> str:
    return request.param


def copies(slide_file, folder, count):
    for number in range(count):
        copy = folder / f"{number}.tif"
        copy.write_bytes(slide_file.read_bytes() + bytes([number]))
        yield copy


def test_what_readers_settled_is_exported_by_case(
    open_with, slide_file, tmp_path, lowpower, monkeypatch, database_kind
):
    department = open_with(readers=2)
    one, two = browser_of(department), browser_of(department, Role.READER, "Dr. B")
    said = [("1+", "1+"), ("3+", "3+"), ("2+", "1+"), ("2+", None), (None, None)]
    cases = ["Jane 1961", None, "Jane 1961", None, None]
    keys = []
    for path, case, scores in zip(copies(slide_file, tmp_path, 5), cases, said, strict=True):
        keys.append(upload(one, path, case=case))
        finish(department, one.get("/v1/jobs", params={"slide": keys[-1]}).json()[0]["id"], decision="1+")
        for client, score in zip((one, two), scores, strict=True):
            if score is not None:
                review = {"verdict": "other score", "score": score}
                assert client.post(f"/v1/slides/{keys[-1]}/reviews", json=review).status_code == 201
    (code,) = {row["case"] for row in one.get("/v1/worklist").json()["rows"]} - {None}
    if database_kind == "postgresql":
        monkeypatch.setenv("LOWPOWER_SERVE_DATABASE", str(department.settings.database))
    data = department.settings.data
    (data / "pseudonym.key").touch()
    done = lowpower("export", "reviews", data)
    assert (done.code, done.out.strip()) == (0, str(data / "cohort.csv"))
    rows = pl.read_csv(data / "cohort.csv", infer_schema=False).sort("score").to_dicts()
    assert [(row["patient"], row["marker"], row["score"]) for row in rows] == [
        (code, "HER2", "1+"), (keys[1], "HER2", "3+"),
    ]  # fmt: skip
    assert [row["slide"] for row in rows] == [str(data / "slides" / key / f"{key}.tif") for key in keys[:2]]
    told = " ".join(done.err.split())
    assert "2 slides, 1 of them overruled." in told
    assert "1 left out: their readers differ." in told
    assert "1 left out: they wait for a second reader." in told
    assert "1 slides belong to no case" in told


def test_a_department_without_reviews_or_database_is_said(open_with, tmp_path, lowpower):
    department = open_with()
    done = lowpower("export", "reviews", department.settings.data)
    assert (done.code, "nobody has reviewed a slide there yet" in done.err) == (1, True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "pseudonym.key").touch()
    done = lowpower("export", "reviews", tmp_path / "other")
    assert (done.code, "its database is elsewhere" in done.err) == (1, True)
    assert not (tmp_path / "other" / "lowpower.db").exists()
