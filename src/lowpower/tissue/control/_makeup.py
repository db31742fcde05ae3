"""What the tissue of each cluster is like: how brown, and how uneven, so that another block's can be told."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.tissue._colour_axes import brown_od
from lowpower.tissue._grid import Flags, Plane, shrink

__all__ = ["Makeup", "makeup_of"]

Makeup = NDArray[np.float64]
"""(clusters, 3): pixels seen, mean log DAB OD, mean log unevenness; without pixels all 0."""

_PIXEL_UM: Final = 8.0
_TILE: Final = 32
"""Side of a tile: 256 um, several glands or nests."""
_FEWEST: Final = 150
"""Pixels of a tile that has to be tissue of one cluster."""
_FINE, _COARSE = 5, 17
"""Unevenness is what means over 40 um show and those over 136 um do not: glands, nests, stroma; no nuclei."""
_DAB_FLOOR, _FLAT = 0.02, 0.003


def makeup_of(mask: Flags, off: Plane, mpp: float, nearest: NDArray[np.int32], count: int) -> Makeup:
    """What each cluster's tissue is like, as the mean over its tiles.

    Args:
        mask: (H, W) bool, the tissue.
        off: (H, W, 3) opponent density above the glass.
        mpp: um/px of both.
        nearest: (h, w) index of the cluster that lies nearest to each cell.
        count: How many clusters there are.
    """
    if not count:
        return np.zeros((0, 3))
    height, width = mask.shape
    size = (max(1, round(width * mpp / _PIXEL_UM)), max(1, round(height * mpp / _PIXEL_UM)))
    seen = shrink(off[..., :2], size)
    tissue = shrink(np.asarray(mask, np.float32), size) > 0.5
    whose = cv2.resize(nearest, size, interpolation=cv2.INTER_NEAREST).reshape(tissue.shape)
    lightness = np.maximum(seen[..., 0], 0.0)
    inside = tissue.astype(np.float32)
    uneven = (_mean_inside(lightness, inside, _FINE) - _mean_inside(lightness, inside, _COARSE))[tissue]
    rows, columns = np.nonzero(tissue)
    across = -(-size[0] // _TILE)
    group = ((rows // _TILE) * across + columns // _TILE) * count + whose[tissue]
    pixels = np.bincount(group)
    used = np.flatnonzero(pixels >= _FEWEST)
    number = pixels[used].astype(np.float64)
    brown = np.bincount(group, weights=brown_od(seen)[tissue])[used] / number
    mean = np.bincount(group, weights=uneven)[used] / number
    spread = np.bincount(group, weights=uneven * uneven)[used] / number - mean * mean
    tiles = np.stack([np.log(brown + _DAB_FLOOR), np.log(np.sqrt(np.maximum(spread, 0.0)) + _FLAT)], axis=1)
    makeup = np.zeros((count, 3))
    np.add.at(makeup, used % count, np.column_stack([number, tiles * number[:, None]]))
    makeup[:, 1:] /= np.maximum(makeup[:, :1], 1.0)
    return makeup


def _mean_inside(plane: Plane, inside: Plane, side: int) -> Plane:
    """The mean over the tissue in a square of `side` pixels around each pixel."""
    total = cv2.boxFilter(plane * inside, -1, (side, side))
    share = cv2.boxFilter(inside, -1, (side, side))
    return np.asarray(total / np.maximum(share, 1e-3), np.float32)
