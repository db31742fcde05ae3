"""Tissue in an image: colour against the slide's own glass, and texture that glass does not have."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.tissue._clean import clean
from lowpower.tissue._density import opponent_density, rgb_of
from lowpower.tissue._glass import BLOCK_UM, Glass, find_glass, stand_in_white_point
from lowpower.tissue._types import MaskNumbers, MaskResult
from lowpower.units import Mpp, scaled_size

__all__ = ["tissue_mask", "working_mpp"]

_PIXELS = 2_000_000
_COARSEST = 4.0
_FINEST = 1.0
_TEXTURE_GRID_UM = 4.0
_TEXTURE_WINDOW = 7
_TEXTURE = 0.0030
_COLOUR = 0.0030
_SHADE = 0.020


def working_mpp(width: int, height: int, mpp: float) -> float:
    """The um/px to look for tissue at: 4 for a slide, down to 1 for a field of view; never finer than `mpp`."""
    wanted = math.sqrt(width * height * mpp * mpp / _PIXELS)
    return max(mpp, min(_COARSEST, max(_FINEST, wanted)))


def tissue_mask(image: NDArray[np.uint8], mpp: float) -> MaskResult:
    """Find tissue in an image.

    Args:
        image: (H, W, 3) RGB.
        mpp: um/px of the image.

    Returns:
        The mask at `working_mpp`, with the white point and the numbers behind it. No tissue is an all-False mask.

    Raises:
        ValueError: if the image is not (H, W, 3) uint8 or mpp is not above 0.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"need an (H, W, 3) uint8 image, got {image.shape} {image.dtype}")
    if not mpp > 0:
        raise ValueError(f"um/px must be above 0, got {mpp}")
    height, width = image.shape[:2]
    target = working_mpp(width, height, mpp)
    if target > mpp * 1.01:
        image = cv2.resize(image, scaled_size(width, height, mpp, target), interpolation=cv2.INTER_AREA)
    effective = mpp * math.sqrt(width * height / (image.shape[0] * image.shape[1]))
    density = opponent_density(image)
    padding = find_padding(image, effective)
    glass = find_glass(density, padding, effective)
    pen = np.zeros(padding.shape, bool)
    if glass is None:
        white, source = stand_in_white_point(density, padding)
        mask = ~padding
        thresholds = (0.0, 0.0, 0.0)
    else:
        white, source = rgb_of(glass.level), "glass"
        off = _above_glass(density, glass)
        evidence, thresholds = _evidence(off, glass, padding, effective)
        mask = clean(evidence & ~padding, off, effective) & ~padding
    seen = max(1, mask.size)
    level = density[..., 0] if glass is None else off[..., 0]
    numbers = MaskNumbers(
        glass_share=0.0 if glass is None else glass.share,
        glass_noise=0.0 if glass is None else glass.noise,
        glass_texture=thresholds[0],
        texture_threshold=thresholds[1],
        colour_threshold=thresholds[2],
        illumination_range=0.0 if glass is None else glass.illumination_range,
        padding_share=float(padding.mean()),
        pen_share=float(pen.mean()),
        blurred_share=0.0,
        tissue_share=float(mask.sum() / seen),
        tissue_od=float(level[mask].mean()) if mask.any() else 0.0,
    )
    return MaskResult(mask, pen, Mpp(effective), white, source, numbers)


def find_padding(image: NDArray[np.uint8], mpp: float) -> NDArray[np.bool_]:
    """Pixels that no scanner saw: wide areas of exact white, or of black."""
    side = max(3, round(4 * BLOCK_UM / mpp)) | 1
    square = np.ones((side, side), np.uint8)
    padding = np.zeros(image.shape[:2], np.uint8)
    for low, high, grow in ((255, 255, 1), (0, 10, 5)):
        exact = cv2.inRange(image, (low,) * 3, (high,) * 3)
        if not cv2.countNonZero(exact):
            continue
        wide = cv2.morphologyEx(exact, cv2.MORPH_OPEN, square, borderType=cv2.BORDER_REPLICATE)
        padding |= cv2.dilate(wide, np.ones((grow, grow), np.uint8))
    return padding.astype(bool)


