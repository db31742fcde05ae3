"""Cells as they are counted: tumour-like by the network's maps, the others lymphoid or stromal by shape."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lowpower.stain.cells._nuclei_rays import RAYS, Floats, ray_directions
from lowpower.stain.cells._tumour_likeness import LEAST_LIKE, likeness_asked, likeness_in_context

__all__ = ["KINDS", "LYMPHOID", "STROMAL", "TUMOUR", "Cells", "kinds_of", "shape_of"]

KINDS: Final = ("tumour", "lymphoid", "stromal")
TUMOUR, LYMPHOID, STROMAL = 0, 1, 2


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Cells:
    """N cells of a slide.

    Attributes:
        x: Centre of the nucleus, base pixels.
        y: Centre of the nucleus, base pixels.
        diameter: Of the circle of the nucleus's area, microns.
        elongation: Long over short axis, 1 = round.
        darkness: Haematoxylin in the nucleus over the slide's usual nuclear contrast.
        tumour: How much of the centre maps is tumour, 0..1; not a probability.
        kind: Index into `KINDS`.
        nuclear_dab: DAB OD in the nucleus.
        body_dab: DAB OD between nucleus and membrane.
        completeness: Stained share of the membrane, 0..1.
        density: DAB OD of the stained membrane over half of the cell body's; 0 where nothing is stained.
        grade: For HER2 0 none, 1 faint or incomplete, 2 weak to moderate complete, 3 intense complete;
            for nuclear markers 0 none, 1 weak, 2 moderate, 3 strong.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    diameter: Floats
    elongation: Floats
    darkness: Floats
    tumour: Floats
    kind: NDArray[np.uint8]
    nuclear_dab: Floats
    body_dab: Floats
    completeness: Floats
    density: Floats
    grade: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return f"<{len(self)} cells; .table() gives one row each>"

    def table(self) -> pl.DataFrame:
        """One row a cell, `kind` by name."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        columns["kind"] = np.array(KINDS)[self.kind]
        return pl.DataFrame(columns)

    @classmethod
    def from_table(cls, table: pl.DataFrame) -> Cells:
        """The cells of a table that `table` gave; further columns are left out."""
        columns = {field.name: table[field.name].to_numpy() for field in fields(cls)}
        names = dict(zip(KINDS, range(len(KINDS)), strict=True))
        columns["kind"] = table["kind"].replace_strict(names, return_dtype=pl.UInt8).to_numpy()
        return cls(**columns)


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
    xy: NDArray[np.float64],
    tumour: Floats,
    diameter: Floats,
    elongation: Floats,
    darkness: Floats,
    *,
    in_region: NDArray[np.bool_] | None = None,
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.uint8]:
    """Kind of each cell: tumour where it, its size and its neighbours are tumour-like enough.

    Args:
        xy: (N, 2) centres, microns.
        tumour: (N,) how much of the network's centre maps is tumour, 0..1.
        diameter: (N,) microns.
        elongation: (N,).
        darkness: (N,) haematoxylin over the slide's usual contrast.
        in_region: (N,) bool, cells that lie where the user says tumour is: the doubt goes to tumour there.
        weights: (N,) as `likeness_asked` takes them.

    Returns:
        (N,) index into `KINDS`.
    """
    likeness = likeness_in_context(xy, tumour, diameter)
    least = np.full(len(likeness), likeness_asked(likeness, diameter, weights))
    if in_region is not None:
        least[in_region] = LEAST_LIKE
    lymphoid = (elongation < 1.8) & (darkness > 3.0) & (diameter < 8.0)
    kind = np.where(likeness > least, TUMOUR, np.where(lymphoid, LYMPHOID, STROMAL))
    return kind.astype(np.uint8)
