"""A folder of results: nothing overwrites anything, runs add up, and the page leads to every file."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import unquote

import cv2
import numpy as np
import polars as pl
import pytest

import lowpower.scoring.slide._score_slide as score_module
from lowpower.errors import ConfigError
from lowpower.scoring import Result, measure_files, score_files


@pytest.fixture(scope="session")
def shades(disc, tmp_path_factory) -> list[Path]:
    """The disc three times, each a little darker: three slides."""
    image = cv2.imread(str(disc))[150:750, 200:800]
    folder = tmp_path_factory.mktemp("shades")
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), np.clip(image.astype(int) - 3 * number, 0, 255))
    return sorted(folder.iterdir())


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def put(source: Path, name: str) -> Path:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, name)
        return Path(name)

    return put


@pytest.fixture
def run(bundle):
    def score(files, out="out", **options):
        return score_files(files, model=bundle, out=out, **({"mpp": 1.0, "measure": False} | options))

    return score


def table(out: str = "out") -> list[str]:
    return pl.read_csv(f"{out}/results.csv")["file"].to_list()


def folders(out: str = "out") -> list[str]:
    return sorted(path.parent.name for path in Path(out).glob("*/result.json"))


def test_slides_of_one_name_each_keep_a_folder(place, run, shades):
    files = [
        place(source, name) for source, name in zip(shades, ("x/a.png", "y/a.png", "a-2.png"), strict=True)
    ]
    batch = run(files)
    assert [record.state for record in batch] == ["ok"] * 3
    hashes = {
        Path(f"out/{name}/result.json").read_text().split('slide_sha256": "')[1][:8] for name in folders()
    }
    assert len(hashes) == 3
    assert folders() == sorted(["a", "a-2", f"a-{batch[1].slide_sha256[:8]}"])
    assert sorted(table()) == ["a-2.png", "x/a.png", "y/a.png"]
    page = Path("out/report.html").read_text()
    assert ">x/a.png<" in page
    # Whichever is named first afterwards, each finds its own.
    again = run(files[::-1])
    assert again.reused == 3
    assert [record.slide_sha256 for record in again] == [record.slide_sha256 for record in batch][::-1]


def test_runs_add_up_and_what_was_there_is_counted(place, run, shades):
    first, second = place(shades[0], "first.png"), place(shades[1], "second.png")
    assert run([first]).reused == 0
    batch = run([first, second])
    assert (len(batch), batch.reused) == (2, 1)
    assert "1 of 2 was already there" in batch.closing
    run([second])
    assert table() == ["first.png", "second.png"]
    assert "first/overlay.png" in Path("out/report.html").read_text()


def test_another_option_scores_again(place, run, shades):
    file = place(shades[0], "a.png")
    run([file])
    for options in ({"mpp": 0.9}, {"force": True}, {"control": "none"}):
        assert run([file], **options).reused == 0
        assert run([file], **options).reused == 1
    assert len(table()) == 1


def test_two_runs_at_once_forget_nothing(place, run, shades):
    files = [place(source, f"{number}.png") for number, source in enumerate(shades)]
    threads = [threading.Thread(target=run, args=([file],)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert table() == ["0.png", "1.png", "2.png"]


def test_other_bytes_under_a_known_path_are_another_slide(place, run, shades):
    (before,) = run([place(shades[0], "a.png")])
    (after,) = run([place(shades[1], "a.png")])
    kept = Result.model_validate_json(Path("out/a/result.json").read_bytes())
    assert kept.slide_sha256 == before.slide_sha256
    assert after.slide_sha256 != before.slide_sha256
    assert len(table()) == 2


def test_a_slide_that_moved_is_known_and_a_copy_too(place, run, shades):
    run([place(shades[0], "old/a.png")])
    shutil.move("old/a.png", "a.png")
    assert run([Path("a.png")]).reused == 1
    assert table() == ["a.png"]
    assert run([place(shades[0], "copy/a.png")]).reused == 1
    assert table() == ["a.png"]


def test_an_unreadable_slide_does_not_take_a_readable_ones_place(place, run, shades):
    place(shades[0], "x/a.png")
    Path("y").mkdir()
    Path("y/a.png").write_bytes(b"no picture")
    run([Path("y/a.png")])
    run([Path("x/a.png")])
    Path("z").mkdir()
    Path("z/a.png").write_bytes(b"no picture either")
    run([Path("z/a.png")])
    states = {path: json.loads(path.read_text())["state"] for path in Path("out").glob("*/result.json")}
    assert sorted(states.values()) == ["ok", "refused", "refused"]


def test_folders_named_by_uid_keep_their_last_part(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("1.2.3.10", "1.2.3.11"):
        Path(name).mkdir()
        (Path(name) / "0.dcm").write_bytes(bytes(128) + b"DICM" + bytes(64))
    run(["1.2.3.10", "1.2.3.11"])
    assert folders() == ["1.2.3.10", "1.2.3.11"]


def test_a_users_own_folder_is_not_written_into(place, run, shades):
    file = place(shades[0], "a.png")
    Path("a").mkdir()
    Path("a/notes.txt").write_text("mine")
    run([file], out=".")
    assert sorted(os.listdir("a")) == ["notes.txt"]
    assert len(folders(".")) == 1


@pytest.mark.parametrize(
    "name", ["case #7 50%.png", "a?b.png", "new\nline.png", "ä&<b>.png", "results.csv.png"]
)
def test_links_of_the_page_lead_to_files_whatever_the_name(place, run, shades, name):
    batch = run([place(shades[0], name)])
    assert batch[0].state == "ok"
    page = Path("out/report.html").read_text()
    targets = re.findall(r'(?:src|href)="([^"#]+)"', page)
    assert any(target.endswith("overlay.png") for target in targets)
    for target in targets:
        assert "?" not in target
        assert (Path("out") / unquote(target)).is_file(), target


def test_no_name_is_a_formula_to_a_spreadsheet(place, run, shades):
    run([place(shades[0], "=1+1.png")])
    assert folders() == ["_=1+1"]
    assert table() == ["./=1+1.png"]
    assert not re.search(r"(^|,)[=+@-]", Path("out/results.csv").read_text(), re.MULTILINE)


def test_the_page_gives_each_models_promise_with_that_model(place, run, shades):
    run([place(shades[0], "a.png")])
    record = Path("out/a/result.json")
    told = json.loads(record.read_text())
    told["model"] |= {"name": "another", "trained_on": "Other slides."}
    told["answer"] |= {"error": 0.07, "confidence": 0.9}
    record.write_text(json.dumps(told))
    run([place(shades[1], "b.png")])
    page = " ".join(Path("out/report.html").read_text().split())
    assert "Other slides. Of scores issued, at most 7% are wrong" in page
    assert page.count("This model makes no promise about any score.") == 1


def test_a_record_that_cannot_be_read_is_named_and_kept(place, run, shades):
    run([place(shades[0], "a.png")])
    spoilt = Path("out/a/result.json").read_text().replace("{", '{"of_a_later_version": 1,', 1)
    Path("out/a/result.json").write_text(spoilt)
    batch = run([place(shades[1], "b.png")])
    assert any("not in table and page: a, a record that cannot be read" in note for note in batch.notes)
    assert table() == ["b.png"]
    again = run([place(shades[0], "a.png")])  # done anew, in a folder of its own
    assert len(again) == 1
    assert Path("out/a/result.json").read_text() == spoilt


def test_the_page_can_be_mailed(place, run, shades):
    run([place(shades[0], "a.png")], one_file=True)
    page = Path("out/report.html").read_text()
    assert page.count('src="data:image/jpeg;base64,') == page.count("<img")
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)


def test_fresh_sets_aside_and_says_where(place, run, shades):
    first, second = place(shades[0], "first.png"), place(shades[1], "second.png")
    assert run([first], fresh=True).set_aside is None
    batch = run([second], fresh=True)
    assert batch.set_aside == Path("out/set-aside-1")
    assert table() == ["second.png"]
    assert table("out/set-aside-1") == ["first.png"]
    assert run([second], fresh=True).set_aside == Path("out/set-aside-2")


def test_scores_and_measurements_do_not_share_a_folder(place, run, shades):
    file = place(shades[0], "a.png")
    run([file])
    with pytest.raises(ConfigError, match="lowpower score"):
        measure_files([file], out="out", mpp=1.0)


def test_the_table_of_a_batch(place, run, shades):
    batch = run([place(shades[0], "a.png"), Path("absent.png")])
    rows = batch.to_polars()
    assert rows["state"].to_list() == ["ok", "refused"]
    assert batch.to_pandas().shape == rows.shape
    assert "refused" in str(batch)
    assert "<table" in batch._repr_html_()
    assert rows["slide_sha256"][0] == batch[0].slide_sha256


def test_an_interrupted_run_says_what_is_done_and_how_to_go_on(place, run, shades, monkeypatch):
    files = [place(source, f"{number}.png") for number, source in enumerate(shades)]
    real = score_module.find_tissue

    def stop_at_the_second(slide, **options):
        if slide.path.name == "1.png":
            raise KeyboardInterrupt
        return real(slide, **options)

    with monkeypatch.context() as patched:
        patched.setattr(score_module, "find_tissue", stop_at_the_second)
        with pytest.raises(KeyboardInterrupt, match=r"1 of 3 slides are done.*the other 2"):
            run(files)
    assert table() == ["0.png"]
    assert run(files).reused == 1


KILLED = """
import os, signal, sys
import lowpower.scoring.batch._results_folder as folder
def killed(path, rows):
    with batch_atomic(path) as temporary:
        temporary.write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)
