"""The few OpenCV calls of this room, typed."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Bytes",
    "Floats",
    "blurred",
    "distance",
    "enlarged",
    "looked_up",
    "placed",
    "shrunk",
    "signed_distance",
]

Floats: TypeAlias = NDArray[np.float32]
Bytes: TypeAlias = NDArray[np.uint8]


def blurred(image: Floats, sigma: float) -> Floats:
    """Gaussian blur of `sigma` pixels."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)


def placed(
    image: Floats, matrix: NDArray[np.float64], size: tuple[int, int], outside: float | None = None
) -> Floats:
    """`image` sampled linearly at `matrix` @ (x, y, 1) for each pixel of a (width, height) result.

    Args:
        image: (H, W) or (H, W, C).
        matrix: (2, 3), from the result's pixels to the image's.
        size: (width, height) of the result.
        outside: Value beyond the image; None repeats its border.
    """
    border = cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    result = cv2.warpAffine(
        image, matrix, size, flags=flags, borderMode=border, borderValue=0.0 if outside is None else outside
    )
    return np.asarray(result, np.float32)


def looked_up(image: Floats, x: Floats, y: Floats, *, nearest: bool = False, wrap: bool = False) -> Floats:
    """`image` at (x, y), in pixels; beyond it the border repeats, or with `wrap` the image does."""
    border = cv2.BORDER_WRAP if wrap else cv2.BORDER_REPLICATE
    how = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    return np.asarray(cv2.remap(image, x, y, how, borderMode=border), np.float32)


def enlarged(image: Floats, times: int) -> Floats:
    """Linear enlargement by a whole number."""
    size = (image.shape[1] * times, image.shape[0] * times)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.float32)


def shrunk(image: Bytes, times: int) -> Bytes:
    """Area average over `times` x `times` pixels; a last incomplete block is dropped."""
    rows, columns = image.shape[0] // times, image.shape[1] // times
    if rows == 0:
        return np.zeros((0, columns, *image.shape[2:]), np.uint8)
    whole = image[: rows * times, : columns * times]
    return np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)


def distance(mask: Bytes) -> Floats:
    """Distance in pixels to the nearest zero."""
    return np.asarray(cv2.distanceTransform(mask, cv2.DIST_L2, 5), np.float32)


def signed_distance(mask: NDArray[np.bool_], limit: float) -> Floats:
    """Distance in pixels to the mask's border, above 0 inside, clipped to +-`limit`."""
    inside = mask.astype(np.uint8)
    result = distance(inside)
    result -= distance(1 - inside)
    # A mask without border has no distance; the limit stands for it.
    return np.clip(result, -limit, limit, out=result)
