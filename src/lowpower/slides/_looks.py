"""Whether a level shows what the finer level shows: a cheap look at a few places of both."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.errors import DamagedSlideError
from lowpower.slides._reader import Reader

__all__ = ["unlike_level"]

_PLACES = 6
_SIDE = 256  # finer level's pixels of one place
_MOST_PIXELS = 1 << 22  # a level up to this size is read whole, to look where there is something to see
_CELL = 8  # coarser level's pixels that are averaged before they are compared
_PLAIN = 6.0  # grey values; with less contrast than this, only the colours can be compared
_NEAR, _FAR = 16.0, 45.0  # grey values
_TINY = 24  # level pixels; an image as small as this has too little structure left
_BLACK = 12  # grey values
_ALIKE, _LIKELY = 0.6, 0.25  # correlation; levels of real slides reach 0.9, thumbnails of a few pixels less


def unlike_level(reader: Reader) -> int | None:
    """Index of the coarsest level that does not show what the next finer one shows; None if all do.

    Six places of each pair of levels are averaged to cells of 8 pixels of the coarser one. Levels agree if
    the cells' colours correlate, or, where there is nothing but even colour, if that is nearly the same.
    Of a level of a few pixels only the mean colour is compared. Places that cannot be decoded are left to
    whoever reads them.
    """
    sizes = reader.stored.sizes
    for coarse in range(len(sizes) - 1, 0, -1):
        pairs = [_cells(reader, coarse, place) for place in _places(reader, coarse)]
        seen = [pair for pair in pairs if pair is not None]
        if not seen:
            continue
        fine, small = (np.concatenate(side) for side in zip(*seen, strict=True))
        if not _agree(fine, small, tiny=min(sizes[coarse]) < _TINY):
            return coarse
    return None


def _places(reader: Reader, level: int) -> list[tuple[float, float]]:
    """Centres, as shares of width and height: where it is busiest, darkest and lightest, else a grid."""
    width, height = reader.stored.sizes[level]
    grid = [((x + 0.5) / 3, (y + 0.5) / 3) for y in range(3) for x in range(3)]
    if width * height > _MOST_PIXELS:
        return grid
    try:
        whole = reader.read(level, 0, 0, width, height)
    except DamagedSlideError:
        return grid
    across, down = min(width, 16), min(height, 16)
    grey = cv2.cvtColor(whole, cv2.COLOR_RGB2GRAY).astype(np.float32)
    mean = cv2.resize(grey, (across, down), interpolation=cv2.INTER_AREA)
    square = cv2.resize(grey * grey, (across, down), interpolation=cv2.INTER_AREA)
    busy = np.argsort(mean * mean - square, axis=None, kind="stable")[: 4 * (_PLACES - 2) : 4]
    order = (*busy, mean.argmin(), mean.argmax())
    return [((int(i) % across + 0.5) / across, (int(i) // across + 0.5) / down) for i in order]


def _cells(
    reader: Reader, level: int, place: tuple[float, float]
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Mean colours, (cells, 3), of the finer and the coarser level around a place."""
    (fine_width, fine_height), (width, height) = reader.stored.sizes[level - 1], reader.stored.sizes[level]
    across, down = fine_width / width, fine_height / height
    wide, high = min(width, max(1, round(_SIDE / across))), min(height, max(1, round(_SIDE / down)))
    x = min(max(0, round(place[0] * width - wide / 2)), width - wide)
    y = min(max(0, round(place[1] * height - high / 2)), height - high)
    left, top = round(x * across), round(y * down)
    right, bottom = min(fine_width, round((x + wide) * across)), min(fine_height, round((y + high) * down))
    try:
        fine = reader.read(level - 1, left, top, right - left, bottom - top)
        coarse = reader.read(level, x, y, wide, high)
    except DamagedSlideError:
        return None
    if _damaged_around(reader, level, (left, top, right, bottom)):
        return None
    side = max(1, min(_CELL, min(wide, high) // 4))
    shape = (max(1, wide // side), max(1, high // side))
    black = [
        _means((side.max(axis=2, keepdims=True) <= _BLACK) * 1.0, shape) > 0.5 for side in (fine, coarse)
    ]
    same = (black[0] == black[1]).ravel()  # some writers fill what was not scanned in one level only
    return (_means(fine, shape)[same], _means(coarse, shape)[same]) if same.any() else None


def _damaged_around(reader: Reader, level: int, box: tuple[int, int, int, int]) -> bool:
    """Whether a tile that is read as glass lies in `box`, pixels of the level before `level`."""
    factor = reader.stored.sizes[0][0] / reader.stored.sizes[level - 1][0]
    left, top, right, bottom = (side * factor for side in box)
    return any(
        tile.level in (level - 1, level)
        and tile.box.x < right
        and tile.box.right > left
        and tile.box.y < bottom
        and tile.box.bottom > top
        for tile in reader.damage.tiles()
    )


def _means(pixels: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.float32]:
    shrunk = cv2.resize(pixels.astype(np.float32), shape, interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.float32).reshape(-1, pixels.shape[2])


def _agree(fine: NDArray[np.float32], coarse: NDArray[np.float32], *, tiny: bool) -> bool:
    a, b = (side - side.mean(axis=0) for side in (fine, coarse))
    apart = float(np.abs(fine - coarse).mean())
    spread = float(np.sqrt((a * a).mean()))
    if tiny:
        return float(np.abs(fine.mean(axis=0) - coarse.mean(axis=0)).max()) <= _NEAR
    if spread < _PLAIN:
        return apart <= _NEAR
    both = float(np.sqrt((a * a).sum() * (b * b).sum()))
    alike = float((a * b).sum()) / both if both > 0 else 0.0
    return alike >= (_LIKELY if apart <= _NEAR else _ALIKE) and apart <= _FAR
