"""Which cell owns each pixel of epithelium, and how much DAB its membrane carries there."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.simulate._appearance import Laboratory
from lowpower.simulate._images import Floats, blurred, looked_up
from lowpower.simulate.stain._frame import Frame
from lowpower.simulate.tissue import Cells

__all__ = ["cell_map", "membranes"]

_LABEL_HALO_UM = 16.0
_WOBBLE_UM = 0.8
_LINE_UM = 0.32
"""Standard deviation of a membrane's profile."""
_SMEAR_UM = 1.1
"""The same for a membrane cut obliquely."""
_THICK_UM = 0.7
"""The same for an intense membrane, which is thick as well as dark."""


def _seeded(frame: Frame, cells: Cells, halo: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """An image with every cell's core drawn as a line of zeros, and (N, 4) the lines' ends."""
    seeds = np.full((frame.height + 2 * halo, frame.width + 2 * halo), 255, np.uint8)
    cos, sin = np.cos(cells.turn), np.sin(cells.turn)
    x, y = cells.x - cells.shift * cos, cells.y - cells.shift * sin
    ends = np.stack([x - cells.half * cos, y - cells.half * sin, x + cells.half * cos, y + cells.half * sin])
    corner = np.array([frame.x, frame.y, frame.x, frame.y])[:, None]
    pixels = np.rint((ends - corner) / frame.mpp + (halo - 0.5)).astype(np.int32).T.copy()
    cv2.polylines(seeds, list(pixels.reshape(-1, 2, 1, 2)), False, 0, 1, cv2.LINE_8)
    return seeds, pixels


def cell_map(frame: Frame, cells: Cells, inside: NDArray[np.bool_], wobble: float = 1.0) -> NDArray[np.int32]:
    """1 + index of the cell that owns each pixel, 0 where there is no epithelium.

    Each cell's core is a line segment; a pixel belongs to the nearest core (Voronoi), along borders that
    wobble a little.

    Args:
        frame: The pixels.
        cells: Epithelial cells, some of them beyond the frame.
        inside: (height, width) whether a pixel is epithelium.
        wobble: How crooked borders are, 1 = plainly.
    """
    if len(cells) == 0 or not inside.any():
        return np.zeros(inside.shape, np.int32)
    halo = int(np.ceil(_LABEL_HALO_UM / frame.mpp))
    seeds, pixels = _seeded(frame, cells, halo)
    _, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP)
    names = np.zeros(int(labels.max()) + 1, np.float32)
    middle = (pixels[:, :2] + pixels[:, 2:]) // 2
    for point in (pixels[:, :2], pixels[:, 2:], middle):
        column, row = point[:, 0], point[:, 1]
        seen = (column >= 0) & (row >= 0) & (column < seeds.shape[1]) & (row < seeds.shape[0])
        names[labels[row[seen], column[seen]]] = np.flatnonzero(seen) + 1
    named = names[labels]
    bend = _WOBBLE_UM * wobble
    wide, narrow = np.float32(0.9 * bend / frame.mpp), np.float32(0.55 * bend / frame.mpp)
    map_x, map_y = frame.tile("cloud", 1) * wide, frame.tile("cloud", 3) * wide
    map_x += frame.tile("mottle", 2) * narrow
    map_y += frame.tile("mottle", 4) * narrow
    map_x += np.arange(halo, halo + frame.width, dtype=np.float32)
    map_y += np.arange(halo, halo + frame.height, dtype=np.float32)[:, None]
    owner = looked_up(named, map_x, map_y, nearest=True)
    owner *= inside
    return owner.astype(np.int32)


