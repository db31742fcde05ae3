"""Blocks and strips that no scanner saw, filled with one colour of any kind by the program that stitched."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.tissue._colour_axes import rgb_of
from lowpower.tissue._glass import Glass, colour_off, find_glass
from lowpower.tissue._grid import Bits, Flags, Plane

__all__ = ["find_unscanned"]

_SQUARE_UM, _SQUARE_PIXELS = 64.0, 12
"""Side of the squares that must be constant, um and at least pixels. Glass as scanned varies by 0.4 grey
values at 4 um/px, so by 3 and more over such a square; tissue by far more."""
_STRIP_UM, _STRIP_PIXELS = 512.0, 64
"""Length of a row or column of pixels that must be constant: strips between stitched tiles are narrow."""
_EXACT = 0.6
"""Share of a fill that must be of one colour exactly; the rest is rounded up or down."""
_SMALLEST_UM2 = 20_000.0
_MOST_FILLS = 8
_REACH, _RINGING = 16, 0.15
"""Pixels by which JPEG spoils a fill from its edge on, and by which share of the step there."""
_STRAIGHT, _LINE, _OFF = 0.75, 80.0, 6.0
"""Share of a fill's outline that is lines of 80 pixels and more, straight to 6, the steps of JPEG's squares.
Glass that a codec has made constant ends where tissue, dust and shade begin: 0.6 at most."""
_SURELY_OFF = 5.0
"""How far from the glass's colour a fill of any outline is none, in what blocks of one glass differ by."""
_GAP, _NECK = 17, 33
"""Gaps closed in an outline and necks cut off before it is judged, pixels."""

Fill: TypeAlias = tuple[Flags, NDArray[np.int_]]
"""Where one colour fills areas, (H, W) bool, and its RGB."""


def find_unscanned(
    image: NDArray[np.uint8], density: Plane, padding: Flags, glass: Glass | None, mpp: float
) -> Flags:
    """Wide areas of one exact colour that is not the glass's: what was scanned has grain.

    A codec may have made the glass constant too, and where the glass is dark a white fill passes for it. What
    passes for glass is none where its edges are straight and something else is left to be the glass.

    Args:
        image: (H, W, 3) RGB.
        density: (H, W, 3) its opponent density.
        padding: (H, W) bool, pixels known not to have been scanned.
        glass: What is taken for glass so far.
        mpp: um/px.

    Returns:
        (H, W) bool.
    """
    unscanned = np.zeros(padding.shape, bool)
    fills = _fills(image, padding, mpp)
    if not fills:
        return unscanned
    straight = [_straight(image, fill) for fill in fills]
    lined = [here for (here, _), lines in zip(fills, straight, strict=True) if lines]
    for here in lined:
        if glass is not None and colour_off(glass, density, here) <= 1.0:
            other = find_glass(density, padding | here, mpp)
            if other is not None and all(colour_off(other, density, fill) > 1.0 for fill in lined):
                glass = other
    white = np.full(3, 255.0) if glass is None else rgb_of(glass.level)
    for (here, colour), lines in zip(fills, straight, strict=True):
        off = np.inf if glass is None else colour_off(glass, density, here)
        if off > (1.0 if lines else _SURELY_OFF):
            step = float(np.abs(white - colour).max())
            unscanned |= _to_the_edge(image, here, colour, int(_RINGING * step))
    return unscanned & ~padding


