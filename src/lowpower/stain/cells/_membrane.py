"""The membrane around each nucleus: where along 32 rays the network sees one, and how brown it is there.

A ray looks from its nucleus to the border with the neighbour for the highest value of the membrane map; the
DAB of the pixels themselves is read at that place. Blush, granules and stained stroma are not on the map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowpower.stain.cells._nuclei_rays import Floats, in_parts, on_rays, territory

__all__ = ["REACH_UM", "MembraneRays", "membrane_rays"]

REACH_UM = 7.0
"""How far beyond its nucleus a cell reaches where no neighbour is nearer."""

_STEP_UM = 0.75
_FURTHEST_UM = 16.5
_INSIDE_UM = 0.5
_OUTSIDE_UM = 1.0
_NEARLY = 0.95
_ASIDE_UM = 0.75


@dataclass(frozen=True, slots=True, eq=False)
class MembraneRays:
    """What each ray crosses.

    Attributes:
        seen: (N, RAYS) highest value of the membrane map, 0..1.
        density: (N, RAYS) DAB OD there.
        body: (N,) DAB OD of the cell between nucleus and membrane, median.
        nucleus: (N,) DAB OD inside the nucleus, median.
    """

    seen: Floats
    density: Floats
    body: Floats
    nucleus: Floats


def membrane_rays(
    dab: Floats, membrane: Floats, xy: Floats, radii: Floats, mpp: float, map_mpp: float,
    wanted: NDArray[np.bool_] | None = None,
) -> MembraneRays:  # fmt: skip
    """Look for the membrane along the rays of each nucleus.

    Args:
        dab: (H, W) DAB OD.
        membrane: (h, w) the network's map.
        xy: (N, 2) centres of nuclei, microns from the field's corner.
        radii: (N, RAYS) outlines of nuclei, microns.
        mpp: um/px of `dab`.
        map_mpp: um/px of `membrane`.
        wanted: (N,) the nuclei that are looked at; None for all.
    """
    limit = territory(xy, radii, REACH_UM, wanted)
    if wanted is not None:
        xy, radii = xy[wanted], radii[wanted]
    # Cells that reach equally far are worked on together, and no further than they reach.
    order = np.argsort(limit.max(axis=1), kind="stable")
    columns = [
        np.concatenate(column)
        for column in zip(
            *(_rays(dab, membrane, xy[part], radii[part], limit[part], mpp, map_mpp)
              for part in (order[some] for some in in_parts(len(xy)))),
            strict=True,
        )
    ]  # fmt: skip
    back = np.argsort(order)
    return MembraneRays(*(column[back] for column in columns))


def _rays(
    dab: Floats, membrane: Floats, xy: Floats, radii: Floats, limit: Floats, mpp: float, map_mpp: float
) -> tuple[Floats, Floats, Floats, Floats]:
    """The four columns of `MembraneRays`, for few enough cells to hold all their rays in the cache."""
    if len(xy) == 0:
        return radii, radii, np.zeros(0, np.float32), np.zeros(0, np.float32)
    reach = np.arange(1, int(_FURTHEST_UM / _STEP_UM) + 1, dtype=np.float32) * np.float32(_STEP_UM)
    nearest, furthest = radii - _INSIDE_UM, limit + _OUTSIDE_UM
    reach = reach[(reach >= nearest.min()) & (reach <= furthest.max())]
    profile = on_rays(membrane, xy, reach[None, :, None], map_mpp)  # (N, steps, RAYS)
    outside = (reach[:, None] < nearest[:, None]) | (reach[:, None] > furthest[:, None])
    np.putmask(profile, outside, np.float32(-1.0))
    seen = profile.max(axis=1)
    # The map saturates on dark membranes: their middle is that of what is nearly as high as the highest.
    high = profile >= np.float32(_NEARLY) * np.maximum(seen, np.float32(1e-3))[:, None]
    totals = np.stack([reach, np.ones_like(reach)]) @ high.astype(np.float32)  # (N, 2, RAYS): small, exact
    place = totals[:, 0] / np.maximum(totals[:, 1], 1).astype(np.float64)
    # Two membranes side by side are one on the map: the darker side is read, and the clearer part of a body.
    density = np.maximum.reduce(
        [on_rays(dab, xy, place + np.float32(aside), mpp) for aside in (-_ASIDE_UM, 0.0, _ASIDE_UM)]
    )
    body = np.minimum(
        *(on_rays(dab, xy, radii + np.float32(part) * (place - radii), mpp) for part in (0.25, 0.5))
    )
    nucleus = on_rays(dab, xy, np.float32(0.5) * radii, mpp)
    return np.maximum(seen, 0), density, np.median(body, axis=1), np.median(nucleus, axis=1)
