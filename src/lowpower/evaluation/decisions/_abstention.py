"""When to refer to a human: conformal sets with a promised coverage, and the risk-coverage curve."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict

from lowpower.evaluation.metrics import aurc, validated

__all__ = [
    "ConformalRule",
    "RiskCoverage",
    "conformal_decisions",
    "conformal_sets",
    "fit_conformal",
    "risk_coverage",
]


class ConformalRule(BaseModel):
    """Which classes remain possible for a slide: those at least as probable as their threshold.

    Attributes:
        coverage: Promised share of new slides whose set holds the true class.
        class_conditional: Whether the promise holds within each class.
        min_probability: Threshold a class. 0 keeps the class always.
        n: Validation slides behind it, a class.
        note: What a reader must know, or an empty string.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    coverage: float
    class_conditional: bool
    min_probability: list[float]
    n: list[int]
    note: str = ""


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """The error among the slides kept, as less confident slides are referred.

    Attributes:
        coverage: (M,) share of slides kept, rising to 1.
        risk: (M,) share of wrong predictions among them.
        confidence: (M,) smallest confidence kept.
        aurc: Area under the curve; 0 is best.
    """

    coverage: NDArray[np.float64]
    risk: NDArray[np.float64]
    confidence: NDArray[np.float64]
    aurc: float


def fit_conformal(
    labels: ArrayLike, probabilities: ArrayLike, *, coverage: float = 0.9, class_conditional: bool = False
) -> ConformalRule:
    """Split-conformal thresholds from validation slides (Vovk 2005; score 1 - p(true), Sadinle 2019).

    New slides exchangeable with the validation slides have the true class in their set with a probability of
    at least `coverage` (within each class, if `class_conditional`).

    Args:
        labels: (N,) class index of validation slides.
        probabilities: (N, K), after temperature.
        coverage: Promised share, between 0 and 1.
        class_conditional: Rare classes get the promise too; needs about 1 / (1 - coverage) slides of each.

    Raises:
        ValueError: if the input is invalid.
    """
    if not 0 < coverage < 1:
        raise ValueError(f"coverage must lie between 0 and 1, got {coverage}")
    sample = validated(labels, probabilities)
    true = sample.probabilities[np.arange(sample.size), sample.labels]
    counts = np.bincount(sample.labels, minlength=sample.classes)
    if class_conditional:
        thresholds = [_threshold(true[sample.labels == label], coverage) for label in range(sample.classes)]
    else:
        thresholds = [_threshold(true, coverage)] * sample.classes
    short = [label for label, threshold in enumerate(thresholds) if threshold == 0]
    note = ""
    if short:
        which = f"class {', '.join(map(str, short))}" if class_conditional else "every class"
        note = f"too few validation slides to promise {coverage:.0%}: {which} is always kept as possible"
    return ConformalRule(
        coverage=coverage,
        class_conditional=class_conditional,
        min_probability=thresholds,
        n=counts.tolist(),
        note=note,
    )


def _threshold(true: NDArray[np.float64], coverage: float) -> float:
    """The floor((n + 1)(1 - coverage))-th smallest probability of the true class; 0 if that is none."""
    # The small term keeps (9 + 1) * (1 - 0.9) from falling to 0.
    rank = math.floor((true.size + 1) * (1 - coverage) + 1e-9)
    return float(np.sort(true)[rank - 1]) if rank >= 1 else 0.0


def conformal_sets(probabilities: ArrayLike, rule: ConformalRule) -> NDArray[np.bool_]:
    """Which classes remain possible.

    Args:
        probabilities: (N, K), after the temperature the rule was fitted after.
        rule: From `fit_conformal`.

    Returns:
        (N, K) membership; a row may be empty: the slide is like none seen.

    Raises:
        ValueError: if the number of classes differs.
    """
    probability = np.asarray(probabilities, np.float64)
    if probability.ndim != 2 or probability.shape[1] != len(rule.min_probability):
        raise ValueError(f"shape {probability.shape} does not fit {len(rule.min_probability)} classes")
    return np.asarray(probability >= np.array(rule.min_probability))


def conformal_decisions(probabilities: ArrayLike, rule: ConformalRule) -> NDArray[np.int64]:
    """(N,) the one possible class, or -1: refer, since several or none remain.

    Raises:
        ValueError: if the number of classes differs.
    """
    sets = conformal_sets(probabilities, rule)
    return np.where(sets.sum(1) == 1, sets.argmax(1), -1).astype(np.int64)


def risk_coverage(labels: ArrayLike, probabilities: ArrayLike) -> RiskCoverage:
    """Risk against coverage, most confident slides first (Geifman and El-Yaniv, NeurIPS 2017).

    Slides of equal confidence are kept or referred together.

    Raises:
        ValueError: if the input is invalid.
    """
    sample = validated(labels, probabilities)
    confidence, wrong = sample.confidence, sample.predicted != sample.labels
    order = np.argsort(-confidence, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(confidence[order]) < 0, True])
    kept = ends + 1
    return RiskCoverage(
        coverage=kept / sample.size,
        risk=np.cumsum(wrong[order])[ends] / kept,
        confidence=confidence[order][ends],
        aurc=float(aurc(np.ones((1, sample.size)), confidence, wrong)[0]),
    )
