"""From what the rays crossed to a class per cell, against the slide's own noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowpower.stain._cells import TUMOUR, Cells, kinds_of
from lowpower.stain._measure_field import FieldCells, Marker
from lowpower.stain._nuclear import nuclear_grades

__all__ = ["Background", "grade_cells"]

_LEAST_CREST = 0.03
_MOST_CREST = 0.12
_TIMES_NOISE = 3.0
_USUAL_NOISE = 0.012
_ENOUGH_CELLS = 30
_OVER_BODY = 0.8
_MOST_OVER_BODY = 0.10
_STAINED = 0.22
_COMPLETE = 0.55
_WEAK = 0.10
_INTENSE = 0.45


@dataclass(frozen=True, slots=True)
class Background:
    """What cells that cannot be stained show on this slide.

    Attributes:
        cells: How many were looked at: stromal and lymphoid.
        level: For HER2 the median crest of their rays, for nuclear markers the median DAB OD of their nuclei.
        threshold: What was therefore asked of a stained ray or nucleus, DAB OD.
    """

    cells: int
    level: float
    threshold: float


def grade_cells(
    found: FieldCells, marker: Marker, base_mpp: float, in_region: NDArray[np.bool_] | None = None
) -> tuple[Cells, Background]:
    """Kind and class of every cell of a slide.

    A ray is stained where its crest exceeds three times the median crest of the slide's stromal and lymphoid
    cells (taken between 0.03 and 0.12 OD) and 0.8 times the brown of its own body (at most 0.10 OD). From
    22 % of its rays a membrane is stained at all, from 55 % complete (what crowds or crosses it hides
    the rest); complete and of at least 0.45 OD it is intense, below 0.10 barely perceptible.
    Set on simulated slides.

    Args:
        found: Cells of the slide, microns.
        marker: What was stained.
        base_mpp: um/px of level 0.
        in_region: (N,) bool, cells inside the user's tumour regions.
    """
    # Whatever is stained in a nucleus, darkness then says nothing about its kind.
    darkness = found.darkness if marker == "HER2" else np.full_like(found.darkness, 1.6)
    kind = kinds_of(found.xy, found.diameter, found.elongation, darkness, found.haze, in_region=in_region)
    others = kind != TUMOUR
    if marker == "HER2":
        background = _membrane_background(found, others)
        # Granular blush makes small crests of its own, in proportion to how brown the cell body is.
        grain = np.minimum(_OVER_BODY * found.body_dab, _MOST_OVER_BODY)
        least = np.maximum(background.threshold, grain)
        on = found.crest > least[:, None]
        completeness = on.mean(axis=1).astype(np.float32)
        mean = np.where(on, found.density, 0).sum(axis=1, dtype=np.float32) / np.maximum(on.sum(axis=1), 1)
        density = np.where(on.any(axis=1), mean - 0.5 * np.maximum(found.nuclear_dab, 0), 0).astype(
            np.float32
        )
        grade = (completeness >= _STAINED).astype(np.uint8)
        complete = completeness >= _COMPLETE
        grade[complete & (density >= _WEAK)] = 2
        grade[complete & (density >= _INTENSE)] = 3
    else:
        background = _nuclear_background(found, others)
        completeness = density = np.zeros(len(found.xy), np.float32)
        grade = nuclear_grades(found.nuclear_dab, background.threshold)
    x, y = (found.xy / base_mpp).T
    cells = Cells(
        x, y, found.diameter, found.elongation, found.darkness, found.haze, kind, found.nuclear_dab,
        found.body_dab, completeness, density, grade,
    )  # fmt: skip
    return cells, background


def _membrane_background(found: FieldCells, others: NDArray[np.bool_]) -> Background:
    count = int(others.sum())
    level = float(np.median(found.crest[others])) if count >= _ENOUGH_CELLS else _USUAL_NOISE
    return Background(count, level, min(max(_LEAST_CREST, _TIMES_NOISE * level), _MOST_CREST))


def _nuclear_background(found: FieldCells, others: NDArray[np.bool_]) -> Background:
    count = int(others.sum())
    if count < _ENOUGH_CELLS:
        return Background(count, 0.0, 0.0)
    dab = found.nuclear_dab[others]
    level = float(np.median(dab))
    spread = 1.48 * float(np.median(np.abs(dab - level)))
    # Where most of the "others" are brown they are tumour taken for stroma and no background at all.
    return Background(count, level, min(level + 3.0 * spread, 0.2))
