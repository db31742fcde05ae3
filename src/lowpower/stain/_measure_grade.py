"""From what the rays crossed to a class per cell, against the slide's own noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowpower.stain._cell_maps import FADE_OD
from lowpower.stain._cells import STROMAL, TUMOUR, Cells, kinds_of
from lowpower.stain._measure_field import FieldCells, Marker
from lowpower.stain._nuclear import nuclear_grades
from lowpower.stain._nuclei_rays import Floats

__all__ = ["INTENSE_OD", "SMALLEST_UM", "Background", "grade_cells", "strong_incomplete", "usual_complete"]

_LEAST_OD = 0.054
"""A ray crosses a stained membrane where the membrane map shows this much DAB."""
_BODY = 0.5
"""Share of a cell body's DAB that is taken off its membrane's: what lies above and below it."""
_ENOUGH_CELLS = 30
_STAINED = 0.12
_COMPLETE = 0.70
_WEAK = 0.10
INTENSE_OD = 0.55
"""A complete membrane is intense from this DAB OD on over half of its cell body's, unless a laboratory says
otherwise: laboratories and scanners differ by more than twice."""
_FEWEST_COMPLETE = 30
SMALLEST_UM = 3.0
"""Smaller outlines are slivers of nuclei, debris or texture: no cell is judged on them."""
_STRONG = 0.25
"""An incomplete membrane of this DAB OD is moderate to intense, not faint."""


@dataclass(frozen=True, slots=True)
class Background:
    """What cells that cannot be stained show on this slide.

    Attributes:
        cells: How many were looked at: stromal and lymphoid.
        level: For HER2 what the membrane map shows on the median of their rays, for nuclear markers the
            median of their nuclei, DAB OD. The map knows blush, so that it stays near 0 where staining is
            sound.
        threshold: What was asked of a stained ray or nucleus, DAB OD.
    """

    cells: int
    level: float
    threshold: float


def grade_cells(
    found: FieldCells,
    marker: Marker,
    base_mpp: float,
    in_region: NDArray[np.bool_] | None = None,
    *,
    intense_od: float = INTENSE_OD,
) -> tuple[Cells, Background]:
    """Kind and class of every cell of a slide.

    A ray is stained where the membrane map shows 0.054 OD on it. From 12 % of its rays a membrane is
    stained at all, from 70 % complete (what crowds or crosses it hides the rest); complete and of at least
    `intense_od` over half of its cell body's it is intense, below 0.10 barely perceptible. A nucleus counts
    from 3 um on; for a nuclear marker as stained where it is browner than what surrounds it. Set on simulated
    slides.

    Args:
        found: Cells of the slide, microns.
        marker: What was stained.
        base_mpp: um/px of level 0.
        in_region: (N,) bool, cells inside the user's tumour regions.
        intense_od: DAB OD from which a complete membrane is intense.
    """
    kind = kinds_of(found.tumour, found.diameter, found.elongation, found.darkness, in_region=in_region)
    kind[(kind == TUMOUR) & (found.diameter < SMALLEST_UM)] = STROMAL
    others = kind != TUMOUR
    if marker == "HER2":
        on = found.seen >= np.float16(1 - np.exp(-_LEAST_OD / FADE_OD))
        background = _membrane_background(found, others)
        completeness = on.mean(axis=1).astype(np.float32)
        density = _membrane_density(found, on)
        grade = (completeness >= _STAINED).astype(np.uint8)
        complete = completeness >= _COMPLETE
        grade[complete & (density >= _WEAK)] = 2
        grade[complete & (density >= intense_od)] = 3
    else:
        background = _nuclear_background(found, others)
        completeness = density = np.zeros(len(found.xy), np.float32)
        grade = nuclear_grades(found.nuclear_dab, background.threshold)
        # Brown cytoplasm shows through its nucleus.
        grade[found.nuclear_dab < found.body_dab] = 0
    x, y = (found.xy / base_mpp).T
    cells = Cells(
        x, y, found.diameter, found.elongation, found.darkness, found.tumour, kind, found.nuclear_dab,
        found.body_dab, completeness, density, grade,
    )  # fmt: skip
    return cells, background


def strong_incomplete(cells: Cells, counted: NDArray[np.bool_]) -> float:
    """Share of the counted cells with incomplete but moderate to intense (basolateral) membranes."""
    strong = (cells.grade == 1) & (cells.completeness < _COMPLETE) & (cells.density >= _STRONG)
    return float(strong[counted].mean()) if counted.any() else 0.0


def usual_complete(cells: Cells, counted: NDArray[np.bool_]) -> float | None:
    """Median membrane DAB OD of the counted cells whose membrane is complete; None for fewer than 30.

    On tissue known to be 3+ it says how dark this laboratory and scanner make an intense membrane.
    """
    density = cells.density[counted & (cells.completeness >= _COMPLETE)]
    return float(np.median(density)) if len(density) >= _FEWEST_COMPLETE else None


def _membrane_density(found: FieldCells, on: NDArray[np.bool_]) -> Floats:
    """(N,) mean DAB OD of the stained rays over part of the cell body's; 0 where none is stained."""
    total = np.where(on, found.density, 0).sum(axis=1, dtype=np.float32)
    mean = total / np.maximum(on.sum(axis=1), 1)
    density = mean - np.float32(_BODY) * np.maximum(found.body_dab, 0)
    return np.where(on.any(axis=1), np.maximum(density, 0), 0).astype(np.float32)


def _membrane_background(found: FieldCells, others: NDArray[np.bool_]) -> Background:
    count = int(others.sum())
    level = float(np.median(found.seen[others].astype(np.float32))) if count >= _ENOUGH_CELLS else 0.0
    return Background(count, float(-FADE_OD * np.log1p(-min(level, 0.999))), _LEAST_OD)


def _nuclear_background(found: FieldCells, others: NDArray[np.bool_]) -> Background:
    count = int(others.sum())
    if count < _ENOUGH_CELLS:
        return Background(count, 0.0, 0.0)
    dab = found.nuclear_dab[others]
    level = float(np.median(dab))
    spread = 1.48 * float(np.median(np.abs(dab - level)))
    # Where most of the "others" are brown they are tumour taken for stroma and no background at all.
    return Background(count, level, min(level + 3.0 * spread, 0.2))
