"""Laying a library's nuclei where the cells are."""

from __future__ import annotations

from typing import Final

import numpy as np

from lowpower.simulate._textures import Floats
from lowpower.simulate.stain._frame import Frame
from lowpower.simulate.tissue import KINDS, Cells, NucleusLibrary

__all__ = ["stamped"]

_LIKE: Final = {"in-situ": "tumour"}
"""Kinds whose nuclei look like another's."""


def stamped(
    frame: Frame,
    cells: Cells,
    kinds: tuple[str, ...],
    library: NucleusLibrary,
    stacking: float,
    *,
    by_amount: bool = False,
) -> Floats | None:
    """Nuclei (or red cells) of the given kinds, None where there are none.

    Args:
        frame: The pixels.
        cells: Cells, some of them beyond the frame.
        kinds: Names of `KINDS`.
        library: Their stamps.
        stacking: Where two meet the darker shows, and this share of the other.
        by_amount: Whether each stamp is multiplied by its cell's `nuclear`.
    """
    chosen = np.flatnonzero(np.isin(cells.kind, [KINDS.index(kind) for kind in kinds]))
    if len(chosen) == 0:
        return None
    plane = np.zeros((frame.height, frame.width), np.float32)
    turns = library.turns
    column = np.rint((cells.x[chosen] - frame.x) / frame.mpp - 0.5).astype(int).tolist()
    row = np.rint((cells.y[chosen] - frame.y) / frame.mpp - 0.5).astype(int).tolist()
    turn = (np.rint(cells.turn[chosen] / np.pi * turns).astype(int) % turns).tolist()
    dice = cells.dice[chosen].tolist()
    tall = cells.columnar[chosen] & (cells.half[chosen] > 7)
    looks = [_LIKE.get(KINDS[kind], KINDS[kind]) for kind in cells.kind[chosen]]
    looks = ["columnar" if tall else look for look, tall in zip(looks, tall, strict=True)]
    amounts = cells.nuclear[chosen].tolist()
    for x, y, t, d, look, amount in zip(column, row, turn, dice, looks, amounts, strict=True):
        variants = library.stamps[look]
        stamp = variants[d % len(variants)][t]
        half = stamp.shape[0] // 2
        x0, y0, x1, y1 = x - half, y - half, x + half + 1, y + half + 1
        if x1 <= 0 or y1 <= 0 or x0 >= frame.width or y0 >= frame.height:
            continue
        part = stamp[max(-y0, 0) : frame.height - y0, max(-x0, 0) : frame.width - x0]
        if by_amount:
            part = part * np.float32(amount)
        target = plane[max(y0, 0) : y1, max(x0, 0) : x1]
        shared = np.minimum(target, part) * np.float32(stacking) if stacking else None
        np.maximum(target, part, out=target)
        if shared is not None:
            target += shared
    return plane
