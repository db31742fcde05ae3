"""Optical density and the unmixing of stains.

Beer-Lambert: light that passes a stain of concentration c falls by 10^-(c v), so OD = -log10(I / I0) adds up
over stains. Vectors: Ruifrok and Johnston, Quantification of histochemical staining by color deconvolution,
Anal Quant Cytol Histol 23 (2001) 291.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "RUIFROK_DAB",
    "RUIFROK_E",
    "RUIFROK_H",
    "mean_density",
    "optical_density",
    "to_rgb",
    "unit_vector",
    "unmix",
]


def unit_vector(values: ArrayLike) -> NDArray[np.float32]:
    """`values` (3,) as a read-only float32 vector of length 1."""
    vector = np.asarray(values, np.float64)
    unit = (vector / np.linalg.norm(vector)).astype(np.float32)
    unit.flags.writeable = False
    return unit


RUIFROK_H = unit_vector((0.650, 0.704, 0.286))
"""Haematoxylin: OD per unit concentration in red, green, blue."""
RUIFROK_DAB = unit_vector((0.268, 0.570, 0.776))
"""Diaminobenzidine, the brown of IHC."""
RUIFROK_E = unit_vector((0.072, 0.990, 0.105))
"""Eosin, the pink of H&E."""


def optical_density(rgb: NDArray[np.uint8], white_point: ArrayLike) -> NDArray[np.float32]:
    """Optical density against the slide's glass, OD = -log10(I / I0).

    Args:
        rgb: (..., 3) uint8; 0 counts as 1.
        white_point: (3,) RGB of the glass on the scale 0..255.

    Returns:
        (..., 3) float32; below 0 where a pixel is brighter than the glass.

    Raises:
        ValueError: if `rgb` is not (..., 3) uint8, or a white point is not above 0.
    """
    if rgb.dtype != np.uint8 or rgb.ndim < 1 or rgb.shape[-1] != 3:
        raise ValueError(f"need (..., 3) uint8, got {rgb.shape} {rgb.dtype}")
    glass = _white(white_point)
    # One table a channel: 256 logarithms instead of one a pixel.
    tables = (np.log10(glass)[:, None] - np.log10(np.maximum(np.arange(256), 1))).astype(np.float32)
    if rgb.size == 0:
        return np.zeros(rgb.shape, np.float32)
    looked_up = cv2.LUT(rgb.reshape(1, -1, 3), np.ascontiguousarray(tables.T)[None])
    return np.asarray(looked_up, np.float32).reshape(rgb.shape)


def mean_density(density: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean (...,) over the three channels of OD (..., 3): numpy's own takes ten times as long."""
    return (density[..., 0] + density[..., 1] + density[..., 2]) / np.float32(3)


def to_rgb(od: NDArray[np.floating], white_point: ArrayLike) -> NDArray[np.uint8]:
    """The colour of an optical density on the glass, I = I0 10^-OD, rounded and clipped to 0..255.

    Args:
        od: (..., 3).
        white_point: (3,) RGB of the glass on the scale 0..255.

    Raises:
        ValueError: if `od` is not (..., 3), or a white point is not above 0.
    """
    if od.ndim < 1 or od.shape[-1] != 3:
        raise ValueError(f"need (..., 3), got {od.shape}")
    colour = _white(white_point) * np.power(10.0, -od)
    return np.asarray(np.clip(np.rint(colour), 0, 255), np.uint8)


def unmix(od: NDArray[np.floating], matrix: ArrayLike) -> NDArray[np.float32]:
    """Concentrations of K stains in each pixel: the least-squares solution of c @ matrix = od.

    Args:
        od: (..., 3).
        matrix: (K, 3), K = 1 to 3 stain vectors, one a row.

    Returns:
        (..., K) float32; below 0 where a pixel holds less than none of a stain (noise, another stain).

    Raises:
        ValueError: if shapes do not fit, or the vectors are not independent.
    """
    stains = np.asarray(matrix, np.float64)
    if stains.ndim != 2 or stains.shape[1] != 3 or not 1 <= stains.shape[0] <= 3:
        raise ValueError(f"need one to three stain vectors, (K, 3), got {stains.shape}")
    if od.ndim < 1 or od.shape[-1] != 3:
        raise ValueError(f"need (..., 3), got {od.shape}")
    if np.linalg.matrix_rank(stains, tol=1e-3) < stains.shape[0]:
        raise ValueError("the stain vectors are not independent")
    inverse = np.linalg.pinv(stains).astype(np.float32)
    concentrations: NDArray[np.float32] = np.matmul(od.astype(np.float32, copy=False), inverse)
    return concentrations


def _white(white_point: ArrayLike) -> NDArray[np.float64]:
    glass = np.asarray(white_point, np.float64)
    if glass.shape != (3,) or not (glass > 0).all():
        raise ValueError(f"a white point is three numbers above 0, got {glass}")
    return glass
