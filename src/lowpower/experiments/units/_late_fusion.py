"""Late fusion: a weighted mean of arms' calibrated probabilities, the weights fitted on validation slides.

The fusion is calibrated on those slides too, so each of them is fused by weights of other patients' slides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowpower.evaluation import patient_folds

__all__ = ["cross_fused", "fit_weights", "fused"]

_ROUNDS = 500
_TINY = 1e-12


def fit_weights(
    probabilities: Sequence[NDArray[np.float64]], labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Weights (arms,), non-negative with sum 1, of the largest class-balanced likelihood.

    Expectation-maximisation of a mixture's weights (Dempster, Laird and Rubin 1977); the likelihood is
    concave in them, so that it is the global maximum.

    Args:
        probabilities: Of each arm (N, K), calibrated.
        labels: (N,) class indices.
    """
    likelihood = np.stack([arm[np.arange(len(labels)), labels] for arm in probabilities], 1) + _TINY
    counts = np.bincount(labels)
    importance = 1.0 / counts[labels]
    importance /= importance.sum()
    weights = np.full(len(probabilities), 1.0 / len(probabilities))
    for _ in range(_ROUNDS):
        shares = weights * likelihood
        weights = importance @ (shares / shares.sum(1, keepdims=True))
    return np.asarray(weights / weights.sum(), np.float64)


def fused(probabilities: Sequence[NDArray[np.float64]], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weighted mean (N, K)."""
    return np.asarray(np.tensordot(weights, np.stack(probabilities), 1), np.float64)


def cross_fused(
    probabilities: Sequence[NDArray[np.float64]], labels: NDArray[np.int64], patients: NDArray[Any]
) -> NDArray[np.float64]:
    """The weighted mean (N, K) of validation slides, each by weights fitted without its patient.

    Raises:
        ValueError: if there is one patient alone.
    """
    found = np.empty_like(probabilities[0])
    for fit, rest in patient_folds(labels, patients):
        weights = fit_weights([arm[fit] for arm in probabilities], labels[fit])
        found[rest] = fused([arm[rest] for arm in probabilities], weights)
    return found
