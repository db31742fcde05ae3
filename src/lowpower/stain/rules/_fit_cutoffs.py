"""Fitting what differs between laboratories to slides whose score is known: cut-offs, within bounds, no more.

Each score is a chain of questions (stained in more than 10 %? complete? intense?), so that cut-offs are
fitted by logistic losses on the shares' distances from them, held near the defaults by a ridge on their
logarithms, one value after another. The guideline's order cannot be left: classes are nested at any values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lowpower.stain.cells import FieldCells, Marker
from lowpower.stain.rules._cutoffs import Cutoffs, Her2Cutoffs, NuclearCutoffs, her2_of
from lowpower.stain.rules._measure_grade import RayTable
from lowpower.stain.rules._nuclear import nuclear_grades
from lowpower.stain.rules._score_rules import Her2Shares

__all__ = ["HER2_BOUNDS", "LabelledCells", "fit_her2", "fit_nuclear", "rescored"]

HER2_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "intense_od": (0.2, 1.2),
    "complete": (0.5, 0.9),
    "weak_od": (0.05, 0.2),
    "least_od": (0.03, 0.12),
    "stained": (0.06, 0.3),
    "complete_share": (0.05, 0.25),
    "stained_share": (0.05, 0.25),
    "intense_share": (0.05, 0.2),
}
"""Lowest and highest value of each cut-off, in the order in which they are fitted."""
_NUCLEAR_BOUNDS: Final = (0.04, 0.3)
_STEPS = 9
_ROUNDS = 3
_SOFT = 0.08
"""A share this far beyond its cut-off is as good as sure."""
_RIDGE = 0.1
_MOST_CELLS = 800


@dataclass(frozen=True, slots=True, eq=False)
class LabelledCells:
    """The counted cells of one slide, and its known score.

    Attributes:
        cells: Tumour-like cells.
        background: DAB OD that cells which cannot be stained reach here (nuclear markers).
        rendering: What the slide's optics show of a membrane, over what the usual slide's show (HER2).
        score: HER2: 0 to 3 (3+); nuclear markers: percent of stained nuclei.
    """

    cells: FieldCells
    background: float
    score: float
    rendering: float = 1.0


def fit_her2(slides: Sequence[LabelledCells], start: Her2Cutoffs) -> Her2Cutoffs:
    """HER2's cut-offs for slides of known score.

    Args:
        slides: At least two, of two scores or more.
        start: Where the search begins, and what it is drawn to.

    Raises:
        ValueError: if there is only one score.
    """
    scores = np.array([slide.score for slide in slides])
    if len(np.unique(scores)) < 2:
        raise ValueError("cut-offs need slides of two scores or more")
    tables = [RayTable.of(_some(slide.cells), slide.rendering) for slide in slides]
    # Each question weighs the same, and so do its two sides.
    questions = [(scores >= at).astype(np.float64) for at in (1, 2, 3)]
    weights = [_balanced(yes) for yes in questions]

    def loss(values: Her2Cutoffs) -> float:
        shares = np.array([table.shares(values) for table in tables])
        intense, complete = shares[:, 3], shares[:, 2] + shares[:, 3]
        stained = complete + shares[:, 1]
        beyond = (
            stained - values.stained_share,
            complete - values.complete_share,
            intense - values.intense_share,
        )
        return sum(
            float((weight * _logistic(yes, far / _SOFT)).sum())
            for yes, weight, far in zip(questions, weights, beyond, strict=True)
        )

    return _descend(loss, start, HER2_BOUNDS)


def fit_nuclear(slides: Sequence[LabelledCells], start: NuclearCutoffs) -> NuclearCutoffs:
    """Nuclear cut-offs for slides of known percentage: all three move by one factor.

    Percentages are compared as square roots, so that one point at 1 % weighs more than one at 50 %.
    """
    known = np.sqrt([slide.score for slide in slides])

    def loss(values: NuclearCutoffs) -> float:
        found = [_percent(slide, values) for slide in slides]
        return float(np.abs(np.sqrt(found) - known).mean())

    low, high = _NUCLEAR_BOUNDS
    factors = np.geomspace(low / start.weak_od, high / start.weak_od, 25)
    ridge = [_RIDGE * math.log(factor) ** 2 for factor in factors]
    moved = [
        NuclearCutoffs(start.weak_od * factor, start.moderate_od * factor, start.strong_od * factor)
        for factor in factors.tolist()
    ]
    losses = [loss(values) + held for values, held in zip(moved, ridge, strict=True)]
    best = int(np.argmin(losses))
    return moved[best] if losses[best] < loss(start) else start


def rescored(slide: LabelledCells, marker: Marker, cutoffs: Cutoffs) -> str:
    """The slide's score by other cut-offs: HER2's, or the percentage of a nuclear marker."""
    if marker != "HER2":
        return f"{_percent(slide, cutoffs.nuclear):.4f}"
    shares = Her2Shares(*RayTable.of(slide.cells, slide.rendering).shares(cutoffs.her2).tolist())
    return her2_of(shares, len(slide.cells.xy), cutoffs.her2).score


def _percent(slide: LabelledCells, cutoffs: NuclearCutoffs) -> float:
    stained = nuclear_grades(slide.cells.nuclear_dab, slide.background, cutoffs) > 0
    return 100 * float((stained & (slide.cells.nuclear_dab >= slide.cells.body_dab)).mean())


def _descend(
    loss: Callable[[Her2Cutoffs], float], start: Her2Cutoffs, bounds: dict[str, tuple[float, float]]
) -> Her2Cutoffs:
    """One value after another, on a grid that narrows with each round."""

    def whole(values: Her2Cutoffs) -> float:
        away = (math.log(getattr(values, name) / getattr(start, name)) for name in bounds)
        return loss(values) + _RIDGE * sum(distance**2 for distance in away)

    values, best = start, whole(start)
    for narrowing in range(_ROUNDS):
        for name, (low, high) in bounds.items():
            now = getattr(values, name)
            span = (math.log(high / low) / 2) / 2.5**narrowing
            for candidate in np.exp(np.linspace(math.log(now) - span, math.log(now) + span, _STEPS)).tolist():
                if not low <= candidate <= high:
                    continue
                try:
                    moved = replace(values, **{name: candidate})
                except ValueError:  # intense below weak: no such laboratory
                    continue
                there = whole(moved)
                if there < best - 1e-9:
                    values, best = moved, there
    return values


def _some(cells: FieldCells) -> FieldCells:
    """At most `_MOST_CELLS` of them, spread evenly in reading order."""
    count = len(cells.xy)
    return (
        cells if count <= _MOST_CELLS else cells.pick(np.linspace(0, count - 1, _MOST_CELLS).astype(np.intp))
    )


def _balanced(yes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights that sum to 1, half of it on each side; 0 where all answers are the same."""
    sides = [yes.sum(), len(yes) - yes.sum()]
    if min(sides) == 0:
        return np.full(len(yes), 0.25 / len(yes))
    return np.asarray(np.where(yes > 0, 0.5 / sides[0], 0.5 / sides[1]))


def _logistic(yes: NDArray[np.float64], far: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.logaddexp(0, np.where(yes > 0, -far, far)))
