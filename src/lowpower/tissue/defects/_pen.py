"""Pen ink on the glass: wide, solid colour that no stain makes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.tissue._grid import Bits, Flags, Plane, box_mean, shrink

__all__ = ["find_pen"]

_PEN_UM = 16.0
_PEN_SMALLEST_UM2 = 20_000.0
_DARK = 0.15
_INKS = {"green, cyan": (30.0, 150.0, 0.35), "blue": (-30.0, 30.0, 0.85), "yellow": (150.0, 168.0, 1.2)}
_RED = (-144.5, -118.0, 0.66)
"""Hues in degrees between which an ink lies, and the purity (colour over mean OD) that it exceeds."""
_BLACK_PURITY, _BLACK_SURE = 0.12, 0.9
"""Below this purity and above this mean OD it is black ink, whatever its grain."""
_BLACK, _SMOOTH, _GREY_PURITY = 0.25, 0.1, 0.16
"""Mean OD of black ink, and standard deviation within 48 um over that mean: ink on glass has 0.01 to 0.09,
grey tissue 0.14 and more, in focus or not."""
_FAINT_PURITY, _FAINT = 0.15, 0.04
"""Purity and mean OD above which green and cyan ink goes on from where it is sure."""
_MOST, _MOST_NEAR = 0.8, 0.5
"""More ink, and more red and black ink, than this share of all that is dark is the slide's own stain."""


def find_pen(off: Plane, mpp: float) -> Flags:
    """Pen ink: wide, solid colour that haematoxylin, DAB and eosin do not make.

    On the circle of hues at constant OD haematoxylin lies near -30 degrees with a colour of 0.6 times its
    mean OD, DAB near 180 with 0.7, eosin near -95. Green and cyan inks lie far from all three; blue and
    yellow inks are purer than any of them; red ink lies between DAB and eosin, where haematoxylin with either
    is pale; black ink has no colour and, unlike tissue as grey, no grain.

    Args:
        off: (H, W, 3) opponent density above the glass.
        mpp: um/px.

    Returns:
        (H, W) bool. All False where ink would cover most of what is dark: that is the slide's own stain.
    """
    height, width = off.shape[:2]
    factor = max(1, round(_PEN_UM / mpp))
    size = (max(1, width // factor), max(1, height // factor))
    coarse = shrink(off, size) if factor > 1 else off
    lightness = coarse[..., 0]
    purity = np.hypot(coarse[..., 1], coarse[..., 2]) / np.maximum(lightness, 0.05)
    hue = np.degrees(np.arctan2(coarse[..., 2], coarse[..., 1]))
    dark = lightness > _DARK
    ink = np.zeros(hue.shape, bool)
    for low, high, pure in _INKS.values():
        ink |= (hue > low) & (hue <= high) & (purity > pure)
    # Red and black ink: DAB clipped by the camera comes near them, so they may cover less.
    low, high, pure = _RED
    near = (hue > low) & (hue < high) & (purity > pure)
    near |= (purity < _BLACK_PURITY) & (lightness > _BLACK_SURE)
    if factor > 1:
        near |= (purity < _GREY_PURITY) & (lightness > _BLACK) & (_grain(off, lightness, size) < _SMOOTH)
    ink, near = ink & dark, near & dark
    none = np.zeros((height, width), bool)
    seen = np.count_nonzero(lightness > 0.03)
    if near.sum() <= _MOST_NEAR * seen:
        ink |= near
    if not ink.any() or ink.sum() > _MOST * seen:
        return none
    bits = np.asarray(
        cv2.morphologyEx(ink.view(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8
    )
    _, labels, stats, _ = cv2.connectedComponentsWithStats(bits, connectivity=8, ltype=cv2.CV_32S)
    keep = stats[:, cv2.CC_STAT_AREA] * (mpp * factor) ** 2 >= _PEN_SMALLEST_UM2
    keep[0] = False
    solid = np.asarray(keep[labels], np.uint8)
    if not solid.any():
        return none
    solid = np.asarray(cv2.dilate(solid, np.ones((5, 5), np.uint8)), np.uint8)
    solid |= _faint(solid, hue, purity, lightness)
    full = cv2.resize(solid, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(full, bool).reshape(height, width)


def _faint(solid: Bits, hue: NDArray[np.floating], purity: NDArray[np.floating], lightness: Plane) -> Bits:
    """Where green and cyan ink goes on thin, or over tissue: no mixture of stains has such a hue."""
    low, high, pure = _INKS["green, cyan"]
    thin = (hue > low) & (hue <= high) & (purity > _FAINT_PURITY) & (lightness > _FAINT)
    if thin.sum() > _MOST_NEAR * np.count_nonzero(lightness > 0.03):
        return np.zeros_like(solid)  # a green counterstain
    _, labels = cv2.connectedComponents((thin | (solid > 0)).view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    touched = np.zeros(int(labels.max()) + 1, bool)
    touched[labels[(solid > 0) & thin & (purity > pure)]] = True
    return np.asarray(touched[labels] & thin, np.uint8)


def _grain(off: Plane, lightness: Plane, size: tuple[int, int]) -> Plane:
    """Standard deviation of mean OD within squares of 16 um, averaged over 3 x 3 of them, over the mean."""
    squares = shrink(off[..., 0] ** 2, size) - lightness * lightness
    return np.asarray(
        np.sqrt(np.maximum(box_mean(squares, 3), 0.0)) / np.maximum(lightness, 0.05), np.float32
    )
