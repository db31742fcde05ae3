"""Whether cells look as they must: brown where the marker stains, nuclei of a nucleus's size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lowpower.stain.cells import Cells, Marker
from lowpower.stain.rules import counted_cells
from lowpower.tissue import CHECKS, QCFlag

__all__ = ["place_quality", "size_quality"]

_BROWN = 0.15
_USUAL_UM = 5.0
_FEWEST_SIZED = 50
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


def size_quality(cells: Cells, mpp: float) -> tuple[QCFlag, ...]:
    """Judge by the nuclei's size whether the slide's um/px can be right.

    Outlines hold the dark part of a nucleus: medians are 4.1 to 5.5 um on real cores and fields, 5 to 11 on
    simulated slides, and 15 um where a real field's um/px is given four times too large. What is given
    half as large as it should be is not seen by this.

    Args:
        cells: All cells of the slide.
        mpp: um/px that was taken.
    """
    sized = cells.diameter[counted_cells(cells, "all")]
    if len(sized) < _FEWEST_SIZED:
        return ()
    median = float(np.median(sized))
    for code in ("small_nuclei", "large_nuclei"):
        effect = CHECKS[code].effect(median)
        if effect is not None:
            message = (
                f"nuclei measure {median:.1f} um across (median of {len(sized)}): is {mpp:.3g} um/px right? "
                f"About {mpp * _USUAL_UM / median:.2g} would fit; give the right value with --mpp."
            )
            return (QCFlag(code, message, effect),)
    return ()
