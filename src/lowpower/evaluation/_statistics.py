"""All statistics of one table of predictions under weights, and what each rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowpower.cohort import LabelScheme
from lowpower.evaluation.decisions import Calibration, conformal_decisions, conformal_sets
from lowpower.evaluation.metrics import (
    Array,
    Predictions,
    auc,
    aurc,
    confusion,
    ece,
    equal_mass_bins,
    expected_score,
    from_confusion,
    mean,
)

__all__ = ["Basis", "Statistics"]

_BINS = 10
_CLASS_AVERAGES = ("auc_macro", "balanced_accuracy", "f1_macro")


@dataclass(frozen=True, slots=True)
class Basis:
    """What a statistic rests on.

    Attributes:
        slides: Slides counted.
        patients: Patients behind them; for an AUC, of the scarcer side.
        share: For a proportion, of the slides it is of, whether each is a hit and whose it is.
        undefined: Why it is undefined, where it is.
    """

    slides: int
    patients: int
    share: tuple[NDArray[np.bool_], NDArray[Any]] | None
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
        self._shares = self._proportions()

    def __call__(self, weights: Array) -> dict[str, Array]:
        """(R,) values by name under (R, N) weights; NaN where undefined."""
        sample = self._table.sample
        matrix = confusion(weights, sample.labels, sample.predicted, sample.classes)
        found = from_confusion(matrix, tuple(cutoff.at for cutoff in self._scheme.cutoffs))
        for label in range(sample.classes):
            found[f"auc/{label}"] = auc(weights, sample.labels == label, sample.probabilities[:, label])
        found["auc_macro"] = np.mean([found[f"auc/{label}"] for label in range(sample.classes)], axis=0)
        for cutoff in self._scheme.cutoffs:
            score = sample.probabilities[:, cutoff.at :].sum(1)
            found[f"auc_at/{cutoff.at}"] = auc(weights, sample.labels >= cutoff.at, score)
        found |= self._probabilistic(weights)
        if self._calibration is not None:
            sets = conformal_sets(sample.probabilities, self._calibration.conformal)
            found["set_size"] = mean(weights, sets.sum(1))
        found |= {name: mean(weights, *pair) for name, pair in self._shares.items() if name not in found}
        # A resample that lost a class says nothing of an average over classes.
        lost = ((weights @ self._present) == 0).any(1)
        for name in _CLASS_AVERAGES:
            found[name] = np.where(lost, np.nan, found[name])
        return found

    def _proportions(self) -> dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        """Of every proportion the hits, and the slides it is of; both (N,)."""
        sample, calibration = self._table.sample, self._calibration
        labels, said = sample.labels, sample.predicted
        every = np.ones(sample.size, bool)
        found = {"accuracy": (labels == said, every)}
        for label in range(sample.classes):
            found[f"sensitivity/{label}"] = said == label, labels == label
            found[f"precision/{label}"] = labels == label, said == label
        for at in (cutoff.at for cutoff in self._scheme.cutoffs):
            positive = labels >= at
            found[f"ppa/{at}"], found[f"npa/{at}"] = (said >= at, positive), (said < at, ~positive)
            if at in self._thresholds:
                called = sample.probabilities[:, at:].sum(1) >= self._thresholds[at]
                found[f"operating_ppa/{at}"] = called, positive
                found[f"operating_npa/{at}"] = ~called, ~positive
        if calibration is not None:
            held = conformal_sets(sample.probabilities, calibration.conformal)[np.arange(sample.size), labels]
            decisions = conformal_decisions(sample.probabilities, calibration.conformal)
            found["coverage"], found["referred"] = (held, every), (decisions < 0, every)
            found["accuracy_kept"] = decisions == labels, decisions >= 0
            for label in range(sample.classes):
                found[f"coverage/{label}"] = held, labels == label
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

    def basis(self, name: str) -> Basis:
        """What the statistic `name` rests on."""
        sample = self._table.sample
        kind, _, number = name.partition("/")
        index = int(number) if number else 0
        scheme = self._scheme.classes
        behind, two_sided, why = np.ones(sample.size, bool), None, "no slides"
        share = None
        if name in self._shares:
            hits, behind = self._shares[name]
            share = hits[behind], self._table.patients[behind]
        if kind in ("sensitivity", "coverage"):
            why = f"no slide of class {scheme[index]}"
        elif kind == "precision":
            why = f"no slide is predicted as {scheme[index]}"
        elif kind == "f1":
            why = f"no slide of class {scheme[index]}, and none predicted"
        elif kind == "auc":
            two_sided, why = sample.labels == index, f"it needs slides of class {scheme[index]} and of others"
        elif kind == "auc_at":
            two_sided, why = sample.labels >= index, "it needs slides on both sides of the cut-off"
        elif kind.endswith(("ppa", "npa")):
            why = f"no slide is {'positive' if kind.endswith('ppa') else 'negative'}"
        elif kind == "accuracy_kept":
            why = "every slide is referred"
        elif kind == "auc_macro":
            why = "it needs slides of every class"
        elif kind == "kappa_quadratic":
            why = "labels and predictions are one and the same class"
        patients = self._patients(behind)
        if two_sided is not None:
            patients = min(self._patients(two_sided), self._patients(~two_sided))
        return Basis(int(behind.sum()), patients, share, why)

    def _patients(self, among: NDArray[np.bool_]) -> int:
        return len(np.unique(self._table.patients[among]))
