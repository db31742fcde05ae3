"""The patch grid: which squares of a slide are looked at, at which um/px, in which order."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from lowpower.errors import MppOutOfRangeError, NoTissueError
from lowpower.units import Box, Mpp

if TYPE_CHECKING:
    from lowpower.slides import Slide
    from lowpower.tissue import Tissue

__all__ = ["PatchGrid", "PatchRecipe", "effective_mpp", "plan_patches", "tissue_shares"]

_ROWS_AT_ONCE = 64


class PatchRecipe(BaseModel):
    """How a slide becomes patches."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    kind: Literal["patches"] = "patches"
    mpp: float = Field(0.5, ge=0.05, le=64.0, description="Resolution of the patches, um/px.")
    size: int = Field(256, ge=16, le=4096, description="Side of a patch, pixels.")
    overlap: float = Field(0.0, ge=0.0, le=0.9, description="Share of its side a patch shares with the next.")
    min_tissue: float = Field(0.5, ge=0.0, le=1.0, description="Smallest share of a patch that is tissue.")
    mpp_tolerance: float = Field(
        0.02,
        ge=0.0,
        le=0.2,
        description="A whole multiple of a stored level's um/px this near (relative) is taken instead of "
        "`mpp`, so that pixels need no resampling; the um/px taken is recorded.",
    )
    max_patches: int | None = Field(
        None, ge=1, description="At most this many patches a slide, drawn by `seed`; none for all."
    )
    seed: int = Field(0, ge=0, description="Seed of the draw when there are more than `max_patches`.")

    def digest(self) -> str:
        """SHA-256 over the recipe, hexadecimal."""
        return hashlib.sha256(json.dumps(self.model_dump(), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class PatchGrid:
    """N patches of one slide, in order of their rows, then columns.

    Attributes:
        positions: (N, 2) int64 x, y of the upper left corners in pixels of the plane at `mpp`.
        coords: (N, 2) int64 x, y of the upper left corners in base pixels (rounded to the nearest).
        tissue: (N,) float32, share of the patch that is tissue.
        size: Side of a patch in pixels at `mpp`.
        side: Side of a patch in base pixels.
        mpp: Effective um/px.
        requested_mpp: um/px asked for.
        candidates: Patches that were in the draw, before `max_patches`.
    """

    positions: NDArray[np.int64]
    coords: NDArray[np.int64]
    tissue: NDArray[np.float32]
    size: int
    side: int
    mpp: Mpp
    requested_mpp: float
    candidates: int

    def __len__(self) -> int:
        return len(self.positions)

    def box(self, index: int) -> Box:
        """The part of the slide that a patch covers, base pixels."""
        x, y = self.coords[index]
        return Box(int(x), int(y), self.side, self.side)


def effective_mpp(slide: Slide, mpp: float, tolerance: float) -> Mpp:
    """The um/px patches are read at: a whole multiple of a level's um/px near `mpp`, or `mpp` itself.

    Raises:
        MppOutOfRangeError: if the slide stores nothing that fine.
    """
    if mpp < slide.mpp * (1 - tolerance):
        raise MppOutOfRangeError(
            slide.path,
            f"stores {slide.mpp:.4g} um/px at best, patches at {mpp:.4g} um/px would be invented; ask for "
            f"{slide.mpp:.4g} um/px or more.",
        )
    for level in sorted(slide.levels, key=lambda level: -level.downsample):
        multiple = max(1, round(mpp / level.mpp))
        near = multiple * level.mpp
        if level.mpp <= mpp * (1 + tolerance) and abs(near / mpp - 1) <= tolerance:
            return Mpp(near)
    return Mpp(max(mpp, slide.mpp))


def plan_patches(slide: Slide, tissue: Tissue, recipe: PatchRecipe) -> PatchGrid:
    """Lay the grid over the slide and keep the patches that hold enough tissue.

    The grid begins at the slide's upper left corner, so that patches of the codec's tile size coincide with
    its tiles.

    Raises:
        MppOutOfRangeError: if the slide stores nothing as fine as the recipe asks.
        NoTissueError: if no patch holds enough tissue; the sentence names the fullest.
    """
    mpp = effective_mpp(slide, recipe.mpp, recipe.mpp_tolerance)
    factor = mpp / slide.mpp
    stride = max(1, round(recipe.size * (1 - recipe.overlap)))
    width, height = (max(1, int(length / factor)) for length in slide.size)
    xs, ys = np.arange(0, width, stride, dtype=np.int64), np.arange(0, height, stride, dtype=np.int64)
    scale = factor * tissue.mask.shape[1] / slide.size[0], factor * tissue.mask.shape[0] / slide.size[1]
    shares = tissue_shares(tissue.mask, (xs, ys), recipe.size, scale)
    row, column = np.nonzero((shares >= recipe.min_tissue) & (shares > 0))
    candidates = row.size
    if candidates == 0:
        raise NoTissueError(
            slide.path,
            f"no patch of {recipe.size} px at {mpp:.4g} um/px holds {recipe.min_tissue:.0%} tissue, "
            f"the fullest {shares.max():.1%}; lower min_tissue or the size.",
        )
    if recipe.max_patches is not None and candidates > recipe.max_patches:
        draw = np.random.default_rng(recipe.seed).permutation(candidates)[: recipe.max_patches]
        row, column = row[np.sort(draw)], column[np.sort(draw)]
    positions = np.stack([xs[column], ys[row]], axis=1)
    return PatchGrid(
        positions=positions,
        coords=np.rint(positions * factor).astype(np.int64),
        tissue=shares[row, column],
        size=recipe.size,
        side=max(1, round(recipe.size * factor)),
        mpp=mpp,
        requested_mpp=recipe.mpp,
        candidates=candidates,
    )


def tissue_shares(
    mask: NDArray[np.bool_],
    origins: tuple[NDArray[np.int64], NDArray[np.int64]],
    size: int,
    scale: tuple[float, float],
) -> NDArray[np.float32]:
    """Share of tissue in each square of a grid, exact, from the mask's integral image.

    Args:
        mask: (h, w) bool.
        origins: Left edges (C,) and top edges (R,) of the squares.
        size: Side of the squares.
        scale: Mask pixels per unit of `origins` and `size`, along x and y; need not be whole.

    Returns:
        (R, C) float32, 0 to 1; what lies outside the mask is no tissue.
    """
    integral = cv2.integral(mask.view(np.uint8), sdepth=cv2.CV_32S)
    xs, ys = origins
    left, right = (np.asarray((xs + offset) * scale[0], np.float64) for offset in (0, size))
    top, bottom = (np.asarray((ys + offset) * scale[1], np.float64) for offset in (0, size))
    area = size * size * scale[0] * scale[1]
    shares = np.empty((len(ys), len(xs)), np.float32)
    for start in range(0, len(ys), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        # Between the integral image's nodes the area grows linearly along each axis: interpolation is exact.
        strip = _lerp(integral, bottom[rows]) - _lerp(integral, top[rows])
        shares[rows] = ((_lerp(strip.T, right) - _lerp(strip.T, left)).T / area).clip(0, 1)
    return shares


def _lerp(values: Any, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of `values` (n, m) at fractional places, clamped to its ends: (len(at), m)."""
    at = at.clip(0, len(values) - 1)
    low = np.minimum(at.astype(np.int64), max(len(values) - 2, 0))
    part = (at - low)[:, None]
    return np.asarray(values[low] * (1 - part) + values[np.minimum(low + 1, len(values) - 1)] * part)
