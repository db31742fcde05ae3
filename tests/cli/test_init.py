from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lowpower.experiments import parse_experiment, read_experiment, template


def test_init_writes_a_manifest_and_a_configuration_and_nothing_over_them(lowpower, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slides").mkdir()
    Image.fromarray(np.full((8, 8, 3), 240, np.uint8)).save(tmp_path / "slides" / "7_ER.png")
    finished = lowpower("init", "slides")
    assert finished.code == 0
    assert "1 slide, 1 patient" in finished.out
    assert "fill in the column score of cohort.csv, then" in finished.out
    assert (tmp_path / "cohort.csv").read_text().splitlines()[1].startswith("slides/7_ER.png,7,ER,")
    config = read_experiment(tmp_path / "experiment.yaml")
    assert config.scheme == "er_status"
    assert [arm.name for arm in config.arms] == ["slide@4", "lite0-abmil@0.5", "measured"]
    again = lowpower("init", "slides")
    assert again.code == 2
    assert "there already" in again.err
    check = lowpower("check", "cohort.csv")
    assert check.code == 1
    assert "score" in check.out + check.err


@pytest.mark.parametrize("marker", ["HER2", "ER", "PR", "Ki-67"])
def test_every_template_is_a_configuration(marker):
    import yaml

    assert parse_experiment(yaml.safe_load(template(marker))).folds.outer == 5


def test_init_mentions_a_table_that_is_filled_already(lowpower, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slides").mkdir()
    for name in ("7_HER2.png", "8_HER2.png"):
        Image.fromarray(np.full((8, 8, 3), 240, np.uint8)).save(tmp_path / "slides" / name)
    filled = tmp_path / "slides" / "labels.csv"
    filled.write_text("Slide;Patient;Marker;Score\n7_HER2.png;7;HER2;2+\n8_HER2.png;8;HER2;\n")
    # A table of other slides is not this folder's.
    (tmp_path / "others.csv").write_text("slide,score\nelsewhere/1.png,2+\n")
    finished = lowpower("init", "slides", "--out", "new")
    assert finished.code == 0
    assert "marker: the marker's word in the file's or folder's name" in finished.out
    assert "slides/labels.csv is there already and names 2 slides, 1 with a score." in finished.out
    # Which of the two tables is worked on is the user's to say; both ways are named.
    (next_step,) = [line for line in finished.out.splitlines() if line.startswith("Next: ")]
    assert "if slides/labels.csv is your table, `lowpower check slides/labels.csv`" in next_step
    assert "if not, fill in the column score of new/cohort.csv" in next_step
    assert "others.csv" not in finished.out
    assert filled.read_text().endswith("8_HER2.png;8;HER2;\n")
    (tmp_path / "cohort.csv").write_text("slide,patient,marker,score\nslides/7_HER2.png,7,HER2,2+\n")
    again = lowpower("init", "slides")
    assert again.code == 2
    assert "it names 1 slide, 1 with a score; `lowpower check cohort.csv`" in again.err


def test_init_names_every_column_that_is_left_to_fill_in(lowpower, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slides").mkdir()
    Image.fromarray(np.full((8, 8, 3), 240, np.uint8)).save(tmp_path / "slides" / "7.png")
    said = lowpower("init", "slides").out
    assert "fill in the columns marker and score of cohort.csv, then" in said
    # What no name says was not guessed.
    assert "marker: not guessed, as no name holds a marker's word." in said
    assert "control" in (tmp_path / "cohort.csv").read_text().splitlines()[0].split(",")
