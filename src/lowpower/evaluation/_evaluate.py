"""From a table of predictions to an `Evaluation`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lowpower.cohort import LabelScheme, scheme_of
from lowpower.errors import PredictionsError
from lowpower.evaluation._bootstrap import MIN_PATIENTS, RESAMPLES, interval_of, resampled
from lowpower.evaluation._evaluation import (
    ConformalOutcome,
    CutoffMetrics,
    Evaluation,
    Metric,
    OperatingMetrics,
    ReliabilityPoint,
    RiskPoint,
    RocCurve,
)
from lowpower.evaluation._proportion import patient_wilson
from lowpower.evaluation._statistics import Basis, Statistics
from lowpower.evaluation.decisions import Calibration, patient_digest, risk_coverage
from lowpower.evaluation.metrics import (
    Array,
    Predictions,
    apply_temperature,
    confusion_matrix,
    ece_if_perfect,
    parse_predictions,
    reliability,
    validated,
)

__all__ = ["evaluate_predictions"]

_SUMMARY: Final = (
    "auc_macro",
    "accuracy",
    "balanced_accuracy",
    "f1_weighted",
    "f1_macro",
    "kappa_quadratic",
    "expected_score_error",
    "log_loss",
    "brier",
    "ece",
    "aurc",
)


def evaluate_predictions(
    predictions: pl.DataFrame,
    scheme: str | LabelScheme,
    *,
    calibration: Calibration | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
    same_cohort: bool = True,
) -> Evaluation:
    """Every metric with its interval.

    Args:
        predictions: Columns `slide`, `patient`, `label` (class index or name) and `p_0` .. `p_<K-1>` or
            `p_<class name>`; one row a slide.
        scheme: Label scheme, or its name.
        calibration: From validation slides: its temperature is applied first, its conformal rule and
            operating points are measured. Without it probabilities are taken as they are.
        seed: Of the resampling.
        resamples: Bootstrap resamples of patients.
        confidence: Of the intervals.
        same_cohort: False where the calibration comes from another cohort, so that an equal patient
            identifier is another person.

    Raises:
        PredictionsError: if the table is not one, or a patient's slides chose the calibration.
    """
    scheme = scheme_of(scheme)
    table = parse_predictions(predictions, scheme)
    notes: list[str] = []
    if calibration is not None:
        _check_calibration(calibration, scheme, table, same_cohort)
        tempered = apply_temperature(table.sample.probabilities, calibration.temperature)
        table = Predictions(table.slides, table.patients, validated(table.sample.labels, tempered))
        notes += calibration.notes
    statistics = Statistics(table, scheme, calibration)
    found = _measure(statistics, table.patients, seed, resamples, confidence)
    sample = table.sample
    found["ece"] = _corrected_ece(found["ece"], sample.probabilities, confidence, seed)
    counts = np.bincount(sample.labels, minlength=sample.classes).tolist()
    patients = len(np.unique(table.patients))
    if patients < MIN_PATIENTS:
        notes.append(f"{patients} patients are too few for intervals (at least {MIN_PATIENTS})")
    notes += [
        f"no slide of class {name}" for name, count in zip(scheme.classes, counts, strict=True) if not count
    ]
    return Evaluation(
        scheme=scheme.name,
        mapping=scheme.mapping,
        classes=list(scheme.classes),
        slides=sample.size,
        patients=patients,
        class_counts=dict(zip(scheme.classes, counts, strict=True)),
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        temperature=calibration.temperature if calibration else 1.0,
        metrics={name: found[name] for name in _SUMMARY},
        per_class={
            name: {kind: found[f"{kind}/{label}"] for kind in ("auc", "f1", "sensitivity", "precision")}
            for label, name in enumerate(scheme.classes)
        },
        cutoffs=_cutoffs(scheme, calibration, found),
        confusion=confusion_matrix(sample.labels, sample.probabilities).tolist(),
        reliability=_reliability_points(table),
        risk_coverage=_risk_points(table),
        roc={name: _roc(table, label) for label, name in enumerate(scheme.classes)},
        abstention=_abstention(scheme, calibration, found),
        notes=list(dict.fromkeys(notes)),
    )


def _check_calibration(
    calibration: Calibration, scheme: LabelScheme, table: Predictions, same_cohort: bool
) -> None:
    if calibration.scheme != scheme.name:
        raise PredictionsError(
            f"the calibration was fitted for the scheme {calibration.scheme}, not {scheme.name}; "
            "fit it again."
        )
    if same_cohort:
        seen = set(calibration.patients)
        shared = [patient for patient in np.unique(table.patients) if patient_digest(patient) in seen]
        if shared:
            raise PredictionsError(
                f"patient {shared[0]!r} is among the validation patients that temperature and thresholds "
                "were chosen on; evaluate on patients kept apart."
            )


def _measure(
    statistics: Statistics, patients: NDArray[np.str_], seed: int, resamples: int, confidence: float
) -> dict[str, Metric]:
    """Value and interval of every statistic."""
    point = statistics(np.ones((1, patients.size)))
    number = len(np.unique(patients))
    draws: Mapping[str, Array] = {}
    if number >= MIN_PATIENTS:
        draws = resampled(statistics, patients, resamples, seed)
    return {
        name: _metric(
            float(values[0]),
            draws.get(name, np.full(1, np.nan)),
            statistics.basis(name),
            number,
            confidence,
            reflect=name == "ece",
        )
        for name, values in point.items()
    }


def _metric(
    value: float, draws: Array, basis: Basis, patients: int, confidence: float, *, reflect: bool
) -> Metric:
    if np.isnan(value):
        return Metric(value=None, low=None, high=None, n=basis.slides, note=f"undefined: {basis.undefined}")
    if basis.share is not None and patients >= MIN_PATIENTS:
        low, high = patient_wilson(*basis.share, confidence)
        return Metric(value=value, low=low, high=high, n=basis.slides)
    interval = interval_of(
        value, draws, patients=patients, behind=basis.patients, confidence=confidence, reflect=reflect
    )
    return Metric(value=value, low=interval.low, high=interval.high, n=basis.slides, note=interval.note)


def _corrected_ece(
    metric: Metric, probabilities: NDArray[np.float64], confidence: float, seed: int
) -> Metric:
    """Say what chance alone would show; an error below that cannot exclude perfect calibration."""
    chance = ece_if_perfect(probabilities, quantile=(1 + confidence) / 2, seed=seed)
    note = f"perfectly calibrated probabilities would show up to {chance:.3f} with these slides"
    value, low, high = metric.value, metric.low, metric.high
    if value is not None and low is not None and high is not None:
        low, high = (0.0 if value <= chance else min(value, low)), max(value, high)
    return Metric(
        value=value,
        low=low,
        high=high,
        n=metric.n,
        note="; ".join(part for part in (metric.note, note) if part),
    )


def _cutoffs(
    scheme: LabelScheme, calibration: Calibration | None, found: Mapping[str, Metric]
) -> dict[str, CutoffMetrics]:
    points = {point.at: point for point in calibration.operating_points} if calibration else {}
    return {
        cutoff.name: CutoffMetrics(
            at=cutoff.at,
            auc=found[f"auc_at/{cutoff.at}"],
            ppa=found[f"ppa/{cutoff.at}"],
            npa=found[f"npa/{cutoff.at}"],
            operating_point=OperatingMetrics(
                threshold=points[cutoff.at].threshold,
                criterion=points[cutoff.at].criterion,
                ppa=found[f"operating_ppa/{cutoff.at}"],
                npa=found[f"operating_npa/{cutoff.at}"],
            )
            if cutoff.at in points
            else None,
        )
        for cutoff in scheme.cutoffs
    }


def _reliability_points(table: Predictions) -> list[ReliabilityPoint]:
    return [
        ReliabilityPoint(low=b.low, high=b.high, confidence=b.confidence, accuracy=b.accuracy, n=b.n)
        for b in reliability(table.sample.labels, table.sample.probabilities)
    ]


def _risk_points(table: Predictions) -> list[RiskPoint]:
    curve = risk_coverage(table.sample.labels, table.sample.probabilities)
    columns = (curve.coverage.tolist(), curve.risk.tolist(), curve.confidence.tolist())
    return [RiskPoint(coverage=c, risk=r, confidence=f) for c, r, f in zip(*columns, strict=True)]


def _roc(table: Predictions, label: int) -> RocCurve:
    from sklearn.metrics import roc_curve

    positive = table.sample.labels == label
    if positive.all() or not positive.any():
        return RocCurve(false_positive_rate=[], true_positive_rate=[], threshold=[])
    false_rate, true_rate, thresholds = roc_curve(positive, table.sample.probabilities[:, label])
    return RocCurve(
        false_positive_rate=false_rate.tolist(),
        true_positive_rate=true_rate.tolist(),
        threshold=[float(value) if np.isfinite(value) else None for value in thresholds],
    )


def _abstention(
    scheme: LabelScheme, calibration: Calibration | None, found: Mapping[str, Metric]
) -> ConformalOutcome | None:
    if calibration is None:
        return None
    return ConformalOutcome(
        promised=calibration.conformal.coverage,
        coverage=found["coverage"],
        coverage_per_class={name: found[f"coverage/{label}"] for label, name in enumerate(scheme.classes)},
        referred=found["referred"],
        set_size=found["set_size"],
        accuracy_kept=found["accuracy_kept"],
    )
