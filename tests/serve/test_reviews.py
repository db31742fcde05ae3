"""Reviews are added, never lost or changed, and become a cohort."""

from __future__ import annotations

import errno
import json
import os
import threading

import polars as pl
import pytest
from starlette.testclient import TestClient

from lowpower.cohort import read_cohort
from lowpower.errors import ConfigError
from lowpower.serve import ReviewBook, Verdict, reviewed_cohort, view_app

from .conftest import KEY, TOKEN

REVIEWS = f"v1/slides/{KEY}/reviews"


@pytest.fixture
def entry(shelf):
    return shelf.entries()[KEY]


@pytest.fixture
def book(results) -> ReviewBook:
    return ReviewBook(results)


def test_a_review_says_who_when_and_of_what(client, results, entry):
    given = {"reader": "Dr. A", "verdict": "other score", "score": "2", "comment": 'faint, "patchy"\nring'}
    made = client.post(REVIEWS, json=given)
    assert made.status_code == 201
    (row,) = pl.read_csv(results / "reviews.csv", infer_schema=False).to_dicts()
    assert row["reader"] == "Dr. A"
    assert row["score"] == "2+"
    assert row["comment"] == 'faint, "patchy" ring'
    assert row["answered"] == entry.record.answer.likeliest
    assert row["slide_sha256"] == entry.record.slide_sha256
    assert row["time"].endswith("Z")
    assert client.get("v1/worklist").json()["rows"][0]["review"]["score"] == "2+"
    assert client.get(f"v1/slides/{KEY}").json()["reviews"][0]["comment"] == 'faint, "patchy" ring'


def test_rows_are_only_added(book, entry):
    book.add(entry, reader="A", verdict=Verdict.AGREE)
    first = book.path.read_bytes()
    book.add(entry, reader="B", verdict=Verdict.CANNOT, comment="out of focus")
    assert book.path.read_bytes().startswith(first)
    assert [review.reader for review in book.reviews()] == ["A", "B"]
    assert book.reviews()[0].score == entry.record.answer.likeliest


def test_a_row_that_was_cut_off_costs_no_other(book, entry):
    book.add(entry, reader="A", verdict=Verdict.AGREE)
    with book.path.open("a") as stream:
        stream.write("2026-01-01T00:00:00Z,half a r")
    book.add(entry, reader="B", verdict=Verdict.AGREE)
    assert [review.reader for review in book.reviews()] == ["A", "B"]


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "no permission to write")]
)
def test_a_disk_that_takes_nothing_loses_no_review(client, book, entry, monkeypatch, number, words):
    book.add(entry, reader="A", verdict=Verdict.AGREE)
    before = sorted((path.name, path.read_bytes()) for path in book.path.parent.glob("*.csv"))

    def refuse(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        answer = client.post(REVIEWS, json={"reader": "B", "verdict": "agree"})
    assert answer.status_code >= 400
    assert words in answer.text
    assert sorted((path.name, path.read_bytes()) for path in book.path.parent.glob("*.csv")) == before
    assert not list(book.path.parent.glob(".*.part*"))
    assert client.post(REVIEWS, json={"reader": "B", "verdict": "agree"}).status_code == 201


def test_two_writers_lose_nothing(results, entry, book):
    def write(name: str) -> None:
        own = ReviewBook(results)  # a lock of its own, as in another process
        for number in range(20):
            own.add(entry, reader=name, verdict=Verdict.OTHER, score="1+", comment=str(number))

    writers = [threading.Thread(target=write, args=(name,)) for name in "AB"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    told = [(review.reader, int(review.comment)) for review in book.reviews()]
    assert sorted(told) == [(name, number) for name in "AB" for number in range(20)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"reader": " ", "verdict": "agree"}, "name is empty"),
        ({"reader": "A", "verdict": "other score", "score": "5+"}, "no HER2 score"),
        ({"reader": "A" * 101, "verdict": "agree"}, "shorten"),
        ({"reader": "A", "verdict": "agree", "comment": "x" * 2001}, "shorten"),
    ],
)
def test_a_review_that_is_none_is_refused_in_a_sentence(client, results, given, said):
    answer = client.post(REVIEWS, json=given)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert not (results / "reviews.csv").exists()


def test_blind_shows_nothing_before_the_reader_has_scored(shelf, results):
    client = TestClient(view_app(shelf, TOKEN, blind=True), base_url=f"http://127.0.0.1/{TOKEN}/")
    (row,) = client.get("v1/worklist", params={"reader": "A"}).json()["rows"]
    assert (row["state"], row["score"], row["reason"], row["cutoffs"]) == ("hidden", None, None, [])
    slide = client.get(f"v1/slides/{KEY}", params={"reader": "A"}).json()
    assert slide["image"] is not None
    assert (slide["record"], slide["answered"], slide["pictures"], slide["cells"]) == (None, "", [], [])
    for path in (
        "shapes/network",
        "pictures/overlay",
        "cells?x=0&y=0&width=9&height=9",
        "cells/0",
        "reports/pdf",
    ):
        assert client.get(f"v1/slides/{KEY}/{path}").status_code == 403
    assert client.post(REVIEWS, json={"reader": "A", "verdict": "agree"}).status_code == 422
    given = {"reader": "A", "verdict": "other score", "score": "3+"}
    assert client.post(REVIEWS, json=given).json()["blind"] is True
    assert client.get(f"v1/slides/{KEY}", params={"reader": "A"}).json()["record"] is not None
    assert client.get(f"v1/slides/{KEY}", params={"reader": "B"}).json()["record"] is None
    assert client.post(REVIEWS, json=given).json()["blind"] is False


def test_the_latest_review_of_a_slide_becomes_its_label(book, entry, results, tmp_path):
    book.add(entry, reader="A", verdict=Verdict.AGREE)
    book.add(entry, reader="A", verdict=Verdict.OTHER, score="1")
    made = reviewed_cohort(results, tmp_path / "cohort.csv")
    (row,) = read_cohort(made.path).table.to_dicts()
    assert row["slide"] == entry.record.file
    assert (row["marker"], row["score"], row["patient"]) == ("HER2", "1+", KEY)
    assert (made.slides, made.overruled) == (1, 1)
    assert any("patient" in note for note in made.notes)


def test_patients_come_from_a_manifest(book, entry, results, tmp_path):
    book.add(entry, reader="A", verdict=Verdict.AGREE)
    (tmp_path / "who.csv").write_text(f"slide,patient\n{KEY}.tif,P017\n")
    made = reviewed_cohort(results, tmp_path / "cohort.csv", patients=tmp_path / "who.csv")
    assert read_cohort(made.path).table["patient"].to_list() == ["P017"]
    assert not any("patient" in note for note in made.notes)


def test_what_cannot_be_scored_is_no_label(book, entry, results):
    with pytest.raises(ConfigError, match="lowpower view"):
        reviewed_cohort(results)
    book.add(entry, reader="A", verdict=Verdict.CANNOT)
    with pytest.raises(ConfigError, match="nothing to export"):
        reviewed_cohort(results)


def test_a_review_of_another_slide_of_that_name_is_not_this_ones(client, book, entry, results):
    book.add(entry, reader="A", verdict=Verdict.AGREE)
    record = results / KEY / "result.json"
    told = json.loads(record.read_text()) | {"slide_sha256": "0" * 64}
    record.unlink()
    record.write_text(json.dumps(told))
    assert client.get("v1/worklist").json()["rows"][0]["review"] is None
    with pytest.raises(ConfigError, match="nothing to export"):
        reviewed_cohort(results)
