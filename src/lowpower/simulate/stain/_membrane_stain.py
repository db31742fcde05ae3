"""Giving each tumour cell its membrane: which class, how complete, how intense."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from lowpower.simulate._her2_truth import INTENSE, PERCEPTIBLE, WEAK, score_from_shares
from lowpower.simulate._simulation_spec import SlideSpec
from lowpower.simulate._textures import Floats, smooth_field
from lowpower.simulate.tissue import PLAN_UM, Architecture, Cells, sample

__all__ = ["CONTROL_SHARES", "by_rank", "expression", "stain_membranes"]

CONTROL_SHARES = (0.03, 0.04, 0.08, 0.85)
"""Membrane classes of on-slide control tissue, a known 3+."""


def expression(rng: np.random.Generator, spec: SlideSpec, plan: Architecture, cells: Cells) -> Floats:
    """Latent expression of each cell: clones, structures and the cell's own noise."""
    shape = (plan.component.shape[0], plan.component.shape[1])
    clone = smooth_field(rng, shape, max(spec.clone_um / PLAN_UM, 2.0), 3)
    own = rng.standard_normal(len(plan.walled)).astype(np.float32)
    xy = np.stack([cells.x, cells.y], axis=1)
    near = np.asarray(sample(clone, xy), np.float32)
    noise = rng.standard_normal(len(cells)).astype(np.float32)
    level = near + 0.5 * own[cells.component] + 2.0 * spec.cell_noise * noise
    return np.asarray(level, np.float32)


def by_rank(
    level: Floats,
    shares: tuple[float, float, float, float],
    meaning: Callable[[Sequence[float]], str] | None = None,
) -> NDArray[np.uint8]:
    """Class 0..3 by rank of expression, in exactly the given shares (rounded to whole cells).

    Args:
        level: (N,) expression.
        shares: Shares of the classes.
        meaning: What shares mean. Where rounding alone would change it, a cell changes its class, or as few
            as can be, so that it does not.
    """
    count = len(level)
    order = (np.arange(count) + 0.5) / max(count, 1)
    sorted_grade = np.searchsorted(np.cumsum(shares)[:3], order, side="right").astype(np.uint8)
    if meaning is not None and count > 0:
        wanted = meaning(shares)
        counts = np.bincount(sorted_grade, minlength=4)
        sorted_grade = np.repeat(np.arange(4, dtype=np.uint8), _meant(counts, wanted, meaning))
    grade = np.empty(count, np.uint8)
    grade[np.argsort(level, kind="stable")] = sorted_grade
    return grade


def _meant(
    counts: NDArray[np.intp], wanted: str, meaning: Callable[[Sequence[float]], str]
) -> NDArray[np.intp]:
    """`counts`, or the nearest to it that mean what is wanted, or `counts` if none near does."""
    total = int(counts.sum())
    for moved in range(4):
        for source, target in permutations(range(4), 2):
            tried = counts.copy()
            tried[source] -= moved
            tried[target] += moved
            if tried.min() >= 0 and meaning((tried / total).tolist()) == wanted:
                return tried
    return counts


def stain_membranes(
    rng: np.random.Generator,
    spec: SlideSpec,
    plan: Architecture,
    cells: Cells,
    shares: tuple[float, float, float, float],
) -> None:
    """Fill `completeness` and `intensity` of tumour cells, in place.

    Args:
        rng: Source of randomness.
        spec: The slide.
        plan: The piece's architecture.
        cells: All cells of the piece.
        shares: Shares of membrane classes 0..3.
    """
    tumour = np.flatnonzero(cells.kind == 0)
    level = expression(rng, spec, plan, cells)[tumour]
    grade = by_rank(level, shares, score_from_shares)
    count = len(tumour)
    # Within a class the staining still follows expression, so that clones shade into one another.
    within = np.zeros(count)
    for value in range(1, 4):
        chosen = grade == value
        order = np.argsort(level[chosen], kind="stable")
        ranks = np.empty(len(order))
        ranks[order] = (np.arange(len(order)) + 0.5) / max(len(order), 1)
        within[chosen] = np.clip(0.6 * ranks + 0.4 * rng.random(len(order)), 0, 1)
    low = np.array([0.0, PERCEPTIBLE + 0.03, WEAK + 0.03, INTENSE + 0.03])
    high = np.array([0.0, 0.3, INTENSE - 0.05, 1.0])
    complete_low, complete_high = np.array([0, 0.12, 0.82, 0.86]), np.array([0, 0.72, 1.0, 1.0])
    intensity = low[grade] + (high - low)[grade] * within
    completeness = complete_low[grade] + (complete_high - complete_low)[grade] * rng.random(count)
    patchy = (grade == 1) & (rng.random(count) < spec.patchiness)
    intensity[patchy] = rng.uniform(0.3, 0.6, int(patchy.sum()))
    completeness[patchy] *= 0.7
    if spec.traits.strong_partial > 0:
        own = rng.spawn(1)[0]
        strong = (grade == 1) & (own.random(count) < spec.traits.strong_partial)
        intensity[strong] = own.uniform(0.4, 1.0, int(strong.sum()))
        completeness[strong] = own.uniform(0.2, 0.62, int(strong.sum()))
    cells.intensity[tumour] = intensity
    cells.completeness[tumour] = completeness
