"""Explicit stain and texture numbers of a whole slide seen at one um/px: what a simple classifier gets."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from common.patches import Window, density, shrink
from lowpower.stain import RUIFROK_DAB, RUIFROK_H, unmix

__all__ = ["NAMES", "slide_features"]

_MATRIX = np.stack([RUIFROK_H, RUIFROK_DAB])
_LEVELS = (0.5, 0.75, 0.9, 0.97, 0.99, 0.998)
_SIGMAS = (0.7, 1.4, 2.8)

NAMES = (
    *(f"DAB q{level:g}" for level in _LEVELS),
    *(f"haematoxylin q{level:g}" for level in _LEVELS),
    *(f"DAB over haematoxylin q{level:g}" for level in _LEVELS),
    *(f"DAB contrast {sigma:g} px {what}" for sigma in _SIGMAS for what in ("sd", "q0.99")),
    *(f"DAB ridge {sigma:g} px {what}" for sigma in _SIGMAS[:2] for what in ("q0.9", "q0.99")),
    "correlation of DAB and haematoxylin",
    "mean DAB",
    "mean haematoxylin",
)


def slide_features(window: Window, factor: int) -> NDArray[np.float64]:
    """Numbers (in the order of `NAMES`) of a window whose base image is averaged over `factor` pixels."""
    image = shrink(window.image, factor)
    tissue = cv2.resize(window.tissue, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_NEAREST) > 0
    od = density(image, window.white)
    amounts = unmix(od.reshape(-1, 3), _MATRIX).reshape(*od.shape[:2], 2).astype(np.float32)
    blue, brown = (np.ascontiguousarray(amounts[..., channel]) for channel in (0, 1))
    values: list[float] = [*np.quantile(brown[tissue], _LEVELS), *np.quantile(blue[tissue], _LEVELS)]
    values += [*np.quantile((brown - 0.5 * blue)[tissue], _LEVELS)]
    for sigma in _SIGMAS:
        band = cv2.GaussianBlur(brown, (0, 0), sigma) - cv2.GaussianBlur(brown, (0, 0), 2 * sigma)
        values += [float(band[tissue].std()), float(np.quantile(band[tissue], 0.99))]
    for sigma in _SIGMAS[:2]:
        ridge = _ridge(cv2.GaussianBlur(brown, (0, 0), sigma))[tissue]
        values += [*np.quantile(ridge, (0.9, 0.99))]
    pair = np.corrcoef(brown[tissue], blue[tissue])[0, 1]
    values += [float(pair), float(brown[tissue].mean()), float(blue[tissue].mean())]
    return np.asarray(values, np.float64)


def _ridge(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much darker a pixel is than both its sides across the steepest direction: thin lines stand out."""
    xx = cv2.Sobel(image, cv2.CV_32F, 2, 0)
    yy = cv2.Sobel(image, cv2.CV_32F, 0, 2)
    xy = cv2.Sobel(image, cv2.CV_32F, 1, 1)
    spread = np.sqrt((xx - yy) ** 2 / 4 + xy**2)
    smallest = (xx + yy) / 2 - spread
    largest = (xx + yy) / 2 + spread
    # A line is curved across and straight along; a dot, curved both ways, counts less.
    return np.asarray(np.maximum(-smallest, 0) - np.abs(largest), np.float32)
