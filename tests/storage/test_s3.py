"""Slides and tables on a real S3 server, and what is said where it fails."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import fsspec
import pytest

from lowpower.cohort import read_cohort
from lowpower.errors import CohortError, LowpowerError, NotASlideError, StorageError
from lowpower.scoring import score_files
from lowpower.slides import find_slides, open_slide
from lowpower.storage import is_there

SLIDE = "s3://slides/in/a.tif"


def records(finished: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in finished.out.splitlines()]


def test_a_slide_is_scored_by_its_address(s3, sample_slide, lowpower, tmp_path, monkeypatch) -> None:
    s3.put_file(str(sample_slide), "slides/in/a.tif")
    command = ("score", "s3://slides/in/", "--out", tmp_path / "out", "--no-measure", "--json")
    finished = lowpower(*command)
    assert finished.code == 0, finished.err
    (record,) = records(finished)
    assert record["file"] == SLIDE
    assert (tmp_path / "out" / "a" / "overlay.png").is_file()
    with open_slide(sample_slide) as here:
        assert record["slide_sha256"] == here.content_hash()
    shutil.rmtree(tmp_path / "cache" / "storage" / "copies")  # as if others had needed the room
    monkeypatch.setattr("lowpower.storage._staging._download", lambda *_: pytest.fail("fetched again"))
    (again,) = score_files(["s3://slides/in/*.tif"], out=tmp_path / "out", measure=False)
    assert again.reused


def test_reading_by_address_is_reading_here(s3, make_slide, tmp_path) -> None:
    here = make_slide(tmp_path / "a.tif")
    s3.put_file(str(here), "slides/in/a.tif")
    with open_slide(SLIDE) as stored, open_slide(here) as local:
        assert (stored.overview(4) == local.overview(4)).all()
        assert stored.content_hash() == local.content_hash()
        assert str(stored.file) != str(stored.path)
        assert SLIDE in repr(stored)


def test_folders_are_walked_as_here(s3, make_slide, tmp_path) -> None:
    slide = make_slide(tmp_path / "one.tif")
    names = ("b/two.tif", "one.tif", "one.png", ".hidden.tif", "set-aside-1/old.tif", "m.mrxs", "m/Data.tif")
    for name in (*names, "series/1.dcm", "series/2.dcm", "done/overlay.png", "done/result.json"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(slide, tmp_path / "in" / name)
    s3.put(f"{tmp_path / 'in'}/", "slides/in/", recursive=True)
    found = [path.relative_to(Path("s3://slides/in")) for path in find_slides(Path("s3://slides/in"))]
    assert [path.as_posix() for path in found] == ["b/two.tif", "m.mrxs", "one.tif", "series"]
    with pytest.raises(NotASlideError, match="is a folder with 4 slides"):
        open_slide("s3://slides/in")


def test_a_cohort_and_its_slides_are_checked(s3, make_slide, lowpower, tmp_path) -> None:
    for number in range(3):
        s3.put_file(str(make_slide(tmp_path / "a.tif", seed=number)), f"slides/cohort/in/{number}.tif")
    here = make_slide(tmp_path / "here.tif", seed=9)
    rows = [
        "in/0.tif,p0,HER2,0,",
        "../cohort/in/1.tif,p1,HER2,1+,",
        "s3://slides/cohort/in/2.tif,p2,HER2,2+,",
    ]
    rows += [f"file://{here},p3,HER2,3+,", "in/none.tif,p4,HER2,0,"]
    table = "\n".join(["slide,patient,marker,score,mpp", *rows])
    s3.pipe_file("slides/cohort/cohort.csv", table.encode())
    finished = lowpower("check", "s3://slides/cohort/cohort.csv", "--no-find-control")
    assert finished.code == 1
    assert "missing_slide: row 6, in/none.tif: no such file (s3://slides/cohort/in/none.tif)" in finished.out
    assert "1 problem in 5 slides" in finished.err
    s3.pipe_file("slides/cohort/cohort.csv", table.replace(rows[-1], "").encode())
    finished = lowpower("check", "s3://slides/cohort/cohort.csv", "--no-find-control")
    assert finished.code == 0, finished.out
    s3.copy("slides/cohort/in/0.tif", "slides/cohort/in/2.tif")
    finished = lowpower("check", "s3://slides/cohort/cohort.csv", "--no-find-control")
    assert "duplicate: row 4" in finished.out


def test_what_fails_is_one_sentence(s3, make_slide, lowpower, tmp_path) -> None:
    s3.put_file(str(make_slide(tmp_path / "a.tif")), "slides/in/a.tif")
    for named, words in {
        "s3://no-such-bucket/a.tif": "there is no bucket no-such-bucket",
        "s3://no-such-bucket/in/": "there is no bucket no-such-bucket",
        "s3://slides/in/b.tif": "s3://slides/in/b.tif: does not exist; check the address.",
        "s3://slides/in/*.svs": "no file matches this pattern",
        "s3://slides/cohort.csv": "no such manifest",
    }.items():
        finished = lowpower("score", named, "--out", tmp_path / "out")
        assert finished.code == 2, finished.err
        assert words in finished.err, finished.err
        assert len(finished.err.strip().splitlines()) == 1, finished.err


def fresh_s3(monkeypatch: pytest.MonkeyPatch, **variables: str | None) -> None:
    for name, value in variables.items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    fsspec.get_filesystem_class("s3").clear_instance_cache()


def test_no_credentials(s3, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    fresh_s3(monkeypatch, AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
    with pytest.raises(StorageError, match="no credentials were found; set AWS_ACCESS_KEY_ID"):
        open_slide(SLIDE)


def test_nobody_answers(s3, monkeypatch) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    fresh_s3(monkeypatch, AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}", AWS_MAX_ATTEMPTS="1")
    with pytest.raises(StorageError, match=r"its server does not answer.*AWS_ENDPOINT_URL"):
        is_there(SLIDE)


def test_a_slide_that_vanishes_fails_alone(s3, make_slide, tmp_path) -> None:
    for name in "ab":
        s3.put_file(str(make_slide(tmp_path / "x.tif", seed=ord(name))), f"slides/in/{name}.tif")

    def vanish(record: Any, done: int, total: int) -> None:
        if done == 1:
            s3.rm("slides/in/b.tif")

    first, second = score_files(["s3://slides/in/"], out=tmp_path / "out", measure=False, on_result=vanish)
    assert first.reason_code != "not_a_slide"
    assert (second.state, second.reason_code) == ("refused", "not_a_slide")
    assert second.reason == "s3://slides/in/b.tif: does not exist; check the address."


def test_damage_is_told_by_the_address(s3, make_slide, tmp_path) -> None:
    whole = make_slide(tmp_path / "a.tif").read_bytes()
    s3.pipe_file("slides/in/a.tif", whole[: len(whole) // 2])
    with pytest.raises(LowpowerError) as raised, open_slide(SLIDE) as slide:
        slide.overview(1)
    assert str(raised.value).startswith(f"{SLIDE}: ")
    assert str(tmp_path) not in str(raised.value)


def test_without_the_extra_it_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with pytest.raises(StorageError, match=r"addresses of s3:// need the extra s3; .*pip install '\.\[s3\]'"):
        is_there(SLIDE)


def test_a_mask_in_storage_is_refused_in_a_sentence(s3) -> None:
    s3.pipe_file("slides/cohort.csv", b"slide,patient,marker,score,mask\na.tif,p,HER2,0,a.png\n")
    with pytest.raises(CohortError, match=r"row 2, a\.tif: its mask s3://slides/a\.png lies in storage"):
        read_cohort("s3://slides/cohort.csv")
