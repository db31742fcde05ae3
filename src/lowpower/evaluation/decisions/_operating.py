"""What is chosen on validation slides and only applied to test slides: temperature, sets, thresholds."""

from __future__ import annotations

import hashlib
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict

from lowpower.cohort import LabelScheme, scheme_of
from lowpower.evaluation.decisions._abstention import ConformalRule, fit_conformal
from lowpower.evaluation.metrics import apply_temperature, fit_temperature, parse_predictions, validated

__all__ = ["Calibration", "OperatingPoint", "choose_operating_point", "fit_calibration", "patient_digest"]


class OperatingPoint(BaseModel):
    """A threshold on P(class >= at), and what it did on the validation slides.

    Attributes:
        at: First class index that counts as positive.
        threshold: Positive where the summed probability of the positive classes is at least this.
        criterion: How it was chosen.
        ppa: Positive percent agreement on validation, as a share.
        npa: Negative percent agreement on validation, as a share.
        n: Validation slides.
        note: What a reader must know, or an empty string.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: int
    threshold: float
    criterion: str
    ppa: float | None
    npa: float | None
    n: int
    note: str = ""


class Calibration(BaseModel):
    """Everything fitted on validation slides; a saved file.

    Attributes:
        temperature: For `apply_temperature`, before all else.
        conformal: Which classes stay possible.
        operating_points: One a cut-off of the scheme.
        patients: Digests of the validation patients: their slides must not be evaluated with this.
        notes: What a reader must know.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    scheme: str
    temperature: float
    nll_before: float
    nll_after: float
    conformal: ConformalRule
    operating_points: list[OperatingPoint]
    n: int
    patients: list[str]
    notes: list[str]


def patient_digest(patient: str) -> str:
    """A short digest that stands for a patient where the name must not appear."""
    return hashlib.sha256(patient.encode()).hexdigest()[:16]


def choose_operating_point(
    labels: ArrayLike, probabilities: ArrayLike, at: int, *, min_ppa: float | None = None
) -> OperatingPoint:
    """A threshold on P(class >= at), chosen on validation slides.

    Args:
        labels: (N,) class index of validation slides.
        probabilities: (N, K), after temperature.
        at: First class index that counts as positive, 1 .. K-1.
        min_ppa: The highest threshold whose PPA is at least this. Default: the largest PPA + NPA (Youden
            1950), and of equals the one nearest 0.5.

    Returns:
        The point; threshold 0.5 with a note where the slides are all positive or all negative.

    Raises:
        ValueError: if the input is invalid.
    """
    sample = validated(labels, probabilities)
    if not 1 <= at < sample.classes:
        raise ValueError(f"cut-off {at} must lie between 1 and {sample.classes - 1}")
    score, positive = sample.probabilities[:, at:].sum(1), sample.labels >= at
    criterion = "Youden" if min_ppa is None else f"PPA >= {min_ppa:g}"
    if positive.all() or not positive.any():
        note = f"no validation slide is {'negative' if positive.all() else 'positive'}: threshold left at 0.5"
        return OperatingPoint(
            at=at, threshold=0.5, criterion=criterion, ppa=None, npa=None, n=sample.size, note=note
        )
    # Midway between neighbouring scores, so that no validation slide lies on the threshold.
    levels = np.unique(score)
    thresholds = np.r_[levels[0], (levels[1:] + levels[:-1]) / 2]
    called = score >= thresholds[:, None]
    ppa = (called & positive).sum(1) / positive.sum()
    npa = (~called & ~positive).sum(1) / (~positive).sum()
    if min_ppa is None:
        best = int(np.lexsort((np.abs(thresholds - 0.5), -np.round(ppa + npa, 12)))[0])
    else:
        best = int(np.flatnonzero(ppa >= min_ppa)[-1]) if (ppa >= min_ppa).any() else 0
    return OperatingPoint(
        at=at,
        threshold=float(thresholds[best]),
        criterion=criterion,
        ppa=float(ppa[best]),
        npa=float(npa[best]),
        n=sample.size,
    )


def fit_calibration(
    validation: pl.DataFrame,
    scheme: str | LabelScheme,
    *,
    coverage: float = 0.9,
    class_conditional: bool = False,
) -> Calibration:
    """Fit temperature, then conformal sets and operating points on the tempered probabilities.

    Args:
        validation: Table of predictions on validation slides.
        scheme: Label scheme, or its name.
        coverage: Promised by the conformal sets.
        class_conditional: Whether the promise holds within each class.

    Raises:
        PredictionsError: if the table is not one.
        ValueError: if `coverage` is not between 0 and 1.
    """
    scheme = scheme_of(scheme)
    predictions = parse_predictions(validation, scheme)
    labels = predictions.sample.labels
    fit = fit_temperature(labels, predictions.sample.probabilities)
    tempered = apply_temperature(predictions.sample.probabilities, fit.temperature)
    rule = fit_conformal(labels, tempered, coverage=coverage, class_conditional=class_conditional)
    points = [choose_operating_point(labels, tempered, cutoff.at) for cutoff in scheme.cutoffs]
    return Calibration(
        scheme=scheme.name,
        temperature=fit.temperature,
        nll_before=fit.nll_before,
        nll_after=fit.nll_after,
        conformal=rule,
        operating_points=points,
        n=predictions.sample.size,
        patients=sorted({patient_digest(patient) for patient in predictions.patients}),
        notes=[note for note in (fit.note, rule.note, *(point.note for point in points)) if note],
    )