def _above_glass(density: NDArray[np.float32], glass: Glass) -> NDArray[np.float32]:
    if glass.field is None:
        off: NDArray[np.float32] = cv2.subtract(density, tuple(float(v) for v in glass.level) + (0.0,))
        return off
    height, width = density.shape[:2]
    field = cv2.resize(glass.field, (width, height), interpolation=cv2.INTER_LINEAR)
    return density - field


def _evidence(
    off: NDArray[np.float32], glass: Glass, padding: NDArray[np.bool_], mpp: float
) -> tuple[NDArray[np.bool_], tuple[float, float, float]]:
    height, width = off.shape[:2]
    on_glass = cv2.resize(glass.blocks.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    unclaimed = (~padding).astype(np.float32)
    flagged = np.zeros((height, width), bool)
    threshold = 0.0
    for side in sorted({1, *(max(3, round(um / mpp / 2) * 2 + 1) for um in (4.0, 12.0, 26.0))}):
        fine = (_TEXTURE_GRID_UM / (side * mpp)) ** 0.75
        colour_floor = max(_COLOUR, 0.012 * fine)
        shade_floor = max(_SHADE, 0.030 * fine)
        if side == 1:
            local = off
            trusted = unclaimed > 0
        else:
            weight = cv2.boxFilter(unclaimed, -1, (side, side))
            trusted = (weight > 0.2) & (unclaimed > 0)
            weight = np.maximum(weight, 1e-6)
            local = cv2.boxFilter(off * unclaimed[..., None], -1, (side, side)) / weight[..., None]
        lightness = local[..., 0]
        colour = np.sqrt(local[..., 1] ** 2 + local[..., 2] ** 2)
        on = on_glass & trusted
        colour_limit = max(colour_floor, 4.0 * float(np.quantile(colour[on][::7], 0.6)))
        shade_limit = max(shade_floor, 6.0 * 1.48 * float(np.median(np.abs(lightness[on][::7]))))
        threshold = colour_limit
        score = (colour / colour_limit) ** 2 + (np.maximum(lightness, 0) / shade_limit) ** 2
        found = trusted & (score > 1) & (lightness > -0.004)
        flagged |= found
        unclaimed[found] = 0.0
    texture, texture_limit, on_glass_texture = _texture(off, unclaimed, on_glass, mpp)
    return flagged | texture, (on_glass_texture, texture_limit, threshold)


def _texture(
    off: NDArray[np.float32], unclaimed: NDArray[np.float32], on_glass: NDArray[np.bool_], mpp: float
) -> tuple[NDArray[np.bool_], float, float]:
    """Windows of 28 um whose mean OD, averaged to 4 um/px, varies more than the glass's own."""
    height, width = unclaimed.shape
    lightness = np.ascontiguousarray(off[..., 0])
    factor = max(1, round(_TEXTURE_GRID_UM / mpp))
    if factor > 1:
        size = (max(1, width // factor), max(1, height // factor))
        lightness = cv2.resize(lightness * unclaimed, size, interpolation=cv2.INTER_AREA)
        weight = cv2.resize(unclaimed, size, interpolation=cv2.INTER_AREA)
        lightness = lightness / np.maximum(weight, 1e-3)
        weight = (weight > 0.5).astype(np.float32)
        on_glass = cv2.resize(on_glass.view(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    else:
        weight = unclaimed
    window = (_TEXTURE_WINDOW, _TEXTURE_WINDOW)
    total = np.maximum(cv2.boxFilter(weight, -1, window), 1e-6)
    mean = cv2.boxFilter(lightness * weight, -1, window) / total
    square = cv2.boxFilter(lightness * lightness * weight, -1, window) / total
    deviation = np.sqrt(np.maximum(square - mean * mean, 0.0))
    own = float(np.median(deviation[on_glass])) if on_glass.any() else 0.0
    limit = max(_TEXTURE, 2.5 * own)
    found = ((deviation > limit) & (total > 0.15)).astype(np.uint8)
    # A window straddling the edge of tissue reaches half its width out onto the glass.
    found = cv2.erode(found, np.ones((5, 5), np.uint8))
    if factor > 1:
        found = cv2.resize(found, (width, height), interpolation=cv2.INTER_NEAREST)
    return found > 0, limit, own
