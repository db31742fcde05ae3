"""Folds: tissue that lies double is twice as dark, of the same hue, and ends along a straight line."""

from __future__ import annotations

import cv2
import numpy as np

from lowpower.tissue._grid import Bits, Flags, Plane, box_mean, shrink

__all__ = ["find_folds"]

_SEEN_UM = 4.0
_EVEN_UM = 8.0
_AROUND_UM = 400.0
_DARKER = 1.5
"""OD over that of the paler tissue around it; two layers have 2."""
_LEAST_OD = 0.04
_NARROWEST_UM, _SMALLEST_UM2 = 24.0, 4000.0
_BESIDE_UM = (6.0, 24.0)
_HUE = 0.12
"""Difference of chroma over OD between a fold and what lies beside it; stained glands differ by more."""
_STRAIGHT_UM, _OFF_LINE_UM, _OVER_SIDE = 130.0, 9.0, 1.0
"""Of the outline, a stretch this long lies within this of a straight line, and is longer than the square root
of the area. Dark glands of seven real cores come to 111 um, four of six real folds to 149 to 278."""


def find_folds(mask: Flags, off: Plane, mpp: float) -> Flags:
    """Where tissue lies double.

    Args:
        mask: (H, W) bool, tissue.
        off: (H, W, 3) opponent density above the glass.
        mpp: um/px.

    Returns:
        (H, W) bool, part of the mask.
    """
    height, width = mask.shape
    factor = max(1, round(_SEEN_UM / mpp))
    size, um = (width // factor, height // factor), mpp * factor
    none = np.zeros(mask.shape, bool)
    if min(size) < 16 or not mask.any():
        return none
    coarse = shrink(off, size) if factor > 1 else off
    tissue = np.asarray(shrink(np.asarray(mask, np.float32), size) > 0.6, np.float32)
    sigma = _EVEN_UM / um
    weight = np.maximum(cv2.GaussianBlur(tissue, (0, 0), sigma), np.float32(1e-3))
    even = np.asarray(cv2.GaussianBlur(coarse[..., 0] * tissue, (0, 0), sigma) / weight, np.float32)
    paler = tissue * (even < 1.25 * _around(even, tissue, um))
    dark = (even > np.maximum(_DARKER * _around(even, paler, um), _LEAST_OD)) & (tissue > 0)
    side = max(3, int(_NARROWEST_UM / um)) | 1
    bits = cv2.morphologyEx(dark.view(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    bits = cv2.morphologyEx(bits, cv2.MORPH_OPEN, disc)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(bits, connectivity=8, ltype=cv2.CV_32S)
    margin = int(_BESIDE_UM[1] / um) + 2
    folds = np.zeros(size[::-1], np.uint8)
    for label in range(1, count):
        left, top, across, down, pixels = stats[label].tolist()
        if pixels * um * um < _SMALLEST_UM2:
            continue
        rows = slice(max(0, top - margin), top + down + margin)
        columns = slice(max(0, left - margin), left + across + margin)
        one = np.asarray(labels[rows, columns] == label, np.uint8)
        if _straight(one, um) and _alike(one, coarse[rows, columns], tissue[rows, columns] > 0, um):
            folds[rows, columns] |= one
    full = cv2.resize(folds, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(full, bool).reshape(mask.shape) & mask


def _around(plane: Plane, weight: Plane, um: float) -> Plane:
    """Weighted mean over a square of 400 um."""
    side = int(_AROUND_UM / um) | 1
    total = np.maximum(box_mean(weight, side), np.float32(1e-3))
    return np.asarray(box_mean(plane * weight, side) / total, np.float32)


def _straight(one: Bits, um: float) -> bool:
    """Whether a long stretch of its outline is straight."""
    outlines, _ = cv2.findContours(one, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=len)
    corners = cv2.approxPolyDP(outline, _OFF_LINE_UM / um, True)[:, 0].astype(np.float64)
    longest = float(np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1).max()) * um
    side = um * float(np.count_nonzero(one)) ** 0.5
    return bool(longest >= max(_STRAIGHT_UM, _OVER_SIDE * side))


def _alike(one: Bits, off: Plane, tissue: Flags, um: float) -> bool:
    """Whether what lies beside it is tissue of the same hue."""
    away = cv2.distanceTransform(np.asarray(1 - one, np.uint8), cv2.DIST_L2, 5) * um
    beside = (away > _BESIDE_UM[0]) & (away < _BESIDE_UM[1]) & tissue
    if not beside.any():
        return False
    inside, outside = off[one > 0].mean(axis=0), off[beside].mean(axis=0)
    hue = inside[1:] / inside[0] - outside[1:] / max(float(outside[0]), 1e-3)
    return float(np.hypot(*hue)) < _HUE
