"""Tissue as its owner drew it, and the question whether it belongs to this slide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lowpower.geometry import read_mask
from lowpower.tissue._checks import CHECKS
from lowpower.tissue._grid import Flags
from lowpower.tissue._types import QCFlag
from lowpower.tissue.control import on_grid

__all__ = ["own_mask"]

_ALL = 0.999
_FULL = 0.9
_SEEN = 0.005
"""Share of the image that tissue and glass must each cover to say anything of a mask."""


def own_mask(
    mask: NDArray[np.bool_] | str | Path, found: Flags, size: tuple[int, int]
) -> tuple[Flags, tuple[QCFlag, ...]]:
    """A given mask on the grid of the tissue that was found, and what is to be said of it.

    Args:
        mask: (h, w) bool over the whole slide, or a file.
        found: (H, W) bool, tissue by its look.
        size: (width, height) of the slide, base pixels.

    Raises:
        RegionsError: if the file cannot be used.
        ValueError: if a mask is not two-dimensional bool.
    """
    about = "the given mask"
    if not isinstance(mask, np.ndarray):
        drawn = read_mask(mask, size)
        mask, about = drawn.mask, f"the given mask ({drawn.about})"
    tissue = on_grid(mask, found.shape)
    flags = [QCFlag("own_mask", f"tissue is where {about} says; it was not searched for.", "note")]
    doubt = _doubt(tissue, found)
    effect = CHECKS["mask_doubtful"].effect(float(doubt is not None))
    if doubt is not None and effect is not None:
        flags.append(QCFlag("mask_doubtful", f"{about} {doubt}", effect))
    return tissue, tuple(flags)


def _doubt(tissue: Flags, found: Flags) -> str | None:
    if tissue.mean() >= _ALL and found.mean() < _FULL:
        return f"marks everything, and {1 - found.mean():.0%} of the slide looks like glass: is it right?"
    if not _SEEN <= found.mean() <= 1 - _SEEN:
        return None
    on_tissue, on_glass = float(tissue[found].mean()), float(tissue[~found].mean())
    if on_glass > on_tissue:
        return (
            f"marks {on_glass:.0%} of what looks like glass and {on_tissue:.0%} of what looks like tissue: "
            "is it the wrong way round, of another slide, or not in base pixels?"
        )
    return None
