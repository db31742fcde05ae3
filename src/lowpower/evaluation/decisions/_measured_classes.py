"""Which classes a slide's measured shares allow: no answer is given against the measurement."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lowpower.cohort import LabelScheme
from lowpower.stain import DEFAULT_CUTOFFS, Her2Shares, her2_of

__all__ = ["measured_classes"]

_MANY_CELLS = 10_000


def measured_classes(scheme: LabelScheme, shares: ArrayLike) -> frozenset[int]:
    """Class indices that the guideline gives measured shares, whatever in-situ hybridisation says.

    Args:
        scheme: Label scheme.
        shares: (4,) of tumour-like cells, from not stained to strongest.
    """
    found = np.asarray(shares, np.float64)
    found = found / found.sum()
    if scheme.marker != "HER2":
        return scheme.possible(f"{100 * (1 - found[0]):.4f}")
    score = her2_of(Her2Shares(*found.tolist()), _MANY_CELLS, DEFAULT_CUTOFFS.her2)
    return scheme.possible(score.group if score.score == "0" else score.score)
