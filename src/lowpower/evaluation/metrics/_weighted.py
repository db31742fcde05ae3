"""Every metric as a function of slide weights: ones give the value, a bootstrap's counts give its interval.

Weights are (R, N): one row a resample, how often each slide is in it. Results are (R,), NaN where undefined;
NaN never leaves the evaluation room.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "TIE_DECIMALS",
    "Array",
    "auc",
    "aurc",
    "confusion",
    "ece",
    "equal_mass_bins",
    "from_confusion",
    "mean",
    "ratio",
]

Array = NDArray[np.float64]

TIE_DECIMALS = 12
"""Scores equal to this many decimals are equal: rescaling and summing probabilities must not break ties."""


def ratio(top: Array, bottom: Array) -> Array:
    """`top / bottom`, NaN where `bottom` is 0."""
    top, bottom = np.broadcast_arrays(top, bottom)
    result: Array = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0)
    return result


def mean(weights: Array, values: NDArray[Any], among: NDArray[np.bool_] | None = None) -> Array:
    """(R,) weighted mean of `values` (N,), among the slides marked."""
    if among is not None:
        weights, values = weights[:, among], values[among]
    return ratio(weights @ np.asarray(values, np.float64), weights.sum(1))


def confusion(weights: Array, labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> Array:
    """(R, K, K) confusion matrices, rows the label, columns the prediction."""
    cells = np.zeros((labels.size, classes * classes))
    cells[np.arange(labels.size), labels * classes + predicted] = 1
    return (weights @ cells).reshape(-1, classes, classes)


def from_confusion(matrix: Array, cutoffs: tuple[int, ...]) -> dict[str, Array]:
    """Metrics that follow from confusion matrices.

    Class averages (balanced accuracy, macro F1) run over the classes that have a label or, for F1, a
    prediction, as in scikit-learn.

    Args:
        matrix: (R, K, K).
        cutoffs: Class indices; each asks `class >= cutoff` against the rest.

    Returns:
        (R,) by name; per class as "sensitivity/2", per cut-off as "ppa/2".
    """
    classes = matrix.shape[1]
    total, right = matrix.sum((1, 2)), np.einsum("rkk->r", matrix)
    hits = np.einsum("rkk->rk", matrix)
    labelled, predicted = matrix.sum(2), matrix.sum(1)
    recall, precision = ratio(hits, labelled), ratio(hits, predicted)
    f1 = ratio(2 * hits, labelled + predicted)
    found = {
        "accuracy": ratio(right, total),
        "balanced_accuracy": _row_mean(recall),
        "f1_macro": _row_mean(f1),
        "f1_weighted": ratio((np.nan_to_num(f1) * labelled).sum(1), total),
        "kappa_quadratic": _kappa(matrix),
    }
    for label in range(classes):
        found[f"sensitivity/{label}"] = recall[:, label]
        found[f"precision/{label}"] = precision[:, label]
        found[f"f1/{label}"] = f1[:, label]
    for at in cutoffs:
        found[f"ppa/{at}"] = ratio(matrix[:, at:, at:].sum((1, 2)), matrix[:, at:, :].sum((1, 2)))
        found[f"npa/{at}"] = ratio(matrix[:, :at, :at].sum((1, 2)), matrix[:, :at, :].sum((1, 2)))
    return found


def _row_mean(values: Array) -> Array:
    """(R,) mean over the defined columns of (R, K)."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0).sum(1), defined.sum(1).astype(np.float64))


def _kappa(matrix: Array) -> Array:
    """Cohen's kappa with quadratic weights (Cohen, Psychological Bulletin 1968)."""
    classes = matrix.shape[1]
    distance = (np.arange(classes)[:, None] - np.arange(classes)) ** 2.0
    total = matrix.sum((1, 2))
    observed = ratio((matrix * distance).sum((1, 2)), total)
    expected = ratio(np.einsum("ri,ij,rj->r", matrix.sum(2), distance, matrix.sum(1)), total**2)
    return 1 - ratio(observed, expected)


def auc(weights: Array, positive: NDArray[np.bool_], score: Array) -> Array:
    """(R,) area under the ROC curve: P(score of a positive > that of a negative) + half of P(equal)."""
    score = np.round(score, TIE_DECIMALS)
    order = np.argsort(score, kind="stable")
    ordered, is_positive = weights[:, order], positive[order]
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) > 0])
    above = np.add.reduceat(ordered * is_positive, starts, axis=1)
    below = np.add.reduceat(ordered * ~is_positive, starts, axis=1)
    beaten = np.cumsum(below, 1) - below / 2
    return ratio((above * beaten).sum(1), above.sum(1) * below.sum(1))


def equal_mass_bins(confidence: Array, bins: int) -> NDArray[np.int64]:
    """(N,) bin of each value; bins hold equal numbers, but equal values are never divided."""
    ordered = np.sort(confidence)
    edges = np.unique(
        ordered[[-(-ordered.size * bin_ // bins) for bin_ in range(1, min(bins, ordered.size))]]
    )
    return np.searchsorted(edges, confidence, side="right").astype(np.int64)


def ece(weights: Array, bins: NDArray[np.int64], confidence: Array, correct: NDArray[np.bool_]) -> Array:
    """(R,) expected calibration error: weighted mean over bins of |share correct - mean confidence|."""
    member = np.zeros((bins.size, int(bins.max()) + 1))
    member[np.arange(bins.size), bins] = correct - confidence
    return ratio(np.abs(weights @ member).sum(1), weights.sum(1))


def aurc(weights: Array, confidence: Array, wrong: NDArray[np.bool_]) -> Array:
    """(R,) area under the risk-coverage curve: the mean over coverages of the error among those kept.

    Slides of equal confidence are accepted together (Geifman and El-Yaniv 2017; ties as one step).
    """
    order = np.argsort(-confidence, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(confidence[order]) < 0])
    mass = np.add.reduceat(weights[:, order], starts, axis=1)
    errors = np.add.reduceat(weights[:, order] * wrong[order], starts, axis=1)
    accepted = np.cumsum(mass, 1)
    risk = np.nan_to_num(ratio(np.cumsum(errors, 1), accepted))
    return ratio((risk * mass).sum(1), accepted[:, -1])
