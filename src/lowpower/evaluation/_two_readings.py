"""How far two readings of the same slides agree, where each is a class and nothing more."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowpower.evaluation._bootstrap import RESAMPLES, interval_of, resampled
from lowpower.evaluation.metrics import Array, confusion, from_confusion

__all__ = ["agreement_sentence"]


def agreement_sentence(
    known: NDArray[np.integer], found: NDArray[np.integer], patients: NDArray[Any], classes: int
) -> str:
    """Quadratic kappa with its 95 % interval over patients, and how many slides are the same.

    Args:
        known: (N,) class indices.
        found: (N,) class indices.
        patients: (N,) patient of each slide.
        classes: How many classes there are.
    """
    labels, predicted = known.astype(np.int64), found.astype(np.int64)

    def kappa(weights: Array) -> dict[str, Array]:
        matrix = confusion(weights, labels, predicted, classes)
        return {"kappa": from_confusion(matrix, ())["kappa_quadratic"]}

    value = float(kappa(np.ones((1, len(known))))["kappa"][0])
    drawn = resampled(kappa, patients, RESAMPLES, 0)["kappa"]
    interval = interval_of(value, drawn, patients=len(np.unique(patients)))
    ends = f" ({interval.low:.2f} to {interval.high:.2f})" if interval.low is not None else ""
    same = int((labels == predicted).sum())
    told = "not defined (one class)" if np.isnan(value) else f"{value:.2f}{ends}"
    return f"quadratic kappa {told}, {same} of {len(known)} slides the same"
