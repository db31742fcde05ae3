"""From stain to grey values: Beer-Lambert, point spread, sharpening, sensor noise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.simulate._render import Stains
from lowpower.simulate._spec import Laboratory, Scanner
from lowpower.simulate._textures import BANK, Floats, noise_bank

__all__ = ["MARGIN", "glass", "picture"]

MARGIN = 12
"""Pixels around a block that blur and sharpening look at."""
_GREY = (0.56, 0.57, 0.60)
_FIELD = 2048


def _shading(scanner: Scanner, left: int, top: int, width: int, height: int) -> Floats:
    """(height, width) brightness within the camera's fields, 1 in their middle."""
    x = ((np.arange(left, left + width) % _FIELD) / _FIELD - 0.5).astype(np.float32)
    y = ((np.arange(top, top + height) % _FIELD) / _FIELD - 0.5).astype(np.float32)
    return 1 - np.float32(scanner.shading * 2) * (x[None] ** 2 + y[:, None] ** 2)


def _noise(left: int, top: int, width: int, height: int) -> Floats:
    # Odd strides keep one block's noise from repeating in the next.
    rows = (np.arange(top, top + height) + (left // BANK) * 389) % BANK
    columns = (np.arange(left, left + width) + (top // BANK) * 641) % BANK
    return noise_bank()[np.ix_(rows, columns)]


def picture(
    stains: Stains,
    laboratory: Laboratory,
    scanner: Scanner,
    left: int,
    top: int,
    extra_blur: Floats | None = None,
) -> NDArray[np.uint8]:
    """Grey values of a rendered block.

    Args:
        stains: ODs of the block with `MARGIN` pixels around it.
        laboratory: Gives the stains' colours.
        scanner: Gives everything else.
        left: First column of the block on the slide, without the margin.
        top: First row of the block on the slide.
        extra_blur: Share (0..1) of defocus at each pixel, margin included, or None.

    Returns:
        (height, width, 3) RGB without the margin.
    """
    colours = np.array([laboratory.hematoxylin, laboratory.dab, _GREY], np.float32).T
    amounts = cv2.merge([stains.hematoxylin, stains.dab, stains.grey])
    density = cv2.transform(amounts, colours * np.float32(-np.log(10) * scanner.gamma))
    light = cv2.exp(density)
    sigma = scanner.psf_um / scanner.mpp
    if sigma > 0.2:
        light = cv2.GaussianBlur(light, (0, 0), sigma)
    if extra_blur is not None and extra_blur.max() > 0:
        soft = cv2.GaussianBlur(light, (0, 0), 2.2 / scanner.mpp)
        light += extra_blur[..., None] * (soft - light)
    if scanner.sharpen > 0.02:
        soft = cv2.GaussianBlur(light, (0, 0), scanner.sharpen_um / scanner.mpp)
        light = cv2.addWeighted(light, 1 + scanner.sharpen, soft, -scanner.sharpen, 0)
    light = light[MARGIN:-MARGIN, MARGIN:-MARGIN]
    return _developed(light, scanner, left, top)


def _developed(light: Floats, scanner: Scanner, left: int, top: int) -> NDArray[np.uint8]:
    height, width = light.shape[:2]
    if abs(scanner.saturation - 1) > 0.01:
        mixed = np.full((3, 3), (1 - scanner.saturation) / 3, np.float32)
        light = cv2.transform(light, mixed + np.eye(3, dtype=np.float32) * np.float32(scanner.saturation))
    grey = light * np.array(scanner.white, np.float32)
    grey *= _shading(scanner, left, top, width, height)[..., None]
    grey += np.float32(scanner.noise) * _noise(left, top, width, height)
    return cv2.convertScaleAbs(np.maximum(grey, 0))


def glass(scanner: Scanner, left: int, top: int, width: int, height: int) -> NDArray[np.uint8]:
    """(height, width, 3) of bare glass at the given slide pixels."""
    return _developed(np.ones((height, width, 3), np.float32), scanner, left, top)
