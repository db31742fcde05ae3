"""Metrics of one table of predictions: labels (N,) and probabilities (N, K) in, a number out.

Each validates, then computes. Where a metric is undefined (the AUC of a class nobody has) it is None.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lowpower.evaluation.metrics._sample import Sample, validated
from lowpower.evaluation.metrics._weighted import Array, auc, confusion, from_confusion

__all__ = [
    "accuracy",
    "auc_at",
    "auc_macro",
    "auc_per_class",
    "balanced_accuracy",
    "confusion_matrix",
    "defined",
    "expected_score",
    "f1_macro",
    "f1_weighted",
    "kappa_quadratic",
    "percent_agreement",
]


def defined(value: float) -> float | None:
    """The value, or None for NaN: undefined metrics are never written as NaN."""
    return None if math.isnan(value) else float(value)


def _ones(sample: Sample) -> Array:
    return np.ones((1, sample.size))


def _counted(labels: ArrayLike, probabilities: ArrayLike, name: str, at: int | None = None) -> float | None:
    sample = validated(labels, probabilities)
    matrix = confusion(_ones(sample), sample.labels, sample.predicted, sample.classes)
    return defined(from_confusion(matrix, () if at is None else (at,))[name][0])


def confusion_matrix(labels: ArrayLike, probabilities: ArrayLike) -> NDArray[np.int64]:
    """(K, K) counts: rows the label, columns the most probable class."""
    sample = validated(labels, probabilities)
    matrix = np.zeros((sample.classes, sample.classes), np.int64)
    np.add.at(matrix, (sample.labels, sample.predicted), 1)
    return matrix


def accuracy(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Share of slides whose most probable class is their label."""
    sample = validated(labels, probabilities)
    return float((sample.labels == sample.predicted).mean())


def balanced_accuracy(labels: ArrayLike, probabilities: ArrayLike) -> float | None:
    """Mean sensitivity over the classes that have a slide."""
    return _counted(labels, probabilities, "balanced_accuracy")


def f1_macro(labels: ArrayLike, probabilities: ArrayLike) -> float | None:
    """Mean F1 over the classes that have a slide or a prediction."""
    return _counted(labels, probabilities, "f1_macro")


def f1_weighted(labels: ArrayLike, probabilities: ArrayLike) -> float | None:
    """F1 averaged with the classes' numbers of slides."""
    return _counted(labels, probabilities, "f1_weighted")


def kappa_quadratic(labels: ArrayLike, probabilities: ArrayLike) -> float | None:
    """Quadratic-weighted kappa (Cohen 1968); None where labels and predictions are one and the same class."""
    return _counted(labels, probabilities, "kappa_quadratic")


def percent_agreement(
    labels: ArrayLike, probabilities: ArrayLike, at: int
) -> tuple[float | None, float | None]:
    """Positive and negative percent agreement (as shares) on `class >= at`.

    Args:
        labels: (N,) class index.
        probabilities: (N, K); the most probable class decides.
        at: First class index that counts as positive, 1 .. K-1.

    Returns:
        PPA, NPA; None where no slide is positive, or negative.
    """
    sample = validated(labels, probabilities)
    _check_cutoff(at, sample)
    return (
        _counted(labels, probabilities, f"ppa/{at}", at),
        _counted(labels, probabilities, f"npa/{at}", at),
    )


def auc_per_class(labels: ArrayLike, probabilities: ArrayLike) -> list[float | None]:
    """(K,) area under the ROC curve of each class against the rest."""
    sample = validated(labels, probabilities)
    return [
        defined(auc(_ones(sample), sample.labels == label, sample.probabilities[:, label])[0])
        for label in range(sample.classes)
    ]


def auc_macro(labels: ArrayLike, probabilities: ArrayLike) -> float | None:
    """Unweighted mean of the one-vs-rest AUCs; None if any class has no slide, or all."""
    values = auc_per_class(labels, probabilities)
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def auc_at(labels: ArrayLike, probabilities: ArrayLike, at: int) -> float | None:
    """Area under the ROC curve of `class >= at`, scored by the summed probability of those classes."""
    sample = validated(labels, probabilities)
    _check_cutoff(at, sample)
    return defined(auc(_ones(sample), sample.labels >= at, sample.probabilities[:, at:].sum(1))[0])


def expected_score(probabilities: ArrayLike) -> NDArray[np.float64]:
    """(N,) expected class index, 0 .. K-1: one number a slide that orders slides from 0 to 3+.

    Args:
        probabilities: (N, K), or (K,) for one slide (then the result has no dimension).
    """
    probability = np.asarray(probabilities, np.float64)
    return np.asarray(probability @ np.arange(probability.shape[-1]))


def _check_cutoff(at: int, sample: Sample) -> None:
    if not 1 <= at < sample.classes:
        raise ValueError(f"cut-off {at} must lie between 1 and {sample.classes - 1}")
