"""Connected pieces of a mask, in base pixels."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.tissue._types import Piece
from lowpower.units import Box

__all__ = ["around", "pieces_of"]


def pieces_of(
    mask: NDArray[np.bool_],
    size: tuple[int, int],
    mpp: float,
    label: Literal["sample", "control"] = "sample",
    reason: str = "",
) -> tuple[Piece, ...]:
    """The connected pieces of a mask (H, W) over a whole slide of `size` base pixels, largest first."""
    height, width = mask.shape
    across, down = size[0] / width, size[1] / height
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    pieces = []
    for left, top, columns, rows, pixels in stats[1:].tolist():
        x, y = int(left * across), int(top * down)
        right = min(size[0], -int(-(left + columns) * across // 1))
        bottom = min(size[1], -int(-(top + rows) * down // 1))
        box, area = Box(x, y, max(1, right - x), max(1, bottom - y)), pixels * mpp * mpp / 1e6
        pieces.append(Piece(box, area, label, reason))
    return tuple(sorted(pieces, key=lambda piece: (-piece.area_mm2, piece.box.y, piece.box.x)))


def around(pieces: tuple[Piece, ...]) -> Box:
    """The box around pieces, at least one."""
    x = min(piece.box.x for piece in pieces)
    y = min(piece.box.y for piece in pieces)
    right = max(piece.box.right for piece in pieces)
    bottom = max(piece.box.bottom for piece in pieces)
    return Box(x, y, right - x, bottom - y)
