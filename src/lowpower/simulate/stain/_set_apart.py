"""Cells of the tumour that do not count, and the stain of what does not count: in situ, crushed, normal."""

from __future__ import annotations

from typing import Final

import numpy as np

from lowpower.simulate._simulation_spec import SlideSpec
from lowpower.simulate._textures import smooth_field
from lowpower.simulate.tissue import KINDS, PLAN_UM, Architecture, Cells, sample

__all__ = ["set_apart", "stain_beside"]

_TUMOUR, _NORMAL = KINDS.index("tumour"), KINDS.index("normal")
_IN_SITU, _CRUSHED = KINDS.index("in-situ"), KINDS.index("crushed")
_LARGEST: Final = 0.25
"""A nest of more than this share of a piece's tumour cells is never in situ: too little would be left."""
_FEWEST: Final = 12
"""Cells of the smallest nest that may be in situ."""


def set_apart(rng: np.random.Generator, spec: SlideSpec, plan: Architecture, cells: Cells) -> None:
    """Make some tumour cells carcinoma in situ and crush others, in place.

    Args:
        rng: Source of randomness.
        spec: The slide.
        plan: The piece's architecture.
        cells: All cells of the piece.
    """
    traits = spec.traits
    if traits.in_situ > 0:
        tumour = cells.kind == _TUMOUR
        size = np.bincount(cells.component[tumour], minlength=len(plan.walled))
        chosen = (size >= _FEWEST) & (size < _LARGEST * max(size.sum(), 1))
        chosen &= rng.random(len(size)) < traits.in_situ
        cells.kind[tumour & chosen[cells.component]] = _IN_SITU
    if traits.crush > 0:
        shape = (plan.component.shape[0], plan.component.shape[1])
        xy = np.stack([cells.x, cells.y], axis=1)
        where = np.asarray(sample(smooth_field(rng, shape, 250 / PLAN_UM, 2), xy))
        near = np.asarray(sample(plan.outline, xy), np.float32) < min(traits.crush, 55.0)
        crushed = (cells.kind == _TUMOUR) & near & (where > 0.2)
        cells.kind[crushed] = _CRUSHED
        # What was pulled lies along one direction.
        turn = rng.uniform(0, np.pi) + rng.normal(0, 0.25, int(crushed.sum()))
        cells.turn[crushed] = turn.astype(np.float32)
        cells.half[crushed] = np.minimum(cells.half[crushed] + 2, 8)
        cells.columnar[crushed] = False


def stain_beside(rng: np.random.Generator, spec: SlideSpec, cells: Cells) -> None:
    """Membranes of cells that do not count, in place.

    Args:
        rng: Source of randomness.
        spec: The slide.
        cells: All cells of the piece.
    """
    traits = spec.traits
    normal = np.flatnonzero((cells.kind == _NORMAL) & (rng.random(len(cells)) < traits.normal_stain))
    cells.intensity[normal] = rng.uniform(0.1, 0.75, len(normal))
    cells.completeness[normal] = rng.uniform(0.3, 1.0, len(normal))
    place = np.flatnonzero(cells.kind == _IN_SITU)
    strong = rng.random(len(place)) < traits.in_situ_stain
    cells.intensity[place] = np.where(
        strong, rng.uniform(0.68, 1.0, len(place)), rng.uniform(0.0, 0.5, len(place))
    )
    cells.completeness[place] = np.where(
        strong, rng.uniform(0.86, 1.0, len(place)), rng.uniform(0.1, 1.0, len(place))
    )
    crushed = np.flatnonzero(cells.kind == _CRUSHED)
    # As dark as their neighbours' membranes, and more: stain pools in what is crushed.
    level = 0.3 * spec.shares[1] + 0.5 * spec.shares[2] + 0.9 * spec.shares[3]
    cells.intensity[crushed] = np.clip(level * rng.uniform(0.6, 1.6, len(crushed)), 0, 1)
    cells.completeness[crushed] = 1.0
