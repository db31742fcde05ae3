"""From what the rays crossed to a class per cell, against the slide's own noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lowpower.stain.cells import FADE_OD, STROMAL, TUMOUR, Cells, FieldCells, Floats, Marker, kinds_of
from lowpower.stain.rules._cutoffs import DEFAULT_CUTOFFS, Cutoffs, Her2Cutoffs
from lowpower.stain.rules._nuclear import nuclear_grades

__all__ = ["Background", "RayTable", "counted_cells", "grade_cells", "strong_incomplete", "usual_complete"]

_BODY = 0.5
"""Share of a cell body's DAB that is taken off its membrane's: what lies above and below it."""
_ENOUGH_CELLS = 30
_FEWEST_COMPLETE = 30
_SMALLEST_UM = 3.0
"""Smaller outlines are slivers of nuclei, debris or texture: no cell is judged on them."""
_DARKER = 75
"""Percentile of a cell's rays that stands for its darker membrane."""
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


def counted_cells(cells: Cells, count: Literal["tumour", "all"]) -> NDArray[np.bool_]:
    """(N,) bool, which cells count: tumour-like ones, or all that are no slivers."""
    return cells.kind == TUMOUR if count == "tumour" else cells.diameter >= _SMALLEST_UM


def grade_cells(
    found: FieldCells,
    marker: Marker,
    base_mpp: float,
    in_region: NDArray[np.bool_] | None = None,
    cutoffs: Cutoffs = DEFAULT_CUTOFFS,
    rendering: float = 1.0,
    weights: NDArray[np.float64] | None = None,
) -> tuple[Cells, Background]:
    """Kind and class of every cell of a slide.

    A membrane's DAB OD is that of its stained rays over half of its cell body's. A nucleus counts from 3 um
    on; for a nuclear marker as stained where it is browner than what surrounds it.

    Args:
        found: Cells of the slide, microns.
        marker: What was stained.
        base_mpp: um/px of level 0.
        in_region: (N,) bool, cells inside the user's tumour regions.
        cutoffs: When a membrane or nucleus is stained, and how strongly.
        rendering: What the slide's optics show of a membrane, over what the usual slide's show.
        weights: (N,) how many cells of the slide each stands for, where only some fields were read.
    """
    kind = kinds_of(
        found.xy, found.tumour, found.diameter, found.elongation, found.darkness,
        in_region=in_region, weights=weights,
    )  # fmt: skip
    kind[(kind == TUMOUR) & (found.diameter < _SMALLEST_UM)] = STROMAL
    others = kind != TUMOUR
    if marker == "HER2":
        background = _membrane_background(found, others, cutoffs.her2.seen_through(rendering).least_od)
        completeness, density, grade = RayTable.of(found, rendering).graded(cutoffs.her2)
    else:
        background = _nuclear_background(found, others)
        completeness = density = np.zeros(len(found.xy), np.float32)
        grade = nuclear_grades(found.nuclear_dab, background.threshold, cutoffs.nuclear)
        # Brown cytoplasm shows through its nucleus.
        grade[found.nuclear_dab < found.body_dab] = 0
    x, y = (found.xy / base_mpp).T
    cells = Cells(
        x, y, found.diameter, found.elongation, found.darkness, found.tumour, kind, found.nuclear_dab,
        found.body_dab, completeness, density, grade,
    )  # fmt: skip
    return cells, background


