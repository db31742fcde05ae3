"""The network's probabilities and the measured shares in one regression, fitted and cross-fitted."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lowpower.evaluation.decisions._held_out import patient_folds
from lowpower.models import Combination, joint_inputs

__all__ = ["fit_combination", "out_of_fold"]

_STRENGTHS: Final = (0.03, 0.3, 3.0)
_CONSTANT: Final = 1e-6
Floats = NDArray[np.float64]


def fit_combination(
    labels: NDArray[np.int64], patients: NDArray[Any], network: Floats, shares: Floats, h_score: Floats
) -> Combination:
    """A multinomial logistic regression; its ridge penalty is chosen by cross-validation over patients.

    Args:
        labels: (N,) class index; every class occurs.
        patients: (N,)
        network: (N, K) after the temperature.
        shares: (N, 4) measured.
        h_score: (N,) measured.
    """
    inputs = joint_inputs(network, shares, h_score)
    losses = []
    for strength in _STRENGTHS:
        held_out = np.empty_like(network)
        for fit, rest in patient_folds(labels, patients):
            fitted = _fit(labels[fit], inputs[fit], network.shape[1], strength)
            held_out[rest] = fitted.probabilities(network[rest], shares[rest], h_score[rest])
        losses.append(-np.log(np.maximum(held_out[np.arange(len(labels)), labels], 1e-12)).mean())
    return _fit(labels, inputs, network.shape[1], _STRENGTHS[int(np.argmin(losses))])


def out_of_fold(
    labels: NDArray[np.int64], patients: NDArray[Any], network: Floats, shares: Floats, h_score: Floats
) -> Floats:
    """(N, K) joint probabilities, each from a combination fitted without the slide's patient."""
    found = np.empty_like(network)
    for fit, rest in patient_folds(labels, patients):
        combination = fit_combination(labels[fit], patients[fit], network[fit], shares[fit], h_score[fit])
        found[rest] = combination.probabilities(network[rest], shares[rest], h_score[rest])
    return found


def _fit(labels: NDArray[np.int64], inputs: Floats, classes: int, strength: float) -> Combination:
    from sklearn.linear_model import LogisticRegression

    mean, scale = inputs.mean(0), inputs.std(0)
    scale[scale < _CONSTANT] = 1.0  # what is the same on all slides gets no weight
    model = LogisticRegression(C=strength, max_iter=5000)
    model.fit((inputs - mean) / scale, labels)
    weights, intercepts = np.zeros((classes, inputs.shape[1])), np.full(classes, -20.0)
    if classes == 2 or len(model.classes_) == 2:
        # scikit-learn keeps one row for two classes: the log-odds of the second.
        first, second = model.classes_
        weights[second], intercepts[[first, second]] = model.coef_[0], (0.0, model.intercept_[0])
    else:
        weights[model.classes_], intercepts[model.classes_] = model.coef_, model.intercept_
    return Combination(
        mean=tuple(mean.tolist()),
        scale=tuple(scale.tolist()),
        weights=tuple(tuple(row) for row in weights.tolist()),
        intercepts=tuple(intercepts.tolist()),
        strength=strength,
    )
