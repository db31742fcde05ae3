"""Calibration on few slides: each predicted by a network that never saw its patient (Vovk 2015)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lowpower.errors import CohortError
from lowpower.experiments.plan import Arm, Experiment
from lowpower.experiments.units._learners import LEARNERS, Material
from lowpower.experiments.units._learnt import predictor_of
from lowpower.files import write_json

__all__ = ["FEW_TO_CALIBRATE", "calibrated_on", "cross_predictions", "wants_cross"]

FEW_TO_CALIBRATE: Final = 60
"""Validation slides of a fold below which its answers' rules rest on other slides too."""
_FOLDS: Final = 4
_LEAST_PER_CLASS: Final = 8
"""Patients of each class that folds need: two in each."""


def calibrated_on(config: Experiment) -> Literal["validation", "folds", "auto"]:
    """What units are calibrated on; `auto` only where one fold alone is run.

    Where several are, the others' validation slides tell what a bundle must know, at no cost.
    """
    asked = config.bundle.calibrate_on
    several = config.folds.only is None or len(set(config.folds.only)) > 1
    return "validation" if asked == "auto" and several else asked


def wants_cross(material: Material) -> bool:
    """Whether to calibrate on folds: as configured, or where validation slides are few.

    Raises:
        CohortError: folds are asked for and a class has too few patients for them.
    """
    config, asked = material.config, calibrated_on(material.config)
    if asked == "validation" or (asked == "auto" and len(material.validation) >= FEW_TO_CALIBRATE):
        return False
    known = material.cohort.labels(config.label_scheme).filter(pl.col("row").is_in(list(material.labels)))
    counts = known.group_by("label").agg(pl.col("patient").n_unique())
    fewest = min(counts["patient"].to_list()) if counts.height == material.classes else 0
    enough = bool(fewest >= _LEAST_PER_CLASS)
    if asked == "folds" and not enough:
        raise CohortError(
            f"{material.cohort.source}: calibrate_on: folds needs {_LEAST_PER_CLASS} patients of every class "
            f"besides the test fold's, and one class has {fewest}; calibrate on validation."
        )
    return enough


def cross_predictions(arm: Arm, material: Material, folder: Path) -> tuple[list[int], NDArray[np.float64]]:
    """Predictions on training and validation slides, each by a model of the other folds.

    Each fold is predicted by a model that learnt from two of the others and was stopped by the third. They
    are made from fewer slides than the arm's own, which is at least as good: what is promised errs on the
    safe side.

    Args:
        arm: The arm.
        material: What it learns from.
        folder: Holds a folder a fold; those trained before are not trained again.

    Returns:
        Rows, rising, and their probabilities (N, K).
    """
    from sklearn.model_selection import StratifiedGroupKFold

    config, cohort = material.config, material.cohort
    rows = np.array(sorted([*material.train, *material.validation]))
    labels = np.array([material.labels[row] for row in rows.tolist()])
    whose = np.unique(cohort.table["patient"][rows.tolist()].to_list(), return_inverse=True)[1]
    splitter = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=config.seed_of(arm))
    parts = [held for _, held in splitter.split(labels, labels, whose)]
    found = np.empty((len(rows), material.classes))
    for number, held in enumerate(parts):
        stopping = parts[(number + 1) % _FOLDS]
        learning = np.setdiff1d(np.arange(len(rows)), np.concatenate([held, stopping]))
        part = replace(
            material,
            train=rows[learning].tolist(),
            validation=rows[stopping].tolist(),
            folder=folder / f"fold{number}",
            progress=_named(material.progress, f"calibrating, fold {number + 1} of {_FOLDS}"),
        )
        learnt = LEARNERS[arm.paradigm](arm, part)
        write_json(part.folder / "rows.json", {"train": part.train, "validation": part.validation})
        predictor = predictor_of(arm, config, learnt, material.artefacts)
        found[held] = [predictor(row) for row in rows[held].tolist()]
    return rows.tolist(), found


def _named(
    progress: Callable[[str, int, int], None] | None, stage: str
) -> Callable[[str, int, int], None] | None:
    return None if progress is None else lambda _, done, total: progress(stage, done, total)