def _fills(image: NDArray[np.uint8], padding: Flags, mpp: float) -> list[Fill]:
    """(where, colour) of the colours that fill constant areas, commonest first."""
    left = _constant(np.ascontiguousarray(image[..., 1]), mpp) & ~padding
    least = _SMALLEST_UM2 / mpp**2
    fills: list[Fill] = []
    flat = image.reshape(-1, 3)
    for _ in range(_MOST_FILLS):
        places = np.flatnonzero(left)
        if len(places) < least:
            break
        # As one number a colour sorts ten times as fast, in the same order.
        red, green, blue = flat[places[:: max(1, len(places) // 50_000)]].astype(np.uint32).T
        colours, counts = np.unique(red << 16 | green << 8 | blue, return_counts=True)
        commonest = int(colours[np.argmax(counts)])
        colour = np.array([commonest >> 16, commonest >> 8 & 255, commonest & 255])
        here = left & _within(image, colour, 1)
        left &= ~here
        total = np.count_nonzero(here)
        if total >= least and np.count_nonzero(here & _within(image, colour, 0)) >= _EXACT * total:
            fills.append((here, colour))
    return fills


def _constant(plane: Bits, mpp: float) -> Flags:
    """Where a square or a long row or column is constant to one grey value."""
    square = max(_SQUARE_PIXELS, round(_SQUARE_UM / mpp)) | 1
    strip = max(_STRIP_PIXELS, round(_STRIP_UM / mpp)) | 1
    constant = np.zeros(plane.shape, np.uint8)
    for shape in ((square, square), (1, strip), (strip, 1)):
        if shape[0] > plane.shape[0] or shape[1] > plane.shape[1]:
            continue
        kernel = np.ones(shape, np.uint8)
        spread = cv2.subtract(cv2.dilate(plane, kernel), cv2.erode(plane, kernel))
        constant |= np.asarray(cv2.dilate(np.asarray(spread <= 1, np.uint8), kernel), np.uint8)
    return constant > 0


def _within(image: NDArray[np.uint8], colour: NDArray[np.int_], by: int) -> Flags:
    low, high = np.clip(colour - by, 0, 255), np.clip(colour + by, 0, 255)
    return np.asarray(cv2.inRange(image, low, high), bool)


def _straight(image: NDArray[np.uint8], fill: Fill) -> bool:
    """Whether most of a fill's outline, as far as it lies within the image, is long straight lines."""
    here, colour = fill
    height, width = here.shape
    whole = cv2.copyMakeBorder(
        _joined(here, _within(image, colour, 2)), _NECK, _NECK, _NECK, _NECK, cv2.BORDER_REPLICATE
    )
    whole = cv2.morphologyEx(whole, cv2.MORPH_CLOSE, np.ones((_GAP, _GAP), np.uint8))
    whole = cv2.morphologyEx(whole, cv2.MORPH_OPEN, np.ones((_NECK, _NECK), np.uint8))
    whole = np.ascontiguousarray(whole[_NECK:-_NECK, _NECK:-_NECK])
    lines = total = 0.0
    contours, _ = cv2.findContours(whole, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    for contour in contours:
        corners = cv2.approxPolyDP(contour, _OFF, True)[:, 0].astype(float)
        ahead = np.roll(corners, -1, axis=0)
        inside = np.ones(len(corners), bool)
        for axis, last in ((0, width - 1), (1, height - 1)):
            for edge in (0, last):
                inside &= (np.abs(corners[:, axis] - edge) > 2) | (np.abs(ahead[:, axis] - edge) > 2)
        lengths = np.hypot(*(ahead - corners).T)[inside]
        total += float(lengths.sum())
        lines += float(lengths[lengths >= _LINE].sum())
    return total > 0 and lines >= _STRAIGHT * total


def _to_the_edge(image: NDArray[np.uint8], here: Flags, colour: NDArray[np.int_], ringing: int) -> Flags:
    """With the margin that coding has spoiled, and the pixels that lie across the edge."""
    side = 2 * _REACH + 1
    near = np.asarray(cv2.dilate(here.view(np.uint8), np.ones((side, side), np.uint8)), bool)
    joined = _joined(here, near & _within(image, colour, ringing))
    closed = cv2.morphologyEx(joined, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    return np.asarray(cv2.dilate(closed, np.ones((3, 3), np.uint8)), bool)


def _joined(here: Flags, like: Flags) -> Bits:
    """With the pixels like it that hang together with it."""
    _, labels = cv2.connectedComponents(np.asarray(here | like, np.uint8), connectivity=4, ltype=cv2.CV_32S)
    joined = np.zeros(int(labels.max()) + 1, np.uint8)
    joined[labels[here]] = 1
    return np.asarray(joined[labels], np.uint8)
