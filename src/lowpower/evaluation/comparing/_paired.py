"""Paired tests: the same slides, judged by two models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lowpower.evaluation.metrics import TIE_DECIMALS, Array

__all__ = ["DeLongTest", "McNemarTest", "delong", "holm", "mcnemar"]


@dataclass(frozen=True, slots=True)
class McNemarTest:
    """Slides that only one of two models gets right.

    Attributes:
        only_first: Right by the first model alone.
        only_second: Right by the second model alone.
        p: Two-sided, exact.
    """

    only_first: int
    only_second: int
    p: float


@dataclass(frozen=True, slots=True)
class DeLongTest:
    """Two AUCs on the same slides.

    Attributes:
        first: AUC of the first model.
        second: AUC of the second model.
        error: Standard error of `first - second`.
        p: Two-sided; None where the standard error is 0 though the AUCs differ.
    """

    first: float
    second: float
    error: float
    p: float | None


def mcnemar(first_right: ArrayLike, second_right: ArrayLike) -> McNemarTest:
    """McNemar's exact test (binomial on the discordant slides); takes slides as independent.

    Args:
        first_right: (N,) whether the first model is right.
        second_right: (N,) whether the second is.

    Raises:
        ValueError: if the lengths differ.
    """
    from scipy.stats import binomtest

    first, second = np.asarray(first_right, bool), np.asarray(second_right, bool)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"shapes {first.shape} and {second.shape} are not two lists of the same slides")
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    discordant = only_first + only_second
    p = float(binomtest(only_first, discordant).pvalue) if discordant else 1.0
    return McNemarTest(only_first, only_second, p)


def delong(
    positive: ArrayLike, first: ArrayLike, second: ArrayLike, patients: NDArray[Any] | None = None
) -> DeLongTest:
    """Test of two AUCs on the same slides (DeLong 1988), clustered by patient (Obuchowski 1997).

    With one slide a patient the two are the same.

    Args:
        positive: (N,) whether a slide is positive.
        first: (N,) scores of the first model.
        second: (N,) scores of the second.
        patients: (N,) patient of each slide; None: every slide its own.

    Raises:
        ValueError: if lengths differ, or fewer than two patients have a positive, or a negative, slide.
    """
    is_positive = np.asarray(positive, bool)
    stacked = np.stack([np.asarray(first, np.float64), np.asarray(second, np.float64)])
    scores: Array = np.round(stacked, TIE_DECIMALS)
    groups = np.arange(is_positive.size) if patients is None else np.asarray(patients)
    if scores.shape != (2, is_positive.size) or groups.shape != is_positive.shape:
        raise ValueError(f"shapes {scores.shape}, {is_positive.shape} and {groups.shape} do not fit")
    _, cluster = np.unique(groups, return_inverse=True)
    clusters = [len(np.unique(cluster[side])) for side in (is_positive, ~is_positive)]
    if min(clusters) < 2:
        raise ValueError("DeLong's test needs two patients with a positive and two with a negative slide")
    components = _structural_components(scores, is_positive)
    areas = components[:, is_positive].mean(1)
    # Sums over each patient of (component - AUC), positives and negatives apart: (2 models, patients).
    centred = components - areas[:, None]
    number = int(cluster.max()) + 1
    sums = [
        np.stack([np.bincount(cluster[side], row[side], number) for row in centred])
        for side in (is_positive, ~is_positive)
    ]
    sizes = [int(side.sum()) for side in (is_positive, ~is_positive)]
    parts = [
        held / (held - 1) * (side @ side.T) / size**2
        for held, side, size in zip(clusters, sums, sizes, strict=True)
    ]
    cross = number / (number - 1) * (sums[0] @ sums[1].T) / (sizes[0] * sizes[1])
    covariance = parts[0] + parts[1] + cross + cross.T
    variance = float(covariance[0, 0] + covariance[1, 1] - covariance[0, 1] - covariance[1, 0])
    error = math.sqrt(max(0.0, variance))
    difference = float(areas[0] - areas[1])
    if error < 1e-12:
        p = 1.0 if abs(difference) < 1e-12 else None
    else:
        p = math.erfc(abs(difference) / error / math.sqrt(2))
    return DeLongTest(float(areas[0]), float(areas[1]), error, p)


def _structural_components(scores: Array, positive: NDArray[np.bool_]) -> Array:
    """(2, N): for a positive the share of negatives it beats, for a negative of positives that beat it.

    By midranks (Sun and Xu 2014): ranks among all less ranks among its own side count the other side.
    """
    from scipy.stats import rankdata

    overall = rankdata(scores, axis=1)
    components = np.empty_like(scores)
    for side in (positive, ~positive):
        others = int((~side).sum())
        components[:, side] = (overall[:, side] - rankdata(scores[:, side], axis=1)) / others
    components[:, ~positive] = 1 - components[:, ~positive]
    return components


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment for several tests (Holm 1979), in the given order.

    Raises:
        ValueError: if a value is no probability.
    """
    p = np.asarray(p_values, np.float64)
    if p.ndim != 1 or np.isnan(p).any() or (p < 0).any() or (p > 1).any():
        raise ValueError(f"{p_values} are not p-values")
    order = np.argsort(p, kind="stable")
    stepped = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)))
    adjusted = np.empty_like(p)
    adjusted[order] = stepped
    return [float(value) for value in adjusted]
