"""The membrane around each nucleus: where along 32 rays a thin brown line is crossed, and how dark it is.

A membrane is a narrow crest of DAB OD along a ray, higher than what lies one and a half to two and a half
microns inside and outside of it. Cytoplasmic blush is broad and so no crest, however dark.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lowpower.stain._nuclei_rays import Floats, ray_directions, sample, territory

__all__ = ["REACH_UM", "MembraneRays", "membrane_rays"]

REACH_UM = 7.0
"""How far beyond its nucleus a cell reaches where no neighbour is nearer."""

_STEP_UM = 0.5
_FURTHEST_UM = 16.0
_INSIDE_UM = 0.5
_OUTSIDE_UM = 1.0
_FLANK = (3, 4, 5)
_AT_ONCE = 2048


@dataclass(frozen=True, slots=True, eq=False)
class MembraneRays:
    """What each ray crosses.

    Attributes:
        crest: (N, RAYS) height of the crest over its higher flank, DAB OD.
        density: (N, RAYS) DAB OD on the crest.
        body: (N,) DAB OD of the cell between nucleus and membrane, median.
        nucleus: (N,) DAB OD inside the nucleus, median.
    """

    crest: Floats
    density: Floats
    body: Floats
    nucleus: Floats


def membrane_rays(dab: Floats, xy: Floats, radii: Floats, mpp: float) -> MembraneRays:
    """Look for the membrane along the rays of each nucleus.

    Args:
        dab: (H, W) DAB OD.
        xy: (N, 2) centres of nuclei, microns from the field's corner.
        radii: (N, RAYS) outlines of nuclei, microns.
        mpp: um/px of `dab`.
    """
    limit = territory(xy, radii, REACH_UM)
    parts = [
        _rays(
            dab,
            xy[start : start + _AT_ONCE],
            radii[start : start + _AT_ONCE],
            limit[start : start + _AT_ONCE],
            mpp,
        )
        for start in range(0, max(1, len(xy)), _AT_ONCE)
    ]
    return MembraneRays(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _rays(
    dab: Floats, xy: Floats, radii: Floats, limit: Floats, mpp: float
) -> tuple[Floats, Floats, Floats, Floats]:
    """The four columns of `MembraneRays`, for few enough cells to hold all their rays in memory."""
    count = len(xy)
    steps = int(_FURTHEST_UM / _STEP_UM)
    reach = np.arange(1, steps + 1, dtype=np.float32) * np.float32(_STEP_UM)
    points = xy[:, None, None] + reach[:, None, None] * ray_directions()
    profile = sample(dab, points, mpp)  # (N, steps, RAYS)
    # Along the membrane it is averaged over three rays: a line goes on from ray to ray, grain does not.
    profile = 0.5 * profile + 0.25 * (np.roll(profile, 1, axis=2) + np.roll(profile, -1, axis=2))
    window = (reach[:, None] >= radii[:, None] - _INSIDE_UM) & (
        reach[:, None] <= limit[:, None] + _OUTSIDE_UM
    )
    flank = np.maximum(_lowest(profile, -1), _lowest(profile, 1))
    crest = np.where(window, profile - flank, -1.0)
    best = crest.argmax(axis=1)[:, None]
    height = np.take_along_axis(crest, best, axis=1)[:, 0]
    density = np.take_along_axis(profile, best, axis=1)[:, 0]
    place = reach[best[:, 0]]
    body = sample(dab, xy[:, None] + (0.5 * (radii + place))[..., None] * ray_directions(), mpp)
    nucleus = sample(dab, xy[:, None] + (0.5 * radii)[..., None] * ray_directions(), mpp)
    middle = (np.median(body, axis=1), np.median(nucleus, axis=1)) if count else (np.zeros(0), np.zeros(0))
    return (
        height.astype(np.float32),
        density.astype(np.float32),
        middle[0].astype(np.float32),
        middle[1].astype(np.float32),
    )


def _lowest(profile: Floats, side: int) -> Floats:
    """Lowest value 1.5 to 2.5 um further in (-1) or out (1) along each ray; the ends go on."""
    steps = profile.shape[1]
    index = np.arange(steps)
    lowest: Floats | None = None
    for offset in _FLANK:
        moved = profile[:, np.clip(index + side * offset, 0, steps - 1)]
        lowest = moved if lowest is None else np.minimum(lowest, moved)
    assert lowest is not None
    return lowest
