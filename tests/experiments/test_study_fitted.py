"""What is fitted after training sees the validation slides alone: calibration, conformal sets, fusions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl
import pytest
from tests.training.toys import SCORES, tissue_image, toy_cohort

from lowpower.cohort import Cohort, Folds, make_folds
from lowpower.experiments import Experiment, parse_experiment, run_study

NETWORK = {"backbone": "test_convnext", "width": 16, "inputs": "od", "dropout": 0.0, "pooling": "mean"}
FITTED = ("stain", "softmax", "patch", "both")


def study_of(manifest: Path) -> Experiment:
    stain = {"paradigm": "mil", "encoder": "stain", "mpp": 2}
    return parse_experiment(
        {
            "cohort": str(manifest),
            "out": str(manifest.parent / "out"),
            "accelerator": "cpu",
            "coverage": 0.6,  # four validation slides can promise that much
            "folds": {"outer": 2, "validation_share": 0.4, "only": [0]},
            "patches": {"size": 48, "max_patches": 4, "min_tissue": 0.3},
            "arms": [
                stain | {"name": "stain", "fitting": {"epochs": 2}},
                stain | {"name": "softmax", "head": "softmax", "fitting": {"epochs": 2}},
                {
                    "name": "patch",
                    "paradigm": "patch",
                    "mpp": 2,
                    "pretrained": None,
                    "fusion": "histogram",
                    "model": NETWORK,
                    "fitting": {"epochs": 1, "per_slide": 1, "batch": 8},
                },
                {"name": "both", "paradigm": "fusion", "of": ["stain", "softmax"]},
            ],
        }
    )


def altered(manifest: Path, folder: Path, rows: Sequence[int]) -> Path:
    """A copy of the cohort in which those slides show other tissue and carry another score."""
    table = pl.read_csv(manifest, infer_schema=False)
    scores = table["score"].to_list()
    folder.mkdir()
    for row, name in enumerate(table["slide"]):
        if row in rows:
            scores[row] = SCORES[(SCORES.index(scores[row]) + 1 + row % 2) % 4]
            image = tissue_image((row + 2) % 4, seed=9000 + row, height=400, width=480)
            cv2.imwrite(str(folder / name), image)
        else:
            (folder / name).write_bytes((manifest.parent / name).read_bytes())
    table.with_columns(pl.Series("score", scores)).write_csv(folder / "cohort.csv")
    return folder / "cohort.csv"


def fitted(out: Path, arm: str) -> list[Any]:
    """All that a unit fitted after training, and the validation table it was fitted from."""
    unit = out / "units" / arm / "fold0"
    found = [json.loads((unit / name).read_bytes()) for name in ("calibration.json", "weights.json")
             if (unit / name).is_file()]  # fmt: skip
    return [*found, pl.read_parquet(unit / "validation.parquet").to_dict(as_series=False)]


def test_calibration_conformal_sets_and_fusions_are_fitted_on_validation_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = toy_cohort(tmp_path / "as it was", per_class=4)
    config = study_of(cohort.path)
    parts = make_folds(cohort, "her2_four", outer=2, validation_share=0.4).folds

    def same_parts(other: Cohort, *given: Any, **options: Any) -> Folds:
        # Other labels would be dealt into other parts.
        folds = make_folds(cohort, *given, **options)
        known = dict(other.labels("her2_four").select("row", "class").iter_rows())
        slides = [slide.model_copy(update={"label": known[slide.row]}) for slide in folds.slides]
        return folds.model_copy(update={"cohort_fingerprint": other.fingerprint, "slides": slides})

    monkeypatch.setattr("lowpower.experiments.plan._planned_folds.make_folds", same_parts)
    before = run_study(config, workers=1)
    assert set(before.units["state"]) == {"ok"}
    for arm in FITTED:
        assert max(fitted(before.folder, arm)[0]["conformal"]["min_probability"]) > 0

    manifest = altered(cohort.path, tmp_path / "other test slides", parts[0].test)
    after = run_study(study_of(manifest), workers=1)
    for arm in FITTED:
        assert fitted(after.folder, arm) == fitted(before.folder, arm), arm
        told = [outcome.of_arm(arm).select("p_0", "label").to_numpy() for outcome in (before, after)]
        assert not np.array_equal(told[0][:, 0], told[1][:, 0]), f"{arm}: the slides were not altered"
        assert not np.array_equal(told[0][:, 1], told[1][:, 1]), f"{arm}: the labels were not altered"

    manifest = altered(cohort.path, tmp_path / "other validation slides", parts[0].validation)
    after = run_study(study_of(manifest), workers=1)
    for arm in FITTED:
        for one, other in zip(fitted(after.folder, arm), fitted(before.folder, arm), strict=True):
            assert one != other, arm
