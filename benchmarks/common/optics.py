"""The same field as other scanners, cameras and stainers would show it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["OPTICS", "Change"]

Image = NDArray[np.float32]
Change = Callable[[Image, float], Image]
"""From (H, W, 3) float32 RGB, 0..255, and um/px."""
_WHITE = 245.0
_VEIL = 235.0


def _veil(image: Image, _: float) -> Image:
    return image * 0.8 + _VEIL * 0.2


def _stain(factor: float) -> Change:
    def change(image: Image, _: float) -> Image:
        density = -np.log((image + 1) / (_WHITE + 1))
        return (_WHITE + 1) * np.exp(-density * factor) - 1

    return change


def _gamma(power: float) -> Change:
    return lambda image, _: 255 * (image / 255) ** power


def _soft(sigma_um: float) -> Change:
    return lambda image, mpp: cv2.GaussianBlur(image, (0, 0), sigma_um / mpp).astype(np.float32)


def _warm(image: Image, _: float) -> Image:
    return image * np.array([1.0, 0.93, 0.85], np.float32)


OPTICS: Final[dict[str, Change]] = {
    "a veil of stray light, 20 %": _veil,
    "stain at 0.6 of its density": _stain(0.6),
    "stain at 1.5 of its density": _stain(1.5),
    "warm light": _warm,
    "gamma 0.8": _gamma(0.8),
    "gamma 1.3": _gamma(1.3),
    "softer by 0.3 um": _soft(0.3),
    "softer by 0.5 um": _soft(0.5),
}
"""By what it is called."""
