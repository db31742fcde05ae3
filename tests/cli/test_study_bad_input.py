"""`lowpower study` given what cannot work: one sentence, exit code 1, and nothing finished is lost."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from tests.training.toys import toy_cohort

HEAD = """
cohort: cohort.csv
out: {out}
accelerator: cpu
folds: {{outer: {outer}, validation_share: 0.4, only: [0]}}
patches: {{size: 48, max_patches: 4, min_tissue: 0.3}}
arms:
"""
STAIN = "name: stain, paradigm: mil, encoder: stain, mpp: 2, fitting: {epochs: 1}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_cohort(tmp_path_factory.mktemp("toys"), per_class=4).path.parent


@pytest.fixture
def study(folder, lowpower):
    """Runs a study of these arms over the cohort."""

    def run(*arms: str, out: str = "out", outer: int = 2, options: tuple[str, ...] = ()):
        path = folder / f"{out}.yaml"
        path.write_text(HEAD.format(out=out, outer=outer) + "".join(f"  - {{{arm}}}\n" for arm in arms))
        return lowpower("study", path, "--workers", "1", *options)

    return run


@pytest.mark.parametrize(
    ("arm", "said"),
    [
        ("paradigm: slid", "paradigm 'slid' is unknown; did you mean slide?"),
        ("paradigm: mil, encodr: stain", "unknown key arms.1.mil.encodr; did you mean encoder?"),
        ("paradigm: mil, encoder: efficientnet-lite", "did you mean efficientnet-lite0"),
        ("paradigm: mil, aggregator: transmill", "did you mean transmil"),
        ("paradigm: mil, options: {hiden: 64}", "has no option 'hiden'; did you mean hidden?"),
        ("paradigm: mil, aggregator: clam_mb, head: cumulative", "aggregator 'clam_mb' cannot be made"),
        ("paradigm: fusion, of: [stain, stian]", "which is no arm of this study; did you mean stain?"),
    ],
)
def test_a_wrong_word_is_one_sentence_before_any_work(study, folder, arm, said):
    finished = study(STAIN, arm, out="never")
    assert finished.code == 1
    assert finished.err.startswith("lowpower: ")
    assert said in finished.err
    assert finished.err.count("\n") == 1
    assert not (folder / "never").exists()


def test_arms_that_cannot_run_are_named_and_the_others_go_on(study, folder, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    finished = study(
        "name: gated, paradigm: mil, encoder: uni, mpp: 2",
        "name: file, paradigm: mil, encoder: uni2-h, weights: uni2.bin, mpp: 2",
        "name: large, paradigm: mil, encoder: stain, mpp: 2, size: 1024",
        "name: fine, paradigm: mil, encoder: stain, mpp: 0.5",
        "name: coarse, paradigm: mil, encoder: stain, mpp: 8, size: 16, fitting: {epochs: 1}",
        STAIN,
    )
    assert finished.code == 1
    said = " ".join(finished.out.split())
    assert "gated, fold 0: failed" in said
    assert "hf download MahmoodLab/UNI pytorch_model.bin" in said
    assert "copy the file here and name its path" in said
    assert f"{folder}/uni2.bin: no such weight file" in said
    assert "no patch of 1024 px at 2 um/px holds 30% tissue" in said
    assert "patches at 0.5 um/px would be invented" in said
    assert "coarse: stain was made for 0.2 to 2 um/px and reads 8 here." in said
    assert "8 patients are too few for intervals" in said
    assert not re.search(r"\d \(-?\d\.\d+ to", said)
    report = (folder / "out" / "report.html").read_text(encoding="utf-8")
    for name in ("gated", "file", "large", "fine"):
        assert f"{name}, fold 0: failed" in said
        assert name in report
    assert (folder / "out" / "units" / "stain" / "fold0" / "test.parquet").is_file()


def test_a_changed_configuration_is_refused_until_asked_to_start_anew(study, folder):
    assert study(STAIN, out="changed").code == 0
    unit = folder / "changed" / "units" / "stain" / "fold0" / "test.parquet"
    before = unit.read_bytes()
    other = STAIN.replace("epochs: 1", "epochs: 2")
    finished = study(other, out="changed")
    assert finished.code == 2
    assert "since it was begun arm stain changed" in finished.err
    assert "--fresh" in finished.err
    assert unit.read_bytes() == before
    assert study(other, out="changed", options=("--fresh",)).code == 0
    assert unit.read_bytes() != before


def test_folds_without_a_class_are_refused_with_the_number_that_would_do(study, folder, tmp_path, lowpower):
    finished = study(STAIN, out="folds", outer=9)
    assert finished.code == 1
    assert "class '0' has 4 patients" in finished.err
    assert "class '3+' has 4 patients" in finished.err
    assert "too few for 9 folds; ask for 4 folds." in finished.err
    rows = (folder / "cohort.csv").read_text().splitlines()
    (tmp_path / "cohort.csv").write_text("\n".join(row for row in rows if ",3+," not in row) + "\n")
    shutil.copy(folder / "folds.yaml", tmp_path / "study.yaml")
    finished = lowpower("study", tmp_path / "study.yaml")
    assert finished.code == 1
    assert "class '3+' has 0 patients" in finished.err
    assert "choose a scheme with fewer classes" in finished.err