@dataclass(frozen=True, slots=True, eq=False)
class RayTable:
    """What the rays of N cells crossed, ready to be graded by any cut-offs.

    Attributes:
        seen: (N, RAYS) float16 membrane map, 0..1.
        density: (N, RAYS) float16 DAB OD of the pixels.
        body: (N,) DAB OD of the cell body.
        rendering: What the slide's optics show of a membrane, over what the usual slide's show.
    """

    seen: NDArray[np.float16]
    density: NDArray[np.float16]
    body: Floats
    rendering: float = 1.0

    @classmethod
    def of(cls, found: FieldCells, rendering: float = 1.0) -> RayTable:
        """The rays of cells measured for HER2."""
        return cls(found.seen, found.density, found.body_dab, rendering)

    def graded(self, cutoffs: Her2Cutoffs, gap: float = 0.0) -> tuple[Floats, Floats, NDArray[np.uint8]]:
        """(N,) completeness, membrane DAB OD and grade of each cell; the cut-offs are of the usual slide.

        Args:
            cutoffs: When a membrane is stained, complete, intense.
            gap: A stained ray of less than this share of its own cell's darker membrane (upper quartile) is
                a gap to completeness.
        """
        cutoffs = cutoffs.seen_through(self.rendering)
        on = self.seen >= np.float16(1 - np.exp(-cutoffs.least_od / FADE_OD))
        completeness = on.mean(axis=1).astype(np.float32)
        density = self._density_on(on)
        grade = (completeness >= cutoffs.stained).astype(np.uint8)
        complete = completeness >= cutoffs.complete
        if gap:
            complete = self._filled(on, gap) >= cutoffs.complete
        grade[complete & (density >= cutoffs.weak_od)] = 2
        grade[complete & (density >= cutoffs.intense_od)] = 3
        return completeness, density, grade

    def shares(
        self, cutoffs: Her2Cutoffs, gap: float = 0.0, weights: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """(4,) shares of at least one cell by grade, each cell counted as often as `weights` (N,) says."""
        counts = np.bincount(self.graded(cutoffs, gap)[2], weights, minlength=4)
        return np.asarray(counts / max(counts.sum(), 1e-9))

    def _filled(self, on: NDArray[np.bool_], gap: float) -> Floats:
        """(N,) share of the rays that are stained and no gap."""
        above = self.density.astype(np.float32) - np.float32(_BODY) * np.maximum(self.body, 0)[:, None]
        darker = np.percentile(above, _DARKER, axis=1, keepdims=True)
        return np.asarray((on & (above >= gap * darker)).mean(axis=1), np.float32)

    def _density_on(self, on: NDArray[np.bool_]) -> Floats:
        """(N,) mean DAB OD of the stained rays over part of the cell body's; 0 where none is stained."""
        total = np.where(on, self.density, 0).sum(axis=1, dtype=np.float32)
        mean = total / np.maximum(on.sum(axis=1), 1)
        density = mean - np.float32(_BODY) * np.maximum(self.body, 0)
        return np.where(on.any(axis=1), np.maximum(density, 0), 0).astype(np.float32)


def strong_incomplete(
    cells: Cells,
    counted: NDArray[np.bool_],
    complete: float,
    rendering: float = 1.0,
    weights: NDArray[np.float64] | None = None,
) -> float:
    """Share of the counted cells with incomplete but moderate to intense (basolateral) membranes."""
    strong = (cells.grade == 1) & (cells.completeness < complete) & (cells.density >= _STRONG * rendering)
    if not counted.any():
        return 0.0
    return float(np.average(strong[counted], weights=None if weights is None else weights[counted]))


def usual_complete(
    cells: Cells, counted: NDArray[np.bool_], complete: float, rendering: float = 1.0
) -> float | None:
    """Median membrane DAB OD of the counted cells whose membrane is complete; None for fewer than 30.

    As the usual slide's optics would show it. On tissue known to be 3+ it says how dark this laboratory makes
    an intense membrane.
    """
    density = cells.density[counted & (cells.completeness >= complete)]
    return float(np.median(density)) / rendering if len(density) >= _FEWEST_COMPLETE else None


def _membrane_background(found: FieldCells, others: NDArray[np.bool_], least_od: float) -> Background:
    count = int(others.sum())
    level = float(np.median(found.seen[others].astype(np.float32))) if count >= _ENOUGH_CELLS else 0.0
    return Background(count, float(-FADE_OD * np.log1p(-min(level, 0.999))), least_od)


def _nuclear_background(found: FieldCells, others: NDArray[np.bool_]) -> Background:
    count = int(others.sum())
    if count < _ENOUGH_CELLS:
        return Background(count, 0.0, 0.0)
    dab = found.nuclear_dab[others]
    level = float(np.median(dab))
    spread = 1.48 * float(np.median(np.abs(dab - level)))
    # Where most of the "others" are brown they are tumour taken for stroma and no background at all.
    return Background(count, level, min(level + 3.0 * spread, 0.2))
