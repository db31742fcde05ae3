"""The HER2 rule, applied to shares of cells and to per-cell tables.

It has its own literals on purpose: the truth must not move when what is measured against it does. A property
test holds it equal to `lowpower.stain.her2_score` on exact shares.

Source: ASCO/CAP guideline 2018, affirmed 2023; only invasive tumour cells count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = [
    "COMPLETE",
    "CUTOFF",
    "INTENSE",
    "PERCEPTIBLE",
    "PRESENT",
    "WEAK",
    "CellScore",
    "Score",
    "membrane_class",
    "score_from_cells",
    "score_from_shares",
]

Score = Literal["0", "1+", "2+", "3+"]

CUTOFF = 0.10
"""Share of tumour cells that each score asks to be exceeded."""
COMPLETE = 0.8
"""A membrane stained along at least this share of its length reads as complete."""
PERCEPTIBLE = 0.04
"""Relative intensity (1 = the most intense) below which nobody sees a stain."""
WEAK = 0.2
"""Relative intensity from which a complete membrane reads as weak rather than barely perceptible."""
INTENSE = 0.65
"""Relative intensity from which a membrane reads as intense."""
PRESENT = 0.01
"""Share of tumour cells from which intense complete staining in <= 10 % counts as being there at all."""


@dataclass(frozen=True, slots=True)
class CellScore:
    """A slide's score by the rule, with what it rests on.

    Attributes:
        score: 0, 1+, 2+ or 3+.
        null: True for a score 0 without any stained tumour cell (else 0 is "ultralow").
        shares: Shares of tumour cells of membrane class 0, 1, 2, 3.
        tumour_cells: How many tumour cells were counted.
    """

    score: Score
    null: bool
    shares: tuple[float, float, float, float]
    tumour_cells: int


def membrane_class(completeness: NDArray[np.floating], intensity: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Class 0..3 of each cell's membrane.

    Args:
        completeness: (N,) stained share of the cell's outline, 0..1.
        intensity: (N,) relative intensity of the stained part, 0..1.

    Returns:
        (N,) 0 none; 1 incomplete, or complete but barely perceptible; 2 complete, weak to moderate;
        3 complete and intense.
    """
    stained = (completeness > 0.02) & (intensity >= PERCEPTIBLE)
    complete = stained & (completeness >= COMPLETE)
    grade = stained.astype(np.uint8)
    grade[complete & (intensity >= WEAK)] = 2
    grade[complete & (intensity >= INTENSE)] = 3
    return grade


def score_from_shares(shares: Sequence[float]) -> Score:
    """The rule on shares of tumour cells whose membrane is null, 1+, 2+, 3+ (summing to 1).

    More than 10 % intense and complete: 3+. More than 10 % complete (weak to intense), or intense and
    complete in 10 % or fewer (from `PRESENT` on): 2+. More than 10 % stained at all: 1+. Otherwise 0.
    """
    _, faint, moderate, intense = shares
    if intense > CUTOFF:
        return "3+"
    if moderate + intense > CUTOFF or intense >= PRESENT:
        return "2+"
    if faint + moderate + intense > CUTOFF:
        return "1+"
    return "0"


def score_from_cells(cells: pl.DataFrame) -> CellScore:
    """The score that follows from a per-cell table.

    Args:
        cells: Columns `type` (rows "tumour" count), `completeness` and `intensity`.

    Raises:
        ValueError: if no tumour cell is in the table.
    """
    tumour = cells.filter(pl.col("type") == "tumour")
    if tumour.height == 0:
        raise ValueError("a score needs tumour cells, the table has none")
    grades = membrane_class(tumour["completeness"].to_numpy(), tumour["intensity"].to_numpy())
    counts = np.bincount(grades, minlength=4)
    shares = tuple(float(count) / tumour.height for count in counts)
    null, faint, moderate, intense = shares
    return CellScore(
        score=score_from_shares(shares),
        null=bool(counts[0] == tumour.height),
        shares=(null, faint, moderate, intense),
        tumour_cells=tumour.height,
    )
