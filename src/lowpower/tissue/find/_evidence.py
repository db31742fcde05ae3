"""Evidence of tissue: colour that the glass does not have, and texture that the glass does not have."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lowpower.tissue._glass import Glass
from lowpower.tissue._grid import Flags, Plane, box_mean, enlarge, morphed, shrink

__all__ = ["Evidence", "find_evidence"]

_COLOUR = 0.0045
"""Distance from grey in OD that is colour; one step of a JPEG's chroma on clean glass is 0.003."""
_SHADE = 0.020
"""Mean OD without any colour that is tissue; uneven lighting between stitched tiles reaches 0.010."""
_TEXTURE = 0.0030
"""Standard deviation of mean OD at 4 um/px in a 28 um window: glass 0.0009, a lost core's print 0.0015, the
faintest core 0.005."""
_TEXTURE_UM = 4.0
_TEXTURE_SIDE = 7
_BETWEEN, _WEAKER = 13, 0.75
"""Side of the gaps between textured windows, pixels of 4 um, in which this share of the limit is enough."""
_BARE = 8
"""Side of what is glass for sure, pixels of 4 um: pale tissue holds smaller flat places."""
_REACH = 16
"""Pixels that an edge's coding error reaches: JPEG codes colour in squares of 16."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """Where the image differs from its glass, and the thresholds used.

    Attributes:
        mask: (H, W) bool.
        colour_threshold: Chromatic OD that counted as colour over the widest window.
        texture_threshold: Standard deviation of mean OD that counted as texture.
        glass_texture: Its median on the glass.
    """

    mask: Flags
    colour_threshold: float
    texture_threshold: float
    glass_texture: float


@dataclass(frozen=True, eq=False)
class _Leak:
    """Coding error to expect from strong edges nearby, on a grid of 4 x 4 pixels."""

    near: Plane
    far: Plane

    def at(self, near: float, far: float, size: tuple[int, int]) -> Plane:
        return enlarge(near * self.near + far * self.far, size)


def find_evidence(off: Plane, glass: Glass, padding: Flags, mpp: float) -> Evidence:
    """Judge each pixel against the glass, from fine to wide windows, then the texture of what is left.

    Strong evidence is found in single pixels and taken out of the wider windows, which then see weak evidence
    without the strong leaking into them. Limits rise with the noise of the glass and near strong edges,
    where JPEG smears colour over 16 pixels. Last, edges found by wide windows are put back where the image
    has them.

    Args:
        off: (H, W, 3) opponent density above the glass.
        glass: The glass.
        padding: (H, W) bool, pixels to leave out.
        mpp: um/px.
    """
    height, width = off.shape[:2]
    size = (width, height)
    planes = [np.ascontiguousarray(off[..., axis]) for axis in range(3)]
    leak = _leak_of(planes)
    on_glass = cv2.resize(glass.blocks.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    unclaimed = np.asarray(~padding, np.float32)
    mask = np.zeros((height, width), bool)
    limit = _COLOUR
    factor = 1
    while factor <= 2 or factor * mpp <= 10.0:
        found, limit = _coloured(planes, unclaimed, on_glass, leak, factor, mpp)
        if factor == 1:
            strong = found
            single = unclaimed.copy()
            single[strong] = 0.0
        mask |= found
        unclaimed[found] = 0.0
        factor *= 2
    mask = strong | _sharpened(planes, mask, single)
    lightness = planes[0]
    del planes, single, strong, found
    unclaimed = np.asarray(~(padding | mask), np.float32)
    texture, texture_limit, own = _textured(lightness, unclaimed, on_glass, leak, mpp)
    return Evidence(mask | texture, limit, texture_limit, own)


def _leak_of(planes: list[Plane]) -> _Leak:
    height, width = planes[0].shape
    strength = cv2.max(cv2.max(np.abs(planes[1]), np.abs(planes[2])), planes[0])
    coarse = cv2.dilate(strength, np.ones((4, 4), np.uint8))[::4, ::4]
    # Nuclei of pale tissue leak too little to matter, and are everywhere in it.
    coarse = np.clip(coarse - 0.12, 0.0, 0.5)
    wide = 2 * (_REACH // 4) + 1
    near = cv2.dilate(coarse, np.ones((3, 3), np.uint8))
    far = cv2.dilate(coarse, np.ones((wide, wide), np.uint8))
    shape = (-(-height // 4), -(-width // 4))
    return _Leak(np.asarray(near, np.float32).reshape(shape), np.asarray(far, np.float32).reshape(shape))


def _coloured(
    planes: list[Plane], unclaimed: Plane, on_glass: cv2.typing.MatLike, leak: _Leak, factor: int, mpp: float
) -> tuple[Flags, float]:
    """Pixels whose colour or shade, over 3 x 3 cells of `factor` pixels, is not the glass's; the limit."""
    height, width = unclaimed.shape
    size = (max(1, width // factor), max(1, height // factor))
    if factor == 1:
        lightness, first, second = planes
        trusted = unclaimed > 0.0
        window_um = mpp
    else:
        weight = box_mean(shrink(unclaimed, size), 3)
        trusted = weight > 0.15
        weight = np.maximum(weight, 1e-6)
        lightness, first, second = (box_mean(shrink(p * unclaimed, size), 3) / weight for p in planes)
        window_um = 3 * factor * mpp
    glass_here = cv2.resize(on_glass, size, interpolation=cv2.INTER_NEAREST).reshape(size[1], size[0]) > 0
    colour = first * first + second * second
    # Single fine pixels are noisy and, at 1 um/px, residue on the glass is grainy: ask for more.
    strict = max(1.0, (12.0 / window_um) ** 0.75)
    sample = glass_here & trusted & (leak.at(0.0, 1.0, size) < 0.03)
    if np.count_nonzero(sample) < 50:
        sample = glass_here & trusted
    spread = np.sqrt(colour[sample][::5]) if sample.any() else np.zeros(1, np.float32)
    shade = np.abs(lightness[sample][::5]) if sample.any() else np.zeros(1, np.float32)
    colour_limit = max(_COLOUR * strict, 1.3 * float(np.quantile(spread, 0.98)))
    shade_limit = max(_SHADE * min(strict, 1.5), 2.0 * float(np.quantile(shade, 0.98)))
    score = colour / (colour_limit + leak.at(0.10, 0.04, size)) ** 2
    score += (np.maximum(lightness, 0.0) / (shade_limit + leak.at(0.04, 0.015, size))) ** 2
    score *= lightness > -0.004
    if factor == 1:
        return (score > 1.0) & trusted, colour_limit
    score[~trusted] = 0.0
    return (enlarge(score, (width, height)) > 1.0) & (unclaimed > 0.0), colour_limit


def _sharpened(planes: list[Plane], found: Flags, single: Plane) -> Flags:
    """Weak evidence with its edge put where the image is half way between the local tissue and the glass.

    Next to a strong edge that also drops what is only its blur, since the strong side counts as local tissue.

    Args:
        planes: Three of (H, W), opponent density above the glass.
        found: (H, W) bool, all evidence; what wide windows found has a blurred edge.
        single: (H, W) 1 where a pixel is not strong evidence by itself.
    """
    height, width = found.shape
    size = (width, height)
    coarse = (max(1, width // 4), max(1, height // 4))
    inside = np.asarray(found, np.float32)
    share = box_mean(shrink(inside, coarse), 5)
    near = enlarge(share, size) > 0.02
    # Plane by plane, into the same memory: fresh memory of a slide's size costs more than what is done in it.
    weighed = np.empty_like(inside)
    levels = [
        box_mean(shrink(np.multiply(plane, inside, out=weighed), coarse), 5) / (share + np.float32(1e-6))
        for plane in planes
    ]
    power = sum(np.square(level) for level in levels) + np.float32(1e-8)
    along, own, local = np.zeros_like(inside), inside, np.empty_like(inside)
    for plane, level in zip(planes, levels, strict=True):
        cv2.boxFilter(np.multiply(plane, single, out=weighed), -1, (3, 3), dst=own)
        cv2.resize(level / power, size, dst=local, interpolation=cv2.INTER_LINEAR)
        own *= local
        along += own
    return np.asarray(near & (along > 0.5 * box_mean(single, 3)) & (single > 0.0))


def _textured(
    lightness: Plane, unclaimed: Plane, on_glass: cv2.typing.MatLike, leak: _Leak, mpp: float
) -> tuple[Flags, float, float]:
    """Windows of 28 um whose mean OD, averaged to 4 um/px, varies more than the glass's own."""
    height, width = unclaimed.shape
    factor = max(1, round(_TEXTURE_UM / mpp))
    size = (max(1, width // factor), max(1, height // factor))
    weight = shrink(unclaimed, size)
    values = shrink(lightness * unclaimed, size) / (weight + np.float32(1e-3))
    weight = np.asarray(weight > 0.5, np.float32)
    total = box_mean(weight, _TEXTURE_SIDE) + np.float32(1e-6)
    values *= weight
    mean = box_mean(values, _TEXTURE_SIDE) / total
    values *= values
    deviation = np.sqrt(np.maximum(box_mean(values, _TEXTURE_SIDE) / total - mean * mean, 0.0))
    glass_here = cv2.resize(on_glass, size, interpolation=cv2.INTER_NEAREST).reshape(size[1], size[0]) > 0
    sample = deviation[glass_here]
    own = float(np.median(sample)) if len(sample) else 0.0
    limit = max(_TEXTURE, 2.5 * own)
    over = deviation / (limit + leak.at(0.015, 0.01, size))
    over[total < 0.15] = 0.0
    found = np.asarray(over > 1.0, np.uint8)
    # Pale tissue is uneven: between windows that show it a weaker one does too, and glass does not.
    wide = morphed(found, cv2.MORPH_CLOSE, np.ones((_BETWEEN, _BETWEEN), np.uint8))
    bare = morphed(np.asarray(glass_here, np.uint8), cv2.MORPH_OPEN, np.ones((_BARE, _BARE), np.uint8))
    found |= np.asarray((over > _WEAKER) & (wide > 0) & (bare == 0), np.uint8)
    # A window straddling the edge of tissue reaches half its width out onto the glass.
    found = np.asarray(cv2.erode(found, np.ones((_TEXTURE_SIDE, _TEXTURE_SIDE), np.uint8)), np.uint8)
    if factor > 1:
        found = np.asarray(cv2.resize(found, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
    return found.reshape(height, width) > 0, limit, own
