"""Runs over many slides from the command line: what is said meanwhile, at the end, and when stopped."""

from __future__ import annotations

import html
import json
import re

import cv2
import numpy as np
import pytest

import lowpower.scoring.slide._score_slide as score_module


@pytest.fixture
def slides(tmp_path, monkeypatch):
    """Three stained discs, and a manifest with their scores."""
    rng = np.random.default_rng(1)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slides").mkdir()
    rows, columns = np.mgrid[:400, :400]
    inside = np.hypot(columns - 200, rows - 200) < 140
    for number in range(3):
        image = np.full((400, 400, 3), (236.0, 235.0, 243.0))
        texture = 60 * cv2.GaussianBlur(rng.random((400, 400)), (0, 0), 1.5)
        image[inside] = (np.array((150.0, 105.0, 80.0)) - 8 * number + 3 * (texture[..., None] - 30))[inside]
        pixels = np.clip(image + rng.normal(0, 1, image.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(f"slides/{number}.png", pixels[..., ::-1])
    (tmp_path / "cohort.csv").write_text(
        "slide,marker,score,mpp\n" + "".join(f"slides/{n}.png,HER2,{n}+,1.0\n" for n in range(1, 3))
    )
    return tmp_path


ASK = ("--mpp", "1.0", "--no-measure")


def test_a_line_a_slide_without_a_terminal_and_what_was_there_at_the_end(lowpower, slides):
    finished = lowpower("score", "slides", *ASK, "--out", "out")
    assert finished.code == 0
    lines = [line for line in finished.err.splitlines() if line.startswith("[")]
    assert [line.split()[0] for line in lines] == ["[1/3]", "[2/3]", "[3/3]"]
    assert "0.png: HER2 " in lines[0]
    assert "left" in lines[0]
    assert "3 slides: 3 refer." in finished.out
    again = lowpower("score", "slides/*.png", *ASK, "--out", "out", "--json")
    assert "already there" in again.err
    assert "3 of 3 were already there" in again.err
    assert [json.loads(line)["file"] for line in again.out.splitlines()] == [
        f"slides/{n}.png" for n in range(3)
    ]


def test_quiet_says_only_what_went_wrong(lowpower, slides):
    (slides / "slides" / "3.png").write_bytes(b"not a picture")
    finished = lowpower("score", "slides", *ASK, "--out", "out", "--quiet")
    assert finished.code == 1
    assert finished.out == ""
    (line,) = finished.err.splitlines()
    assert "3.png" in line


def test_a_manifest_ends_with_agreement(lowpower, slides):
    finished = lowpower("score", "cohort.csv", "--no-measure", "--out", "out")
    assert finished.code == 0
    assert "said 3+" in finished.out
    assert "quadratic-weighted kappa" in finished.out


def test_ctrl_c_says_what_is_done_and_how_to_go_on(lowpower, slides, monkeypatch):
    real = score_module.find_tissue

    def stop_at_the_last(slide, **options):
        if slide.path.name == "2.png":
            raise KeyboardInterrupt
        return real(slide, **options)

    with monkeypatch.context() as patched:
        patched.setattr(score_module, "find_tissue", stop_at_the_last)
        finished = lowpower("score", "slides", *ASK, "--out", "out")
    assert finished.code == 130
    assert "2 of 3 slides are done" in finished.err
    assert "goes on with the other one." in finished.err
    assert len((slides / "out" / "results.csv").read_text().splitlines()) == 3
    assert "2 of 3 were already there" in lowpower("score", "slides", *ASK, "--out", "out").out


def test_fresh_says_what_it_sets_aside(lowpower, slides):
    lowpower("score", "slides", *ASK, "--out", "out")
    finished = lowpower("score", "slides/0.png", *ASK, "--out", "out", "--fresh")
    assert "set aside: out/set-aside-1" in finished.err


def test_check_takes_slides_without_a_manifest(lowpower, slides):
    (slides / "copy.png").write_bytes((slides / "slides" / "0.png").read_bytes())
    finished = lowpower("check", "slides", "copy.png", "--mpp", "1.0")
    assert finished.code == 1
    assert "duplicate: copy.png: has the content of slides/0.png" in finished.out
    assert "row" not in finished.out
    assert lowpower("check", "slides/0.png", "--mpp", "1.0").code == 0


def test_doctor_takes_many_and_goes_on(lowpower, slides):
    finished = lowpower("doctor", "absent.svs", "slides", "--mpp", "1.0")
    assert finished.code == 1
    assert finished.out.count("400 x 400 px") == 6  # size and level of each
    assert "absent.svs" in finished.err


def test_help_speaks_of_values_not_of_types(lowpower):
    for verb in ("score", "measure", "check", "doctor", "export", "train"):
        said = lowpower(verb, "--help").out
        for word in ("<", "list[", "Path]"):
            assert word not in said, verb


def test_a_simulation_ends_with_what_to_type_next(lowpower, monkeypatch):
    monkeypatch.setattr("lowpower.simulate.simulate_cohort", lambda spec, out, **_: out / "cohort.csv")
    finished = lowpower("simulate", "--out", "my slides")
    assert finished.out == "my slides/cohort.csv\n"
    assert finished.err.endswith(
        "next: lowpower check 'my slides/cohort.csv', then lowpower score 'my slides/cohort.csv'\n"
    )


def test_reasons_are_sentences_wherever_they_are_joined(lowpower, slides):
    """Terminal, table, page, FHIR: what is told in a row begins with capitals, and is told once."""
    said = lowpower("score", "slides/0.png", "--mpp", "0.5", "--out", "out").out
    (record,) = [json.loads(path.read_text()) for path in (slides / "out").rglob("result.json")]
    assert len(record["reasons"]) > 2
    lowpower("export", "out", "--to", "fhir")
    (fhir,) = [json.loads(path.read_text()) for path in (slides / "out").rglob("*.fhir.json")]
    (report,) = [e["resource"] for e in fhir["entry"] if e["resource"]["resourceType"] == "DiagnosticReport"]
    page = html.unescape((slides / "out" / "report.html").read_text())
    card = page.partition('<div class="card"')[2]  # above it stands the list of all slides
    table = (slides / "out" / "results.csv").read_text()
    for reason in record["reasons"]:
        assert not reason[0].islower()
        for told in (card, " ".join(said.split()), report["conclusion"]):
            assert told.count(reason) == 1, (reason, told)
    assert not re.search(r"\. [a-z]", record["reason"])
    assert record["reason"] in table
    assert not re.search(r"\b0 0\.\d\d", said + page)  # a class and its probability, not two numbers
