"""Nuclei in one field: peaks of the network's maps, outlined by rays.

The outline is where the nucleus map falls below 0.75 along 32 rays, never past the midline to a
neighbour. Rays cost by the cell and not by the pixel, and the same rays later look for the membrane.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.stain.cells._blobs import local_maxima, refined
from lowpower.stain.cells._cell_maps import CellMaps
from lowpower.stain.cells._nuclei_rays import (
    LARGEST_RADIUS_UM,
    RAYS,
    Floats,
    in_parts,
    on_rays,
    territory,
)

__all__ = ["Nuclei", "find_nuclei"]

_LEAST = 0.5
"""Both centre maps together, slightly smoothed, reach this much at a nucleus."""
_SMOOTH_PX = 0.6
_APART_UM = 2.4
_STEP_UM = 0.5
_SMALLEST_RADIUS_UM = 1.5
_INSIDE = 0.75
"""Of the nucleus map: with one half drawn discs of 7 to 14 um come out 0.7 to 1.6 um too wide."""


@dataclass(frozen=True, slots=True, eq=False)
class Nuclei:
    """N nuclei of one field.

    Attributes:
        xy: (N, 2) float32 centres, microns from the field's top left corner.
        seed: (N, 2) int64 column and row of the peak, pixels of the maps.
        radii: (N, RAYS) float32 microns from `xy` to the outline.
        tumour: (N,) share of the tumour map in both centre maps around the peak, 0..1.
    """

    xy: Floats
    seed: NDArray[np.int64]
    radii: Floats
    tumour: Floats

    def __len__(self) -> int:
        return len(self.xy)


def find_nuclei(maps: CellMaps, mpp: float) -> Nuclei:
    """All nuclei of a field.

    Args:
        maps: Of the field.
        mpp: um/px of the maps.
    """
    both = cv2.GaussianBlur(np.minimum(maps.tumour + maps.other, 1), (0, 0), _SMOOTH_PX)
    rows, columns = local_maxima(np.asarray(both, np.float32), _LEAST, round(_APART_UM / mpp))
    xy = refined(both, rows, columns) * np.float32(mpp)
    tumour, other = (cv2.GaussianBlur(one, (0, 0), 1.0)[rows, columns] for one in (maps.tumour, maps.other))
    share = tumour / np.maximum(tumour + other, np.float32(1e-6))
    radii = _outline(maps.nucleus, xy, mpp)
    return Nuclei(xy, np.stack([columns, rows], axis=1), radii, np.asarray(share, np.float32))


def _outline(nucleus: Floats, xy: Floats, mpp: float) -> Floats:
    """(N, RAYS) radii where the nucleus map first stays under `_INSIDE`."""
    radii = np.concatenate([_crossings(nucleus, xy[part], mpp) for part in in_parts(len(xy))])
    plain = np.full_like(radii, 1.0)
    return np.asarray(np.minimum(radii, territory(xy, plain, LARGEST_RADIUS_UM)), np.float32)


def _crossings(nucleus: Floats, xy: Floats, mpp: float) -> Floats:
    """(N, RAYS) where each ray first leaves the nucleus, whatever lies nearby."""
    steps = int(LARGEST_RADIUS_UM / _STEP_UM)
    reach = (np.arange(1, steps + 1, dtype=np.float32) * np.float32(_STEP_UM))[None, :, None]
    profile = on_rays(nucleus, xy, reach, mpp)
    outside = profile < _INSIDE  # (N, steps, RAYS)
    outside[:, : int(_SMALLEST_RADIUS_UM / _STEP_UM) - 1] = False
    outside[:, -1] = True
    first = outside.argmax(axis=1)
    rows, rays = np.arange(len(xy))[:, None], np.arange(RAYS)[None]
    inner = profile[rows, np.maximum(first - 1, 0), rays]
    outer = profile[rows, first, rays]
    part = np.clip((inner - _INSIDE) / np.maximum(inner - outer, 1e-4), 0.0, 1.0)
    return np.asarray((first + part) * np.float32(_STEP_UM), np.float32)
