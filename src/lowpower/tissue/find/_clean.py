"""From scattered evidence to an outline a careful hand would draw."""

from __future__ import annotations

import cv2
import numpy as np

from lowpower.tissue._grid import Bits, Flags, Plane, box_mean, morphed, square_of

__all__ = ["clean"]

_SMALLEST_PIECE_UM2 = 4_000.0
"""Area below which a piece is a speck (63 um squared); dust and its halo stay below."""
_SMALLEST_HOLE_UM2 = 22_000.0
"""Area below which a hole is a lumen or vessel that belongs to the tissue (148 um squared)."""
_SECRETION = 0.004
"""Mean OD above which a hole is filled with secretion: a clear tear has 0.002, a filled lumen 0.007."""
_GRAIN_UM = 12.0
"""Single dark grains on the glass are smaller."""
_JOIN_UM = 30.0
"""Gaps between nuclei of pale tissue are narrower."""
_SPUR_UM = 40.0
"""Fibres and debris that hang on tissue are narrower."""
_SOLID = 0.05
"""Mean OD over a grain's width of what is kept however thin: a gland's wall is 20 um of strong stain."""
_ROUND_UM = 8.0
"""Radius to which corners that squares have cut are rounded."""
_RESIDUE = 0.006
"""Root mean square OD of a piece that is residue: a lost core's print 0.0035, the faintest core 0.015."""


def clean(evidence: Flags, off: Plane, mpp: float) -> Flags:
    """Join evidence closer than 30 um, drop spurs, specks and residue, and fill small holes.

    Args:
        evidence: (H, W) bool.
        off: (H, W, 3) opponent density above the glass.
        mpp: um/px of both.
    """
    field = evidence.size * mpp * mpp
    mask = np.asarray(evidence, np.uint8)
    mask = morphed(mask, cv2.MORPH_CLOSE, square_of(_GRAIN_UM, mpp))
    mask = morphed(mask, cv2.MORPH_OPEN, square_of(_GRAIN_UM, mpp))
    mask = morphed(mask, cv2.MORPH_CLOSE, square_of(_JOIN_UM, mpp))
    # In a small field of view a square this wide would eat what is there to see.
    thick = morphed(mask, cv2.MORPH_OPEN, square_of(min(_SPUR_UM, 0.08 * field**0.5), mpp))
    mask = _rounded(thick, mpp) | _solid(mask, off, mpp)
    mask = _without_small(mask, min(_SMALLEST_PIECE_UM2, 0.002 * field) / mpp**2)
    mask = _without_residue(mask, off, mpp)
    return _filled(mask, off, min(_SMALLEST_HOLE_UM2, 0.1 * field) / mpp**2)


def _filled(mask: Bits, off: Plane, pixels: float) -> Flags:
    """With the holes of fewer than `pixels` pixels, up to three times as many where they hold secretion."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(
        np.asarray(mask ^ 1, np.uint8), connectivity=8, ltype=cv2.CV_32S
    )
    area = np.asarray(stats[:, cv2.CC_STAT_AREA], np.int64)
    fill = area < pixels
    fill[0] = True
    for hole in np.flatnonzero(~fill & (area < 3 * pixels)).tolist():
        left, top, wide, tall = stats[hole, : cv2.CC_STAT_AREA].tolist()
        box = slice(top, top + tall), slice(left, left + wide)
        shade = off[box][..., 0][labels[box] == hole].sum(dtype=np.float64)
        fill[hole] = shade > _SECRETION * area[hole]
    return np.asarray(fill[labels], bool)


def _solid(mask: Bits, off: Plane, mpp: float) -> Bits:
    """What is dense over more than a grain's width, wherever it is thin: it is no fibre on the glass."""
    square = square_of(_GRAIN_UM, mpp)
    dense = np.asarray(box_mean(np.ascontiguousarray(off[..., 0]), square.shape[0]) > _SOLID, np.uint8)
    return morphed(dense & mask, cv2.MORPH_OPEN, square)


def _rounded(mask: Bits, mpp: float) -> Bits:
    """With corners rounded, area about kept."""
    side = 2 * round(_ROUND_UM / mpp) + 1
    share = cv2.blur(cv2.blur(mask * np.uint8(255), (side, side)), (side, side))
    return np.asarray(share > 127, np.uint8)


def _without_small(mask: Bits, pixels: float) -> Bits:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8, ltype=cv2.CV_32S)
    keep = stats[:, cv2.CC_STAT_AREA] >= pixels
    keep[0] = False
    return np.asarray(np.asarray(keep, np.uint8)[labels], np.uint8)


def _without_residue(mask: Bits, off: Plane, mpp: float) -> Bits:
    """Without the pieces that absorb next to nothing: glue, dried buffer, the print of a lost core."""
    count, labels = cv2.connectedComponents(mask, connectivity=8, ltype=cv2.CV_32S)
    if count == 1:
        return mask
    side = max(1, round(4.0 / mpp))
    smooth = box_mean(off, side) if side > 1 else off
    # Every second pixel of every second row is plenty for a mean over 4000 square microns.
    smooth = smooth[::2, ::2]
    places = np.asarray(labels[::2, ::2], np.int64).ravel()
    power = np.bincount(places, weights=np.einsum("ijk,ijk->ij", smooth, smooth).ravel(), minlength=count)
    keep = power > _RESIDUE**2 * np.bincount(places, minlength=count)
    keep[0] = False
    return np.asarray(np.asarray(keep, np.uint8)[labels], np.uint8)