def _borders(owner: NDArray[np.int32]) -> NDArray[np.intp]:
    """Flat indices of pixels beside a pixel of another owner."""
    edge = np.zeros(owner.shape, bool)
    across, down = owner[:, 1:] != owner[:, :-1], owner[1:] != owner[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    edge &= owner > 0
    return np.flatnonzero(edge)


def _byte(dice: NDArray[np.uint32], number: int) -> Floats:
    return ((dice >> np.uint32(8 * number)) & np.uint32(255)).astype(np.float32) / np.float32(255)


def _presence(
    frame: Frame, cells: Cells, own: NDArray[np.intp], row: Floats, column: Floats, basolateral: float
) -> Floats:
    """How much of its intensity each border pixel's membrane has there: the incomplete ones have gaps.

    A smooth random function of the angle around the nucleus is cut at the quantile that leaves the
    cell's completeness; columnar cells lose their luminal side first.
    """
    x = np.float32(frame.x) + (column + np.float32(0.5)) * np.float32(frame.mpp) - cells.x[own]
    y = np.float32(frame.y) + (row + np.float32(0.5)) * np.float32(frame.mpp) - cells.y[own]
    angle = np.arctan2(y, x)
    one, two, three = (_byte(cells.dice, number)[own] * np.float32(2 * np.pi) for number in range(3))
    towards = np.maximum(cells.columnar[own].astype(np.float32), np.float32(basolateral))
    wave = np.sin(angle + one) + np.float32(0.8) * np.sin(2 * angle + two)
    wave += np.float32(0.5) * np.sin(3 * angle + three)
    wave *= 1 - np.float32(0.6) * towards
    wave -= np.float32(1.6) * towards * np.cos(angle - cells.turn[own])
    # The waves' distribution is close enough to normal for its quantiles to cut at the right share.
    spread = np.float32(0.98) + towards * np.float32(1.25 - 0.98)
    complete = np.clip(cells.completeness[own], 0.001, 0.999)
    cut = spread * np.float32(np.sqrt(2)) * _erfinv(1 - 2 * complete)
    present: Floats = np.clip((wave - cut) * np.float32(4) + np.float32(0.5), 0, 1)
    return present


def _erfinv(x: Floats) -> Floats:
    """Winitzki's approximation of the inverse error function (error below 0.002)."""
    a = np.float32(0.147)
    log = np.log(np.maximum(1 - x * x, np.float32(1e-6)))
    part = np.float32(2 / (np.pi * 0.147)) + log / 2
    result: Floats = np.sign(x) * np.sqrt(np.sqrt(part * part - log / a) - part)
    return result


def membranes(
    frame: Frame, cells: Cells, owner: NDArray[np.int32], laboratory: Laboratory, basolateral: float = 0.0
) -> tuple[Floats, Floats]:
    """Stained membranes and the faint line every cell border shows.

    Args:
        frame: The pixels.
        cells: The cells of `owner`.
        owner: From `cell_map`.
        laboratory: How sharp, wide and even its lines are.
        basolateral: How far incomplete membranes are open to one side, as columnar cells are to the lumen.

    Returns:
        (height, width) relative DAB, about a cell's intensity on its membrane; and relative
        haematoxylin of borders.
    """
    stain = np.zeros(owner.shape, np.float32)
    line = np.zeros(owner.shape, np.float32)
    border = _borders(owner)
    if len(border) == 0:
        return stain, line
    own = owner.ravel()[border].astype(np.intp) - 1
    line.ravel()[border] = 1.0
    # A border is two pixels wide; `gain` gives its blurred middle the height 1.
    smear, width = 1 - laboratory.sharpness, laboratory.line_width / frame.mpp
    sigma = _LINE_UM / frame.mpp
    gain = np.float32(sigma * np.sqrt(2 * np.pi) / 2)
    line = blurred(line, sigma)
    line *= gain
    stained = cells.intensity[own] > 0
    border, own = border[stained], own[stained]
    if len(border) == 0:
        return stain, line
    row, column = np.divmod(border, owner.shape[1])
    there = _presence(frame, cells, own, row.astype(np.float32), column.astype(np.float32), basolateral)
    rough = laboratory.unevenness
    uneven = 1 + np.float32(0.35 * rough) * frame.tile("mottle", 5)[row, column]
    uneven += np.float32(0.25 * rough) * frame.tile("cloud", 6)[row, column]
    if rough > 1:
        # Beads on the line, where it is very uneven.
        uneven += np.float32(0.25 * (rough - 1)) * frame.tile("grain", 5)[row, column]
    amount = cells.intensity[own] * there * np.clip(uneven, 0.2, 1.9 if rough <= 1 else 2.6)
    stain.ravel()[border] = amount
    broad = _SMEAR_UM * width
    wide = blurred(stain, broad)
    oblique = frame.tile("cloud", 7) * np.float32(0.5)
    oblique += np.float32(0.55)
    np.clip(oblique, 0, 1.6, out=oblique)
    oblique *= np.float32(broad * np.sqrt(2 * np.pi) / 2 * (0.15 + 0.5 * smear) * (0.5 + 0.5 * max(rough, 1)))
    wide *= oblique
    intense = np.clip((cells.intensity[own] - np.float32(0.4)) * np.float32(2.5), 0, 1)
    if intense.max() > 0:
        thick = np.zeros_like(stain)
        thick.ravel()[border] = amount * intense
        spread = _THICK_UM * width
        thick = blurred(thick, spread)
        thick *= np.float32(spread * np.sqrt(2 * np.pi) / 2 * 0.75)
        wide += thick
    if laboratory.line_width != 1:
        sigma = _LINE_UM * width
        gain = np.float32(sigma * np.sqrt(2 * np.pi) / 2)
    stain = blurred(stain, sigma)
    stain *= gain * np.float32(1.4 - 0.5 * smear)
    stain += wide
    return stain, line
