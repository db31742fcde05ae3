"""A study whose configuration names a cohort in a bucket gives the bytes of one that has it here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.experiments.tiny_study import NETWORK, PATCHES, STAIN
from tests.training.toys import toy_cohort

from lowpower.errors import ConfigError
from lowpower.experiments import read_experiment, run_study

SLIDE = {
    "paradigm": "slide", "mpp": 8, "pretrained": None, "model": NETWORK,
    "fitting": {"epochs": 1, "crop": 64, "batch": 4},
}  # fmt: skip


@pytest.mark.slow
def test_the_same_bytes(s3: Any, lowpower: Any, tmp_path: Path) -> None:
    manifest = toy_cohort(tmp_path / "here", per_class=4).path
    s3.put(f"{manifest.parent}/", "slides/toys/", recursive=True)
    tables = {}
    for name, cohort in (("here", str(manifest)), ("there", f"s3://slides/toys/{manifest.name}")):
        content = {
            "cohort": cohort, "out": name, "accelerator": "cpu", "patches": PATCHES,
            "folds": {"outer": 2, "validation_share": 0.4}, "arms": [SLIDE, STAIN],
        }  # fmt: skip
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
        finished = lowpower("study", tmp_path / f"{name}.yaml", "--workers", "1", "--quiet")
        assert finished.code == 0, finished.err
        tables[name] = (tmp_path / name / "results" / "predictions.csv").read_bytes()
    assert tables["here"] == tables["there"]
    deployed = lowpower("deploy", tmp_path / "there", "--arm", "slide@8", "--quiet")
    assert deployed.code == 0, deployed.err


def test_what_is_not_there_and_where_a_study_cannot_lie(s3: Any, lowpower: Any, tmp_path: Path) -> None:
    config = tmp_path / "study.yaml"
    config.write_text(yaml.safe_dump({"cohort": "s3://slides/none.csv", "arms": [SLIDE, STAIN]}))
    finished = lowpower("study", config)
    assert finished.code == 2
    assert "its cohort s3://slides/none.csv does not exist" in finished.err
    config.write_text(yaml.safe_dump({"cohort": "c.csv", "out": "s3://slides/s", "arms": [SLIDE, STAIN]}))
    with pytest.raises(ConfigError, match="out: s3://slides/s: runs and what is made for them need a folder"):
        run_study(read_experiment(config))
