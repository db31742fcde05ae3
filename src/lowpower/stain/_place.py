"""Whether cells look as they must: brown where the marker stains, of a nucleus's size, all over tissue."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.stain.cells import Cells, Marker
from lowpower.stain.rules import counted_cells
from lowpower.tissue import CHECKS, QCFlag, Tissue

__all__ = ["place_quality", "size_quality", "without_nuclei"]

_ALONE_UM = 60.0
"""Of eight real slides and cores 0.0 to 0.3 % of the tissue lies further than this from any nucleus found."""
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


def without_nuclei(
    xy: NDArray[np.float64], size: tuple[int, int], tissue: Tissue
) -> tuple[NDArray[np.bool_], tuple[QCFlag, ...]]:
    """Tissue far from any nucleus: fat, mucus, necrosis, debris, or no tissue at all.

    Args:
        xy: (N, 2) all nuclei that were found, base pixels.
        size: (width, height) of the slide, base pixels.
        tissue: What was looked at.

    Returns:
        (H, W) bool on the tissue's grid, and what is to be said of it.
    """
    rows, columns = tissue.mask.shape
    elsewhere = np.ones((rows, columns), np.uint8)
    column = np.clip((xy[:, 0] * columns / size[0]).astype(np.int64), 0, columns - 1)
    row = np.clip((xy[:, 1] * rows / size[1]).astype(np.int64), 0, rows - 1)
    elsewhere[row, column] = 0
    away = cv2.distanceTransform(elsewhere, cv2.DIST_L2, cv2.DIST_MASK_5) * tissue.mpp
    bare = np.asarray(tissue.mask & (away > _ALONE_UM), np.bool_)
    share = float(bare.sum() / max(1, tissue.mask.sum()))
    effect = CHECKS["no_nuclei"].effect(share)
    if effect is None or len(xy) == 0:
        return np.zeros_like(bare), ()
    area = float(bare.sum()) * tissue.mpp**2 / 1e6
    message = (
        f"{share:.0%} of what looked like tissue ({area:.2g} mm2) lies over {_ALONE_UM:.0f} um from any "
        "nucleus (fat, mucus, necrosis or dirt): it was left out of the areas."
    )
    return bare, (QCFlag("no_nuclei", message, effect, area),)
