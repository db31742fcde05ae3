"""What lies on the glass or in the tissue and should not: pen ink, tissue out of focus."""

from __future__ import annotations

import cv2
import numpy as np

from lowpower.tissue._grid import Flags, Plane, box_mean, shrink

__all__ = ["find_blur", "find_pen"]

_PEN_UM = 16.0
_PEN_SMALLEST_UM2 = 20_000.0
_PURE_RED = 0.66
_BLACK, _SMOOTH = 0.25, 0.1
"""Mean OD of black ink, and standard deviation within 48 um over that mean: ink on glass has 0.01 to 0.09,
grey tissue 0.14 and more, in focus or not."""
_MOST, _MOST_NEAR = 0.8, 0.5
"""More ink, and more red and black ink, than this share of all that is dark is the slide's own stain."""
_SHARPNESS_UM, _SQUARE_UM = 3.6, 64.0
_BANDS = (0.7, 1.4)
"""Standard deviations, pixels, between which the bands lie whose contrast is compared."""
_BLURRED = 0.88
"""Contrast of the finest over the next band below which tissue is out of focus. Sharp tissue of HER2 slides
has 0.94 and more in 199 of 200 squares, that of ER slides with many dark nuclei less."""


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
    dark = lightness > 0.15
    ink = (hue > 30) & (hue < 150) & (purity > 0.35)
    ink |= (hue > -30) & (hue <= 30) & (purity > 0.85)
    ink |= (hue >= 150) & (hue < 168) & (purity > 1.2)
    # Red and black ink: DAB clipped by the camera comes near them, so they may cover less.
    near = (hue > -144.5) & (hue < -118) & (purity > _PURE_RED)
    near |= (purity < 0.12) & (lightness > 0.9)
    if factor > 1:
        near |= (purity < 0.16) & (lightness > _BLACK) & (_grain(off, lightness, size) < _SMOOTH)
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
    full = cv2.resize(solid, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(full, bool).reshape(height, width)


def _grain(off: Plane, lightness: Plane, size: tuple[int, int]) -> Plane:
    """Standard deviation of mean OD within squares of 16 um, averaged over 3 x 3 of them, over the mean."""
    squares = shrink(off[..., 0] ** 2, size) - lightness * lightness
    return np.asarray(
        np.sqrt(np.maximum(box_mean(squares, 3), 0.0)) / np.maximum(lightness, 0.05), np.float32
    )


def find_blur(lightness: Plane, mask: Flags, mpp: float) -> tuple[float, Flags]:
    """Share of the tissue that is out of focus and where, nothing where um/px is too coarse to tell.

    In focus, tissue varies more from one pixel of 3 to 4 um to the next than over the next wider band; blur
    takes the finest part away first. The ratio of neighbouring bands does not depend on how strongly or how
    evenly tissue is stained, which that of fine to coarse does: a nest of even brown has no coarse part, and
    one of few nuclei no fine one.

    Args:
        lightness: (H, W) mean OD above the glass.
        mask: (H, W) bool, the tissue.
        mpp: um/px.

    Returns:
        The share of judged squares of 64 um, and (H, W) bool, tissue in squares out of focus.
    """
    height, width = mask.shape
    scale = _SHARPNESS_UM / mpp if mpp < _SHARPNESS_UM / 1.5 else 1.0
    size = (round(width / scale), round(height / scale))
    if mpp > 1.5 * _SHARPNESS_UM or min(size) < 16 or not mask.any():
        return 0.0, np.zeros(mask.shape, bool)
    plane = shrink(lightness, size) if scale > 1 else np.ascontiguousarray(lightness)
    tissue = np.asarray(shrink(np.asarray(mask, np.float32), size) > 0.99, np.float32)
    side = _SQUARE_UM / (mpp * scale)
    squares = (max(1, round(size[0] / side)), max(1, round(size[1] / side)))
    smooth, smoother = (np.asarray(cv2.GaussianBlur(plane, (0, 0), s), np.float32) for s in _BANDS)
    finest, next_wider = plane - smooth, smooth - smoother
    # Nothing is out of focus for 64 um alone: a square is judged with those around it.
    power, wider = (box_mean(shrink(band * band * tissue, squares), 3) for band in (finest, next_wider))
    judged = shrink(tissue, squares) > 0.5
    blurred = judged & (power < _BLURRED**2 * wider)
    full = cv2.resize(blurred.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    where = np.asarray(full, bool).reshape(mask.shape) & mask
    return (float(blurred.sum() / judged.sum()) if judged.any() else 0.0), where