from lowpower.files import atomic_path as batch_atomic
folder.write_table = killed
from lowpower.scoring import score_files
score_files([sys.argv[1]], model=sys.argv[2], mpp=1.0, measure=False, out="out")
"""


def test_after_a_kill_the_next_run_sweeps_and_loses_nothing(place, run, bundle, shades):
    first = place(shades[0], "first.png")
    killed = subprocess.run([sys.executable, "-c", KILLED, first, bundle.folder], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert list(Path("out").rglob("*.part*"))
    batch = run([first, place(shades[1], "second.png")])
    assert batch.reused == 1
    assert table() == ["first.png", "second.png"]
    assert not list(Path("out").rglob("*.part*"))


def test_a_run_over_a_manifest_ends_with_the_agreement(place, run, shades):
    for number, source in enumerate(shades):
        place(source, f"{number}.png")
    Path("cohort.csv").write_text(
        "slide,marker,score,mpp,control\n0.png,HER2,1+,1.0,none\n1.png,HER2,3+,1.0,\n"
        "absent.png,HER2,0,,\n2.png,ER,80,,\n"
    )
    batch = run(["cohort.csv"], mpp=None)
    assert len(batch) == 3
    assert "1 of ER" in batch.notes[0]
    assert batch[0].control == "none"
    assert batch[1].mpp == 1.0
    told = batch.agreement
    said = [record.answer.likeliest for record in batch[:2]]
    expected = np.zeros((4, 4), int)
    for label, answer in zip(("1+", "3+"), said, strict=True):
        expected[told.scheme.classes.index(label), told.scheme.classes.index(answer)] += 1
    assert told.confusion.tolist() == expected.tolist()
    assert told.left_out == 1
    assert "2" in told.sentence()
