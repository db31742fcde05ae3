"""Pieces that are no tissue: dust, haze and streaks on the glass, edges of the slide and its cover slip."""

from __future__ import annotations

import cv2
import numpy as np

from lowpower.tissue._grid import Bits, Flags, Plane, length, shrink

__all__ = ["find_debris"]

_SEEN_UM = 4.0
"""um/px at which nuclei are looked for: specks of colour."""
_BAND_UM = (3.0, 9.0)
"""Standard deviations between which a nucleus lies, um."""
_AS_GLASS = 0.01
"""Share of glass that is specked by definition; pieces of pale tissue have 0.05 and more."""
_GREY, _PALE, _FAINT = 0.25, 0.08, 0.01
"""Colour over OD below which a piece of less than this OD is dropped, and OD below which any is: tissue out
of focus has no specks either, but is coloured, here blue and there brown."""
_BAND, _SPECKED_BAND = 1 / 6, 0.3
"""Width over length of an edge's band along the image's side, and the share of it that may be specked."""


def find_debris(mask: Flags, glass: Flags, off: Plane, mpp: float) -> Flags:
    """The pieces of the mask in which nothing speaks for a nucleus, nor for tissue out of focus.

    A nucleus, blue or brown, is a speck of colour some 6 um wide: the chroma's band at that width is held
    against the glass's own. Where no piece has specks nothing is dropped.

    Args:
        mask: (H, W) bool, what was taken for tissue.
        glass: (H, W) bool, what is glass or may be.
        off: (H, W, 3) opponent density above the glass.
        mpp: um/px.

    Returns:
        (H, W) bool, part of the mask.
    """
    height, width = mask.shape
    none = np.zeros(mask.shape, bool)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        mask.view(np.uint8), connectivity=8, ltype=cv2.CV_32S
    )
    if count <= 2:
        return none
    factor = max(1, round(_SEEN_UM / mpp))
    size = (max(1, width // factor), max(1, height // factor))
    coarse = shrink(off, size) if factor > 1 else off
    chroma = [np.ascontiguousarray(coarse[..., axis]) for axis in (1, 2)]
    fine, wide = (
        [
            np.asarray(cv2.GaussianBlur(axis, (0, 0), max(0.6, sigma / (mpp * factor))), np.float32)
            for axis in chroma
        ]
        for sigma in _BAND_UM
    )
    colour = length(*(np.subtract(one, two, out=one) for one, two in zip(fine, wide, strict=True)))
    tint = length(*wide).ravel()
    del chroma, fine, wide
    bare = _shrunk(glass, size) > 0
    if np.count_nonzero(bare) < 100:
        return none
    specks = colour > np.quantile(colour[bare], 1 - _AS_GLASS)
    del colour
    rows = (np.arange(size[1]) * height // size[1])[:, None]
    places = np.asarray(labels[rows, np.arange(size[0]) * width // size[0]], np.intp).ravel()
    area = np.maximum(np.bincount(places, minlength=count), 1)
    specked = np.bincount(places, weights=specks.ravel(), minlength=count) / area
    shade = np.bincount(places, weights=coarse[..., 0].ravel(), minlength=count) / area
    grey = np.bincount(places, weights=tint, minlength=count) / area < _GREY * shade
    drop = (specked < _AS_GLASS) & ((grey & (shade < _PALE)) | (shade < _FAINT))
    drop |= (specked < _SPECKED_BAND) & np.array(
        [_is_band(box, (width, height)) for box in stats[:, :4].tolist()]
    )
    drop[0] = False
    return np.asarray(drop[labels], bool) if not drop[1:].all() else none


def _shrunk(flags: Flags, size: tuple[int, int]) -> Bits:
    return np.asarray(cv2.resize(flags.view(np.uint8), size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _is_band(box: list[int], size: tuple[int, int]) -> bool:
    """Whether a box runs along a whole side of the image: the edge of the slide or of its cover slip."""
    for axis in range(2):
        start, length, across, extent = box[axis], box[axis + 2], box[1 - axis], box[3 - axis]
        beside = across <= 1 or across + extent >= size[1 - axis] - 1
        if start <= 1 and start + length >= size[axis] - 1 and beside and extent < _BAND * length:
            return True
    return False
