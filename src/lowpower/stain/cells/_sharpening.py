"""Soft images brought to the sharpness of crisp ones, so that a membrane is read alike through any lens.

Blur lends the gaps of an incomplete membrane the stain beside them, and thins out the membrane itself; the
edges of nuclei, which every slide has, tell how much of it there is.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import cv2
import numpy as np

from lowpower.stain.cells._nuclei_rays import Floats

__all__ = ["point_spread", "sharpened"]

_CRISP_UM: Final = 1.0
"""Nuclear edges that rise over no more than this are left as they are."""
_RISE: Final = 2.563
"""Width from 10 to 90 % of an edge behind a Gaussian, in its standard deviations."""
_MOST_UM: Final = 0.6
"""What is wider than this is lost: undoing it would show noise."""
_NOISE: Final = 0.03
"""Power of noise over that of the picture, which bounds how far any frequency is lifted: threefold."""
_RADIUS: Final = 4
_GRID: Final = 64


def point_spread(edge_um: float | None) -> float:
    """Standard deviation, microns, of the point spread to be undone in an image of such nuclear edges.

    Args:
        edge_um: Over how many microns nuclear edges rise from 10 to 90 %; None if not known: nothing to undo.
    """
    if edge_um is None or edge_um <= _CRISP_UM:
        return 0.0
    return min(_MOST_UM, math.sqrt(edge_um**2 - _CRISP_UM**2) / _RISE)


def sharpened(stain: Floats, spread_um: float, mpp: float) -> Floats:
    """A stain's map (H, W) with a Gaussian point spread undone as far as noise allows (Wiener, 1949).

    Args:
        stain: OD.
        spread_um: Standard deviation of the point spread, microns; 0 leaves everything as it is.
        mpp: um/px.
    """
    if spread_um == 0:
        return stain
    kernel = _kernel(round(spread_um / mpp, 3))
    return np.asarray(cv2.filter2D(stain, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT), np.float32)


@lru_cache(maxsize=32)
def _kernel(spread: float) -> Floats:
    """(2 * _RADIUS + 1, the same) against a point spread of so many pixels; its values sum to 1."""
    frequency = np.fft.fftfreq(_GRID)
    passed = np.exp(-2 * math.pi**2 * spread**2 * (frequency[:, None] ** 2 + frequency**2))
    answer = np.fft.fftshift(np.fft.ifft2(passed * (1 + _NOISE) / (passed**2 + _NOISE)).real)
    middle = slice(_GRID // 2 - _RADIUS, _GRID // 2 + _RADIUS + 1)
    part = answer[middle, middle]
    return np.asarray(part / part.sum(), np.float32)
