"""Optical density of RGB pixels, turned into lightness and two colour axes."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["brown_od", "opponent_density", "rgb_of"]

# Rows: mean OD, then an orthonormal basis of the plane of colour (OD less its mean). Grey absorbers
# (shade, soot, uneven light) move a pixel along the first axis alone; haematoxylin and DAB along all three.
_OPPONENT = np.array(
    [
        [1 / 3, 1 / 3, 1 / 3],
        [1 / math.sqrt(2), 0.0, -1 / math.sqrt(2)],
        [1 / math.sqrt(6), -2 / math.sqrt(6), 1 / math.sqrt(6)],
    ],
    np.float32,
)
_RGB = np.linalg.inv(_OPPONENT.astype(np.float64))
# DAB from mean OD and the red-minus-blue axis, by Ruifrok's vectors for haematoxylin and DAB.
_LIGHTNESS, _RED_BLUE = 0.767, -1.633
_STRIP = 32
_OD_OF_VALUE = -np.log10(np.maximum(np.arange(256), 1) / 255.0).astype(np.float32).reshape(256, 1)


def opponent_density(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean OD and the two colour axes of each pixel, relative to white (255).

    OD = -log10(I / 255) (Beer-Lambert); a value of 0 counts as 1.

    Args:
        image: (H, W, 3) RGB.

    Returns:
        (H, W, 3): mean OD; red minus blue; red and blue minus green. The length of the last two is the
        distance from grey.
    """
    density = np.empty(image.shape, np.float32)
    # In strips that stay in the processor's cache.
    for top in range(0, len(image), _STRIP):
        rows = slice(top, top + _STRIP)
        cv2.transform(cv2.LUT(image[rows], _OD_OF_VALUE), _OPPONENT, dst=density[rows])
    return density


def brown_od(off: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) DAB OD, by Ruifrok and Johnston's vectors, of (H, W, 2 or 3) opponent density."""
    return np.maximum(_LIGHTNESS * off[..., 0] + _RED_BLUE * off[..., 1], 0.0)


def rgb_of(opponent: NDArray[np.floating]) -> NDArray[np.float32]:
    """RGB on the scale 0..255 of opponent densities (..., 3)."""
    density = np.asarray(opponent, np.float64) @ _RGB.T
    return np.clip(255.0 * 10.0**-density, 0.0, 255.0).astype(np.float32)
