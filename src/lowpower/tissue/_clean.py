"""From scattered evidence to an outline a careful hand would draw."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["clean", "drop_small"]

SMALLEST_PIECE_UM2 = 10_000.0
"""Area below which a piece is a speck (100 um squared)."""
SMALLEST_HOLE_UM2 = 10_000.0
"""Area below which a hole is a lumen or vessel that belongs to the tissue."""
_JOIN_UM = 40.0
_OPEN_UM = 12.0
_RESIDUE = 0.0065
"""Root mean square OD of a piece that is residue, not tissue: a lost core's print 0.0035, the faintest core 0.015."""


def clean(evidence: NDArray[np.bool_], off: NDArray[np.float32], mpp: float) -> NDArray[np.bool_]:
    """Join evidence closer than 40 um, drop specks and residue, and fill small holes.

    Args:
        evidence: (H, W) bool.
        off: (H, W, 3) opponent density above the glass.
        mpp: um/px of both.
    """
    mask = evidence.astype(np.uint8)
    mask = _close(mask, _square(_OPEN_UM, mpp))
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _square(_OPEN_UM, mpp))
    mask = _close(mask, _square(_JOIN_UM, mpp))
    field = mask.size * mpp * mpp
    mask = drop_small(mask, min(SMALLEST_PIECE_UM2, 0.05 * field) / mpp**2)
    mask = _drop_residue(mask, off, mpp)
    return drop_small(mask ^ 1, SMALLEST_HOLE_UM2 / mpp**2, keep_border=False) == 0


def _square(size_um: float, mpp: float) -> NDArray[np.uint8]:
    side = 2 * round(size_um / mpp / 2) + 1
    return np.ones((side, side), np.uint8)


def _close(mask: NDArray[np.uint8], kernel: NDArray[np.uint8]) -> NDArray[np.uint8]:
    margin = kernel.shape[0]
    wide = cv2.copyMakeBorder(mask, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    wide = cv2.morphologyEx(wide, cv2.MORPH_CLOSE, kernel)
    return np.ascontiguousarray(wide[margin:-margin, margin:-margin])


def drop_small(mask: NDArray[np.uint8], pixels: float, *, keep_border: bool = False) -> NDArray[np.uint8]:
    """`mask` without its connected parts of fewer than `pixels` pixels."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8, ltype=cv2.CV_32S)
    keep = stats[:, cv2.CC_STAT_AREA] >= pixels
    keep[0] = False
    return keep.astype(np.uint8)[labels]


def _drop_residue(mask: NDArray[np.uint8], off: NDArray[np.float32], mpp: float) -> NDArray[np.uint8]:
    """Without the pieces that absorb next to nothing: glue, dried buffer, the print of a lost core."""
    side = max(1, round(4.0 / mpp))
    smooth = cv2.blur(off, (side, side)) if side > 1 else off
    count, labels = cv2.connectedComponents(mask, connectivity=8, ltype=cv2.CV_32S)
    area = np.bincount(labels.ravel(), minlength=count)
    power = np.bincount(
        labels.ravel(), weights=np.einsum("ijk,ijk->ij", smooth, smooth).ravel(), minlength=count
    )
    keep = power > _RESIDUE**2 * area
    keep[0] = False
    return keep.astype(np.uint8)[labels]
