"""Every number of a study's report: metrics, costs and tests per arm, pooled over the outer folds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from lowpower.cohort import LabelScheme
from lowpower.errors import PredictionsError
from lowpower.evaluation import (
    MIN_PATIENTS,
    RESAMPLES,
    ComparisonSet,
    Evaluation,
    Metric,
    auc_macro,
    compare_with_reference,
    evaluate_predictions,
    patient_wilson,
)
from lowpower.experiments.collect._results import ArmRecord, StudyResults

__all__ = ["ArmCost", "ArmFindings", "Reference", "StudyFindings", "find", "mean_auc"]

_IN_USE = ("read", "features", "predict")
SEED_METRICS = ("auc_macro", "f1_weighted", "accuracy", "kappa_quadratic")
"""Whose spread between seeds is shown."""


@dataclass(frozen=True, slots=True)
class ArmCost:
    """What an arm costs in use, a slide, and once in training.

    Attributes:
        seconds: Wall-clock seconds a slide: reading, features, prediction.
        cpu_seconds: Processor seconds a slide.
        added_mb: Memory that the hungriest stage needed beyond what its process held before, megabytes.
        peak_mb: Highest resident memory of that process, libraries included, megabytes.
        mb_read: Megabytes read a slide; None where the system does not tell.
        mb_stored: Megabytes stored a slide (views, features).
        training_minutes: Wall-clock minutes of training and calibration, all folds together.
    """

    seconds: float
    cpu_seconds: float
    added_mb: float
    peak_mb: float
    mb_read: float | None
    mb_stored: float
    training_minutes: float


@dataclass(frozen=True, eq=False)
class ArmFindings:
    """One arm.

    Attributes:
        record: What it is.
        evaluation: Metrics over all its test slides; None where no fold finished.
        cost: None where none was measured.
        referred: Share of slides its conformal sets refer, None without an evaluation.
        accuracy_kept: Accuracy among the others.
        failures: Failed folds with their reasons.
        seeds: Values of the summary metrics of all trainings that differ by seed alone, this one first; empty
            where there is one.
    """

    record: ArmRecord
    evaluation: Evaluation | None
    cost: ArmCost | None
    referred: Metric | None
    accuracy_kept: Metric | None
    failures: tuple[tuple[int, str], ...]
    seeds: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reference:
    """The arm that others are held against, and how it was chosen: never by test results."""

    name: str
    why: str


@dataclass(frozen=True, eq=False)
class StudyFindings:
    """All that the report says in numbers.

    Attributes:
        scheme: Label scheme.
        arms: In the configuration's order; of those that differ by seed alone the first.
        reference: None where no arm finished.
        comparison: Tests against the reference; None where there is no other arm.
        slides: Slides that at least one arm predicted.
        patients: Their patients.
    """

    scheme: LabelScheme
    arms: tuple[ArmFindings, ...]
    reference: Reference | None
    comparison: ComparisonSet | None
    slides: int
    patients: int

    @property
    def finished(self) -> tuple[ArmFindings, ...]:
        """Arms with an evaluation."""
        return tuple(arm for arm in self.arms if arm.evaluation is not None)

    def arm(self, name: str) -> ArmFindings:
        """An arm by name."""
        return next(arm for arm in self.arms if arm.record.name == name)


def find(results: StudyResults, *, resamples: int = RESAMPLES, seed: int = 0) -> StudyFindings:
    """Evaluate every arm over all its test slides, and compare with the reference.

    Args:
        results: The study.
        resamples: Bootstrap resamples of patients.
        seed: Of the resampling.
    """
    scheme = results.config.label_scheme
    arms = tuple(
        replace(
            _findings(results, family[0], scheme, resamples, seed), seeds=_spread(results, family, scheme)
        )
        for family in _families(results.arms)
    )
    finished = [arm.record for arm in arms if arm.evaluation is not None]
    reference = _reference(results, finished)
    comparison = None
    if reference is not None and len(finished) > 1:
        tables = {record.name: results.of_arm(record.name) for record in finished}
        comparison = compare_with_reference(
            tables, scheme, reference.name, resamples=resamples, seed=seed, keep_shared=True
        )
    return StudyFindings(
        scheme=scheme,
        arms=arms,
        reference=reference,
        comparison=comparison,
        slides=results.predictions["row"].n_unique(),
        patients=results.predictions["patient"].n_unique(),
    )


def _families(records: Sequence[ArmRecord]) -> list[list[ArmRecord]]:
    """Arms that differ by seed alone together, the first of them first; every other arm by itself."""
    families: list[list[ArmRecord]] = []
    known: dict[str, list[ArmRecord]] = {}
    for record in records:
        family = [record]
        if record.settings.get("seed") is not None:
            same = {key: value for key, value in record.settings.items() if key not in ("name", "seed")}
            family = known.setdefault(json.dumps(same, sort_keys=True), [])
            family.append(record)
        if family[0] is record:
            families.append(family)
    return families


def _spread(
    results: StudyResults, family: Sequence[ArmRecord], scheme: LabelScheme
) -> dict[str, tuple[float, ...]]:
    """Summary metrics of each seed that predicted what the first did."""
    tables = [results.of_arm(record.name) for record in family]
    whole = [table for table in tables if table["row"].equals(tables[0]["row"])]
    if len(whole) < 2 or tables[0].is_empty():
        return {}
    values = [evaluate_predictions(table, scheme, resamples=1).metrics for table in whole]
    return {
        name: tuple(value for metrics in values if (value := metrics[name].value) is not None)
        for name in SEED_METRICS
    }


def _findings(
    results: StudyResults, record: ArmRecord, scheme: LabelScheme, resamples: int, seed: int
) -> ArmFindings:
    units = results.units.filter((pl.col("arm") == record.name) & (pl.col("state") == "failed"))
    failures = tuple((int(fold), str(reason)) for fold, reason in units.select("fold", "reason").iter_rows())
    table = results.of_arm(record.name)
    if table.is_empty():
        return ArmFindings(record, None, None, None, None, failures)
    evaluation = evaluate_predictions(table, scheme, resamples=resamples, seed=seed)
    referred, kept = _referral(table)
    return ArmFindings(record, evaluation, _cost(results, record), referred, kept, failures)


def _referral(table: pl.DataFrame) -> tuple[Metric, Metric]:
    """Share referred, and accuracy of the rest, as each fold's conformal rule decided."""
    probabilities = table.select(pl.col("^p_[0-9]+$")).to_numpy()
    right = probabilities.argmax(1) == table["label"].to_numpy()
    away, patients = table["referred"].to_numpy(), table["patient"].to_numpy()
    enough = len(np.unique(patients)) >= MIN_PATIENTS
    found = []
    for hits, whose in ((away, patients), (right[~away], patients[~away])):
        if not hits.size:
            found.append(
                Metric(value=None, low=None, high=None, n=0, note="undefined: every slide is referred")
            )
            continue
        low, high = patient_wilson(hits, whose) if enough else (None, None)
        found.append(Metric(value=float(hits.mean()), low=low, high=high, n=hits.size))
    return found[0], found[1]


