"""A small cohort is calibrated on predictions over folds, none of them by a network that saw the patient."""

from __future__ import annotations

import json

import cv2
import numpy as np
import polars as pl
import pytest
import yaml

from lowpower.cohort import write_manifest
from lowpower.errors import CohortError
from lowpower.experiments import train_run
from lowpower.models import load_bundle


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Forty slides of two classes, brown and blue squares at 16 um/px; the last four are two patients'."""
    folder = tmp_path_factory.mktemp("cohort")
    rows = []
    for number in range(40):
        rng = np.random.default_rng(number)
        density = np.zeros((120, 120, 3))
        stain = np.array((0.28, 0.51, 0.61) if number % 2 else (0.10, 0.09, 0.05))
        density[25:95, 25:95] = rng.uniform(0.6, 1.4, (70, 70, 1)) * stain
        image = np.array([238.0, 238, 242]) * 10.0**-density + rng.normal(0, 1.2, density.shape)
        cv2.imwrite(str(folder / f"s{number:02d}.png"), np.clip(image, 0, 255).astype(np.uint8)[..., ::-1])
        patient = f"p{min(number // 2 * 2, 36) + number % 2:02d}" if number >= 36 else f"p{number:02d}"
        score = "3+" if number % 2 else "0"
        row = {
            "slide": f"s{number:02d}.png",
            "patient": patient,
            "marker": "her2",
            "mpp": 16.0,
            "score": score,
        }
        rows.append(row)
    write_manifest(folder / "cohort.csv", rows)

    def write(**bundle):
        content = {
            "name": "small", "cohort": "cohort.csv", "scheme": "her2_status", "out": "run",
            "folds": {"outer": 5, "validation_share": 0.25}, "model": {"backbone": "test_convnext"},
            "view": {"mpp": 32.0}, "fitting": {"epochs": 1, "crop": 64},
            "bundle": {"measured": False, **bundle},
        }  # fmt: skip
        (folder / "config.yaml").write_text(yaml.safe_dump(content))
        return folder / "config.yaml"

    return write


def test_every_slide_but_the_tests_is_predicted_by_a_network_that_never_saw_its_patient(config) -> None:
    run = train_run(config(), workers=1)
    table = pl.read_parquet(run.unit / "cross.parquet")
    folds = json.loads((run.folder / "folds.json").read_text())["folds"][0]
    assert sorted(table["row"]) == sorted(folds["train"] + folds["validation"])
    patient = dict(table.select("row", "patient").iter_rows())
    predicted = set()
    for folder in sorted((run.unit / "cross").iterdir()):
        record = json.loads((folder / "rows.json").read_text())
        seen = {patient[row] for row in record["train"] + record["validation"]}
        held = {row for row, name in patient.items() if name not in seen}
        assert not predicted & held
        predicted |= held
    assert predicted == set(patient)
    bundle = load_bundle(run.bundle)
    assert run.calibration.n == table.height > run.validation.height
    assert bundle.decision.network.issue.n == table["patient"].n_unique()


def test_folds_that_cannot_be_made_are_said(config) -> None:
    path = config(calibrate_on="folds")
    manifest = path.parent / "few.csv"
    table = pl.read_csv(path.parent / "cohort.csv", infer_schema=False)
    table.filter((pl.col("score") == "0") | (pl.int_range(pl.len()) < 16)).write_csv(manifest)
    content = yaml.safe_load(path.read_text()) | {"cohort": "few.csv", "out": "few", "folds": {"outer": 2}}
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(CohortError, match=r"needs 8 patients of every class.*calibrate on validation"):
        train_run(path, workers=1)


def test_validation_alone_is_enough_where_told(config) -> None:
    path = config(calibrate_on="validation")
    content = yaml.safe_load(path.read_text()) | {"out": "alone"}
    path.write_text(yaml.safe_dump(content))
    run = train_run(path, workers=1)
    assert not (run.unit / "cross").exists()
    assert run.calibration.n == run.validation.height
