"""A typing error ends a verb before the libraries load that the work needs, and says what to do."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "timm", "lightning", "torchvision", "fastapi", "matplotlib")
RUN = """
import contextlib, io, json, sys
from lowpower.cli import main
heavy, lines = json.loads(sys.argv[1])
ended = []
for line in lines:
    sys.argv, said, code = ["lowpower", *line.split()], io.StringIO(), 0
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            main()
        except SystemExit as stop:
            code = stop.code
    ended.append((code, said.getvalue(), [name for name in heavy if name in sys.modules]))
print(json.dumps(ended))
"""
TYPED = (
    ("init nosuch", 2, "nosuch: does not exist"),
    ("init emtpy", 2, "did you mean empty?"),
    ("init empty", 2, "is empty: in this folder and below"),
    ("train nosuch.yaml", 2, "lowpower init SLIDES"),
    ("train mien.yaml", 2, "did you mean mine.yaml?"),
    ("train mine.yaml", 2, "its cohort nosuch.csv does not exist"),
    ("train broken.yaml", 1, "is not YAML"),
    ("train table.csv", 2, "is a table, and this takes a configuration"),
    ("train", 2, "lowpower init SLIDES"),
    ("train whole.yaml --arm slyde", 2, "--arm 'slyde' is no arm of this configuration; did you mean slide?"),
    ("train whole.yaml", 2, "has 3 arms (slide, lite0, measured); say which with --arm"),
    ("train whole.yaml --arm slide --fold 7", 2, "--fold 7 is none of the folds 0 to 4"),
    ("train mistyped.yaml", 1, "unknown key sceme; did you mean scheme?"),
    ("study mistyped.yaml", 1, "unknown key sceme; did you mean scheme?"),
    ("prepare mistyped.yaml", 1, "unknown key sceme; did you mean scheme?"),
    ("study mistyped-arm.yaml", 1, "unknown key arms.0.slide.mp; did you mean mpp?"),
    ("train whole.yaml --arm slide", 1, "has a header but no slides"),
    ("study whole.yaml", 1, "has a header but no slides"),
    ("prepare whole.yaml", 1, "has a header but no slides"),
    ("train whole.yaml --laboratory nosuch.yaml", 2, "--laboratory 'nosuch.yaml' does not exist"),
    ("study whole.yaml --laboratory nosuch.yaml", 2, "--laboratory 'nosuch.yaml' does not exist"),
    ("train few.yaml --arm slide", 1, "class '0' has 2 patients"),
    ("study few.yaml", 1, "class '0' has 2 patients"),
    ("study few.yaml", 1, "too few for 2 folds"),
    ("prepare nosuch.yaml", 2, "lowpower init SLIDES"),
    ("study nosuch.yaml", 2, "lowpower init SLIDES"),
    ("study mine.yaml", 2, "its cohort nosuch.csv does not exist"),
    ("study", 2, "lowpower init SLIDES"),
    ("deploy nosuch", 2, "lowpower study"),
    ("deploy empty", 2, "no study's folder"),
    ("deploy empty --fold x", 2, "--fold takes"),
    ("evaluate nosuch", 2, "lowpower train"),
    ("evaluate empty", 2, "not a finished run"),
    ("evaluate empty --cohort nosuch.csv", 2, "nosuch.csv: does not exist"),
    ("compare nosuch.csv other.csv", 2, "nosuch.csv: does not exist"),
    ("score nosuch.svs", 2, "nosuch.svs: does not exist"),
    ("score empty", 2, "is empty"),
    ("score field.png --model nosuch", 2, "no model 'nosuch'"),
    ("score field.png --model her2-smi", 2, "did you mean her2-sim?"),
    ("score field.png --model emtpy", 2, "did you mean empty?"),
    ("score field.png --model empty", 2, "is missing"),
    ("score field.png --control middle", 2, "--control 'middle'"),
    ("score field.png --mpp 99", 2, "--mpp takes"),
    ("score field.png --seconds 3", 2, "--seconds"),
    ("score field.png --effort guided --seconds 0", 2, "above 0"),
    ("score field.png --regions nosuch.geojson", 2, "--regions 'nosuch.geojson'"),
    ("measure nosuch.svs", 2, "nosuch.svs: does not exist"),
    ("measure field.png --laboratory nosuch.yaml", 2, "--laboratory 'nosuch.yaml'"),
    ("check nosuch.csv", 2, "no such manifest"),
    ("check tabel.csv", 2, "did you mean table.csv?"),
    ("score feild.png", 2, "did you mean field.png?"),
    ("score emtpy/../feild.png", 2, "did you mean empty/../field.png?"),
    ("score nosuch/field.png", 2, "nosuch/field.png: does not exist; check the path."),
    ("score mine.yaml", 2, "is no slide but a configuration"),
    ("check mine.yaml", 2, "is no slide but a configuration"),
    (
        "score --modle her2-sim",
        2,
        "no such option: --modle; did you mean --model (see",
    ),
    ("measure field.png --marker HER9", 2, "--marker: 'HER9' is not one of HER2, ER, PR, Ki-67"),
    ("init field.png", 2, "is a file; give the folder"),
    ("doctor nosuch.svs", 2, "nosuch.svs: does not exist"),
    ("calibrate nosuch.csv", 2, "lowpower init SLIDES"),
    ("export nosuch", 2, "lowpower score"),
    ("export reviews nosuch", 2, "lowpower score"),
    ("export reviews", 2, "lowpower export reviews FOLDER"),
    ("export-model nosuch model.onnx", 2, "no model 'nosuch'"),
    ("subtype nosuch.csv other.csv third.csv", 2, "nosuch.csv: does not exist"),
    (
        "subtype table.csv table.csv table.csv --ki67 high",
        2,
        "high: does not exist; --ki67 takes a table (CSV)",
    ),
    ("view nosuch", 2, "lowpower score"),
    ("simulate nosuch.yaml", 2, "docs/simulator.md"),
    ("serve --config nosuch.yaml", 2, "docs/serve.md"),
    ("serve link --data nosuch", 2, "nosuch: does not exist"),
    ("serve verify --data emtpy", 2, "did you mean empty?"),
    ("serve purge --data nosuch", 2, "nosuch: does not exist"),
    ("serve restore --file nosuch.tar", 2, "lowpower serve backup"),
)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a picture, an empty folder, and configurations, one of a cohort that is not there."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "field.png").write_bytes(b"no picture")
    (tmp_path / "mine.yaml").write_text("cohort: nosuch.csv\n")
    (tmp_path / "broken.yaml").write_text("cohort: [\n")
    (tmp_path / "whole.yaml").write_text(
        "cohort: table.csv\narms: [{paradigm: slide, name: slide}, {paradigm: mil, name: lite0}, "
        "{paradigm: measured}]\n"
    )
    (tmp_path / "mistyped.yaml").write_text("cohort: table.csv\nsceme: her2_four\n")
    (tmp_path / "mistyped-arm.yaml").write_text("cohort: table.csv\narms: [{paradigm: slide, mp: 4}]\n")
    (tmp_path / "table.csv").write_text("slide,patient,marker,score\n")
    rows = [f"{score}-{n}.svs,P{score}{n},HER2,{score}" for score in ("0", "1+", "2+", "3+") for n in (1, 2)]
    (tmp_path / "few.csv").write_text("\n".join(["slide,patient,marker,score", *rows, ""]))
    few = (tmp_path / "whole.yaml").read_text().replace("table.csv", "few.csv")
    (tmp_path / "few.yaml").write_text(f"{few}folds: {{outer: 2}}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_typing_error_ends_every_verb_before_anything_heavy_loads(place):
    before = sorted(place.rglob("*"))
    lines = [line for line, *_ in TYPED]
    run = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps([HEAVY, lines])], capture_output=True, text=True, check=True
    )
    for (line, code, words), (ended, said, loaded) in zip(TYPED, json.loads(run.stdout), strict=True):
        assert ended == code, (line, said)
        assert said.startswith("lowpower: "), line
        assert said.count("\n") == 1 + ("For example: " in said), (line, said)
        assert words in said, (line, said)
        assert loaded == [], line
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize("task", ["link", "verify", "backup --file all.tar", "purge"])
def test_a_folder_that_is_no_department_does_not_become_one(lowpower, place, task):
    ended = lowpower("serve", *task.split(), "--data", "empty")
    assert ended.code == 2
    assert "empty is no department's folder" in ended.err
    assert not list((place / "empty").iterdir())


def test_a_backup_does_not_take_anothers_name(lowpower, place):
    (place / "lowpower.db").touch()
    (place / "all.tar").write_text("mine")
    ended = lowpower("serve", "backup", "--data", ".", "--file", "all.tar")
    assert ended.code == 2
    assert "all.tar: is there already" in ended.err
    assert (place / "all.tar").read_text() == "mine"


def test_a_backup_is_not_restored_over_something(lowpower, place):
    (place / "all.tar").touch()
    ended = lowpower("serve", "restore", "--data", ".", "--file", "all.tar")
    assert ended.code == 2
    assert "is not empty; name a new folder" in ended.err


@pytest.mark.parametrize(("typed", "cure"), [("serve", "--data FOLDER"), ("serve verify", "--data FOLDER")])
def test_a_department_without_a_folder_is_wrong_usage(lowpower, place, typed, cure):
    ended = lowpower(*typed.split())
    assert (ended.code, ended.out) == (2, "")
    assert cure in ended.err
