"""The membrane around each nucleus: where along 32 rays the network sees one, and how brown it is there.

A ray looks from its nucleus to the border with the neighbour for the highest value of the membrane map; the
DAB of the pixels themselves is read at that place. Blush, granules and stained stroma are not on the map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lowpower.stain.cells._nuclei_rays import Floats, ray_directions, sample, territory

__all__ = ["REACH_UM", "MembraneRays", "membrane_rays"]

REACH_UM = 7.0
"""How far beyond its nucleus a cell reaches where no neighbour is nearer."""

_STEP_UM = 0.75
_FURTHEST_UM = 16.5
_INSIDE_UM = 0.5
_OUTSIDE_UM = 1.0
_NEARLY = 0.95
_ASIDE_UM = 0.75
_AT_ONCE = 2048


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
    dab: Floats, membrane: Floats, xy: Floats, radii: Floats, mpp: float, map_mpp: float
) -> MembraneRays:
    """Look for the membrane along the rays of each nucleus.

    Args:
        dab: (H, W) DAB OD.
        membrane: (h, w) the network's map.
        xy: (N, 2) centres of nuclei, microns from the field's corner.
        radii: (N, RAYS) outlines of nuclei, microns.
        mpp: um/px of `dab`.
        map_mpp: um/px of `membrane`.
    """
    limit = territory(xy, radii, REACH_UM)
    parts = [
        _rays(dab, membrane, xy[part], radii[part], limit[part], mpp, map_mpp)
        for start in range(0, max(1, len(xy)), _AT_ONCE)
        for part in [slice(start, start + _AT_ONCE)]
    ]
    return MembraneRays(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _rays(
    dab: Floats, membrane: Floats, xy: Floats, radii: Floats, limit: Floats, mpp: float, map_mpp: float
) -> tuple[Floats, Floats, Floats, Floats]:
    """The four columns of `MembraneRays`, for few enough cells to hold all their rays in memory."""
    count = len(xy)
    steps = int(_FURTHEST_UM / _STEP_UM)
    reach = np.arange(1, steps + 1, dtype=np.float32) * np.float32(_STEP_UM)
    points = xy[:, None, None] + reach[:, None, None] * ray_directions()
    profile = sample(membrane, points, map_mpp)  # (N, steps, RAYS)
    window = (reach[:, None] >= radii[:, None] - _INSIDE_UM) & (
        reach[:, None] <= limit[:, None] + _OUTSIDE_UM
    )
    profile[~window] = -1.0
    seen = profile.max(axis=1)
    # The map saturates on dark membranes: their middle is that of what is nearly as high as the highest.
    high = profile >= np.float32(_NEARLY) * np.maximum(seen, np.float32(1e-3))[:, None]
    place = (high * reach[:, None]).sum(axis=1) / np.maximum(high.sum(axis=1), 1)

    def along(distance: Floats) -> Floats:
        return sample(dab, xy[:, None] + distance[..., None] * ray_directions(), mpp)

    # Two membranes side by side are one on the map: the darker side is read, and the clearer part of a body.
    density = np.maximum.reduce([along(place + np.float32(aside)) for aside in (-_ASIDE_UM, 0.0, _ASIDE_UM)])
    body = np.minimum(*(along(radii + np.float32(part) * (place - radii)) for part in (0.25, 0.5)))
    nucleus = sample(dab, xy[:, None] + (0.5 * radii)[..., None] * ray_directions(), mpp)
    middle = (np.median(body, axis=1), np.median(nucleus, axis=1)) if count else (np.zeros(0), np.zeros(0))
    return (
        np.maximum(seen, 0).astype(np.float32),
        density.astype(np.float32),
        middle[0].astype(np.float32),
        middle[1].astype(np.float32),
    )
