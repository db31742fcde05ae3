"""Tissue in an image: colour against the slide's own glass, and texture that glass does not have."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.tissue._colour_axes import opponent_density, rgb_of
from lowpower.tissue._glass import BLOCK_UM, Glass, find_glass, stand_in_white_point
from lowpower.tissue._grid import Flags, Plane, enlarge
from lowpower.tissue._types import MaskNumbers, MaskResult, WhitePointSource
from lowpower.tissue.defects import (
    find_blur,
    find_bubbles,
    find_debris,
    find_folds,
    find_pen,
    find_unscanned,
    without_tissue,
)
from lowpower.tissue.find._clean import clean
from lowpower.tissue.find._evidence import Evidence, find_evidence
from lowpower.units import Mpp, scaled_size

__all__ = ["Look", "look_at", "tissue_mask", "working_mpp"]

_PIXELS = 1_400_000
_COARSEST = 4.0
_FINEST = 1.0
_GAPS = 0.05
"""Share of glass below which a field of view is tissue from edge to edge."""
_FIELD_OF_VIEW_UM2 = 1e6


def working_mpp(width: int, height: int, mpp: float) -> float:
    """The um/px to look for tissue at, for a slide of `width` x `height` pixels of `mpp` um/px.

    4 for a slide, down to 1 for a field of view, never finer than `mpp`. Texture tells tissue from residue
    better at 4 um/px than at 1: what a lost core leaves is grainy at 1 um and even at 4, nuclei show at
    both.
    """
    wanted = math.sqrt(width * height * mpp * mpp / _PIXELS)
    return max(mpp, min(_COARSEST, max(_FINEST, wanted)))


@dataclass(frozen=True, eq=False)
class Look:
    """An image as it was seen while its tissue was looked for.

    Attributes:
        found: The tissue.
        off: (H, W, 3) opponent density above the glass, on the mask's grid.
        padding: (H, W) bool, wide areas of exact black or white, which no scanner saw.
        unscanned: (H, W) bool, areas filled with another colour, likewise.
        blurred: (H, W) bool, tissue out of focus.
        bubbles: (H, W) bool, insides of air bubbles, on tissue and glass.
        debris: (H, W) bool, pieces that are no tissue.
        folds: (H, W) bool, tissue that lies double.
    """

    found: MaskResult
    off: Plane
    padding: Flags
    unscanned: Flags
    blurred: Flags
    bubbles: Flags
    debris: Flags
    folds: Flags


def tissue_mask(image: NDArray[np.uint8], mpp: float) -> MaskResult:
    """Find tissue in an image.

    Args:
        image: (H, W, 3) RGB.
        mpp: um/px of the image.

    Returns:
        The mask at `working_mpp`, the white point and the numbers behind it. Without tissue all is False.

    Raises:
        ValueError: if the image is not (H, W, 3) uint8 or mpp is not above 0.
    """
    return look_at(image, mpp).found


def look_at(image: NDArray[np.uint8], mpp: float) -> Look:
    """What `tissue_mask` finds, with the densities that it found it in."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(f"need an (H, W, 3) uint8 image, got {image.shape} {image.dtype}")
    if not (mpp > 0 and math.isfinite(mpp)):
        raise ValueError(f"um/px must be above 0, got {mpp}")
    height, width = image.shape[:2]
    target = working_mpp(width, height, mpp)
    if target > mpp * 1.01:
        size = scaled_size(width, height, mpp, target)
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        image = image.reshape(size[1], size[0], 3)
    effective = mpp * math.sqrt(width * height / (image.shape[0] * image.shape[1]))
    density = opponent_density(image)
    padding = _find_padding(image, effective)
    glass = find_glass(density, padding, effective)
    unscanned = find_unscanned(image, density, padding, glass, effective)
    unseen = padding | unscanned
    if unscanned.any():
        glass = find_glass(density, unseen, effective)
    off = density if glass is None else _above_glass(density, glass)
    del density  # as large as all that is found together
    off[unscanned] = 0.0  # as on glass: a block's colour is nobody's ink and leaks nowhere
    bubbles = find_bubbles(off, effective) & ~unseen
    evidence: Evidence | None = None
    source: WhitePointSource
    if glass is None:
        white, source = stand_in_white_point(off, unseen)
        pen = debris = np.zeros(unseen.shape, bool)
        mask = ~unseen
    else:
        white, source = rgb_of(glass.level), "glass"
        pen = find_pen(off, effective) & ~unseen
        evidence = find_evidence(off, glass, unseen | pen, effective)
        empty = unseen | pen | without_tissue(bubbles, off, effective)
        mask = clean(evidence.mask & ~empty, off, effective)
        field = mask.size * effective * effective
        if glass.share < _GAPS and field < _FIELD_OF_VIEW_UM2 and mask.mean() > 0.25:
            # A few flat spots in a field of view are gaps in pale tissue: glass, but nobody's background.
            mask = np.ones_like(mask)
        mask &= ~empty
        debris = find_debris(mask, ~(mask | evidence.mask | empty), off, effective)
        mask &= ~debris
    share, blurred = find_blur(off[..., 0], mask & ~bubbles, effective)
    numbers = _numbers(off[..., 0], mask, pen, padding, glass, evidence, share)
    found = MaskResult(mask, pen, Mpp(effective), white, source, numbers)
    folds = np.zeros(mask.shape, bool) if glass is None else find_folds(mask & ~bubbles, off, effective)
    return Look(found, off, padding, unscanned, blurred, bubbles, debris, folds)


def _numbers(
    lightness: Plane,
    mask: Flags,
    pen: Flags,
    padding: Flags,
    glass: Glass | None,
    evidence: Evidence | None,
    blurred_share: float,
) -> MaskNumbers:
    return MaskNumbers(
        glass_share=0.0 if glass is None else glass.share,
        glass_noise=0.0 if glass is None else glass.noise,
        glass_texture=0.0 if evidence is None else evidence.glass_texture,
        texture_threshold=0.0 if evidence is None else evidence.texture_threshold,
        colour_threshold=0.0 if evidence is None else evidence.colour_threshold,
        illumination_range=0.0 if glass is None else glass.illumination_range,
        padding_share=float(padding.mean()),
        pen_share=float(pen.mean()),
        blurred_share=blurred_share,
        tissue_share=float(mask.mean()),
        tissue_od=float(lightness[mask].mean()) if mask.any() else 0.0,
    )


def _find_padding(image: NDArray[np.uint8], mpp: float) -> Flags:
    """Pixels that no scanner saw: wide areas of exact white, or of black."""
    side = max(3, round(4 * BLOCK_UM / mpp)) | 1
    square = np.ones((side, side), np.uint8)
    padding = np.zeros(image.shape[:2], bool)
    for low, high, grow in ((255, 255, 1), (0, 10, 5)):
        exact = cv2.inRange(image, np.full(3, low), np.full(3, high))
        if not cv2.countNonZero(exact):
            continue
        wide = cv2.morphologyEx(exact, cv2.MORPH_OPEN, square, borderType=cv2.BORDER_REPLICATE)
        padding |= np.asarray(cv2.dilate(wide, np.ones((grow, grow), np.uint8)), bool)
    return padding


def _above_glass(density: Plane, glass: Glass) -> Plane:
    if glass.field is None:
        return density - glass.level
    height, width = density.shape[:2]
    level = enlarge(glass.field, (width, height))
    return np.subtract(density, level, out=level)
