"""Folds of patients for what is fitted on validation slides and calibrated on them: cross-fitting."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["patient_folds"]

_FOLDS: Final = 5


def patient_folds(
    labels: NDArray[np.integer], patients: NDArray[Any]
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Divide slides into (fitted on, held out), patients whole and classes spread evenly.

    What is fitted on the first and asked about the second says of each slide what it would say of a new
    patient's, and can be calibrated on these answers.

    Args:
        labels: (N,) class index.
        patients: (N,) patient of each slide.

    Returns:
        Row indices of five folds, or of one fold a patient where there are fewer; every row is held out once.

    Raises:
        ValueError: if there is one patient alone.
    """
    _, whose = np.unique(patients, return_inverse=True)
    number = int(whose.max()) + 1
    if number < 2:
        raise ValueError("cross-fitting needs at least two patients")
    mean = np.bincount(whose, labels) / np.bincount(whose)
    # Like cards, in order of class: each class is dealt to the folds in turn.
    order = np.lexsort((np.random.default_rng(0).permutation(number), mean))
    fold = np.empty(number, np.int64)
    fold[order] = np.arange(number) % min(_FOLDS, number)
    held = fold[whose]
    return [(np.flatnonzero(held != part), np.flatnonzero(held == part)) for part in np.unique(held)]
