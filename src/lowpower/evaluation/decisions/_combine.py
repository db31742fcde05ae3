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
    labels: NDArray[np.int64],
    patients: NDArray[Any],
    network: Floats,
    shares: Floats,
    h_score: Floats,
    areas: Floats | None,
) -> Combination:
    """A multinomial logistic regression.

    Its ridge penalty is chosen by cross-validation over patients. Areas take part where the same says that
    they help by more than a standard error (Breiman et al., Classification and Regression Trees, 1984).

    Args:
        labels: (N,) class index; every class occurs.
        patients: (N,)
        network: (N, K) after the temperature.
        shares: (N, 4) measured.
        h_score: (N,) measured.
        areas: (N, 3) measured; None where they are not known of every slide.
    """
    told = np.zeros((len(labels), 3)) if areas is None else areas

    def fitted(rows: slice | NDArray[np.intp], strength: float, hears: bool) -> Combination:
        heard = told[rows] if hears else None
        inputs = joint_inputs(network[rows], shares[rows], h_score[rows], heard)
        return _fit(labels[rows], inputs, network.shape[1], strength, hears)

    def held_out(strength: float, hears: bool) -> Floats:
        """(N,) log loss of each slide, by a regression that never saw its patient."""
        found = np.empty_like(network)
        for fit, rest in patient_folds(labels, patients):
            one = fitted(fit, strength, hears)
            found[rest] = one.probabilities(network[rest], shares[rest], h_score[rest], told[rest])
        return np.asarray(-np.log(np.maximum(found[np.arange(len(labels)), labels], 1e-12)))

    def best(hears: bool) -> tuple[float, Floats]:
        losses = {strength: held_out(strength, hears) for strength in _STRENGTHS}
        return min(losses.items(), key=lambda one: float(one[1].mean()))

    strength, loss = best(False)
    if areas is not None:
        other, with_areas = best(True)
        gain = loss - with_areas
        if gain.mean() > gain.std() / np.sqrt(len(gain)):
            return fitted(slice(None), other, True)
    return fitted(slice(None), strength, False)


def out_of_fold(
    labels: NDArray[np.int64],
    patients: NDArray[Any],
    network: Floats,
    shares: Floats,
    h_score: Floats,
    areas: Floats | None,
) -> Floats:
    """(N, K) joint probabilities, each from a combination fitted without the slide's patient."""
    found = np.empty_like(network)
    told = np.zeros((len(labels), 3)) if areas is None else areas
    for fit, rest in patient_folds(labels, patients):
        known = None if areas is None else areas[fit]
        combination = fit_combination(
            labels[fit], patients[fit], network[fit], shares[fit], h_score[fit], known
        )
        found[rest] = combination.probabilities(network[rest], shares[rest], h_score[rest], told[rest])
    return found


def _fit(
    labels: NDArray[np.int64], inputs: Floats, classes: int, strength: float, hears_areas: bool
) -> Combination:
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
        hears_areas=hears_areas,
    )
