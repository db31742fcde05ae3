"""A slide's likeness: a small stain-neutral picture of where its tissue is dense, to find near-duplicates.

The same glass scanned twice, re-saved, cropped, tinted or restained keeps the pattern of optical density; two
different pieces of tissue do not share one.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["LIKENESS_SIDE", "likeness", "near_pairs"]

LIKENESS_SIDE: Final = 64
_TRIM: Final = (
    0.01  # share of density cut from each side, so that a speck on the glass does not set the frame
)
_COARSE: Final = 6.0  # pixels of the 64: slower changes are outline and illumination, which slides share
_FINE: Final = 0.8
_FAINTEST: Final = 0.02  # optical density above the glass that counts
_BLOCK: Final = 1000  # slides compared at once with all others


def likeness(image: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """The likeness of a whole-slide image.

    Args:
        image: (H, W, 3) RGB, a few hundred pixels a side.

    Returns:
        (4096,) zero mean, unit length; None where nothing stands out from the glass.
    """
    density = -np.log10(np.maximum(image.astype(np.float32), 1) / 255).mean(2)
    bright = density[density <= np.median(density)]
    glass = np.median(bright)
    noise = 1.4826 * np.median(np.abs(bright - glass))
    density = np.maximum(density - glass - max(_FAINTEST, 3 * float(noise)), 0)
    total = float(density.sum())
    if total <= 0:
        return None
    top, bottom = _frame(density.sum(1))
    left, right = _frame(density.sum(0))
    framed = density[top : bottom + 1, left : right + 1]
    size = (LIKENESS_SIDE, LIKENESS_SIDE)
    small = cv2.resize(framed, size, interpolation=cv2.INTER_AREA)
    held = cv2.resize((framed > 0).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    # Local means over tissue only: the outline, which two pieces of tissue may share, leaves no edge.
    fine, coarse = (_local_mean(small, held, sigma) for sigma in (_FINE, _COARSE))
    pattern = (fine - coarse) * held
    vector = pattern.ravel() - pattern.mean()
    length = float(np.linalg.norm(vector))
    return (vector / length).astype(np.float32) if length > 1e-6 else None


def _local_mean(density: NDArray[Any], held: NDArray[Any], sigma: float) -> NDArray[Any]:
    weight = cv2.GaussianBlur(held, (0, 0), sigma)
    return np.asarray(cv2.GaussianBlur(density, (0, 0), sigma) / np.maximum(weight, 1e-3))


def _frame(profile: NDArray[Any]) -> tuple[int, int]:
    share = np.cumsum(profile) / profile.sum()
    return int(np.searchsorted(share, _TRIM)), int(np.searchsorted(share, 1 - _TRIM))


def near_pairs(likenesses: NDArray[np.float32], threshold: float) -> list[tuple[int, int, float]]:
    """Pairs of likenesses that correlate at least `threshold`, upright or turned by 180 degrees.

    Args:
        likenesses: (N, 4096).
        threshold: 0 .. 1.

    Returns:
        (first, second, correlation) with first < second, in order.
    """
    pairs = []
    for start in range(0, len(likenesses), _BLOCK):
        block = likenesses[start : start + _BLOCK]
        rest = likenesses[start:]
        # Reversing the flat picture turns it by 180 degrees: a glass put in the other way round.
        similar = np.maximum(block @ rest.T, block[:, ::-1] @ rest.T)
        for first, second in zip(*np.nonzero(np.triu(similar >= threshold, 1)), strict=True):
            pairs.append((start + int(first), start + int(second), float(similar[first, second])))
    return pairs
