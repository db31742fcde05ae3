"""Mistakes in a manifest or a configuration: one sentence each, exit code 1."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

HEADER = "slide,patient,marker,score"


@pytest.fixture
def manifest(tmp_path):
    def write(*rows: str, header: str = HEADER):
        path = tmp_path / "cohort.csv"
        path.write_text("\n".join([header, *rows]) + "\n")
        return path

    return write


@pytest.fixture
def config(tmp_path):
    def write(text: str):
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return path

    return write


def test_check_prints_every_problem_at_once(lowpower, manifest, tmp_path):
    image = np.full((300, 300, 3), 240, np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes())
    path = manifest("a.png,p1,HER2,1+", "b.png,p2,HER2,7+", "gone.svs,p3,HER2,0")
    finished = lowpower("check", path)
    assert finished.code == 1
    flat = " ".join(finished.out.split())
    for word in ("7+", "gone.svs", "a.png", "b.png"):
        assert word in flat
    assert "problems in 3 slides" in finished.err


def test_check_names_a_missing_column(lowpower, manifest):
    finished = lowpower("check", manifest("a.svs,HER2,1+", header="slide,marker,score"))
    assert finished.code == 1
    assert "patient" in finished.err + finished.out


def test_a_manifest_that_is_missing_is_named(lowpower, tmp_path):
    finished = lowpower("check", tmp_path / "absent.csv")
    assert finished.code == 2
    assert "absent.csv" in finished.err + finished.out


def test_an_unknown_key_in_a_configuration_suggests_the_nearest(lowpower, config, tmp_path):
    (tmp_path / "a.csv").touch()
    finished = lowpower("train", config("cohort: a.csv\nfiting: {epochs: 3}\n"))
    assert finished.code == 1
    assert "did you mean fitting" in finished.err
    assert finished.err.count("\n") == 1


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "cohort: [unclosed\n"])
def test_what_is_no_configuration_is_one_sentence(lowpower, config, text):
    finished = lowpower("train", config(text))
    assert finished.code == 1
    assert "config.yaml" in finished.err
    assert finished.err.count("\n") == 1


def test_an_unknown_score_stops_training_before_any_slide_is_opened(lowpower, manifest, config):
    manifest("a.svs,p1,HER2,5")
    finished = lowpower("train", config("cohort: cohort.csv\n"))
    assert finished.code == 1
    assert "cohort.csv" in finished.err
    assert "5" in finished.err


def test_a_patient_in_two_parts_of_a_fold_is_named(lowpower, manifest, config, tmp_path):
    from lowpower.cohort import make_folds, read_cohort

    rows = [f"s{n}.svs,p{n},HER2,{('0', '1+', '2+', '3+')[n % 4]}" for n in range(24)] + ["t0.svs,p0,HER2,0"]
    cohort = read_cohort(manifest(*rows))
    saved = make_folds(cohort, "her2_four", outer=2).save(tmp_path / "folds.json")
    content = json.loads(saved.read_text())
    fold = content["folds"][0]
    home = next(part for part in ("train", "validation", "test") if 24 in fold[part])
    other = "train" if home != "train" else "test"
    fold[home].remove(24)
    fold[other].append(24)
    saved.write_text(json.dumps(content))
    finished = lowpower("train", config("cohort: cohort.csv\nfolds: {file: folds.json}\n"))
    assert finished.code == 1
    assert "'p0'" in finished.err or "p0" in finished.err
    assert finished.err.count("\n") == 1


def test_evaluating_what_is_no_run_is_one_sentence(lowpower, tmp_path):
    finished = lowpower("evaluate", tmp_path)
    assert finished.code == 2
    assert "lowpower train" in finished.err


def test_a_wrong_simulation_spec_is_one_sentence(lowpower, tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text("patient: 3\n")
    finished = lowpower("simulate", spec, "--out", tmp_path / "out")
    assert finished.code == 1
    assert "patient" in finished.err
    assert finished.err.count("\n") == 1


def test_other_headers_are_shown(lowpower, tmp_path):
    (tmp_path / "a.csv").write_text("Slide name;Result\na.svs;2+\n")
    finished = lowpower("check", tmp_path / "a.csv")
    assert finished.code == 1
    assert "its header holds 'Slide name', 'Result'" in finished.out
    assert "did you mean 'slide'? Rename it.\n" in finished.out
    assert "3 problems in 1 slide." in finished.err  # the slide was looked for all the same
    assert "0 slides" not in finished.err


def test_empty_rows_are_told_in_one_sentence(lowpower, manifest, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((300, 300, 3), 240, np.uint8))
    rows = ("a.png,p1,HER2,1+,x", *[f",,,,{number}" for number in range(6)], "a.png,,HER2,,y")
    finished = lowpower("check", manifest(*rows, header="slide,patient,marker,score,number"))
    assert finished.code == 1
    told = [line for line in finished.out.splitlines() if line.startswith("empty_cell")]
    assert told == [
        "empty_cell: row 3: slide, patient, marker and score are empty, as in rows 4 to 8.",
        "empty_cell: row 9, a.png: patient and score are empty.",
    ]


def test_check_counts_problems_as_a_person_would(lowpower, manifest):
    rows = [f"{name}.svs,{name},HER2," for name in "abcdefgh"]
    finished = lowpower("check", manifest(*rows), "--json")
    assert finished.err.endswith("16 problems in 8 slides.\n")  # no score and no file, eight times each
