"""All statistics of one table of predictions under weights, and what each rests on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowpower.cohort import LabelScheme
from lowpower.evaluation._abstention import conformal_decisions, conformal_sets
from lowpower.evaluation._metrics import expected_score
from lowpower.evaluation._operating import Calibration
from lowpower.evaluation._predictions import Predictions
from lowpower.evaluation._weighted import (
    Array,
    auc,
    aurc,
    confusion,
    ece,
    equal_mass_bins,
    from_confusion,
    mean,
)

__all__ = ["Basis", "Statistics"]

_BINS = 10
_CLASS_AVERAGES = ("auc_macro", "balanced_accuracy", "f1_macro")
_PROPORTIONS = ("accuracy", "sensitivity", "precision", "ppa", "npa", "coverage", "referred", "accuracy_kept")


@dataclass(frozen=True, slots=True)
class Basis:
    """What a statistic rests on.

    Attributes:
        slides: Slides counted.
        patients: Patients behind them; for an AUC, of the scarcer side.
        proportion: Whether it is a share of `slides`.
        undefined: Why it is undefined, where it is.
    """

    slides: int
    patients: int
    proportion: bool
    undefined: str


class Statistics:
    """Callable from weights (R, N) to (R,) values by name."""

    def __init__(self, table: Predictions, scheme: LabelScheme, calibration: Calibration | None) -> None:
        self._table, self._scheme, self._calibration = table, scheme, calibration
        sample = table.sample
        self._confidence = sample.confidence
        self._right = sample.labels == sample.predicted
        self._bins = equal_mass_bins(self._confidence, _BINS)
        self._present = np.eye(sample.classes)[sample.labels][:, np.unique(sample.labels)]
        points = calibration.operating_points if calibration else []
        self._thresholds = {point.at: point.threshold for point in points}

    def __call__(self, weights: Array) -> dict[str, Array]:
        """(R,) values by name under (R, N) weights; NaN where undefined."""
        sample = self._table.sample
        matrix = confusion(weights, sample.labels, sample.predicted, sample.classes)
        found = from_confusion(matrix, tuple(cutoff.at for cutoff in self._scheme.cutoffs))
        for label in range(sample.classes):
            found[f"auc/{label}"] = auc(weights, sample.labels == label, sample.probabilities[:, label])
        found["auc_macro"] = np.mean([found[f"auc/{label}"] for label in range(sample.classes)], axis=0)
        for cutoff in self._scheme.cutoffs:
            found |= self._at_cutoff(weights, cutoff.at)
        found |= self._probabilistic(weights)
        if self._calibration is not None:
            found |= self._abstaining(weights, self._calibration)
        # A resample that lost a class says nothing of an average over classes.
        lost = ((weights @ self._present) == 0).any(1)
        for name in _CLASS_AVERAGES:
            found[name] = np.where(lost, np.nan, found[name])
        return found

    def _at_cutoff(self, weights: Array, at: int) -> dict[str, Array]:
        sample = self._table.sample
        score, positive = sample.probabilities[:, at:].sum(1), sample.labels >= at
        found = {f"auc_at/{at}": auc(weights, positive, score)}
        if at in self._thresholds:
            called = score >= self._thresholds[at]
            found[f"operating_ppa/{at}"] = mean(weights, called, positive)
            found[f"operating_npa/{at}"] = mean(weights, ~called, ~positive)
        return found

    def _probabilistic(self, weights: Array) -> dict[str, Array]:
        sample = self._table.sample
        chosen = sample.probabilities[np.arange(sample.size), sample.labels]
        target = np.eye(sample.classes)[sample.labels]
        return {
            "expected_score_error": mean(
                weights, np.abs(expected_score(sample.probabilities) - sample.labels)
            ),
            "log_loss": mean(weights, -np.log(np.maximum(chosen, 1e-12))),
            "brier": mean(weights, ((sample.probabilities - target) ** 2).sum(1)),
            "ece": ece(weights, self._bins, self._confidence, self._right),
            "aurc": aurc(weights, self._confidence, ~self._right),
        }

    def _abstaining(self, weights: Array, calibration: Calibration) -> dict[str, Array]:
        sample = self._table.sample
        sets = conformal_sets(sample.probabilities, calibration.conformal)
        held = sets[np.arange(sample.size), sample.labels]
        decisions = conformal_decisions(sample.probabilities, calibration.conformal)
        found = {
            "coverage": mean(weights, held),
            "set_size": mean(weights, sets.sum(1)),
            "referred": mean(weights, decisions < 0),
            "accuracy_kept": mean(weights, decisions == sample.labels, decisions >= 0),
        }
        for label in range(sample.classes):
            found[f"coverage/{label}"] = mean(weights, held, sample.labels == label)
        return found

    def basis(self, name: str) -> Basis:
        """What the statistic `name` rests on."""
        sample = self._table.sample
        kind, _, number = name.partition("/")
        index = int(number) if number else 0
        scheme = self._scheme.classes
        everything = np.ones(sample.size, bool)
        behind, two_sided, why = everything, None, "no slides"
        if kind in ("sensitivity", "coverage") and number:
            behind, why = sample.labels == index, f"no slide of class {scheme[index]}"
        elif kind == "precision":
            behind, why = sample.predicted == index, f"no slide is predicted as {scheme[index]}"
        elif kind == "f1":
            why = f"no slide of class {scheme[index]}, and none predicted"
        elif kind == "auc":
            two_sided, why = sample.labels == index, f"it needs slides of class {scheme[index]} and of others"
        elif kind == "auc_at":
            two_sided, why = sample.labels >= index, "it needs slides on both sides of the cut-off"
        elif kind.endswith(("ppa", "npa")):
            positive = kind.endswith("ppa")
            behind = (sample.labels >= index) == positive
            why = f"no slide is {'positive' if positive else 'negative'}"
        elif kind == "accuracy_kept":
            assert self._calibration is not None  # the name exists only with one
            behind = conformal_decisions(sample.probabilities, self._calibration.conformal) >= 0
            why = "every slide is referred"
        elif kind == "auc_macro":
            why = "it needs slides of every class"
        elif kind == "kappa_quadratic":
            why = "labels and predictions are one and the same class"
        patients = self._patients(behind)
        if two_sided is not None:
            patients = min(self._patients(two_sided), self._patients(~two_sided))
        return Basis(int(behind.sum()), patients, kind.removeprefix("operating_") in _PROPORTIONS, why)

    def _patients(self, among: NDArray[np.bool_]) -> int:
        return len(np.unique(self._table.patients[among]))
