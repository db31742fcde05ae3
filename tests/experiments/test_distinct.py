"""A study's table of predictions says who is another person, so that the verbs over tables take it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lowpower.cohort import read_cohort, write_manifest
from lowpower.errors import PredictionsError
from lowpower.evaluation import read_given
from lowpower.experiments.collect._collect import _predictions
from lowpower.experiments.plan import parse_experiment


def predictions_of(folder: Path, distinct: str | None) -> Path:
    people = ("007", "7", "8")
    rows = [
        {"slide": f"{person}.tif", "patient": person, "marker": "HER2", "score": "0", "distinct": distinct}
        for person in people
    ]
    if distinct is None:
        rows[1]["patient"] = "77"
    cohort = read_cohort(write_manifest(folder / "cohort.csv", rows))
    config = parse_experiment(
        {"cohort": "cohort.csv", "scheme": "her2_four", "arms": [{"paradigm": "slide"}]}
    )
    arm = pl.DataFrame(
        [
            {"arm": "slide", "fold": 0, "row": row, "slide": f"{person}.tif", "patient": person, "label": 0}
            | {"p_0": 0.7, "p_1": 0.1, "p_2": 0.1, "p_3": 0.1, "set_size": 1, "referred": False}
            for row, person in enumerate(people)
        ]
    )
    path = folder / "predictions.csv"
    _predictions(config, cohort, [arm]).write_csv(path)
    return path


def test_what_the_manifest_says_of_patients_holds_in_the_predictions(tmp_path: Path) -> None:
    given = read_given(predictions_of(tmp_path, "yes"), "her2_four")
    assert given.table["patient"].n_unique() == 3
    with pytest.raises(PredictionsError, match="leading zeros"):
        read_given(predictions_of(tmp_path, None), "her2_four")
