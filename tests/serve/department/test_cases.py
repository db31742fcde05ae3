"""A case joins its slides of all markers; what is not settled is not guessed."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from lowpower.serve.department._roles import Role

from ..conftest import no_offence
from .conftest import browser_of, finish, page_of, upload


@pytest.fixture
def slide_of(tmp_path):
    """Gives a slide of its own for each number: a few pixels."""

    def make(number: int):
        path = tmp_path / f"{number}.tif"
        pixels = np.full((256, 256, 3), 200 + number, np.uint8)
        tifffile.imwrite(path, pixels, photometric="rgb", tile=(128, 128), resolution=(20000, 20000),
                         resolutionunit="CENTIMETER")  # fmt: skip
        return path

    return make


@pytest.fixture
def case(department, admin, slide_of):
    """Slides of one case by marker, HER2 answered 3+, and the case's pseudonym."""
    keys = {}
    for number, marker in enumerate(("HER2", "er", "PR", "ki67")):
        keys[marker.upper()] = upload(admin, slide_of(number), case="Jane 1961", marker=marker)
    job = admin.get("/v1/jobs", params={"slide": keys["HER2"]}).json()[0]["id"]
    finish(department, job, decision="3+")
    (code,) = {row["case"] for row in admin.get("/v1/worklist").json()["rows"]}
    return code, keys


def say(client, key, **about):
    answer = client.post(f"/v1/slides/{key}/reviews", json={"verdict": "other score", **about})
    assert answer.status_code == 201, answer.text


def review_all(department, client, keys, **scores) -> None:
    for marker, score in scores.items():
        job = client.get("/v1/jobs", params={"slide": keys[marker]}).json()[0]["id"]
        finish(department, job, marker={"KI67": "Ki-67"}.get(marker, marker), scheme=None, decision="refer")
        say(client, keys[marker], score=score)


def test_the_subtype_is_told_once_everything_is_known(department, admin, case):
    code, keys = case
    told = admin.get(f"/v1/cases/{code}").json()
    assert (told["subtype"], "ER" in told["missing"]) == ("not determined", True)
    assert {one["marker"]: one["by"] for one in told["slides"]} == {
        "HER2": "lowpower", "ER": "", "PR": "", "Ki-67": "",
    }  # fmt: skip
    review_all(department, admin, keys, ER="80", PR="0")
    told = admin.get(f"/v1/cases/{code}").json()
    assert told["subtype"] == "luminal B-like HER2-positive"
    say(admin, keys["HER2"], score="1+")  # a reader's word counts before the model's
    told = admin.get(f"/v1/cases/{code}").json()
    assert (told["her2"], told["subtype"]) == ("1+", "luminal B-like HER2-negative")
    say(admin, keys["HER2"], verdict="cannot score", score="")
    told = admin.get(f"/v1/cases/{code}").json()
    assert (told["subtype"], "cannot score" in told["missing"]) == ("not determined", True)
    assert admin.get("/v1/cases/C-NONE").status_code == 404


def test_what_readers_have_not_settled_and_may_not_see_is_open(open_with, slide_of):
    department = open_with(readers=2, blind=True)
    first, second = browser_of(department), browser_of(department, Role.READER, "Dr. B")
    key = upload(first, slide_of(0), case="x", marker="HER2")
    finish(department, first.get("/v1/jobs").json()[0]["id"], decision="3+")
    (row,) = first.get("/v1/worklist").json()["rows"]

    def told(client) -> str:
        return client.get(f"/v1/cases/{row['case']}").json()["slides"][0]["missing"]

    assert "after your review" in told(first)
    say(first, key, score="3+")
    assert ("second reader" in told(first), "after your review" in told(second)) == (True, True)
    say(second, key, score="2+")
    assert "differ" in told(second)


def test_a_marker_that_is_none_is_refused(admin):
    refused = admin.post("/v1/uploads", json={"name": "a.tif", "size": 9, "marker": "HER3"})
    assert (refused.status_code, "is not one of" in refused.json()["detail"]) == (422, True)


def test_the_page_shows_it(department, case, browser):
    expect = pytest.importorskip("playwright.sync_api").expect
    with page_of(department, browser) as page:
        page.get_by_role("button", name="Case").click()
        expect(page.get_by_role("dialog")).to_contain_text("not determined")
        expect(page.get_by_role("dialog").locator("tbody tr")).to_have_count(4)
        no_offence(page)
