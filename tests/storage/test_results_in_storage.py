"""Results put into a bucket: whole slide by slide, gone on with from another machine, set aside there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lowpower.errors import OptionError, OutputError
from lowpower.scoring import measure_files, score_files
from lowpower.storage import put_stored

OUT = "s3://slides/out"


@pytest.fixture
def slides(s3: Any, make_slide: Any, tmp_path: Path) -> Path:
    """Three slides here, in a folder."""
    for number, name in enumerate("abc"):
        make_slide(tmp_path / "in" / f"{name}.tif", seed=number)
    return tmp_path / "in"


def scored(slides: Path, **options: Any) -> Any:
    return score_files([slides], out=OUT, measure=False, force=True, **options)


def held(s3: Any) -> set[str]:
    return {name.removeprefix("slides/out/") for name in s3.find("slides/out")}


def test_results_are_put_there_and_gone_on_with(s3, slides, tmp_path) -> None:
    batch = scored(slides)
    states = {record.state for record in batch}
    assert str(batch.out) == "s3:/slides/out"
    names = held(s3)
    assert {"results.csv", "report.html", "a/result.json", "b/result.json", "c/result.json"} <= names
    if "ok" in states:
        assert any(name.endswith("overlay.png") for name in names)
    page = s3.cat_file("slides/out/report.html")
    shutil.rmtree(tmp_path / "cache")  # another machine
    again = scored(slides)
    assert [record.reused for record in again] == [record.state != "failed" for record in batch]
    assert s3.cat_file("slides/out/report.html") == page
    assert held(s3) == names


def test_a_run_killed_while_it_puts_leaves_no_record_without_its_pictures(s3, slides, monkeypatch) -> None:
    def killed(address: str, content: Path | bytes) -> None:
        if address.endswith("b/result.json"):
            raise KeyboardInterrupt
        put_stored(address, content)

    with monkeypatch.context() as patch:
        patch.setattr("lowpower.scoring.batch._results_mirror.put_stored", killed)
        with pytest.raises(KeyboardInterrupt, match=r"1 of 3 slides are done and in s3://slides/out\."):
            scored(slides)
    assert "a/result.json" in held(s3)
    assert "b/result.json" not in held(s3)
    assert [record.reused for record in scored(slides)] == [True, False, False]


def test_fresh_sets_aside_there(s3, slides, tmp_path) -> None:
    scored(slides)
    before = {name: s3.cat_file(f"slides/out/{name}") for name in held(s3) if name.count("/") == 1}
    shutil.rmtree(tmp_path / "cache")
    batch = scored(slides, fresh=True)
    assert str(batch.set_aside) == "s3:/slides/out/set-aside-1"
    assert not any(record.reused for record in batch)
    moved = {
        name: s3.cat_file(f"slides/out/set-aside-1/{name}") for name in before if ".lowpower" not in name
    }
    assert moved == {name: data for name, data in before.items() if ".lowpower" not in name}
    assert json.loads(s3.cat_file("slides/out/a/result.json"))["file"].endswith("a.tif")


def test_another_machine_s_record_is_not_written_over(s3, slides, make_slide, tmp_path, monkeypatch) -> None:
    other = make_slide(tmp_path / "elsewhere" / "a.tif", seed=77)

    def meanwhile(record: Any, done: int, total: int) -> None:
        if done == 1:  # b is next, then c: another machine scores another b, and this very c
            other.rename(other.with_name("b.tif"))
            with monkeypatch.context() as patch:
                patch.setenv("LOWPOWER_CACHE", str(tmp_path / "elsewhere" / "cache"))
                score_files([other.with_name("b.tif"), slides / "c.tif"], out=OUT, measure=False, force=True)

    batch = scored(slides, on_result=meanwhile)
    names = {name.split("/")[0] for name in held(s3) if name.endswith("result.json")}
    assert {"a", "b", "c"} < names
    assert len(names) == 4
    assert [record.reused for record in batch] == [False, False, True]


def test_a_manifest_is_drafted_of_a_folder_there(s3, slides, lowpower, tmp_path) -> None:
    s3.put(f"{slides}/", "slides/in/", recursive=True)
    finished = lowpower("init", "s3://slides/in", "--out", tmp_path / "mine", "--marker", "HER2")
    assert finished.code == 0, finished.err
    assert "s3://slides/in/a.tif," in (tmp_path / "mine" / "cohort.csv").read_text()


def test_scores_and_measurements_do_not_mix(s3, slides) -> None:
    scored(slides)
    with pytest.raises(OptionError, match=r"s3://slides/out: holds results of `lowpower score`"):
        measure_files([slides], out=OUT)


def test_a_bucket_that_is_not_there_is_told_before_any_work(s3, slides) -> None:
    with pytest.raises(OutputError, match="there is no bucket no-such-bucket"):
        score_files([slides], out="s3://no-such-bucket/out")


def test_a_page_in_one_file_has_the_pictures_of_earlier_runs(s3, sample_slide, tmp_path) -> None:
    score_files([sample_slide], out=OUT, measure=False)
    assert "simulated-her2/overlay.png" in held(s3)
    shutil.rmtree(tmp_path / "cache")
    (again,) = score_files([sample_slide], out=OUT, measure=False, one_file=True)
    assert again.reused
    assert b"data:image/jpeg;base64," in s3.cat_file("slides/out/report.html")
