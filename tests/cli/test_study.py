"""`lowpower study`: mistakes in one sentence; a failed arm shown, and its exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.training.toys import toy_cohort

STUDY = """
cohort: cohort.csv
out: out
accelerator: cpu
folds: {outer: 2, validation_share: 0.4}
patches: {size: 48, max_patches: 6, min_tissue: 0.3}
arms:
  - {name: stain, paradigm: mil, encoder: stain, mpp: 2, fitting: {epochs: 1}}
  - {paradigm: measured}
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    toy_cohort(tmp_path, per_class=4)
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    return path


def test_a_failed_arm_is_in_the_table_and_in_the_exit_code(lowpower, study):
    finished = lowpower("study", study, "--workers", "1")
    assert finished.code == 1
    assert "Research use only" in finished.out
    assert "measured, fold 0: failed: no training slide could be used" in finished.out
    assert "results: " in finished.out
    report = (study.parent / "out" / "report.html").read_text(encoding="utf-8")
    assert "Research use only" in report
    assert "no training slide could be used" in report
    assert "next: lowpower deploy" in finished.out
    made = lowpower("deploy", study.parent / "out", "--quiet")
    assert made.code == 0
    assert "note: failed and therefore left out: measured on folds 0, 1." in made.out
    assert (study.parent / "out" / "bundles" / "stain" / "model.safetensors").is_file()
    again = study.read_text().replace("epochs: 1", "epochs: 2")
    study.write_text(again)
    finished = lowpower("study", study)
    assert finished.code == 2
    assert finished.err.count("\n") == 1
    assert "since it was begun arm stain changed" in finished.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("paradigm: measurd", "did you mean measured?"),
        ("encoder: stains, paradigm: mil", "did you mean stain"),
        ("paradigm: measured, mmp: 2", "unknown key arms.0.measured.mmp"),
    ],
)
def test_a_wrong_word_is_one_sentence(lowpower, tmp_path, line, said):
    path = tmp_path / "study.yaml"
    rows = [
        f"{n}-{score}.tif,{n}-{score},HER2,{score}" for score in ("0", "1+", "2+", "3+") for n in range(4)
    ]
    (tmp_path / "cohort.csv").write_text("\n".join(["slide,patient,marker,score", *rows, ""]))
    path.write_text(f"cohort: cohort.csv\nfolds: {{outer: 2}}\narms:\n  - {{{line}}}\n")
    finished = lowpower("study", path)
    assert finished.code == 1
    assert finished.err.startswith("lowpower: ")
    assert said in finished.err
    assert "Traceback" not in finished.err