def _cost(results: StudyResults, record: ArmRecord) -> ArmCost | None:
    """Means over the test slides of all folds; a stage's slides are counted once a fold."""
    mine = results.costs.filter(pl.col("arm") == record.name)
    use = mine.filter(pl.col("stage").is_in(_IN_USE))
    if use.is_empty():
        return None
    slides = float(use.group_by("fold").agg(pl.col("slides").max())["slides"].sum())
    read = use["bytes_read"]
    return ArmCost(
        seconds=float(use["wall_s"].sum()) / slides,
        cpu_seconds=float(use["cpu_s"].sum()) / slides,
        added_mb=float(use["added_mb"].to_numpy().max()),
        peak_mb=float(use["peak_mb"].to_numpy().max()),
        mb_read=None if read.null_count() else float(read.sum()) / slides / 1e6,
        mb_stored=float(use["bytes_stored"].sum()) / slides / 1e6,
        training_minutes=float(mine.filter(pl.col("stage") == "train")["wall_s"].sum()) / 60,
    )


def _reference(results: StudyResults, finished: Sequence[ArmRecord]) -> Reference | None:
    """The low-resolution arm to hold others against.

    Slide networks are the low-resolution arms; without one, the arms with the coarsest um/px. Of several the
    one with the highest mean validation AUC, macro, over the folds; where validation predictions were not
    kept, the coarsest: chosen before any result, so that tests against it are not optimistic.
    """
    if not finished:
        return None
    named = results.config.reference
    if named is not None and any(record.name == named for record in finished):
        return Reference(named, "named by the configuration")
    low = [record for record in finished if record.paradigm == "slide"]
    what = "slide networks"
    if not low:
        coarsest = max(record.mpp for record in finished)
        low, what = [record for record in finished if record.mpp == coarsest], "arms at the coarsest um/px"
    if len(low) == 1:
        return Reference(low[0].name, f"the only one of the {what} that finished")
    scores = {record.name: _validation_auc(results, record.name) for record in low}
    known = {name: score for name, score in scores.items() if score is not None}
    if len(known) == len(low):
        best = max(known, key=lambda name: known[name])
        return Reference(
            best,
            f"of the {what} the one with the highest validation AUC ({known[best]:.3f}, mean over folds)",
        )
    first = max(low, key=lambda record: record.mpp)
    return Reference(first.name, f"the coarsest of the {what}, since validation predictions were not kept")


def _validation_auc(results: StudyResults, name: str) -> float | None:
    if results.validation.is_empty():
        return None
    mine = results.validation.filter(pl.col("arm") == name)
    return mean_auc([fold for _, fold in mine.group_by("fold", maintain_order=True)])


def mean_auc(folds: Sequence[pl.DataFrame]) -> float | None:
    """Mean over folds' tables (label, p_0 ..) of the macro AUC, where it is defined; None where nowhere."""
    values = []
    for fold in folds:
        try:
            value = auc_macro(fold["label"].to_numpy(), fold.select(pl.col("^p_[0-9]+$")).to_numpy())
        except (ValueError, PredictionsError):
            return None
        if value is not None:
            values.append(value)
    return float(np.mean(values)) if values else None
