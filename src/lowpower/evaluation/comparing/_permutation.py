"""The paired test of two models: what if each patient's slides had been judged by the other model?"""

from __future__ import annotations

from typing import Final

import numpy as np

from lowpower.cohort import LabelScheme
from lowpower.evaluation.metrics import TIE_DECIMALS, Array, Predictions, auc, confusion, from_confusion

__all__ = ["TESTED", "permutation_tests"]

TESTED: Final = ("auc_macro", "kappa_quadratic", "f1_weighted", "accuracy")
"""What is tested, besides the AUC at each cut-off ("auc_at/1", ...)."""
_CELLS: Final = 4_000_000
_EQUAL: Final = 1e-12


def permutation_tests(
    one: Predictions, other: Predictions, scheme: LabelScheme, *, permutations: int, seed: int
) -> dict[str, float | None]:
    """Two-sided p-values by swapping the models' answers, patient by patient.

    Where two models are equally good, it does not matter which of them gave a patient's answers: all slides
    of a patient are swapped together or not at all, and the difference found is held against the differences
    so made. Scores are compared by their ranks within each model, so that models on other scales can be
    swapped (Venkatraman and Begg 1996; Bandos, Rockette and Gur 2005).

    Args:
        one: Predictions of the first model.
        other: Of the second, of the same slides in the same order.
        scheme: Its cut-offs are tested.
        permutations: How many swaps are drawn.
        seed: Of the drawing.

    Returns:
        By metric; None where the metric is undefined for a model. Never below 1 / (permutations + 1), since
        what was found is one of the swaps (Davison and Hinkley 1997, 4.2).
    """
    measure = _Pooled(one, other, scheme)
    _, whose = np.unique(one.patients, return_inverse=True)
    number, size = int(whose.max()) + 1, whose.size
    found = measure.differences(np.zeros((1, size)))
    extreme = dict.fromkeys(found, 0)
    rng = np.random.default_rng(seed)
    block = max(1, _CELLS // (2 * size))
    for start in range(0, permutations, block):
        swaps = rng.random((min(block, permutations - start), number)) < 0.5
        for name, values in measure.differences(swaps[:, whose].astype(np.float64)).items():
            # An undefined difference speaks against nothing.
            extreme[name] += int((~(np.abs(values) < abs(found[name][0]) - _EQUAL)).sum())
    return {
        name: None if np.isnan(found[name][0]) else (1 + extreme[name]) / (permutations + 1) for name in found
    }


class _Pooled:
    """Both models' answers in one table; weights say which of them are the first model's."""

    def __init__(self, one: Predictions, other: Predictions, scheme: LabelScheme) -> None:
        samples = (one.sample, other.sample)
        self._labels = np.concatenate([sample.labels for sample in samples])
        self._predicted = np.concatenate([sample.predicted for sample in samples])
        self._classes = one.sample.classes
        self._cutoffs = tuple(cutoff.at for cutoff in scheme.cutoffs)
        self._scores = [
            _ranks(*(s.probabilities[:, label] for s in samples)) for label in range(self._classes)
        ]
        self._sums = [_ranks(*(s.probabilities[:, at:].sum(1) for s in samples)) for at in self._cutoffs]

    def differences(self, swapped: Array) -> dict[str, Array]:
        """(R,) second - first of every metric where `swapped` (R, N) slides changed models."""
        first = self._metrics(np.concatenate([1 - swapped, swapped], axis=1))
        second = self._metrics(np.concatenate([swapped, 1 - swapped], axis=1))
        return {name: second[name] - first[name] for name in first}

    def _metrics(self, weights: Array) -> dict[str, Array]:
        matrix = confusion(weights, self._labels, self._predicted, self._classes)
        found = {name: values for name, values in from_confusion(matrix, ()).items() if name in TESTED}
        areas = [auc(weights, self._labels == label, score) for label, score in enumerate(self._scores)]
        found["auc_macro"] = np.mean(areas, axis=0)
        for at, score in zip(self._cutoffs, self._sums, strict=True):
            found[f"auc_at/{at}"] = auc(weights, self._labels >= at, score)
        return found


def _ranks(first: Array, second: Array) -> Array:
    """(2 N,) ranks of each model's scores among its own."""
    from scipy.stats import rankdata

    return np.concatenate([rankdata(np.round(scores, TIE_DECIMALS)) for scores in (first, second)])
