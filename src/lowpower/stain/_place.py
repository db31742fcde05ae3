"""Whether the brown lies where the marker stains: in nuclei, or on membranes around them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lowpower.stain._cells import Cells
from lowpower.stain._measure_field import Marker
from lowpower.tissue import CHECKS, QCFlag

__all__ = ["place_quality"]

_BROWN = 0.15
_FEWEST, _LEAST_SHARE = 20, 0.05
"""Fewer brown cells than this, or less than this share of all, may be specks of dirt on nuclei."""


def place_quality(cells: Cells, counted: NDArray[np.bool_], marker: Marker) -> tuple[QCFlag, ...]:
    """Judge whether a slide may be stained for something else than was said.

    Of the counted cells that are brown at all, those are held against it that are browner in the nucleus
    than around it (HER2), or around the nucleus than in it (nuclear markers). Simulated HER2 slides have at
    most 0.1 of the first and 0.8 and more of the second, ER slides 0.65 and more, and at most 0.1.

    Args:
        cells: All cells of the slide.
        counted: (N,) bool, which were counted.
        marker: What was said to be stained.
    """
    nucleus, around = cells.nuclear_dab[counted], cells.body_dab[counted]
    brown = np.maximum(nucleus, around) > _BROWN
    if np.count_nonzero(brown) < max(_FEWEST, _LEAST_SHARE * len(brown)):
        return ()
    wrong = nucleus > around if marker == "HER2" else around > nucleus
    share = float(wrong[brown].mean())
    effect = CHECKS["misplaced_brown"].effect(share)
    if effect is None:
        return ()
    where = "in nuclei rather than around them" if marker == "HER2" else "around nuclei rather than in them"
    message = f"{share:.0%} of the brown cells are brown {where}: is this slide stained for {marker}?"
    return (QCFlag("misplaced_brown", message, effect),)
