"""Which nuclei are tumour-like, lymphoid or stromal: by size, shape, darkness, cytoplasm and neighbours."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lowpower.stain._nuclei_rays import RAYS, Floats, ray_directions

__all__ = ["KINDS", "LYMPHOID", "STROMAL", "TUMOUR", "Cells", "kinds_of", "shape_of"]

KINDS: Final = ("tumour", "lymphoid", "stromal")
TUMOUR, LYMPHOID, STROMAL = 0, 1, 2

_NEIGHBOURHOOD_UM = 25.0
_NEIGHBOURS = 10
_OWN = 0.3
"""Weight of a cell's own look; the rest is its neighbours'. Epithelium grows in sheets, stroma does not."""
_LIKE = 0.9
_LIKE_IN_REGION = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """N cells of a slide.

    Attributes:
        x: Centre of the nucleus, base pixels.
        y: Centre of the nucleus, base pixels.
        diameter: Of the circle of the nucleus's area, microns.
        elongation: Long over short axis, 1 = round.
        darkness: Nuclear stain at the centre over the slide's usual nuclear contrast.
        haze: Haematoxylin around the nucleus over the same: cytoplasm.
        kind: Index into `KINDS`.
        nuclear_dab: DAB OD in the nucleus.
        body_dab: DAB OD between nucleus and membrane.
        completeness: Stained share of the membrane, 0..1.
        density: DAB OD of the stained membrane over that of the nucleus; 0 where nothing is stained.
        grade: For HER2 0 none, 1 faint or incomplete, 2 weak to moderate complete, 3 intense complete;
            for nuclear markers 0 none, 1 weak, 2 moderate, 3 strong.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    diameter: Floats
    elongation: Floats
    darkness: Floats
    haze: Floats
    kind: NDArray[np.uint8]
    nuclear_dab: Floats
    body_dab: Floats
    completeness: Floats
    density: Floats
    grade: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.x)

    def table(self) -> pl.DataFrame:
        """One row a cell, `kind` by name."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        columns["kind"] = np.array(KINDS)[self.kind]
        return pl.DataFrame(columns)


def shape_of(radii: Floats) -> tuple[Floats, Floats]:
    """Diameter of the circle of equal area, microns, and elongation of outlines (N, RAYS)."""
    area = 0.5 * (radii * np.roll(radii, 1, axis=1)).sum(axis=1) * np.sin(2 * np.pi / RAYS)
    # Second moments of the outlined area, sector by sector: the integral of r^4 / 4 over the angle.
    weight = radii.astype(np.float64) ** 4
    x, y = ray_directions().astype(np.float64).T
    xx, yy, xy = weight @ (x * x), weight @ (y * y), weight @ (x * y)
    spread = np.hypot((xx - yy) / 2, xy)
    middle = (xx + yy) / 2
    elongation = np.sqrt((middle + spread) / np.maximum(middle - spread, 1e-3))
    return (2.0 * np.sqrt(np.maximum(area, 0) / np.pi)).astype(np.float32), elongation.astype(np.float32)


def kinds_of(
    xy: NDArray[np.floating],
    diameter: Floats,
    elongation: Floats,
    darkness: Floats,
    haze: Floats,
    *,
    in_region: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Kind of each cell.

    Tumour-like nuclei are larger than 6.6 um, rounder than 1.6 : 1, not the darkest, and lie in cytoplasm
    among others that do; how much each counts was set on simulated slides and looked at on real ones.

    Args:
        xy: (N, 2) centres, microns.
        diameter: (N,) microns.
        elongation: (N,).
        darkness: (N,) nuclear stain over the slide's usual contrast.
        haze: (N,) haematoxylin around the nucleus over the same.
        in_region: (N,) bool, cells that lie where the user says tumour is: the doubt goes to tumour there.

    Returns:
        (N,) index into `KINDS`.
    """
    count = len(xy)
    if count == 0:
        return np.zeros(0, np.uint8)
    own = (
        0.8 * (diameter - 6.6)
        - 3.5 * (np.log(elongation) - 0.5)
        - 1.3 * (darkness - 1.6)
        + 3.0 * (haze - 0.45)
    )
    own = np.clip(own, -3.0, 3.0)
    _, index = cKDTree(xy).query(xy, k=min(_NEIGHBOURS, count), distance_upper_bound=_NEIGHBOURHOOD_UM)
    index = index.reshape(count, -1)
    there = index < count
    around = (own[np.where(there, index, 0)] * there).sum(axis=1) / there.sum(axis=1)
    like = _OWN * own + (1 - _OWN) * around
    least = np.full(count, _LIKE)
    if in_region is not None:
        least[in_region] = _LIKE_IN_REGION
    lymphoid = (elongation < 1.8) & (darkness > 1.4) & (diameter < 8.5)
    kind = np.where(like > least, TUMOUR, np.where(lymphoid, LYMPHOID, STROMAL))
    return kind.astype(np.uint8)
