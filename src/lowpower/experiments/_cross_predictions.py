"""Calibration of a small cohort: every slide predicted by a network that never saw its patient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import polars as pl

from lowpower.cohort import Cohort
from lowpower.errors import CohortError
from lowpower.models import predict
from lowpower.training import TrainConfig, TrainingRun, train
from lowpower.views import PreparedView, load_view

__all__ = ["cross_predictions", "wants_cross"]

_CROSS: Final = "cross"
"""Folder, within the run's, of the networks that only predict."""
_FEW_TO_CALIBRATE: Final = 60
"""Validation slides below which `calibrate_on: auto` calibrates on folds."""
_FOLDS: Final = 4
_LEAST_PER_CLASS: Final = 8
"""Patients of each class that folds need: two in each."""


def wants_cross(config: TrainConfig, cohort: Cohort, rows: Sequence[int], validation: int) -> bool:
    """Whether to calibrate on folds: as configured, or where validation slides are few.

    Args:
        config: The configuration.
        cohort: The cohort.
        rows: Training and validation rows.
        validation: Validation slides.

    Raises:
        CohortError: folds are asked for and a class has too few patients for them.
    """
    if config.bundle.calibrate_on == "validation":
        return False
    asked = config.bundle.calibrate_on == "folds"
    if not asked and validation >= _FEW_TO_CALIBRATE:
        return False
    known = cohort.labels(config.label_scheme).filter(pl.col("row").is_in(list(rows)))
    counts = known.group_by("label").agg(pl.col("patient").n_unique())
    every = counts.height == len(config.label_scheme.classes)
    fewest = min(counts["patient"].to_list()) if every else 0
    enough = bool(fewest >= _LEAST_PER_CLASS)
    if asked and not enough:
        raise CohortError(
            f"{cohort.path}: calibrate_on: folds needs {_LEAST_PER_CLASS} patients of every class besides "
            f"the test fold's, and one class has {fewest}; calibrate on validation."
        )
    return enough


def cross_predictions(
    config: TrainConfig,
    cohort: Cohort,
    training: TrainingRun,
    prepared: Sequence[PreparedView],
    progress: Callable[[str, int, int], None] | None = None,
) -> pl.DataFrame:
    """Predictions on training and validation slides, each by a network of the other folds (Vovk 2015).

    Each fold is predicted by a network that learnt from two of the others and was stopped by the third. They
    are made from fewer slides than the model itself, which is at least as good: what is promised errs on
    the safe side.

    Args:
        config: The configuration.
        cohort: The cohort.
        training: The model's own training, whose folder holds the others.
        prepared: Views of the training and validation rows.
        progress: Called with (stage, done, total).

    Returns:
        Columns row, slide, patient, label, p_0 ..; one row a slide, in order of rows.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    usable = {record.row: record for record in prepared if record.state == "ok"}
    known = {row["row"]: row for row in cohort.labels(config.label_scheme).iter_rows(named=True)}
    rows = np.array(sorted(usable))
    labels = np.array([known[row]["label"] for row in rows])
    whose = np.unique([known[row]["patient"] for row in rows], return_inverse=True)[1]
    splitter = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=config.seed)
    parts = [held for _, held in splitter.split(labels, labels, whose)]
    tables = []
    for number, held in enumerate(parts):
        stopping = parts[(number + 1) % _FOLDS]
        learning = np.setdiff1d(np.arange(len(rows)), np.concatenate([held, stopping]))
        report = None
        if progress is not None:
            stage = f"calibrating, fold {number + 1} of {_FOLDS}"
            report = _named(progress, stage)
        run = train(
            config,
            cohort,
            train_rows=rows[learning].tolist(),
            validation_rows=rows[stopping].tolist(),
            folder=training.folder / _CROSS / f"fold{number}",
            prepared=list(prepared),
            progress=report,
        )
        views = (load_view(usable[row].picture or "")[0] for row in rows[held].tolist())
        found = np.stack([prediction.probabilities for prediction in predict(run.network, views)])
        tables.append(
            pl.DataFrame(
                {
                    "row": rows[held],
                    "slide": [cohort.table["slide_name"][row] for row in rows[held].tolist()],
                    "patient": [known[row]["patient"] for row in rows[held].tolist()],
                    "label": labels[held],
                }
                | {f"p_{index}": column for index, column in enumerate(found.T)}
            )
        )
    return pl.concat(tables).sort("row")


def _named(progress: Callable[[str, int, int], None], stage: str) -> Callable[[str, int, int], None]:
    return lambda _, done, total: progress(stage, done, total)
