"""Labels and probabilities, checked once before anything is computed from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lowpower.evaluation.metrics._weighted import TIE_DECIMALS

__all__ = ["Sample", "validated"]

_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Sample:
    """What every metric is computed from.

    Attributes:
        labels: (N,) class index.
        probabilities: (N, K), rows sum to 1.
        predicted: (N,) most probable class; the lower one on a tie.
    """

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    predicted: NDArray[np.int64]

    @property
    def size(self) -> int:
        """Number of slides."""
        return int(self.labels.size)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """(N,) probability of the predicted class, rounded so that rescaling does not break ties."""
        return np.asarray(np.round(self.probabilities.max(1), TIE_DECIMALS))

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.probabilities.shape[1])

    def rows(self, chosen: NDArray[np.bool_]) -> Sample:
        """Those of the slides that are chosen, (N,)."""
        return Sample(self.labels[chosen], self.probabilities[chosen], self.predicted[chosen])


def validated(labels: ArrayLike, probabilities: ArrayLike) -> Sample:
    """Check and convert.

    Args:
        labels: (N,) class index, 0 .. K-1.
        probabilities: (N, K), K >= 2; rows may miss a sum of 1 by rounding (0.001) and are rescaled.

    Raises:
        ValueError: if shapes disagree, a value is not finite, negative or no class index, or a row does not
            sum to 1.
    """
    label = np.asarray(labels)
    probability = np.array(probabilities, np.float64)
    if probability.ndim != 2 or probability.shape[1] < 2:
        raise ValueError(f"probabilities must be (slides, classes >= 2), got shape {probability.shape}")
    if label.shape != probability.shape[:1]:
        raise ValueError(f"{label.shape} labels do not fit {probability.shape} probabilities")
    if label.size == 0:
        raise ValueError("no slides")
    if not np.issubdtype(label.dtype, np.number) or np.any(label != np.floor(label)):
        raise ValueError("labels must be whole class indices")
    label = label.astype(np.int64)
    if label.min() < 0 or label.max() >= probability.shape[1]:
        wrong = label[(label < 0) | (label >= probability.shape[1])][0]
        raise ValueError(f"label {wrong} is no class index below {probability.shape[1]}")
    sums = probability.sum(1)
    bad = ~np.isfinite(sums) | (probability < 0).any(1) | (np.abs(sums - 1) > _SUM_TOLERANCE)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        shown = ", ".join(f"{value:.4g}" for value in probability[row])
        raise ValueError(f"row {row}: ({shown}) are not probabilities that sum to 1")
    probability /= sums[:, None]
    return Sample(label, probability, probability.argmax(1).astype(np.int64))
