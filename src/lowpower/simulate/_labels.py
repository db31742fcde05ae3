"""Which cell owns each pixel of epithelium, and how much DAB its membrane carries there."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.simulate._cells import Cells
from lowpower.simulate._textures import BANK, Floats, bank

__all__ = ["Frame", "cell_map", "membranes"]

_LABEL_HALO_UM = 18.0
_WOBBLE_UM = 0.9


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle of pixels in a piece: the part of the slide being rendered.

    Attributes:
        x: Left edge, microns from the piece's corner.
        y: Top edge, microns from the piece's corner.
        width: Pixels.
        height: Pixels.
        mpp: Microns per pixel.
        left: Left edge, pixels of the slide (aligns textures between frames).
        top: Top edge, pixels of the slide.
    """

    x: float
    y: float
    width: int
    height: int
    mpp: float
    left: int
    top: int

    def tile(self, name: str, shift: int = 0) -> Floats:
        """(height, width) of bank `name`, one bank pixel a pixel, aligned with the slide."""
        rows = (np.arange(self.top, self.top + self.height) + shift * 331) % BANK
        columns = (np.arange(self.left, self.left + self.width) + shift * 577) % BANK
        return bank(name)[np.ix_(rows, columns)]


def cell_map(frame: Frame, cells: Cells, inside: NDArray[np.bool_]) -> NDArray[np.int32]:
    """1 + index of the cell that owns each pixel, 0 where there is no epithelium.

    Each cell's core is a line segment; a pixel belongs to the nearest core (Voronoi), along borders that
    wobble a little.

    Args:
        frame: The pixels.
        cells: Epithelial cells, some of them beyond the frame.
        inside: (height, width) whether a pixel is epithelium.
    """
    owner = np.zeros((frame.height, frame.width), np.int32)
    if len(cells) == 0 or not inside.any():
        return owner
    halo = int(np.ceil(_LABEL_HALO_UM / frame.mpp))
    seeds = np.full((frame.height + 2 * halo, frame.width + 2 * halo), 255, np.uint8)
    middle_x = cells.x - cells.shift * np.cos(cells.turn)
    middle_y = cells.y - cells.shift * np.sin(cells.turn)
    arm_x, arm_y = cells.half * np.cos(cells.turn), cells.half * np.sin(cells.turn)
    ends = np.stack([middle_x - arm_x, middle_y - arm_y, middle_x + arm_x, middle_y + arm_y], axis=1)
    ends = (ends - np.array([frame.x, frame.y] * 2)) / frame.mpp + halo - 0.5
    pixels = np.rint(ends).astype(np.int32)
    cv2.polylines(seeds, list(pixels.reshape(-1, 2, 1, 2)), False, 0, 1, cv2.LINE_4)
    _, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP)
    middle = np.rint((pixels[:, :2] + pixels[:, 2:]) / 2).astype(np.int32)
    column, row = np.clip(middle[:, 0], 0, seeds.shape[1] - 1), np.clip(middle[:, 1], 0, seeds.shape[0] - 1)
    names = np.zeros(int(labels.max()) + 1, np.float32)
    for point in (middle, pixels[:, :2], pixels[:, 2:]):
        column, row = point[:, 0], point[:, 1]
        seen = (column >= 0) & (row >= 0) & (column < seeds.shape[1]) & (row < seeds.shape[0])
        names[labels[row[seen], column[seen]]] = np.flatnonzero(seen) + 1
    named = names[labels]
    wobble = _WOBBLE_UM / frame.mpp
    ys, xs = np.arange(frame.height, dtype=np.float32)[:, None], np.arange(frame.width, dtype=np.float32)
    map_x = frame.tile("cloud", 1) * np.float32(wobble * 0.6) + frame.tile("mottle", 2) * np.float32(
        wobble * 0.45
    )
    map_y = frame.tile("cloud", 3) * np.float32(wobble * 0.6) + frame.tile("mottle", 4) * np.float32(
        wobble * 0.45
    )
    map_x += xs + halo
    map_y += ys + halo
    owner[:] = cv2.remap(named, map_x, map_y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    owner[~inside] = 0
    return owner


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


def _unit(dice: NDArray[np.uint32], byte: int) -> Floats:
    return ((dice >> np.uint32(8 * byte)) & np.uint32(255)).astype(np.float32) / np.float32(255)


def _presence(frame: Frame, cells: Cells, own: NDArray[np.intp], row: Floats, column: Floats) -> Floats:
    """How much of its intensity each border pixel's membrane has there: the incomplete ones have gaps.

    A smooth random function of the angle around the nucleus is cut at the quantile that leaves the
    cell's completeness; columnar cells lose their luminal side first.
    """
    x = frame.x + (column + 0.5) * frame.mpp - cells.x[own]
    y = frame.y + (row + 0.5) * frame.mpp - cells.y[own]
    angle = np.arctan2(y, x)
    turns = np.float32(2 * np.pi)
    one, two, three = (_unit(cells.dice[own], byte) * turns for byte in range(3))
    towards = cells.columnar[own].astype(np.float32)
    wave = np.sin(angle + one) + 0.8 * np.sin(2 * angle + two) + 0.5 * np.sin(3 * angle + three)
    wave = wave * (1 - 0.6 * towards) - 1.6 * towards * np.cos(angle - cells.turn[own])
    # The waves' distribution is close enough to normal for its quantiles to cut at the right share.
    spread = np.where(towards > 0, 1.25, 0.98).astype(np.float32)
    complete = np.clip(cells.completeness[own], 0.001, 0.999)
    cut = spread * np.sqrt(2) * _erfinv(1 - 2 * complete)
    return np.clip((wave - cut) / 0.25 + 0.5, 0, 1).astype(np.float32)


def _erfinv(x: Floats) -> Floats:
    """Winitzki's approximation of the inverse error function (error below 0.002)."""
    a = np.float32(0.147)
    log = np.log(np.maximum(1 - x * x, 1e-6))
    part = 2 / (np.pi * a) + log / 2
    return np.asarray(np.sign(x) * np.sqrt(np.sqrt(part * part - log / a) - part), np.float32)


def membranes(frame: Frame, cells: Cells, owner: NDArray[np.int32], smear: float) -> tuple[Floats, Floats]:
    """Stained membranes and the faint line every cell border shows.

    Args:
        frame: The pixels.
        cells: The cells of `owner`.
        owner: From `cell_map`.
        smear: 0 = crisp lines, 1 = thick sections, membranes cut obliquely.

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
    stained = cells.intensity[own] > 0
    border, own = border[stained], own[stained]
    sigma = 0.32 / frame.mpp
    gain = np.float32(sigma * np.sqrt(2 * np.pi) / 2)
    if len(border):
        row, column = np.divmod(border, owner.shape[1])
        there = _presence(frame, cells, own, row.astype(np.float32), column.astype(np.float32))
        uneven = (
            1 + 0.3 * frame.tile("mottle", 5).ravel()[border] + 0.2 * frame.tile("cloud", 6).ravel()[border]
        )
        stain.ravel()[border] = cells.intensity[own] * there * np.clip(uneven, 0.25, 1.8)
        thin = cv2.GaussianBlur(stain, (0, 0), sigma) * gain
        oblique = np.clip(frame.tile("cloud", 7) * 0.5 + 0.5, 0, 1.5)
        broad = 1.1 / frame.mpp
        wide = cv2.GaussianBlur(stain, (0, 0), broad) * np.float32(broad * np.sqrt(2 * np.pi) / 2)
        stain = thin * np.float32(1 - 0.35 * smear) + wide * oblique * np.float32(0.12 + 0.5 * smear)
    return stain, cv2.GaussianBlur(line, (0, 0), sigma) * gain
