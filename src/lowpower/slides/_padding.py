"""Black padding of stitched scans, turned into glass."""

from __future__ import annotations

import numpy as np

from lowpower.slides._reader import Pixels

__all__ = ["GLASS", "PADDING_BLOCK", "fill_padding"]

GLASS = 255
"""What stands where nothing was scanned."""
PADDING_BLOCK = 16
"""Level pixels; the unit in which padding is told apart, that of JPEG's colour blocks."""

_STEP = 4  # the lattice that is looked at: 16 pixels of each block
_QUARTER = 4
_RINGING = 48  # JPEG leaves up to this in the black part of a block that a scan's edge crosses


def fill_padding(pixels: Pixels) -> Pixels:
    """Glass in place of blocks of pure black, which no stain reaches and stitching software pads with.

    A block of 16 x 16 pixels is padding if at least a quarter of it is exactly (0, 0, 0); its dark pixels
    are then glass. Costs one look at every sixteenth pixel where there is none.

    Args:
        pixels: (H, W, 3), beginning at a multiple of 16 level pixels.

    Returns:
        `pixels` itself, or a copy.
    """
    lattice = pixels[_STEP // 2 :: _STEP, _STEP // 2 :: _STEP]
    if lattice.size == 0 or lattice[..., 0].min() > 0:
        return pixels
    black = (lattice[..., 0] | lattice[..., 1] | lattice[..., 2]) == 0
    per_block = PADDING_BLOCK // _STEP
    rows, columns = (-(-side // per_block) for side in black.shape)
    counted = np.zeros((2, rows * per_block, columns * per_block), np.uint8)
    counted[0, : black.shape[0], : black.shape[1]] = black
    counted[1, : black.shape[0], : black.shape[1]] = 1
    found, looked = counted.reshape(2, rows, per_block, columns, per_block).sum(axis=(2, 4))
    blocks = _QUARTER * found >= looked
    if not blocks.any():
        return pixels
    filled = pixels.copy()
    height, width = pixels.shape[:2]
    for row in np.flatnonzero(blocks.any(axis=1)):
        # A last sliver that the lattice misses goes with its neighbour.
        end = (row + 1) * PADDING_BLOCK if row + 1 < rows else height
        strip = filled[row * PADDING_BLOCK : end]
        where = np.repeat(blocks[row], PADDING_BLOCK)[:width]
        where = np.pad(where, (0, width - where.size), mode="edge")
        strip[(strip.max(axis=2) <= _RINGING) & where] = GLASS
    return filled
